import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../kernel/index.ts";
import { endpoints } from "./resources/index.ts";
import { startApi } from "./testing.ts";

const errorOf = (reply: { body: { errors?: unknown } }) =>
  (reply.body.errors as { code: number; title: string; detail: string }[])[0];

test("discovery needs no token and names what the cf CLI asks for", async (t) => {
  const api = await startApi(t);
  const root = await api.request({ method: "GET", url: "/" });
  assert.equal(root.status, 200);
  const { links } = root.body;
  assert.deepEqual(links?.cloud_controller_v3, {
    href: "http://localhost:8080/v3",
    meta: { version: "3.224.0" },
  });
  assert.deepEqual(links?.login, { href: "http://localhost:8080/uaa" });
  assert.deepEqual(links?.uaa, { href: "http://localhost:8080/uaa" });
  assert.deepEqual(links?.routing, { href: "http://localhost:8080/routing" });
  const v3 = await api.request({ method: "GET", url: "/v3" });
  assert.deepEqual(v3.body.links?.routes, { href: "http://localhost:8080/v3/routes" });
  const info = await api.request({ method: "GET", url: "/v3/info" });
  assert.equal(info.body.name, "Viaduct");
  assert.equal(info.body.version, 0);
  assert.equal(links?.network_policy_v1, null, "the CLI says that there is no such API");
});

test("every collection is named at /v3", async (t) => {
  const api = await startApi(t);
  const { links } = (await api.request({ method: "GET", url: "/v3" })).body;
  const listed = endpoints.flatMap(({ method, path }) =>
    method === "GET" ? (/^\/v3\/(\w+)$/.exec(path)?.[1] ?? []) : [],
  );
  assert.deepEqual(
    listed.filter((name) => name !== "info" && links?.[name] === undefined),
    [],
  );
});

test("the one call that is left of API v2 says so, and where the UAA is", async (t) => {
  const api = await startApi(t);
  const { status, body } = await api.request({ method: "GET", url: "/v2/info" });
  assert.equal(status, 200);
  const { support, api_version, token_endpoint, authorization_endpoint } = body;
  assert.deepEqual(
    { support, api_version, token_endpoint, authorization_endpoint },
    {
      support: "CF API v2 is disabled",
      api_version: "",
      token_endpoint: "http://localhost:8080/uaa",
      authorization_endpoint: "http://localhost:8080/uaa",
    },
  );
});

test("a client of API v2 reads in its own shape that there is none", async (t) => {
  const api = await startApi(t);
  for (const method of ["GET", "POST", "DELETE"] as const) {
    const { status, body } = await api.request({ method, url: "/v2/apps/x?q=name" });
    const { code, error_code, description } = body;
    assert.deepEqual([status, code, error_code], [404, 10000, "CF-NotFound"]);
    assert.match(String(description), /^CF API v2 is disabled/);
  }
  assert.deepEqual((await api.get("/v3/v2/x")).details, ["Unknown request"]);
});

test("discovery announces an external UAA and Routing API", async (t) => {
  const flags = {
    "cloud-controller.uaa_url": "https://uaa.example.com",
    "cloud-controller.routing_url": "https://api.example.com/routing",
  };
  const api = await startApi(t, { flags });
  const { links } = (await api.request({ method: "GET", url: "/" })).body;
  assert.deepEqual(links?.login, { href: "https://uaa.example.com" });
  assert.deepEqual(links?.routing, { href: "https://api.example.com/routing" });
});

