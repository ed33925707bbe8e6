import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parse } from "yaml";
import { type Json, startApi, type TestApi } from "../testing.ts";

const send = (api: TestApi, path: string, payload: string, token = "admin", type = "application/x-yaml") =>
  api.request({
    method: "POST",
    url: path,
    headers: { authorization: `bearer ${token}`, "content-type": type },
    payload,
  });

const apply = (api: TestApi, yaml: string, token = "admin") =>
  send(api, `/v3/spaces/${api.space}/actions/apply_manifest`, yaml, token);

/** Applies, and answers with the job. */
async function applied(api: TestApi, yaml: string) {
  const reply = await apply(api, yaml);
  assert.equal(reply.status, 202, reply.details.join("\n"));
  const { pathname } = new URL(String(reply.headers["location"]));
  const { body } = await api.get(pathname);
  const errors = (body.errors ?? []) as unknown as readonly { detail: string }[];
  return { state: body.state, errors: errors.map(({ detail }) => detail), warnings: body.warnings };
}

async function diff(api: TestApi, yaml: string) {
  const reply = await send(api, `/v3/spaces/${api.space}/manifest_diff`, yaml);
  assert.equal(reply.status, 201, reply.details.join("\n"));
  return reply.body.diff;
}

async function manifestOf(api: TestApi, guid: string): Promise<string> {
  const answer = await api.text(`/v3/apps/${guid}/manifest`);
  assert.match(answer, /^---\napplications:\n/);
  return answer;
}

const FULL = `
applications:
- name: shop
  memory: 64M
  disk-quota: 1G
  instances: 2
  command: node server.js
  buildpacks: [nodejs_buildpack]
  stack: cflinuxfs4
  health-check-type: http
  health-check-http-endpoint: /health
  timeout: 30
  readiness-health-check-type: port
  log-rate-limit-per-second: 1K
  env:
    COLOUR: red
    SIZE: 3
    ON: true
  metadata:
    labels: { tier: web }
    annotations: { note: hello }
  routes:
  - route: shop.localhost
    protocol: http2
    options: { loadbalancing: least-connection }
  - route: shop.localhost/api
    options: { loadbalancing: hash, hash_header: X-User, hash_balance: 1.3 }
  - route: plain.localhost
  processes:
  - type: worker
    command: node worker.js
    instances: 1
    health-check-type: process
- name: other
  no-route: true
  path: ./files
  unheard: 1
`;

test("a manifest makes apps with everything they have", async (t) => {
  const api = await startApi(t);
  const job = await applied(api, FULL);
  assert.deepEqual(job.state, "COMPLETE");
  assert.deepEqual(job.warnings, [
    { detail: "For application 'other': the key 'unheard' is unknown and has no effect" },
  ]);
  const [shop, other] = await api.list("/v3/apps?order_by=-name");
  assert.deepEqual([shop?.name, other?.name], ["shop", "other"]);
  assert.deepEqual(shop?.lifecycle, {
    type: "buildpack",
    data: { buildpacks: ["nodejs_buildpack"], stack: "cflinuxfs4" },
  });
  assert.deepEqual(shop?.metadata, { labels: { tier: "web" }, annotations: { note: "hello" } });
  const { body: variables } = await api.get(`/v3/apps/${shop?.guid}/environment_variables`);
  assert.deepEqual(variables.var, { COLOUR: "red", SIZE: "3", ON: "true" });
  const { body: web } = await api.get(`/v3/apps/${shop?.guid}/processes/web`);
  assert.deepEqual(
    [web.instances, web.memory_in_mb, web.disk_in_mb, web.command, web.log_rate_limit_in_bytes_per_second],
    [2, 64, 1024, "node server.js", 1024],
  );
  assert.deepEqual(web.health_check, {
    type: "http",
    data: { timeout: 30, invocation_timeout: null, interval: null, endpoint: "/health" },
  });
  const { body: worker } = await api.get(`/v3/apps/${shop?.guid}/processes/worker`);
  assert.deepEqual([worker.command, worker.instances], ["node worker.js", 1]);
  const routes = await api.list(`/v3/apps/${shop?.guid}/routes`);
  assert.deepEqual(
    routes.map((route) => [route.url, route.options]),
    [
      ["shop.localhost", { loadbalancing: "least-connection" }],
      ["shop.localhost/api", { loadbalancing: "hash", hash_header: "X-User", hash_balance: "1.3" }],
      ["plain.localhost", {}],
    ],
  );
  const { body: pointed } = await api.get(`/v3/routes/${routes[0]?.guid}/destinations`);
  assert.deepEqual(pointed.destinations?.["0"]?.protocol, "http2");
  assert.deepEqual(api.routeTable.find("shop.localhost/api")?.options["hash_header"], "X-User");
});

