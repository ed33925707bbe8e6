import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createTokenIssuer } from "../auth/index.ts";
import { startApi } from "./testing.ts";

const CF = `Basic ${Buffer.from("cf:").toString("base64")}`;
type Method = "GET" | "POST" | "PUT" | "DELETE";

async function foundation(t: TestContext) {
  const api = await startApi(t, {
    flags: { "cloud-controller.admin_password": "s3cret" },
    issuer: (store, clock) =>
      createTokenIssuer({
        store,
        clock,
        issuer: "http://localhost:8080/uaa/oauth/token",
        accessTokenTtlMs: 600_000,
        refreshTokenTtlMs: 86_400_000,
      }),
  });
  const login = async (username: string, password: string) => {
    const reply = await api.request({
      method: "POST",
      url: "/uaa/oauth/token",
      headers: { authorization: CF, "content-type": "application/x-www-form-urlencoded" },
      payload: new URLSearchParams({ grant_type: "password", username, password }).toString(),
    });
    return reply.status === 200 ? String(reply.body.access_token) : reply.body.error_description;
  };
  const admin = String(await login("admin", "s3cret"));
  const users = (method: Method, path: string, body?: object | string, token = admin) =>
    api.request({
      method,
      url: `/uaa/Users${path}`,
      headers: { authorization: `bearer ${token}`, "content-type": "application/json" },
      ...(body !== undefined && { payload: typeof body === "string" ? body : JSON.stringify(body) }),
    });
  const create = (userName: string) =>
    users("POST", "", {
      userName,
      password: "lovelace",
      origin: "uaa",
      name: { familyName: userName, givenName: userName },
      emails: [{ value: `${userName}@example.com`, primary: true }],
    });
  return { api, login, users, create, admin };
}

test("an administrator makes an account, which logs in, gets roles, and is removed", async (t) => {
  const { api, login, users, create, admin } = await foundation(t);
  const made = await create("ada");
  assert.equal(made.status, 201);
  assert.equal(made.body["userName"], "ada");
  const guid = String(made.body["id"]);
  const known = await api.post("/v3/users", { guid }, admin);
  assert.deepEqual([known.status, known.body["presentation_name"]], [201, "ada"]);
  await api.create(
    "/v3/roles",
    {
      type: "organization_user",
      relationships: {
        user: { data: { username: "ada", origin: "uaa" } },
        organization: { data: { guid: api.organization } },
      },
    },
    admin,
  );
  assert.equal((await api.list(`/v3/organizations/${api.organization}/users`, admin)).length, 1);
  assert.equal((await api.list(`/v3/spaces/${api.space}/users`, admin)).length, 0);
  const ada = String(await login("ada", "lovelace"));
  assert.equal((await api.list("/v3/organizations", ada)).length, 1);

  const labelled = await api.call("PATCH", `/v3/users/${guid}`, { metadata: { labels: { a: "b" } } }, admin);
  assert.deepEqual(labelled.body.metadata?.labels, { a: "b" });
  assert.equal((await api.delete(`/v3/users/${guid}`, admin)).status, 202);
  assert.equal((await api.list("/v3/organizations", ada)).length, 0);
  assert.equal((await users("DELETE", `/${guid}`)).status, 200);
  assert.equal(await login("ada", "lovelace"), "Bad credentials");
  assert.equal((await users("DELETE", `/${guid}`)).status, 404);
});

test("names are found in any case, and taken once", async (t) => {
  const { users, create } = await foundation(t);
  await create("ada");
  const again = await create("ADA");
  assert.deepEqual([again.status, again.body.error], [409, "scim_resource_already_exists"]);
  const find = async (filter: string) =>
    (await users("GET", `?filter=${encodeURIComponent(filter)}`)).body["totalResults"];
  assert.equal(await find('userName eq "Ada"'), 1);
  assert.equal(await find('userName Eq "ada" and origin eq "uaa"'), 1);
  assert.equal(await find('userName eq "ada" and origin eq "ldap"'), 0);
  assert.equal(await find('userName eq "bob"'), 0);
  const [found] = Object.values(
    (await users("GET", "?filter=userName%20eq%20%22ada%22")).body.resources ?? {},
  );
  assert.equal((await users("GET", `/${found?.["id"]}`)).body["userName"], "ada");
  assert.equal((await users("GET", "?filter=true")).status, 400);
});