test("every refusal has upstream's status, code, title and text", async (t) => {
  const api = await startApi(t);
  const json = { authorization: "bearer admin", "content-type": "application/json" };
  const cases = [
    {
      name: "no token",
      request: { method: "GET", url: "/v3/routes" },
      status: 401,
      error: { code: 10002, title: "CF-NotAuthenticated", detail: "Authentication error" },
    },
    {
      name: "a wrong token",
      request: { method: "GET", url: "/v3/routes", headers: { authorization: "bearer forged" } },
      status: 401,
      error: { code: 1000, title: "CF-InvalidAuthToken", detail: "Invalid Auth Token" },
    },
    {
      name: "another kind of authorization",
      request: { method: "GET", url: "/v3/routes", headers: { authorization: "Basic YTpi" } },
      status: 401,
      error: { code: 1000, title: "CF-InvalidAuthToken", detail: "Invalid Auth Token" },
    },
    {
      name: "a token that may only read",
      request: { method: "POST", url: "/v3/organizations", headers: { authorization: "bearer reader:x" } },
      status: 403,
      error: {
        code: 10003,
        title: "CF-NotAuthorized",
        detail: "You are not authorized to perform the requested action",
      },
    },
    {
      name: "an unknown path",
      request: { method: "GET", url: "/v3/nothing", headers: json },
      status: 404,
      error: { code: 10000, title: "CF-NotFound", detail: "Unknown request" },
    },
    {
      name: "a method the path does not have",
      request: { method: "PUT", url: "/v3/routes", headers: json },
      status: 404,
      error: { code: 10000, title: "CF-NotFound", detail: "Unknown request" },
    },
    {
      name: "a GUID nobody has",
      request: { method: "GET", url: "/v3/routes/nothing", headers: json },
      status: 404,
      error: { code: 10010, title: "CF-ResourceNotFound", detail: "Route not found" },
    },
    {
      name: "a path no row can have",
      request: { method: "GET", url: "/v3/routes/%00", headers: json },
      status: 404,
      error: { code: 10000, title: "CF-NotFound", detail: "Unknown request" },
    },
    {
      name: "malformed JSON",
      request: { method: "POST", url: "/v3/routes", headers: json, payload: '{"host":' },
      status: 400,
      error: {
        code: 1001,
        title: "CF-MessageParseError",
        detail: "Request invalid due to parse error: invalid request body",
      },
    },
    {
      name: "JSON that is no object",
      request: { method: "POST", url: "/v3/routes", headers: json, payload: "[]" },
      status: 400,
      error: {
        code: 1001,
        title: "CF-MessageParseError",
        detail: "Request invalid due to parse error: invalid request body",
      },
    },
    {
      name: "a NUL in a text",
      request: { method: "POST", url: "/v3/organizations", headers: json, payload: '{"name":"a\\u0000"}' },
      status: 400,
      error: {
        code: 1001,
        title: "CF-MessageParseError",
        detail: "Request invalid due to parse error: the body holds a NUL character",
      },
    },
    {
      name: "a body beyond the limit",
      request: {
        method: "POST",
        url: "/v3/organizations",
        headers: json,
        payload: `{"name":"${"a".repeat(1_100_000)}"}`,
      },
      status: 400,
      error: {
        code: 1001,
        title: "CF-MessageParseError",
        detail: "Request invalid due to parse error: request body is too large",
      },
    },
    {
      name: "an unknown query parameter",
      request: { method: "GET", url: "/v3/jobs/x?a=1&b=2", headers: json },
      status: 400,
      error: {
        code: 10005,
        title: "CF-BadQueryParameter",
        detail:
          "The query parameter is invalid: Unknown query parameter(s): 'a', 'b'. Valid parameters are: ",
      },
    },
    {
      name: "a NUL in a query parameter",
      request: { method: "GET", url: "/v3/routes?hosts=%00", headers: json },
      status: 400,
      error: {
        code: 10005,
        title: "CF-BadQueryParameter",
        detail: "The query parameter is invalid: hosts cannot contain NUL",
      },
    },
  ] as const;
  for (const { name, request, status, error } of cases) {
    await t.test(name, async () => {
      const reply = await api.request(request);
      assert.deepEqual(errorOf(reply), error);
      assert.equal(reply.status, status);
    });
  }
});

test("a body is JSON whatever its content type says", async (t) => {
  const api = await startApi(t);
  const reply = await api.request({
    method: "POST",
    url: "/v3/organizations",
    headers: { authorization: "bearer admin", "content-type": "application/x-www-form-urlencoded" },
    payload: '{"name":"acme"}',
  });
  assert.equal(reply.status, 201);
});

