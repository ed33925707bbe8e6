import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { JOSEAlgNotAllowed, JWSInvalid, JWTClaimValidationFailed, JWTExpired } from "jose/errors";
import { endpoint, reservation, startRouteTable } from "../../test/support/route-table.ts";
import type { HttpApi } from "../http/index.ts";
import { tokenInvalid, tokenKeysUnavailable } from "../kernel/errors/auth.ts";
import { silentLogger } from "../kernel/index.ts";
import { toTimestamp } from "../store/index.ts";
import { SCOPES } from "./access.ts";
import { buildRoutingApi } from "./api.ts";
import { seedRouterGroups } from "./router-groups.ts";

const ALL = [SCOPES.read, SCOPES.write, SCOPES.readRouterGroups].join(" ");

/** An API whose tokens are their own scopes: `bearer a,b`. */
async function startApi(t: TestContext) {
  const { table, clock, store } = await startRouteTable(t);
  const api = buildRoutingApi({
    table,
    store,
    clock,
    log: silentLogger,
    maxTtlSeconds: 120,
    verifyToken: async (token) => {
      const cause = TOKEN_PROBLEMS.get(token);
      if (cause !== undefined) throw tokenInvalid({ reason: "the library's words" }, cause);
      if (token === "a.forged.one") throw tokenInvalid({ reason: "signature verification failed" });
      if (token === "no-keys") throw tokenKeysUnavailable({ url: "https://uaa", reason: "refused" });
      return { scope: token.split(","), exp: clock.nowMs() / 1_000 + 600 };
    },
  });
  t.after(() => api.close());
  return {
    api,
    table,
    clock,
    store,
    ask: (line: string, body?: unknown, extra?: Extra) => ask(api, line, body, extra),
  };
}

const TOKEN_PROBLEMS: ReadonlyMap<string, Error> = new Map([
  ["an.expired.one", new JWTExpired("old", {})],
  ["an.early.one", new JWTClaimValidationFailed("young", {}, "nbf", "check_failed")],
  ["a.foreign.one", new JWTClaimValidationFailed("whose?", {}, "iss", "check_failed")],
  ["a.symmetric.one", new JOSEAlgNotAllowed("HS256")],
  ["piece", new JWSInvalid("Invalid Compact JWS")],
]);

interface Extra {
  readonly scopes?: string;
  readonly headers?: Record<string, string>;
}

