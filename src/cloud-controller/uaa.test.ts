import assert from "node:assert/strict";
import { test } from "node:test";
import { createTokenIssuer, ensureClient } from "../auth/index.ts";
import { storeFailed } from "../kernel/errors/store.ts";
import type { Clock } from "../kernel/index.ts";
import type { Store } from "../store/index.ts";
import { startApi, type TestApi } from "./testing.ts";

const flags = { "cloud-controller.admin_password": "s3cret" };
const issuer = {
  flags,
  issuer: (store: Store, clock: Clock) =>
    createTokenIssuer({
      store,
      clock,
      issuer: "http://localhost:8080/uaa/oauth/token",
      accessTokenTtlMs: 600_000,
      refreshTokenTtlMs: 86_400_000,
    }),
};
const CF = `Basic ${Buffer.from("cf:").toString("base64")}`;

const token = (api: TestApi, form: Record<string, string>, authorization = CF) =>
  api.request({
    method: "POST",
    url: "/uaa/oauth/token",
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      ...(authorization !== "" && { authorization }),
    },
    payload: new URLSearchParams(form).toString(),
  });
const password = { grant_type: "password", username: "admin", password: "s3cret" };

test("a request with a character that no database has is malformed, wherever that stands", async (t) => {
  const api = await startApi(t, issuer);
  const malformed = async (reply: ReturnType<typeof token>) => {
    const { status, body } = await reply;
    assert.equal(status, 400);
    assert.match(String(body["error_description"]), /NUL character|not a JSON object/);
  };
  await malformed(token(api, { ...password, username: "ad\0min" }));
  await malformed(token(api, { grant_type: "refresh_token", refresh_token: "\0" }));
  await malformed(token(api, password, `Basic ${Buffer.from("c\0f:").toString("base64")}`));
  await malformed(token(api, { ...password, client_id: "c\0f" }, ""));
  const { body: mine } = await token(api, password);
  const ask = (method: "GET" | "POST", url: string, payload?: string) =>
    api.request({
      method,
      url,
      headers: { authorization: `bearer ${String(mine["access_token"])}` },
      ...(payload !== undefined && { payload }),
    });
  await malformed(ask("GET", "/uaa/Users/a%00b"));
  await malformed(ask("GET", "/uaa/Users?filter=userName+eq+%22a%00%22"));
  const emails = [{ value: "a\0" }];
  await malformed(ask("POST", "/uaa/Users", JSON.stringify({ userName: "a", password: "b", emails })));
});

test("what the UAA does not have is said in its own shape", async (t) => {
  const api = await startApi(t, issuer);
  const { status, body } = await api.request({
    method: "GET",
    url: "/uaa/oauth/authorize?response_type=code",
  });
  assert.deepEqual([status, body["error"]], [404, "not_found"]);
  assert.match(String(body["error_description"]), /^this UAA gives tokens/);
  assert.deepEqual((await api.request({ method: "GET", url: "/uaacp" })).details, ["Unknown request"]);
});

test("a database that is away is no wrong password", async (t) => {
  const api = await startApi(t, {
    flags,
    issuer: (store, clock) => ({
      ...issuer.issuer(store, clock),
      grantPassword: async () => {
        throw storeFailed({ where: "viaduct.db", reason: "database or disk is full" });
      },
    }),
  });
  const { status, body } = await token(api, password);
  assert.equal(status, 503);
  assert.equal(body["error"], "temporarily_unavailable");
  assert.match(String(body["error_description"]), /viaduct\.db refused the change: database or disk is full/);
});

test("login says what to ask the user, at the address discovery names", async (t) => {
  const api = await startApi(t, issuer);
  const { status, body } = await api.request({ method: "GET", url: "/uaa/login" });
  assert.equal(status, 200);
  assert.deepEqual(body.prompts, { username: ["text", "Email"], password: ["password", "Password"] });
  assert.deepEqual(body.links?.uaa, "http://localhost:8080/uaa");
});