test("what is written down and applied again changes nothing", async (t) => {
  const api = await startApi(t);
  await applied(api, FULL);
  const [shop] = await api.list("/v3/apps?names=shop");
  const written = await manifestOf(api, String(shop?.guid));
  assert.deepEqual(await diff(api, written), []);
  const before = api.routeTable.calls.length;
  assert.deepEqual((await applied(api, written)).state, "COMPLETE");
  assert.equal(api.routeTable.calls.length, before, "no route was told anew");
  assert.equal(await manifestOf(api, String(shop?.guid)), written);
  assert.deepEqual(await diff(api, FULL.replace("unheard: 1", "instances: 1")), []);
});

test("a difference says what is added and what is replaced", async (t) => {
  const api = await startApi(t);
  await applied(api, FULL);
  const changed = `
applications:
- name: shop
  memory: 0.125G
  instances: 2
  env: { COLOUR: blue, NEW: 1 }
  routes:
  - route: shop.localhost
    options: { loadbalancing: round-robin }
  - route: more.localhost
- name: third
  instances: 1
`;
  assert.deepEqual(await diff(api, changed), [
    { op: "replace", path: "/applications/0/memory", was: "64M", value: "0.125G" },
    { op: "replace", path: "/applications/0/env/COLOUR", was: "red", value: "blue" },
    { op: "add", path: "/applications/0/env/NEW", value: 1 },
    {
      op: "replace",
      path: "/applications/0/routes/0/options/loadbalancing",
      was: "least-connection",
      value: "round-robin",
    },
    { op: "add", path: "/applications/0/routes/1", value: { route: "more.localhost" } },
    { op: "add", path: "/applications/1/name", value: "third" },
    { op: "add", path: "/applications/1/instances", value: 1 },
  ]);
});

test("a route that exists is used again, keeps what is not mentioned, and takes the options that are", async (t) => {
  const api = await startApi(t);
  await applied(api, FULL);
  const [before] = await api.list("/v3/routes?hosts=shop&paths=/api");
  const yaml = (options: string) =>
    `applications: [{name: shop, routes: [{route: shop.localhost/api, options: ${options}}]}]`;
  await applied(api, yaml("{hash_header: X-Cart}"));
  const [after] = await api.list("/v3/routes?hosts=shop&paths=/api");
  assert.equal(after?.guid, before?.guid);
  assert.deepEqual(after?.options, { loadbalancing: "hash", hash_header: "X-Cart", hash_balance: "1.3" });
  assert.deepEqual((await apply(api, yaml("{hash_header: null}"))).details, [
    "For application 'shop': Route 'shop.localhost/api': Hash header must be present when loadbalancing is set to hash.",
  ]);
  await applied(api, yaml("{loadbalancing: round-robin}"));
  const [last] = await api.list("/v3/routes?hosts=shop&paths=/api");
  assert.deepEqual(last?.options, { loadbalancing: "round-robin" });
  assert.equal((await api.list(`/v3/apps?names=shop`)).length, 1);
});