/** `ask("PUT reservations/a", {...})` */
async function ask(api: HttpApi, line: string, body?: unknown, { scopes = ALL, headers = {} }: Extra = {}) {
  const [method = "", path = ""] = line.split(" ");
  const answer = await api.inject({
    method: method as "GET",
    url: `/routing/v1/${path}`,
    headers: { authorization: `bearer ${scopes.replaceAll(" ", ",")}`, ...headers },
    ...(body !== undefined && { payload: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  let json: unknown = null;
  if (answer.headers["content-type"]?.toString().startsWith("application/json")) json = answer.json();
  return { status: answer.statusCode, headers: answer.headers, text: answer.body, json };
}

const resourcesOf = (json: unknown) =>
  (json as { resources: { guid: string }[] }).resources.map(({ guid }) => guid).sort();

// --- transport ---

test("an unknown path is 404 in plain text, a known one with another method 405 with Allow", async (t) => {
  const { ask } = await startApi(t);
  const unknown = await ask("GET routes");
  assert.deepEqual([unknown.status, unknown.headers["content-type"]], [404, "text/plain"]);
  const wrong = await ask("PATCH reservations/a");
  assert.deepEqual([wrong.status, wrong.headers["allow"]], [405, "GET, PUT, DELETE"]);
  assert.equal((await ask("HEAD route_table")).status, 405);
});

test("the request id is echoed when it is a UUID, and made otherwise", async (t) => {
  const { ask } = await startApi(t);
  const id = "0b8f3a2e-51c7-4a4b-8f0e-0123456789ab";
  const echo = await ask("GET route_table", undefined, { headers: { "x-vcap-request-id": id } });
  assert.equal(echo.headers["x-vcap-request-id"], id);
  const made = await ask("GET routes", undefined, { headers: { "x-vcap-request-id": "<script>" } });
  assert.match(String(made.headers["x-vcap-request-id"]), /^[0-9a-f-]{36}$/);
});

// --- tokens ---

for (const { name, authorization, status, message } of [
  { name: "no header", authorization: "", status: 401, message: "invalid token format" },
  { name: "a token alone", authorization: "x", status: 401, message: "invalid token format" },
  { name: "another scheme", authorization: "Basic x", status: 401, message: "Invalid token type: Basic" },
  {
    name: "a forged token",
    authorization: "bearer a.forged.one",
    status: 401,
    message: /signature verification failed/,
  },
  {
    name: "an expired token",
    authorization: "bearer an.expired.one",
    status: 401,
    message: "Token is expired",
  },
  {
    name: "a token of tomorrow",
    authorization: "bearer an.early.one",
    status: 401,
    message: "Token is not valid yet",
  },
  {
    name: "somebody else's token",
    authorization: "bearer a.foreign.one",
    status: 401,
    message: "invalid issuer",
  },
  {
    name: "a token with another algorithm",
    authorization: "bearer a.symmetric.one",
    status: 401,
    message: "invalid signing method",
  },
  {
    name: "a piece of a token",
    authorization: "bearer piece",
    status: 401,
    message: "token contains an invalid number of segments",
  },
  {
    name: "a token without the scope",
    authorization: "bearer other.scope",
    status: 401,
    message: "You are not authorized to perform the requested action",
  },
  {
    name: "keys that cannot be fetched",
    authorization: "bearer no-keys",
    status: 503,
    message: /https:\/\/uaa/,
  },
]) {
  test(`${name} is answered with ${status} and what clients look for`, async (t) => {
    const { ask } = await startApi(t);
    for (const line of ["GET route_table", "PUT reservations/a", "GET router_groups", "GET endpoints"]) {
      const { status: got, json } = await ask(line, reservation("a"), { headers: { authorization } });
      const body = json as { name: string; message: string };
      assert.equal(got, status, line);
      assert.equal(body.name, status === 401 ? "UnauthorizedError" : "DBCommunicationError");
      if (typeof message === "string") assert.equal(body.message, message);
      else assert.match(body.message, message);
    }
  });
}

test("reading does not allow writing", async (t) => {
  const { ask } = await startApi(t);
  for (const line of [
    "POST reservations",
    "PUT reservations",
    "PUT reservations/a",
    "DELETE reservations/a",
    "PUT reservations/a/processes/p",
    "DELETE reservations/a/processes/p",
    "POST endpoints",
    "DELETE endpoints",
  ]) {
    assert.equal((await ask(line, [], { scopes: SCOPES.read })).status, 401, line);
  }
});

// --- reservations ---

test("a reservation is created, replaced and read in the documented shape", async (t) => {
  const { ask, table } = await startApi(t);
  const sent = {
    protocol: "http",
    route: "App.Example.com/v2/",
    process_guids: ["p-1", "p-2"],
    route_service_url: "https://rs.example.com/hook?x=1",
    options: { loadbalancing: "hash", hash_balance: 1.25 },
    tags: { space: "s" },
  };
  const created = await ask("PUT reservations/a", sent);
  const want = {
    guid: "a",
    protocol: "http",
    route: "app.example.com/v2",
    process_guids: ["p-1", "p-2"],
    destinations: [
      { process_guid: "p-1", app_port: null, weight: null, protocol: "http1" },
      { process_guid: "p-2", app_port: null, weight: null, protocol: "http1" },
    ],
    route_service_url: "https://rs.example.com/hook?x=1",
    options: { loadbalancing: "hash", hash_balance: 1.25 },
    isolation_segment: "",
    tags: { space: "s" },
    modification_tag: { guid: "a", index: 1 },
  };
  assert.deepEqual([created.status, created.json], [201, want]);
  assert.equal(created.headers["x-viaduct-cursor"], `${table.cursor.epoch}-1`);
  assert.equal((await ask("PUT reservations/a", sent)).status, 200);
  assert.deepEqual((await ask("GET reservations/a")).json, want);
  assert.equal((await ask("DELETE reservations/a")).status, 204);
  assert.equal((await ask("DELETE reservations/a")).status, 204);
  assert.deepEqual(await ask("GET reservations/a").then(({ status, json }) => [status, json]), [
    404,
    { name: "ResourceNotFoundError", message: "reservation 'a' not found" },
  ]);
});

test("a reservation without a guid gets one", async (t) => {
  const { ask } = await startApi(t);
  const { status, json } = await ask("POST reservations", { route: "a.example.com" });
  assert.equal(status, 201);
  assert.match((json as { guid: string }).guid, /^[0-9a-f-]{36}$/);
});

test("an address that is taken is refused without naming its holder", async (t) => {
  const { ask } = await startApi(t);
  await ask("PUT reservations/secret-holder", { route: "a.example.com" });
  const { status, text } = await ask("PUT reservations/b", { route: "A.example.com/" });
  assert.equal(status, 409);
  assert.match(text, /"RouteReservedError"/);
  assert.doesNotMatch(text, /secret-holder/);
});

test("If-Match keeps a change that was made on an old state out", async (t) => {
  const { ask } = await startApi(t);
  await ask("PUT reservations/a", { route: "a.example.com" });
  const put = (tag: string, route: string) =>
    ask("PUT reservations/a", { route }, { headers: { "if-match": tag } }).then(({ status }) => status);
  assert.equal(await put('"a:1"', "b.example.com"), 200);
  assert.equal(await put('"a:1"', "c.example.com"), 412);
  const gone = await ask("DELETE reservations/a", undefined, { headers: { "if-match": '"a:1"' } });
  assert.deepEqual([gone.status, (gone.json as { name: string }).name], [412, "PreconditionFailedError"]);
});

const badReservations: readonly { body: unknown; name: string; message: string | RegExp }[] = [
  { body: "", name: "ProcessRequestError", message: "Cannot process request: EOF" },
  { body: "{", name: "ProcessRequestError", message: /^Cannot process request: / },
  { body: "[]", name: "ProcessRequestError", message: /the reservation is not a JSON object/ },
  { body: {}, name: "RouteInvalidError", message: "Each route request requires a valid route" },
  { body: { route: "a?b" }, name: "RouteInvalidError", message: "url cannot contain any of [?, #]" },
  { body: { route: "a b" }, name: "RouteInvalidError", message: "url cannot contain invalid characters" },
  { body: { route: "a.*.b" }, name: "RouteInvalidError", message: "url cannot contain invalid characters" },
  { body: { route: "a:80" }, name: "RouteInvalidError", message: "url cannot contain invalid characters" },
  { body: { route: "a/%zz" }, name: "RouteInvalidError", message: "url cannot contain invalid characters" },
  { body: { route: 5 }, name: "ProcessRequestError", message: /route 5 is not text/ },
  {
    body: { route: "a", protocol: "udp" },
    name: "ProcessRequestError",
    message: /protocol "udp" is not one of/,
  },
  { body: { route: "a", process_guids: [1] }, name: "ProcessRequestError", message: /process_guids must be/ },
  { body: { route: "a", destinations: [{}] }, name: "ProcessRequestError", message: /has no process_guid/ },
  {
    body: { route: "a", destinations: [{ process_guid: "p", weight: 101 }] },
    name: "ProcessRequestError",
    message: /weight 101 is not a whole number 1–100/,
  },
  {
    body: { route: "a", route_service_url: "http://rs" },
    name: "RouteServiceUrlInvalidError",
    message: "Route service url must use HTTPS.",
  },
  { body: { route: "a", options: [] }, name: "RouteOptionsInvalidError", message: /must be an object/ },
  {
    body: { route: "a", options: { a: { b: 1 } } },
    name: "RouteOptionsInvalidError",
    message: /option "a" must be/,
  },
  {
    body: { route: "a", options: { a: "x".repeat(1024) } },
    name: "RouteOptionsInvalidError",
    message: /1024 bytes/,
  },
  {
    body: { protocol: "tcp", port: 0 },
    name: "RouteInvalidError",
    message: /requires a port greater than 0/,
  },
  {
    body: { protocol: "tcp", port: 1100, sni_hostname: "db" },
    name: "ProcessRequestError",
    message: /sni_hostname is not supported yet/,
  },
  {
    body: { protocol: "internal", route: "*.apps.internal" },
    name: "RouteInvalidError",
    message: /not a host name/,
  },
];
for (const { body, name, message } of badReservations) {
  test(`the reservation ${JSON.stringify(body).slice(0, 60)} is refused and nothing is stored`, async (t) => {
    const { ask, table } = await startApi(t);
    const { status, json } = await ask("PUT reservations/a", body);
    const got = json as { name: string; message: string };
    assert.deepEqual([status, got.name], [400, name]);
    if (typeof message === "string") assert.equal(got.message, message);
    else assert.match(got.message, message);
    assert.deepEqual([...table.reservations()], []);
  });
}

test("a guid that could not be a scope is refused", async (t) => {
  const { ask } = await startApi(t);
  const { status, text } = await ask(`PUT reservations/${encodeURIComponent("a b")}`, { route: "a" });
  assert.equal(status, 400);
  assert.match(text, /guid \\"a b\\" must be/);
});

test("reservations are listed by filter and page by page", async (t) => {
  const { ask, table } = await startApi(t);
  for (const guid of ["a", "b", "c"]) await table.putReservation(reservation(guid));
  await table.putReservation(
    reservation("t", { protocol: "tcp", route: "1100", routerGroup: "g", isolationSegment: "s" }),
  );
  const list = async (query: string) => (await ask(`GET reservations${query}`)).json;
  assert.deepEqual(resourcesOf(await list("")), ["a", "b", "c", "t"]);
  assert.deepEqual(resourcesOf(await list("?protocol=tcp")), ["t"]);
  assert.deepEqual(resourcesOf(await list("?route=b.example.com")), ["b"]);
  assert.deepEqual(resourcesOf(await list("?process_guid=process-c")), ["c"]);
  assert.deepEqual(resourcesOf(await list("?isolation_segment=")), ["a", "b", "c"]);
  assert.deepEqual(resourcesOf(await list("?router_group_guid=g")), ["t"]);
  const first = (await list("?limit=3")) as { next: string };
  assert.deepEqual(resourcesOf(first), ["a", "b", "c"]);
  const second = (await list(`?limit=3&after=${first.next}`)) as { next: string | null };
  assert.deepEqual([resourcesOf(second), second.next], [["t"], null]);
  for (const limit of ["0", "1001", "x"])
    assert.equal((await ask(`GET reservations?limit=${limit}`)).status, 400);
});

test("a process is associated and dissociated", async (t) => {
  const { ask, table } = await startApi(t);
  await table.putReservation(reservation("a", { destinations: [] }));
  await table.putEndpoints([endpoint("p", 1000), endpoint("q", 1001)], 60_000);
  const ports = async () =>
    ((await ask("GET reservations/a/endpoints")).json as { port: number }[]).map(({ port }) => port);
  assert.deepEqual(await ports(), []);
  assert.equal((await ask("PUT reservations/a/processes/p")).status, 204);
  assert.equal((await ask("PUT reservations/a/processes/p")).status, 204);
  assert.deepEqual(await ports(), [1000]);
  assert.equal((await ask("DELETE reservations/a/processes/p")).status, 204);
  assert.deepEqual(await ports(), []);
  assert.equal((await ask("PUT reservations/unknown/processes/p")).status, 404);
});

// --- endpoints ---

const ENDPOINT = { process_guid: "p", ip: "10.0.0.5", port: 1000, ttl: 60 };

test("endpoints are put, listed by process and deleted", async (t) => {
  const { ask } = await startApi(t);
  assert.equal(
    (await ask("POST endpoints", [ENDPOINT, { ...ENDPOINT, process_guid: "q", tls_port: 1443 }])).status,
    201,
  );
  assert.deepEqual((await ask("GET endpoints?process_guid=q")).json, [
    {
      process_guid: "q",
      instance_id: "",
      ip: "10.0.0.5",
      port: 0,
      tls_port: 1443,
      instance_index: "",
      app_guid: "",
      server_cert_domain_san: "",
      app_port: 0,
      instance_ip: "",
      protocol: "http1",
      availability_zone: "",
      isolation_segment: "",
      tags: {},
      updated_at_ns: "",
    },
  ]);
  assert.equal((await ask("DELETE endpoints", [ENDPOINT])).status, 204);
  assert.equal(((await ask("GET endpoints")).json as unknown[]).length, 1);
});

test("an empty list and null change nothing and are no error", async (t) => {
  const { ask } = await startApi(t);
  for (const body of ["[]", "null"]) {
    assert.equal((await ask("POST endpoints", body)).status, 201);
    assert.equal((await ask("DELETE endpoints", body)).status, 204);
  }
});

for (const { change, message } of [
  { change: { port: 0 }, message: "Each route request requires a port greater than 0" },
  { change: { ip: "" }, message: "Each route request requires an IP" },
  { change: { ttl: 121 }, message: "Max ttl is 120" },
  { change: { ttl: 0 }, message: "Request requires a ttl greater than 0" },
  { change: { process_guid: "" }, message: "Cannot process request: an endpoint has no process_guid" },
  { change: { port: 70_000 }, message: "Cannot process request: port 70000 is not a whole number 0–65535" },
]) {
  test(`one endpoint with ${JSON.stringify(change)} keeps all others out`, async (t) => {
    const { ask, table } = await startApi(t);
    const { status, json } = await ask("POST endpoints", [ENDPOINT, { ...ENDPOINT, ...change }]);
    assert.deepEqual([status, (json as { message: string }).message], [400, message]);
    assert.deepEqual([...table.endpoints()], []);
  });
}

test("an endpoint without a TTL lives as long as the longest", async (t) => {
  const { ask, table, clock } = await startApi(t);
  await ask("POST endpoints", [{ ...ENDPOINT, ttl: undefined }]);
  clock.advance(119_000);
  assert.equal([...table.endpoints()].length, 1);
  clock.advance(1_000);
  assert.equal([...table.endpoints()].length, 0);
});

// --- the route table ---

test("the route table joins routes with their live endpoints and says which have none", async (t) => {
  const { ask, table } = await startApi(t);
  await table.putReservation(reservation("a"));
  await table.putReservation(reservation("b"));
  await table.putEndpoints([endpoint("process-a", 1000)], 60_000);
  const { json, headers } = await ask("GET route_table");
  const { routes, cursor } = json as {
    cursor: string;
    routes: { guid: string; state: string; endpoints: [] }[];
  };
  assert.deepEqual(
    routes.map(({ guid, state, endpoints }) => [guid, state, endpoints.length]),
    [
      ["a", "active", 1],
      ["b", "reserved", 0],
    ],
  );
  assert.equal(headers["etag"], `"${cursor}"`);
  const again = await ask("GET route_table", undefined, { headers: { "if-none-match": `"${cursor}"` } });
  assert.deepEqual([again.status, again.text], [304, ""]);
});

test("a route without a port is served on its process's lowest port only", async (t) => {
  const { ask, table } = await startApi(t);
  await table.putReservation(reservation("a"));
  await table.putEndpoints([endpoint("process-a", 1001, { appPort: 9090 })], 60_000);
  await table.putEndpoints([endpoint("process-a", 1000, { appPort: 8080 })], 60_000);
  const { json } = await ask("GET reservations/a/endpoints");
  assert.deepEqual(
    (json as { port: number }[]).map(({ port }) => port),
    [1000],
  );
});

// --- readers of some routes ---

const ONLY_A = { scopes: "routing.route.a.read" };

test("a reader of one route sees it, and of everything else not even that it is there", async (t) => {
  const { ask, table } = await startApi(t);
  await table.putReservation(reservation("a"));
  await table.putReservation(reservation("b"));
  const one = await ask("GET reservations/a", undefined, ONLY_A);
  assert.equal(one.status, 200);
  const hidden = await ask("GET reservations/b", undefined, ONLY_A);
  const absent = await ask("GET reservations/c", undefined, ONLY_A);
  assert.deepEqual([hidden.status, hidden.text.replace("'b'", "'c'")], [404, absent.text]);
  assert.equal((await ask("GET reservations/b/endpoints", undefined, ONLY_A)).status, 404);
  assert.deepEqual(resourcesOf((await ask("GET reservations", undefined, ONLY_A)).json), ["a"]);
  const table_ = (await ask("GET route_table", undefined, ONLY_A)).json as { routes: { guid: string }[] };
  assert.deepEqual(
    table_.routes.map(({ guid }) => guid),
    ["a"],
  );
  for (const line of ["GET endpoints", "GET route_table/acknowledgements"]) {
    assert.equal((await ask(line, undefined, ONLY_A)).status, 401, line);
  }
});

test("an endpoint's app and tags are shown to such a reader only where the route says they are public", async (t) => {
  const { ask, table } = await startApi(t);
  const shared = [{ processGuid: "p", appPort: null, weight: null, protocol: "http1" as const }];
  await table.putReservation(reservation("a", { destinations: shared }));
  await table.putReservation(
    reservation("b", { destinations: shared, tags: { public_tags: "app_guid,component" } }),
  );
  await table.putEndpoints([endpoint("p", 1000, { tags: { component: "c", secret: "s" } })], 60_000);
  const read = async (guid: string) => {
    const { json } = await ask(`GET reservations/${guid}/endpoints`, undefined, {
      scopes: "routing.route.a.read routing.route.b.read",
    });
    const [{ app_guid, tags } = assert.fail("no endpoint")] = json as { app_guid: string; tags: object }[];
    return { app_guid, tags };
  };
  assert.deepEqual(await read("a"), { app_guid: "", tags: {} });
  assert.deepEqual(await read("b"), { app_guid: "app", tags: { component: "c" } });
});

test("what such a reader cannot see changes neither its version nor anything it could compare", async (t) => {
  const { ask, table } = await startApi(t);
  await table.putReservation(reservation("a"));
  const before = await ask("GET route_table", undefined, ONLY_A);
  await table.putReservation(reservation("b"));
  const etag = String(before.headers["etag"]);
  const same = await ask("GET route_table", undefined, { ...ONLY_A, headers: { "if-none-match": etag } });
  assert.equal(same.status, 304);
  assert.doesNotMatch((before.json as { cursor: string }).cursor, new RegExp(table.cursor.epoch));
  await table.putReservation(reservation("a", { options: { changed: true } }));
  const other = await ask("GET route_table", undefined, { ...ONLY_A, headers: { "if-none-match": etag } });
  assert.equal(other.status, 200);
});

// --- acknowledgements, router groups ---

test("an acknowledgement by nobody who reads is not found, and a broken one refused", async (t) => {
  const { ask, table } = await startApi(t);
  const post = (body: object) => ask("POST route_table/acknowledgements", body).then(({ status }) => status);
  assert.equal(await post({ reader: "router/9", cursor: `${table.cursor.epoch}-0` }), 404);
  assert.equal(await post({ reader: "router/9", cursor: "x" }), 400);
  assert.equal((await ask("GET route_table/acknowledgements/unknown")).status, 404);
  await table.putReservation(reservation("a"));
  const live = await ask("GET route_table/acknowledgements/a");
  assert.deepEqual([live.status, live.json], [200, { live: 0, of: 0, is_live: false }]);
  assert.equal((await ask("GET route_table/acknowledgements/a?timeout_ms=x")).status, 400);
});

test("router groups are listed whole or by name", async (t) => {
  const { ask, store, clock } = await startApi(t);
  assert.deepEqual((await ask("GET router_groups")).json, []);
  await seedRouterGroups(store, clock, { name: "default-tcp", ports: "1024-1123" });
  await seedRouterGroups(store, clock, { name: "later", ports: "2000" });
  const [group] = (await ask("GET router_groups")).json as Record<string, unknown>[];
  assert.deepEqual(
    { ...group, guid: "" },
    {
      guid: "",
      name: "default-tcp",
      type: "tcp",
      reservable_ports: "1024-1123",
    },
  );
  assert.equal(((await ask("GET router_groups?name=default-tcp")).json as unknown[]).length, 1);
  assert.deepEqual((await ask("GET router_groups?name=N")).json, {
    name: "ResourceNotFoundError",
    message: "router group 'N' not found",
  });
});

test("a database that fails is 503, nothing changes, and later writes work", async (t) => {
  const { ask, store, table } = await startApi(t);
  const now = toTimestamp(0);
  const row = {
    protocol: "http" as const,
    route: "taken.example.com",
    sequence: 1,
    created_at: now,
    updated_at: now,
  };
  // A row that the table has not loaded: the database's own index refuses the second one.
  await store.db
    .insertInto("route_reservations")
    .values({ guid: "hidden", ...row, document: "{}" as never })
    .execute();
  const [refused, accepted] = await Promise.all([
    ask("PUT reservations/a", { route: "taken.example.com" }),
    ask("PUT reservations/b", { route: "free.example.com" }),
  ]);
  assert.deepEqual([refused.status, accepted.status], [503, 201]);
  assert.deepEqual(
    Array.from(table.reservations(), (held) => held.reservation.guid),
    ["b"],
  );
});