test("a body that is nested deeper than anything means is refused, wherever it is deep", async (t) => {
  const api = await startApi(t);
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const relationships = `"relationships":{"space":{"data":{"guid":"${api.space}"}},"domain":{"data":{"guid":"${api.domain}"}}}`;
  for (const [path, body] of [
    ["/v3/routes", `{"host":"a","options":{"rate-limit":${nested(5_000)}},${relationships}}`],
    ["/v3/apps", `{"name":"a","lifecycle":{"type":"buildpack","data":{"credentials":${nested(5_000)}}}}`],
    ["/v3/service_instances", `{"name":"a","credentials":{"a":${nested(63)}}}`],
  ] as const) {
    const reply = await api.post(path, body);
    assert.deepEqual(
      [reply.status, reply.details],
      [400, ["Request invalid due to parse error: the body is nested more than 64 deep"]],
    );
  }
  const space = { space: { data: { guid: api.space } } };
  const deepest = { type: "user-provided", name: "a", relationships: space };
  const credentials = { a: JSON.parse(nested(62)) as unknown, 'b"[': '[[{\\"'.repeat(100) };
  assert.equal((await api.post("/v3/service_instances", { ...deepest, credentials })).status, 201);
});

test("a fault of ours is a 500 without details, and in the log", async (t) => {
  const lines: string[] = [];
  const log = createLogger({ level: "error", sink: { write: (line) => lines.push(line) } });
  const api = await startApi(t, { log });
  api.bbs.recentLogs = async () => {
    throw new Error("the cell is on fire");
  };
  const app = await api.create("/v3/apps", {
    name: "shop",
    relationships: { space: { data: { guid: api.space } } },
  });
  const reply = await api.get(`/v3/viaduct/apps/${app}/recent_logs`);
  assert.equal(reply.status, 500);
  assert.deepEqual(errorOf(reply), {
    code: 10001,
    title: "UnknownError",
    detail: "An unknown error occurred.",
  });
  assert.match(lines.join(""), /the cell is on fire/);
});