const refusals: readonly { name: string; yaml: string; details: readonly string[]; status?: number }[] = [
  {
    name: "another version",
    yaml: "version: 2\napplications: []",
    details: ["Unsupported manifest schema version. Currently supported versions: [1]."],
  },
  {
    name: "no applications",
    yaml: "apps: []",
    details: ["Cannot parse manifest with no 'applications' field."],
  },
  {
    name: "a list",
    yaml: "[]",
    details: ["Request invalid due to parse error: invalid request body"],
    status: 400,
  },
  {
    name: "everything at once, of every application",
    yaml: `
applications:
- instances: -1
- name: shop
  memory: 64
  no-route: maybe
  random-route: true
  default-route: true
  env: { PORT: 1, VCAP_X: 1 }
  health-check-type: magic
  docker: { image: x }
  processes: [{ type: web, timeout: 0 }, { command: x }]
  routes:
  - route: nonsense
  - route: a.localhost
    protocol: gopher
    options: { loadbalancing: magic }
- routes: [{ route: b.localhost, options: { hash_header: x } }]
`,
    details: [
      "For application at index 0: Name must not be empty",
      'For application at index 0: Process "web": Instances must be an integer greater than or equal to 0',
      "For application 'shop': Docker images cannot run here; push a directory instead",
      "For application 'shop': No-route must be a boolean",
      "For application 'shop': Random-route and default-route may not be used together",
      "For application 'shop': All Processes must specify a type",
      "For application 'shop': Process \"web\": Memory must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB",
      "For application 'shop': Process \"web\": Timeout must be an integer greater than or equal to 1",
      'For application \'shop\': Process "web": Health check type must be "port", "process", or "http"',
      "For application 'shop': Env cannot set PORT",
      "For application 'shop': Env cannot start with VCAP_",
      "For application 'shop': The route 'nonsense' is not a properly formed URL",
      "For application 'shop': Route protocol must be 'http1', 'http2' or 'tcp'.",
      "For application at index 2: Name must not be empty",
      "For application 'shop': Cannot use loadbalancing value 'magic' for Route 'a.localhost'; Valid values are: 'round-robin, least-connection, hash'",
      "For application at index 2: Route 'b.localhost': Hash header can only be set when loadbalancing is hash",
    ],
  },
  {
    name: "more instances than an operator lets anybody have",
    yaml: "applications: [{name: a, instances: 100000}]",
    details: [
      "For application 'a': Process \"web\": Instances must be less than or equal to 1000; an operator may set cloud-controller.max_instances",
    ],
  },
  {
    name: "aliases that stand for more than fits",
    yaml: `applications: [{name: a, env: {X: &x ${"x".repeat(20_000)}, Y: [${"*x ,".repeat(99)}]}}]`,
    details: [
      "Request invalid due to parse error: invalid manifest: with its aliases written out it is too large",
    ],
    status: 400,
  },
  {
    name: "routes that are none",
    yaml: "applications: [{name: a, routes: [x.localhost]}, {name: b, routes: {}}]",
    details: [
      "For application 'a': Routes must be a list of route objects",
      "For application 'b': Routes must be a list of route objects",
    ],
  },
  {
    name: "an application that is there twice",
    yaml: "applications: [{name: a}, {name: A}]",
    details: ["For application 'a': Name is there twice in the manifest"],
  },
  {
    name: "a character no database has",
    yaml: 'applications: [{name: a, env: {X: "a\\0b"}}]',
    details: ["Request invalid due to parse error: invalid manifest: it holds a NUL character"],
    status: 400,
  },
  {
    name: "YAML that is none",
    yaml: "applications: [",
    details: [],
    status: 400,
  },
];
for (const { name, yaml, details, status = 422 } of refusals) {
  test(`a manifest is refused as a whole: ${name}`, async (t) => {
    const api = await startApi(t);
    const reply = await apply(api, yaml);
    assert.equal(reply.status, status);
    if (details.length > 0) assert.deepEqual(reply.details, details);
    assert.deepEqual(await api.list("/v3/apps"), []);
  });
}

test("options that cannot be are refused before anything happens, naming application, route, key and value", async (t) => {
  const api = await startApi(t);
  const reply = await apply(
    api,
    `
applications:
- name: shop
  routes:
  - { route: a.localhost, options: [1] }
  - { route: b.localhost, options: { colour: red } }
  - { route: c.localhost, options: { loadbalancing: magic } }
  - { route: d.localhost, options: { loadbalancing: 7 } }
  - { route: e.localhost, options: { loadbalancing: hash } }
  - { route: f.localhost, options: { hash_header: X-A } }
  - { route: g.localhost, options: { loadbalancing: hash, hash_header: X, hash_balance: 99 } }
`,
  );
  assert.equal(reply.status, 422);
  const [list, unknown, ...rest] = reply.details;
  assert.equal(list, "For application 'shop': Route 'a.localhost': options must be an object");
  assert.match(
    unknown ?? "",
    /^For application 'shop': Route 'b\.localhost' contains invalid route option 'colour'\. Valid keys: '.*loadbalancing.*'$/,
  );
  const valid = "Valid values are: 'round-robin, least-connection, hash'";
  assert.deepEqual(rest, [
    `For application 'shop': Cannot use loadbalancing value 'magic' for Route 'c.localhost'; ${valid}`,
    `For application 'shop': Invalid value for 'loadbalancing' for Route 'd.localhost'; ${valid}`,
    "For application 'shop': Route 'e.localhost': Hash header must be present when loadbalancing is set to hash.",
    "For application 'shop': Route 'f.localhost': Hash header can only be set when loadbalancing is hash",
    "For application 'shop': Route 'g.localhost': Hash balance must be either 0 or between 1.1 and 10.0",
  ]);
  assert.deepEqual(await api.list("/v3/apps"), []);
  assert.deepEqual(await api.list("/v3/routes"), []);
});