test("a password opens the API, a refresh token keeps it open, a logout closes it", async (t) => {
  const api = await startApi(t, issuer);
  const granted = await token(api, password);
  assert.equal(granted.status, 200);
  assert.equal(granted.headers["cache-control"], "no-store");
  assert.equal(granted.body.token_type, "bearer");
  assert.equal(granted.body.expires_in, 599);
  assert.match(String(granted.body.scope), /cloud_controller\.admin/);
  const access = String(granted.body.access_token);
  assert.equal((await api.get("/v3/routes", access)).status, 200);

  api.clock.advance(601_000);
  const expired = await api.get("/v3/routes", access);
  assert.deepEqual([expired.status, expired.details], [401, ["Invalid Auth Token"]]);
  const refresh_token = String(granted.body.refresh_token);
  const refreshed = await token(api, { grant_type: "refresh_token", refresh_token });
  assert.equal(refreshed.status, 200);
  const again = String(refreshed.body.access_token);
  assert.equal((await api.get("/v3/routes", again)).status, 200);

  const logout = await api.delete(`/uaa/oauth/token/revoke/${refreshed.body.jti}`, again);
  assert.equal(logout.status, 200);
  assert.equal((await api.get("/v3/routes", again)).status, 401);
});

test("nobody revokes another's token", async (t) => {
  const api = await startApi(t, issuer);
  const mine = (await token(api, password)).body;
  const theirs = (await token(api, password)).body;
  await api.delete(`/uaa/oauth/token/revoke/${theirs.jti}`, String(mine.access_token));
  assert.equal((await api.get("/v3/routes", String(theirs.access_token))).status, 200);
  assert.equal((await api.delete(`/uaa/oauth/token/revoke/${theirs.jti}`, "forged")).status, 401);
});

test("wrong credentials are answered as UAA does", async (t) => {
  const api = await startApi(t, issuer);
  const unauthorized = { error: "unauthorized", error_description: "Bad credentials" };
  for (const [form, authorization] of [
    [{ ...password, password: "wrong" }, CF],
    [{ ...password, username: "nobody" }, CF],
    [password, `Basic ${Buffer.from("cf:guess").toString("base64")}`],
    [password, ""],
  ] as const) {
    const reply = await token(api, form, authorization);
    assert.equal(reply.status, 401);
    assert.deepEqual(reply.body, unauthorized);
  }
  const stale = await token(api, { grant_type: "refresh_token", refresh_token: "stale-r" });
  assert.equal(stale.status, 401);
  assert.equal(stale.body.error, "invalid_token");
});

test("a form that lacks something says what", async (t) => {
  const api = await startApi(t, issuer);
  const without = await token(api, { grant_type: "password", username: "admin" });
  assert.equal(without.status, 400);
  assert.deepEqual(without.body, { error: "invalid_request", error_description: "Missing password" });
  const other = await token(api, { grant_type: "magic" });
  assert.equal(other.status, 400);
  assert.equal(other.body.error, "unsupported_grant_type");
  const huge = await api.request({
    method: "POST",
    url: "/uaa/oauth/token",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    payload: "a".repeat(1_100_000),
  });
  assert.equal(huge.status, 400);
});

test("a client gets a token of its own by its secret, in the form or the header", async (t) => {
  const api = await startApi(t, issuer);
  const { store, clock } = api;
  const client = { id: "broker", secret: "s:e c%ret", grantTypes: ["client_credentials"] as const };
  await ensureClient({ store, clock }, { ...client, authorities: ["cloud_controller.admin"] });
  const inForm = await token(
    api,
    { grant_type: "client_credentials", client_id: client.id, client_secret: client.secret },
    "",
  );
  assert.equal(inForm.status, 200);
  assert.equal((await api.get("/v3/apps", String(inForm.body.access_token))).status, 200);
  const encoded = Buffer.from(`broker:${encodeURIComponent(client.secret)}`).toString("base64");
  assert.equal((await token(api, { grant_type: "client_credentials" }, `Basic ${encoded}`)).status, 200);
});

test("the keys that check tokens are public", async (t) => {
  const api = await startApi(t, issuer);
  await token(api, password);
  const { body } = await api.request({ method: "GET", url: "/uaa/token_keys" });
  const one = (await api.request({ method: "GET", url: "/uaa/token_key" })).body;
  assert.deepEqual(body.keys?.["0"], one);
  assert.equal(one.alg, "RS256");
  assert.match(String(one.value), /^-----BEGIN PUBLIC KEY-----/);
});

test("with an external UAA there is none of our own", async (t) => {
  const api = await startApi(t);
  assert.equal((await api.request({ method: "GET", url: "/uaa/login" })).status, 404);
});