test("a password is changed by whoever knows the old one, or by an administrator", async (t) => {
  const { login, users, create } = await foundation(t);
  const guid = String((await create("ada")).body["id"]);
  const ada = String(await login("ada", "lovelace"));
  const change = (oldPassword: string, password: string) =>
    users("PUT", `/${guid}/password`, { oldPassword, password }, ada);
  assert.equal((await change("guess", "new")).status, 401);
  assert.equal((await change("lovelace", "byron")).status, 200);
  assert.equal(await login("ada", "lovelace"), "Bad credentials");
  assert.match(String(await login("ada", "byron")), /\./);
  assert.equal((await users("PUT", `/${guid}/password`, { password: "reset" })).status, 200);
  assert.match(String(await login("ada", "reset")), /\./);
});

test("guessing the old password locks the account as guessing at the login does", async (t) => {
  const { login, users, create } = await foundation(t);
  const guid = String((await create("ada")).body["id"]);
  const ada = String(await login("ada", "lovelace"));
  const guess = () => users("PUT", `/${guid}/password`, { oldPassword: "guess", password: "new" }, ada);
  for (let i = 0; i < 5; i++) assert.equal((await guess()).body.error_description, "Bad credentials");
  const locked = await guess();
  assert.match(String(locked.body.error_description), /^Your account has been locked/);
  assert.equal(locked.headers["retry-after"], "30");
});

test("accounts are an administrator's business, and bodies have to make sense", async (t) => {
  const { api, login, users, create, admin } = await foundation(t);
  const guid = String((await create("ada")).body["id"]);
  const ada = String(await login("ada", "lovelace"));
  const bob = String((await create("bob")).body["id"]);
  const denied = await users("POST", "", { userName: "eve", password: "x" }, ada);
  assert.deepEqual([denied.status, denied.body.error], [403, "insufficient_scope"]);
  assert.equal((await users("DELETE", `/${bob}`, undefined, ada)).status, 403);
  assert.equal((await users("PUT", `/${bob}/password`, { password: "x" }, ada)).status, 403);
  assert.equal((await users("GET", "", undefined, "forged")).status, 401);
  assert.equal((await api.post("/v3/users", { guid }, ada)).status, 403);
  assert.deepEqual((await api.post("/v3/users", { guid: "nobody" }, admin)).details, [
    "The UAA has no user with guid 'nobody'. Create the account there first.",
  ]);
  for (const body of ["[", "null", "{}", { userName: "x" }, { userName: "x".repeat(256), password: "x" }]) {
    assert.equal((await users("POST", "", body)).status, 400);
  }
});

test("users of an external UAA are made known by their GUID, and forgotten", async (t) => {
  const api = await startApi(t, { flags: { "cloud-controller.uaa_url": "https://uaa.example.com" } });
  const made = await api.post("/v3/users", { guid: "ada-guid", username: "ada", origin: "ldap" });
  assert.deepEqual([made.status, made.body["username"], made.body["origin"]], [201, "ada", "ldap"]);
  assert.deepEqual((await api.post("/v3/users", { guid: "ada-guid" })).details, [
    "User with guid 'ada-guid' already exists.",
  ]);
  assert.deepEqual((await api.post("/v3/users", { guid: "other", username: "Ada" })).details, [
    "User with username 'Ada' already exists.",
  ]);
  assert.equal((await api.delete("/v3/users/ada-guid")).status, 202);
  assert.equal((await api.get("/v3/users/ada-guid")).status, 404);
});
