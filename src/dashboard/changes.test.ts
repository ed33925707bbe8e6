import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { createHttpApi } from "../http/index.ts";
import { badCredentials } from "../kernel/errors/auth.ts";
import { createManualClock, silentLogger } from "../kernel/index.ts";
import { createChanges } from "./changes.ts";

const IDLE_MS = 30 * 60_000;

/** The changes of a dashboard before an API that says what it was asked. */
async function start(t: TestContext) {
  const asked: string[] = [];
  const upstream = createServer(async (request, response) => {
    const { method, url, headers } = request;
    const body = await text(request);
    asked.push([method, url, headers.authorization, headers["if-match"], body].filter(Boolean).join(" "));
    response.writeHead(url === "/v3/routes/missing" ? 404 : 200, { etag: '"seen"' });
    response.end(
      url === "/v3/routes/missing" ? '{"errors":[{"detail":"Route not found"}]}' : '{"guid":"r1"}',
    );
  }).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  t.after(() => upstream.close());
  const { port } = upstream.address() as AddressInfo;
  const ended: string[] = [];
  const clock = createManualClock();
  const changes = createChanges(
    {
      logIn: async (username, password) => {
        if (password !== "right") throw badCredentials({});
        return {
          username,
          token: async () => `token-of-${username}`,
          end: async () => void ended.push(username),
        };
      },
      apiUrl: () => `http://127.0.0.1:${port}`,
      hosts: [],
    },
    clock,
    silentLogger,
  );
  const api = createHttpApi();
  changes.register(api, "/dashboard");
  t.after(() => changes.close());
  const ask = async (
    method: "GET" | "POST" | "PATCH" | "DELETE",
    path: string,
    {
      key,
      body,
      headers = {},
    }: { key?: string; body?: object | string; headers?: Record<string, string> } = {},
  ) => {
    const answer = await api.inject({
      method,
      url: `/dashboard${path}`,
      headers: {
        host: "localhost:8080",
        origin: "http://localhost:8080",
        ...(key !== undefined && { "x-viaduct-session": key }),
        ...headers,
      },
      ...(body !== undefined && { payload: body }),
    });
    const json =
      answer.body === "" ? {} : (answer.json() as { errors?: { title: string; detail: string }[] });
    return { status: answer.statusCode, headers: answer.headers, json, error: json.errors?.[0] };
  };
  const logIn = async (username: string) => {
    const { status, json } = await ask("POST", "/session", { body: { username, password: "right" } });
    assert.equal(status, 201);
    return (json as { key: string }).key;
  };
  return { ask, asked, changes, clock, ended, logIn, upstream };
}

test("a change goes to the API as it is, with the token of who logged in", async (t) => {
  const { ask, asked, logIn } = await start(t);
  const key = await logIn("ada");
  const answer = await ask("PATCH", "/v3/routes/r1", {
    key,
    body: { options: { retries: 2 } },
    headers: { "if-match": '"seen"' },
  });
  assert.deepEqual([answer.status, answer.json, answer.headers["etag"]], [200, { guid: "r1" }, '"seen"']);
  assert.equal(answer.headers["cache-control"], "no-store");
  await ask("GET", "/v3/viaduct/routes/r1/liveness?wait_ms=10", { key: await logIn("bob") });
  assert.deepEqual(asked, [
    'PATCH /v3/routes/r1 bearer token-of-ada "seen" {"options":{"retries":2}}',
    "GET /v3/viaduct/routes/r1/liveness?wait_ms=10 bearer token-of-bob",
  ]);
  const missing = await ask("GET", "/v3/routes/missing", { key });
  assert.deepEqual([missing.status, missing.error?.detail], [404, "Route not found"]);
});

test("without the key of a session nothing is asked of the API", async (t) => {
  const { ask, asked, logIn } = await start(t);
  const key = await logIn("ada");
  for (const wrong of [undefined, "", "x", key.slice(1), `${key}x`]) {
    const { status, error } = await ask("DELETE", "/v3/routes/r1", wrong === undefined ? {} : { key: wrong });
    assert.deepEqual([status, error?.title], [401, "dashboard_login_needed"]);
  }
  const guessed = await ask("POST", "/session", { body: { username: "ada", password: "wrong" } });
  assert.deepEqual([guessed.status, guessed.error?.detail], [401, "Bad credentials"]);
  assert.deepEqual(asked, []);
});

test("another site's page is refused even with a key, and what it could send unasked is no login", async (t) => {
  const { ask, asked, logIn } = await start(t);
  const key = await logIn("ada");
  const login = { username: "ada", password: "right" };
  const foreign: readonly Record<string, string>[] = [
    { origin: "https://evil.example" },
    { origin: "http://shop.localhost:8080" },
    { "sec-fetch-site": "cross-site" },
    { host: "evil.example:8080", origin: "http://evil.example:8080" },
  ];
  for (const headers of foreign) {
    assert.equal((await ask("DELETE", "/v3/routes/r1", { key, headers })).status, 403);
    assert.equal((await ask("POST", "/session", { body: login, headers })).status, 403);
  }
  for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
    const sent = { body: JSON.stringify(login), headers: { "content-type": type } };
    assert.equal((await ask("POST", "/session", sent)).status, 415, type);
  }
  assert.deepEqual(asked, []);
});

test("only calls of the list are passed on, and a path cannot be bent into another", async (t) => {
  const { ask, asked, logIn } = await start(t);
  const key = await logIn("ada");
  for (const [method, path, status] of [
    ["GET", "/v3/users", 404],
    ["POST", "/v3/apps", 404],
    ["DELETE", "/v3/domains/d1", 404],
    ["GET", "/v3/routes/r1%3Finclude=domain", 400],
    ["DELETE", "/v3/routes/..%2Fspaces%2Fs1", 400],
  ] as const) {
    assert.equal((await ask(method, path, { key })).status, status, path);
  }
  assert.deepEqual(asked, []);
});

test("a browser that logged in to see the page logs in for changes without asking again", async (t) => {
  const { ask } = await start(t);
  const authorization = `Basic ${Buffer.from("ada:right").toString("base64")}`;
  const opened = await ask("POST", "/session", { body: {}, headers: { authorization } });
  assert.deepEqual([opened.status, (opened.json as { username?: string }).username], [201, "ada"]);
});

test("a session ends by logging out, after half an hour without use, and with the dashboard", async (t) => {
  const { ask, changes, clock, ended, logIn } = await start(t);
  const [ada, bob, eve] = [await logIn("ada"), await logIn("bob"), await logIn("eve")];
  assert.equal((await ask("DELETE", "/session", { key: ada })).status, 204);
  assert.equal((await ask("GET", "/v3/routes/r1", { key: ada })).status, 401);
  clock.advance(IDLE_MS - 1);
  assert.equal((await ask("GET", "/v3/routes/r1", { key: bob })).status, 200);
  clock.advance(1);
  assert.equal((await ask("GET", "/v3/routes/r1", { key: eve })).status, 401);
  assert.equal((await ask("GET", "/v3/routes/r1", { key: bob })).status, 200);
  await changes.close();
  assert.deepEqual(ended, ["ada", "eve", "bob"]);
});

test("an API that is away is said to be, and the page is told not to repeat blindly", async (t) => {
  const { ask, logIn, upstream } = await start(t);
  const key = await logIn("ada");
  await new Promise((resolve) => upstream.close(resolve));
  const { status, error } = await ask("PATCH", "/v3/routes/r1", { key, body: {} });
  assert.deepEqual([status, error?.title], [502, "dashboard_api_away"]);
  assert.match(error?.detail ?? "", /look at the route before you repeat it/);
});