test("what only the rows know fails the job, which names it, and leaves nothing half done", async (t) => {
  const api = await startApi(t);
  const cases: readonly [route: string, problem: string][] = [
    ["shop.example.com", "No domains exist for route shop.example.com"],
    ["a.b.localhost", "Route 'a.b.localhost': Host format is invalid."],
  ];
  for (const [route, problem] of cases) {
    const job = await applied(
      api,
      `applications: [{name: fine, routes: [{route: fine.localhost}]}, {name: shop, routes: [{route: ${route}}]}]`,
    );
    assert.deepEqual([job.state, job.errors], ["FAILED", [`For application 'shop': ${problem}`]]);
  }
  assert.deepEqual(await api.list("/v3/apps"), []);
  assert.deepEqual(await api.list("/v3/routes"), []);
  assert.equal(api.routeTable.reservations.size, 0);
});

test("a route of another space is nobody else's", async (t) => {
  const api = await startApi(t);
  const space = await api.create("/v3/spaces", {
    name: "theirs",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  await api.create("/v3/routes", {
    host: "shop",
    relationships: { space: { data: { guid: space } }, domain: { data: { guid: api.domain } } },
  });
  const job = await applied(api, "applications: [{name: shop, routes: [{route: shop.localhost}]}]");
  assert.deepEqual(job.errors, [
    "For application 'shop': Routes cannot be mapped to destinations in different spaces",
  ]);
});

test("the longest domain that the space may use is the route's", async (t) => {
  const api = await startApi(t);
  await api.create("/v3/domains", { name: "example.com" });
  await api.create("/v3/domains", { name: "eu.example.com" });
  await applied(
    api,
    "applications: [{name: a, routes: [{route: shop.eu.example.com/x}, {route: eu2.example.com}]}]",
  );
  const routes = await api.list("/v3/routes");
  assert.deepEqual(
    routes.map(({ url, host, path }) => [url, host, path]),
    [
      ["shop.eu.example.com/x", "shop", "/x"],
      ["eu2.example.com", "eu2", ""],
    ],
  );
});

async function urlsOf(api: TestApi, name: string) {
  const [app] = await api.list(`/v3/apps?names=${name}`);
  return (await api.list(`/v3/apps/${app?.guid}/routes`)).map(({ url }) => String(url));
}

test("default and random routes are for apps without one; no-route takes all away", async (t) => {
  const api = await startApi(t);
  await applied(
    api,
    "applications: [{name: My App!, default-route: true}, {name: dice, random-route: true}]",
  );
  assert.deepEqual(await urlsOf(api, "My App!"), ["my-app.localhost"]);
  const [random] = await urlsOf(api, "dice");
  assert.match(random ?? "", /^dice-[a-z]+-[a-z]+-[a-z]{2}\.localhost$/);
  await applied(api, "applications: [{name: dice, random-route: true}]");
  assert.deepEqual(await urlsOf(api, "dice"), [random]);
  await applied(api, "applications: [{name: dice, no-route: true}]");
  assert.deepEqual(await urlsOf(api, "dice"), []);
  assert.equal((await api.list("/v3/routes")).length, 2, "the route itself stays");
  assert.deepEqual(api.routeTable.find(random ?? "")?.destinations, []);
});

test("services are bound once, and found in the app's environment from its next start on", async (t) => {
  const api = await startApi(t);
  const unknown = await applied(api, "applications: [{name: shop, services: [db]}]");
  assert.deepEqual(unknown.errors, [
    "For application 'shop': For service 'db': Service instance 'db' not found",
  ]);
  const instance = await api.create("/v3/service_instances", {
    type: "user-provided",
    name: "db",
    credentials: { url: "postgres://db" },
    relationships: { space: { data: { guid: api.space } } },
  });
  const yaml = "applications: [{name: shop, services: [{name: db}]}]";
  assert.deepEqual(await diff(api, "applications: [{name: shop, services: [db]}]"), [
    { op: "add", path: "/applications/0/name", value: "shop" },
    { op: "add", path: "/applications/0/services", value: ["db"] },
  ]);
  for (const _ of ["binds", "has nothing to do"])
    assert.deepEqual((await applied(api, yaml)).state, "COMPLETE");
  assert.deepEqual(await diff(api, yaml), []);
  const [app] = await api.list("/v3/apps");
  assert.match(await manifestOf(api, String(app?.guid)), /services:\n +- db\n/);
  const { body } = await api.get(`/v3/apps/${app?.guid}/env`);
  const bound = body.system_env_json?.VCAP_SERVICES?.["user-provided"] as unknown;
  const [service, ...others] = bound as readonly Json[];
  assert.deepEqual(others, []);
  assert.deepEqual(
    [service?.name, service?.instance_guid, service?.credentials],
    ["db", instance, { url: "postgres://db" }],
  );
});

test("only YAML is read, and only who may write apps may apply it", async (t) => {
  const api = await startApi(t);
  const json = await send(
    api,
    `/v3/spaces/${api.space}/actions/apply_manifest`,
    "{}",
    "admin",
    "application/json",
  );
  assert.deepEqual([json.status, json.details], [400, ["Content-Type must be yaml"]]);
  const { token } = await api.user("space_supporter");
  assert.equal((await apply(api, "applications: [{name: a}]", token)).status, 403);
  const outsider = await api.user();
  assert.equal((await apply(api, "applications: [{name: a}]", outsider.token)).status, 404);
  await applied(api, "applications: [{name: a, env: {SECRET: x}}]");
  const [app] = await api.list("/v3/apps");
  assert.equal((await api.get(`/v3/apps/${app?.guid}/manifest`, token)).status, 403);
  assert.deepEqual(parse(await manifestOf(api, String(app?.guid))).applications[0].env, { SECRET: "x" });
});

/** Shapes that a document may have at any place; none may be more than a refusal. */
const ODD = ["null", "[]", "{}", "7", "x", "[null]", "[[]]", "[{}]", "{a: {b: c}}", "true"];
test("whatever a key holds, the answer is an acceptance or a refusal", async (t: TestContext) => {
  const api = await startApi(t);
  const keys = [
    "name",
    "routes",
    "env",
    "processes",
    "metadata",
    "services",
    "buildpacks",
    "stack",
    "memory",
    "command",
  ];
  for (const key of keys) {
    for (const odd of ODD) {
      const reply = await apply(api, `applications: [{name: odd, ${key}: ${odd}}]`);
      assert([202, 400, 422].includes(reply.status), `${key}: ${odd} answered ${reply.status}`);
    }
  }
  for (const odd of ODD) {
    const reply = await apply(api, `applications: ${odd}`);
    assert([202, 400, 422].includes(reply.status), `applications: ${odd} answered ${reply.status}`);
  }
});

test("a route of a manifest may be every host of a domain, be it of a single label", async (t) => {
  const api = await startApi(t);
  const yaml = "applications: [{name: shop, routes: [{route: '*.localhost'}, {route: '*.localhost/v2'}]}]";
  assert.deepEqual((await applied(api, yaml)).errors, []);
  assert.equal((await api.list("/v3/routes?hosts=*")).length, 2);
});

test("what is no text in a manifest's environment becomes the text that was written", async (t) => {
  const api = await startApi(t);
  await applied(
    api,
    "applications: [{name: a, env: {EMPTY: , ACCOUNT: 12345678901234567890, PORTS: [1, 2], ON: true, N: 1.5}}]",
  );
  const [app] = await api.list("/v3/apps?names=a");
  const { body } = await api.get(`/v3/apps/${app?.guid}/environment_variables`);
  assert.deepEqual(body["var"], {
    EMPTY: "",
    ACCOUNT: "12345678901234567890",
    PORTS: "[1,2]",
    ON: "true",
    N: "1.5",
  });
});