test("what is deleted between the look and the write is a refusal, not a fault", async (t) => {
  const api = await startApi(t);
  const { store } = api;
  const space = await api.create("/v3/spaces", {
    name: "short-lived",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const transaction = store.transaction.bind(store);
  Object.assign(store, {
    transaction: async (run: Parameters<typeof transaction>[0]) => {
      await store.db.deleteFrom("spaces").where("guid", "=", space).execute();
      return transaction(run);
    },
  });
  const reply = await api.post("/v3/apps", {
    name: "shop",
    relationships: { space: { data: { guid: space } } },
  });
  assert.equal(reply.status, 422);
  assert.match(reply.details.join(), /deleted meanwhile/);
});

test("a change is acknowledged although the route table is away, and arrives when it is back", async (t) => {
  const api = await startApi(t);
  api.routeTable.failure = new Error("connection refused");
  const creation = api.post("/v3/routes", {
    host: "shop",
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  });
  // The relay pauses, the call waits; time passes only here.
  while (api.routeTable.failure !== null) await new Promise((resolve) => setImmediate(resolve));
  const call = { isAnswered: false };
  void creation.finally(() => (call.isAnswered = true));
  while (!call.isAnswered) {
    api.clock.advance(2_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await creation).status, 201);
  await api.relay.drained();
  assert(api.routeTable.find("shop.localhost"));
});

test("a method that a call does not have is an unknown request, whatever the method", async (t) => {
  const api = await startApi(t);
  for (const method of ["PUT", "QUERY", "PROPFIND", "OPTIONS"]) {
    const reply = await api.request({ method: method as "PUT", url: "/v3/apps" });
    assert.deepEqual([reply.status, reply.details], [404, ["Unknown request"]], method);
  }
});

test("the OpenAPI document describes every endpoint with its schema", async (t) => {
  const api = await startApi(t);
  const { body } = await api.request({ method: "GET", url: "/v3/openapi.json" });
  const create = body.paths?.["/v3/routes"]?.post;
  assert.equal(create?.summary, "Creates a route.");
  const schema = create?.requestBody?.content?.["application/json"]?.schema;
  assert.deepEqual(Object.keys(schema?.properties ?? {}).toSorted(), [
    "host",
    "metadata",
    "options",
    "path",
    "port",
    "relationships",
  ]);
  assert(body.paths?.["/v3/routes/{guid}/destinations/{destination_guid}"]?.delete);
});

test("what only we have lies below /v3/viaduct", async (t) => {
  const asked: string[] = [];
  const state = { live: 1, of: 2, isLive: false };
  const liveness = {
    acknowledgements: async () => ({ cursor: { epoch: "e", sequence: 1 }, readers: [] }),
    liveOn: async (guid: string) => (asked.push(`now ${guid}`), state),
    whenLive: async (guid: string, ms: number) => (
      asked.push(`${ms} ${guid}`), { ...state, live: 2, isLive: true }
    ),
  };
  const api = await startApi(t, { liveness });
  const route = await api.create("/v3/routes", {
    host: "shop",
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  });
  const at = `/v3/viaduct/routes/${route}/liveness`;
  assert.deepEqual((await api.get(at)).body, { live: false, current: 1, readers: 2 });
  assert.deepEqual((await api.get(`${at}?wait_ms=500`)).body, { live: true, current: 2, readers: 2 });
  assert.deepEqual(asked, [`now ${route}`, `500 ${route}`]);
  assert.equal((await api.get(`${at}?wait_ms=soon`)).status, 400);

  const app = await api.create("/v3/apps", {
    name: "shop",
    relationships: { space: { data: { guid: api.space } } },
  });
  const line = { stream: "out", source: "APP/PROC/WEB", instanceIndex: 0 } as const;
  api.bbs.logs = [
    { ...line, timestampNs: "1", text: "one" },
    { ...line, timestampNs: "2", text: "two" },
  ];
  assert.deepEqual(await api.list(`/v3/viaduct/apps/${app}/recent_logs?limit=1`), [
    { timestamp: "2", stream: "out", source: "APP/PROC/WEB", instance_index: 0, text: "two" },
  ]);
  const options = await api.list("/v3/viaduct/options");
  const option = (name: string) => options.find((each) => String(each.name) === name) as object;
  assert.deepEqual(Reflect.get(option("hash_header"), "goes_with"), {
    option: "loadbalancing",
    value: "hash",
  });
  const [limit] = Reflect.get(option("response-timeout"), "operator_limits") as object[];
  assert.deepEqual(limit, {
    key: "max_response_timeout",
    description: "Longest `response-timeout` a route may have.",
    value: "15m",
  });
});

test("without acknowledgements, liveness is an unknown request", async (t) => {
  const api = await startApi(t);
  const reply = await api.get("/v3/viaduct/routes/any/liveness");
  assert.deepEqual(reply.details, ["Unknown request"]);
});

test("the log says who asked for a change and what became of it, and nothing that was in the body", async (t) => {
  const lines: string[] = [];
  const log = createLogger({ level: "info", sink: { write: (line) => lines.push(line) } });
  const api = await startApi(t, { log });
  lines.length = 0;
  // The tokens of these tests have no user name; then it is the client's.
  const relationships = { space: { data: { guid: api.space } } };
  await api.post("/v3/apps?x=secret", {
    name: "shop",
    environment_variables: { KEY: "secret" },
    relationships,
  });
  await api.post("/v3/apps", { name: "shop", relationships });
  await api.get("/v3/apps");
  const said = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter(({ message }) => message === "change asked for")
    .map(({ user, method, path, status }) => [user, method, path, status]);
  assert.deepEqual(said, [
    ["cf", "POST", "/v3/apps", 201],
    ["cf", "POST", "/v3/apps", 422],
  ]);
  assert.doesNotMatch(lines.join(""), /secret/);
});

test("a path that cannot be decoded, or is too long to be a name, is an unknown request like any other", async (t) => {
  const api = await startApi(t);
  for (const url of ["/v3/routes/%zz", `/v3/routes/${"x".repeat(2_000)}`]) {
    const reply = await api.get(url);
    assert.equal(reply.status, 404, url);
    assert.deepEqual(reply.body, {
      errors: [{ code: 10_000, title: "CF-NotFound", detail: "Unknown request" }],
    });
  }
});

test("a crowd of unknown fields is refused like a single one, and none of them becomes a column", async (t) => {
  const api = await startApi(t);
  const inSpace = { space: { data: { guid: api.space } } };
  const app = await api.create("/v3/apps", { name: "shop", relationships: inSpace });
  const columns = ["app_guid", "type", "command", "health_check", "version", "ports", "created_at", "guid"];
  const crowd = Object.fromEntries(columns.map((name) => [name, "mine"]));
  const reply = await api.post(`/v3/processes/${app}/actions/scale`, { instances: 2, ...crowd });
  assert.equal(reply.status, 422);
  assert.deepEqual(reply.details, [`Unknown field(s): '${columns.join("', '")}'`]);
  assert.equal((await api.get(`/v3/processes/${app}`)).body.instances, 1);
});
