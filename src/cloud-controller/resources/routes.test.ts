import assert from "node:assert/strict";
import { test } from "node:test";
import { newGuid } from "../../kernel/index.ts";
import { findOption, knownOptions } from "../../options/index.ts";
import { startApi, type TestApi } from "../testing.ts";

const WRONG_BALANCER = `Options ${findOption("loadbalancing")?.refusal}`;

const body = (api: TestApi, more: object = {}) => ({
  host: "shop",
  relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  ...more,
});
const within = (space: string, domain: string) => ({
  relationships: { space: { data: { guid: space } }, domain: { data: { guid: domain } } },
});

test("a route is created, shown in full, and reserved before the answer", async (t) => {
  const api = await startApi(t);
  const reply = await api.post(
    "/v3/routes",
    body(api, { path: "/v2", options: { loadbalancing: "least-connection" } }),
  );
  assert.equal(reply.status, 201);
  const { guid } = reply.body;
  assert.deepEqual(reply.body, {
    guid,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    protocol: "http",
    host: "shop",
    path: "/v2",
    port: null,
    url: "shop.localhost/v2",
    destinations: [],
    options: { loadbalancing: "least-connection" },
    metadata: { labels: {}, annotations: {} },
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
    links: {
      self: { href: `http://localhost:8080/v3/routes/${guid}` },
      space: { href: `http://localhost:8080/v3/spaces/${api.space}` },
      destinations: { href: `http://localhost:8080/v3/routes/${guid}/destinations` },
      domain: { href: `http://localhost:8080/v3/domains/${api.domain}` },
    },
  });
  const held = api.routeTable.find("shop.localhost/v2");
  assert.equal(held?.protocol, "http");
  assert.deepEqual(held?.options, { loadbalancing: "least-connection" });
  assert.deepEqual((await api.get(`/v3/routes/${guid}`)).body, reply.body);
});

test("what a route cannot be is refused in upstream's words", async (t) => {
  const api = await startApi(t);
  const organization = await api.create("/v3/organizations", { name: "other" });
  const privateDomain = await api.create("/v3/domains", {
    name: "other.example.com",
    relationships: { organization: { data: { guid: organization } } },
  });
  await api.create("/v3/domains", { name: "taken.shared.example.com" });
  const shared = await api.create("/v3/domains", { name: "shared.example.com" });
  await api.create("/v3/routes", body(api, { host: "taken" }));
  await api.create("/v3/routes", body(api, { host: "taken", path: "/v2" }));
  const structure = (name: string) =>
    `Relationships ${name} must be structured like this: "${name.toLowerCase()}: {"data": {"guid": "valid-guid"}}"`;

  const cases: readonly { name: string; body: object; details: readonly string[] }[] = [
    {
      name: "unknown keys",
      body: body(api, { hots: "x", b: 1 }),
      details: ["Unknown field(s): 'hots', 'b'"],
    },
    { name: "no relationships", body: { host: "x" }, details: ["Relationships can't be blank"] },
    {
      name: "relationships without content",
      body: { relationships: {} },
      details: ["Relationships Space can't be blank", "Relationships Domain can't be blank"],
    },
    {
      name: "relationships of another shape",
      body: { relationships: { space: { guid: "x" }, domain: { data: [] } } },
      details: [structure("Space"), structure("Domain")],
    },
    {
      name: "host with a dot",
      body: body(api, { host: "a.b" }),
      details: ['Host must be either "*" or contain only alphanumeric characters, "_", or "-"'],
    },
    {
      name: "long host",
      body: body(api, { host: "a".repeat(64) }),
      details: ["Host is too long (maximum is 63 characters)"],
    },
    { name: "host of another type", body: body(api, { host: 7 }), details: ["Host must be a string"] },
    { name: "relative path", body: body(api, { path: "v2" }), details: ["Path must begin with /"] },
    { name: "path with query", body: body(api, { path: "/v2?a" }), details: ["Path cannot contain ?"] },
    { name: "path of a slash", body: body(api, { path: "/" }), details: ["Path cannot be exactly /"] },
    { name: "path with a space", body: body(api, { path: "/a b" }), details: ["Path is invalid."] },
    { name: "path with a broken escape", body: body(api, { path: "/%zz" }), details: ["Path is invalid."] },
    {
      name: "long path",
      body: body(api, { path: `/${"a".repeat(128)}` }),
      details: ["Path is too long (maximum is 128 characters)"],
    },
    {
      name: "port beyond the last",
      body: body(api, { port: 65_536 }),
      details: ["Port must be less than or equal to 65535"],
    },
    { name: "port as text", body: body(api, { port: "80" }), details: ["Port is not a number"] },
    {
      name: "port of an http route",
      body: body(api, { port: 80 }),
      details: ["Routes with protocol 'http' do not support ports."],
    },
    {
      name: "several at once",
      body: body(api, { host: "a.b", path: "v2", c: 1 }),
      details: [
        "Unknown field(s): 'c'",
        'Host must be either "*" or contain only alphanumeric characters, "_", or "-"',
        "Path must begin with /",
      ],
    },
    {
      name: "unknown space",
      body: { host: "x", ...within("nowhere", api.domain) },
      details: ["Invalid space. Ensure that the space exists and you have access to it."],
    },
    {
      name: "unknown domain",
      body: { host: "x", ...within(api.space, "nowhere") },
      details: ["Invalid domain. Ensure that the domain exists and you have access to it."],
    },
    {
      name: "somebody else's domain",
      body: { host: "x", ...within(api.space, privateDomain) },
      details: ["Invalid domain. Domain 'other.example.com' is not available in organization 'viaduct'."],
    },
    {
      name: "no host in a shared domain",
      body: body(api, { host: "" }),
      details: ["Missing host. Routes in shared domains must have a host defined."],
    },
    {
      name: "the name of a domain",
      body: { host: "taken", ...within(api.space, shared) },
      details: ["Route conflicts with domain 'taken.shared.example.com'."],
    },
    {
      name: "wildcard in an internal domain",
      body: { host: "*", ...within(api.space, api.internalDomain) },
      details: ["Wildcard hosts are not supported for internal domains."],
    },
    {
      name: "path in an internal domain",
      body: { host: "x", path: "/v2", ...within(api.space, api.internalDomain) },
      details: ["Paths are not supported for internal domains."],
    },
    {
      name: "a route that exists",
      body: body(api, { host: "taken" }),
      details: ["Route already exists with host 'taken' for domain 'localhost'."],
    },
    {
      name: "a route that exists, in other letters",
      body: body(api, { host: "TAKEN" }),
      details: ["Route already exists with host 'taken' for domain 'localhost'."],
    },
    {
      name: "a route that exists, with path",
      body: body(api, { host: "taken", path: "/v2" }),
      details: ["Route already exists with host 'taken' and path '/v2' for domain 'localhost'."],
    },
    {
      name: "a path that exists, in other letters",
      body: body(api, { host: "taken", path: "/V2" }),
      details: ["Route already exists with host 'taken' and path '/V2' for domain 'localhost'."],
    },
    {
      name: "options that are no object",
      body: body(api, { options: [] }),
      details: ["Options 'options' is not a valid object"],
    },
    {
      name: "an unknown option",
      body: body(api, { options: { speed: "fast" } }),
      details: ["Options Unknown field(s): 'speed'"],
    },
    {
      name: "an option's value",
      body: body(api, { options: { loadbalancing: "random" } }),
      details: [WRONG_BALANCER],
    },
  ];
  for (const { name, body, details } of cases) {
    await t.test(name, async () => {
      const reply = await api.post("/v3/routes", body);
      assert.deepEqual(reply.details, details);
      assert.equal(reply.status, 422);
      assert.deepEqual(reply.body.errors?.["0"]?.code, 10008);
      assert.deepEqual(reply.body.errors?.["0"]?.title, "CF-UnprocessableEntity");
    });
  }
  assert.equal(api.routeTable.reservations.size, 2, "nothing that was refused is reserved");
});

test("a reserved system route belongs to nobody", async (t) => {
  const api = await startApi(t, { flags: { "cloud-controller.system_routes": "api.localhost" } });
  const reply = await api.post("/v3/routes", body(api, { host: "api" }));
  assert.deepEqual(reply.details, ["Route conflicts with a reserved system route."]);
});

test("a private domain may be used without host; texts name what is there", async (t) => {
  const api = await startApi(t);
  const domain = await api.create("/v3/domains", {
    name: "own.example.com",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  await api.create("/v3/routes", within(api.space, domain));
  await api.create("/v3/routes", { ...within(api.space, domain), path: "/v2" });
  assert.deepEqual((await api.post("/v3/routes", within(api.space, domain))).details, [
    "Route already exists for domain 'own.example.com'.",
  ]);
  assert.deepEqual((await api.post("/v3/routes", { ...within(api.space, domain), path: "/v2" })).details, [
    "Route already exists with path '/v2' for domain 'own.example.com'.",
  ]);
  const long = await api.create("/v3/domains", {
    name: `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(58)}`,
    relationships: { organization: { data: { guid: api.organization } } },
  });
  assert.deepEqual((await api.post("/v3/routes", { ...within(api.space, long), host: "shop" })).details, [
    "Host combined with domain name must be no more than 253 characters.",
  ]);
});

test("an internal route is reserved by its name, and its options stay at home", async (t) => {
  const api = await startApi(t);
  const options = { loadbalancing: "round-robin" };
  await api.create("/v3/routes", { host: "Shop", options, ...within(api.space, api.internalDomain) });
  const held = api.routeTable.find("shop.apps.internal");
  assert.equal(held?.protocol, "internal");
  assert.deepEqual(held?.options, {});
});

test("an internal route points to whole processes: ports, weights and protocols of destinations stay at home", async (t) => {
  const api = await startApi(t);
  const route = await api.create("/v3/routes", { host: "shop", ...within(api.space, api.internalDomain) });
  const apps: string[] = [];
  for (const name of ["one", "two"]) {
    const relationships = { space: { data: { guid: api.space } } };
    const lifecycle = { type: "local", data: { directory: "/srv" } };
    const app = await api.create("/v3/apps", { name, lifecycle, relationships });
    await api.patch(`/v3/processes/${app}`, { command: "run" });
    await api.post(`/v3/apps/${app}/actions/start`);
    apps.push(app);
  }
  const [one = "", two = ""] = apps;
  const reply = await api.post(`/v3/routes/${route}/destinations`, {
    destinations: [
      { app: { guid: one }, port: 9000, protocol: "http2" },
      { app: { guid: one }, port: 9001 },
      { app: { guid: two } },
    ],
  });
  assert.equal(reply.status, 200);
  const whole = { appPort: null, weight: null, protocol: "http1" };
  assert.deepEqual(
    api.routeTable
      .find("shop.apps.internal")
      ?.destinations.toSorted((a, b) => apps.indexOf(a.processGuid) - apps.indexOf(b.processGuid)),
    [
      { processGuid: one, ...whole },
      { processGuid: two, ...whole },
    ],
  );
  const lrp = [...api.bbs.desired.values()].find(({ logGuid }) => logGuid === one);
  assert.deepEqual(lrp?.ports, [8080]);
});

test("no route is ever named like an instance of another internal route", async (t) => {
  const api = await startApi(t);
  // Host 0 below the domain foo.apps.internal would be instance 0 of the route foo.apps.internal.
  const domain = { name: "foo.apps.internal", internal: true };
  const foo = { host: "foo", ...within(api.space, api.internalDomain) };
  const route = await api.create("/v3/routes", foo);
  assert.deepEqual((await api.post("/v3/domains", domain)).details, [
    'The domain name "foo.apps.internal" cannot be created because "foo.apps.internal" is already reserved by a route',
  ]);
  await api.delete(`/v3/routes/${route}`);
  const inner = await api.create("/v3/domains", domain);
  await api.create("/v3/routes", { host: "0", ...within(api.space, inner) });
  assert.deepEqual((await api.post("/v3/routes", foo)).details, [
    "Route conflicts with domain 'foo.apps.internal'.",
  ]);
});

const HASH = { loadbalancing: "hash", hash_header: "X-Tenant" };
const NO_HEADER = "Hash header must be present when loadbalancing is set to hash.";
const HEADER_WITHOUT_HASH = "Options Hash header can only be set when loadbalancing is hash";
const BALANCE_WITHOUT_HASH = "Options Hash balance can only be set when loadbalancing is hash";

for (const { options, details } of [
  { options: { loadbalancing: "hash" }, details: [NO_HEADER] },
  { options: { hash_header: "X-Tenant" }, details: [HEADER_WITHOUT_HASH] },
  { options: { ...HASH, loadbalancing: "round-robin" }, details: [HEADER_WITHOUT_HASH] },
  { options: { hash_balance: 2 }, details: [BALANCE_WITHOUT_HASH] },
  {
    options: { ...HASH, hash_header: "x".repeat(129), hash_balance: "even" },
    details: [
      "Options Hash header must be at most 128 characters",
      "Options Hash balance must be a numeric value",
    ],
  },
  {
    options: { ...HASH, hash_balance: "1.0000000000000001" },
    details: ["Options Hash balance must be at most 16 characters"],
  },
  {
    options: { ...HASH, hash_balance: 11 },
    details: ["Options Hash balance must be either 0 or between 1.1 and 10.0"],
  },
  {
    options: { loadbalancing: "dice" },
    details: ["Options Loadbalancing must be one of 'round-robin, least-connection, hash' if present"],
  },
]) {
  test(`a route is not created with ${JSON.stringify(options).slice(0, 70)}`, async (t) => {
    const api = await startApi(t);
    const reply = await api.post("/v3/routes", body(api, { options }));
    assert.equal(reply.status, 422);
    assert.deepEqual(reply.details, details);
    assert.equal(api.routeTable.find("shop.localhost"), undefined);
  });
}

test("everything wrong with a route is said at once, and of options also where, what and what is allowed", async (t) => {
  const api = await startApi(t);
  const long = "x".repeat(129);
  const wrong = {
    host: "a.b",
    path: "/x?y",
    port: 70_000,
    speed: 9,
    options: { loadbalancing: "dice", colour: "red", hash_header: long },
  };
  const reply = await api.post("/v3/routes", body(api, wrong));
  assert.equal(reply.status, 422);
  assert.deepEqual(reply.details, [
    "Unknown field(s): 'speed'",
    'Host must be either "*" or contain only alphanumeric characters, "_", or "-"',
    "Port must be less than or equal to 65535",
    "Path cannot contain ?",
    "Options Loadbalancing must be one of 'round-robin, least-connection, hash' if present",
    "Options Unknown field(s): 'colour'",
    "Options Hash header must be at most 128 characters",
  ]);
  const about = (errors: unknown) =>
    (errors as readonly { about?: object }[]).flatMap((each) => each.about ?? []);
  const balancers = ["round-robin", "least-connection", "hash"];
  const schemaOf = (name: string): object => ({ ...findOption(name)?.schema });
  const route = "a.b/x?y";
  assert.deepEqual(about(reply.body.errors), [
    { route, option: "loadbalancing", value: "dice", allowed: balancers },
    { route, option: "colour", value: "red", allowed: knownOptions().map(({ name }) => name) },
    { route, option: "hash_header", value: long, allowed: schemaOf("hash_header") },
  ]);
  assert.deepEqual(await api.list("/v3/routes"), []);

  const guid = await api.create("/v3/routes", body(api));
  const patched = await api.patch(`/v3/routes/${guid}`, { host: "b", options: { loadbalancing: "dice" } });
  assert.equal(patched.details.length, 2);
  assert.deepEqual(about(patched.body.errors), [
    { route: guid, option: "loadbalancing", value: "dice", allowed: balancers },
  ]);
  const merged = await api.patch(`/v3/routes/${guid}`, { options: { loadbalancing: "hash" } });
  assert.deepEqual(about(merged.body.errors), [
    { route: guid, option: "loadbalancing", value: "hash", allowed: balancers },
  ]);
});

test("hash options are set one after the other, looked at together, and dropped when another balancer is stored", async (t) => {
  const api = await startApi(t);
  const guid = await api.create("/v3/routes", body(api, { options: HASH }));
  const patch = (options: unknown) => api.patch(`/v3/routes/${guid}`, { options });
  assert.deepEqual((await patch({ hash_balance: 1.25 })).body.options, { ...HASH, hash_balance: "1.3" });
  assert.deepEqual((await patch({ hash_header: "X-User" })).body.options, {
    loadbalancing: "hash",
    hash_header: "X-User",
    hash_balance: "1.3",
  });
  assert.deepEqual((await patch({ hash_header: null })).details, [NO_HEADER]);
  assert.deepEqual((await patch({ loadbalancing: "round-robin", hash_balance: 2 })).details, [
    BALANCE_WITHOUT_HASH,
  ]);
  assert.deepEqual((await patch({ loadbalancing: "round-robin" })).body.options, {
    loadbalancing: "round-robin",
  });
  assert.deepEqual(api.routeTable.find("shop.localhost")?.options, { loadbalancing: "round-robin" });
  assert.deepEqual((await patch({ hash_header: "X-User" })).details, [HEADER_WITHOUT_HASH]);
  assert.deepEqual((await patch({ loadbalancing: "hash" })).details, [NO_HEADER]);
});

test("options merge key by key, and null removes one", async (t) => {
  const api = await startApi(t);
  const guid = await api.create("/v3/routes", body(api, { options: { loadbalancing: "round-robin" } }));
  const patch = (options: unknown) => api.patch(`/v3/routes/${guid}`, { options });
  assert.deepEqual((await patch({ "trim-path": true })).body.options, {
    loadbalancing: "round-robin",
    "trim-path": "true",
  });
  assert.deepEqual((await patch({ loadbalancing: null })).body.options, { "trim-path": "true" });
  assert.deepEqual(api.routeTable.find("shop.localhost")?.options, { "trim-path": true });
  assert.deepEqual((await patch({ x: 1, loadbalancing: "random" })).details, [
    "Options Unknown field(s): 'x'",
    WRONG_BALANCER,
  ]);
  assert.deepEqual((await patch(null)).details, ["Options 'options' is not a valid object"]);
  assert.deepEqual((await api.get(`/v3/routes/${guid}`)).body.options, { "trim-path": "true" });
});

test("options are shown as texts and carried as what they are", async (t) => {
  const api = await startApi(t);
  const options = {
    loadbalancing: "hash",
    hash_header: "x",
    hash_balance: "1.5",
    retries: 3,
    "trim-path": true,
  };
  const guid = await api.create("/v3/routes", body(api, { options }));
  const shown = { ...options, retries: "3", "trim-path": "true" };
  const read = await api.get(`/v3/routes/${guid}`);
  assert.deepEqual(read.body.options, shown);
  assert.deepEqual(api.routeTable.find("shop.localhost")?.options, options);
  const again = await api.patch(`/v3/routes/${guid}`, { options: read.body.options });
  assert.deepEqual([again.status, again.body.options], [200, shown], "what was read may be written back");
});

test("an update that changes no option is not news for routers", async (t) => {
  const api = await startApi(t);
  const guid = await api.create("/v3/routes", body(api));
  const before = api.routeTable.calls.length;
  await api.patch(`/v3/routes/${guid}`, { metadata: { labels: { tier: "web" } } });
  await api.relay.drained();
  assert.equal(api.routeTable.calls.length, before);
});

test("of two who create the same route at once, exactly one gets it", async (t) => {
  const api = await startApi(t);
  const replies = await Promise.all(Array.from({ length: 8 }, () => api.post("/v3/routes", body(api))));
  assert.deepEqual(replies.map((reply) => reply.status).toSorted(), [201, 422, 422, 422, 422, 422, 422, 422]);
  const refused = replies.find((reply) => reply.status === 422);
  assert.deepEqual(refused?.details, ["Route already exists with host 'shop' for domain 'localhost'."]);
  assert.equal(api.routeTable.reservations.size, 1);
});

test("a deleted route is a finished job, gone from the route table, and free again", async (t) => {
  const api = await startApi(t);
  const guid = await api.create("/v3/routes", body(api, { metadata: { labels: { a: "b" } } }));
  const reply = await api.delete(`/v3/routes/${guid}`);
  assert.equal(reply.status, 202);
  const job = String(reply.headers["location"]).replace("http://localhost:8080", "");
  const { status, body: shown } = await api.get(job);
  assert.equal(status, 200);
  assert.equal(shown.operation, "route.delete");
  assert.equal(shown.state, "COMPLETE");
  assert.deepEqual(shown.errors, []);
  assert.equal(api.routeTable.reservations.size, 0);
  assert.deepEqual((await api.get(`/v3/routes/${guid}`)).details, ["Route not found"]);
  assert.equal((await api.post("/v3/routes", body(api))).status, 201);
  const left = await api.store.db.selectFrom("metadata").selectAll().execute();
  assert.deepEqual(left, []);
});

test("route_reservations says whether host, path and port are taken", async (t) => {
  const api = await startApi(t);
  await api.create("/v3/routes", body(api, { path: "/v2" }));
  const ask = async (query: string) =>
    (await api.get(`/v3/domains/${api.domain}/route_reservations?${query}`)).body;
  assert.deepEqual(await ask("host=shop&path=/v2"), { matching_route: true });
  assert.deepEqual(await ask("host=SHOP&path=/V2"), { matching_route: true });
  assert.deepEqual(await ask("host=shop"), { matching_route: false });
  assert.deepEqual(await ask("host=shop&path=/v2&port=80"), { matching_route: false });
});

test("filters narrow the list; includes bring what routes belong to", async (t) => {
  const api = await startApi(t);
  const second = await api.create("/v3/spaces", {
    name: "second",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const here = await api.create("/v3/routes", body(api));
  const there = await api.create("/v3/routes", { host: "b", path: "/x", ...within(second, api.domain) });
  const inner = await api.create("/v3/routes", { host: "c", ...within(second, api.internalDomain) });
  const list = async (query: string) =>
    (await api.list(`/v3/routes?${query}`)).map((route) => String(route.guid));
  assert.deepEqual(await list(""), [here, there, inner]);
  assert.deepEqual(await list("order_by=-created_at"), [inner, there, here]);
  assert.deepEqual(await list("hosts=B,nothing"), [there]);
  assert.deepEqual(await list("paths=/x"), [there]);
  assert.deepEqual(await list(`space_guids=${second}`), [there, inner]);
  assert.deepEqual(await list(`domain_guids=${api.internalDomain}`), [inner]);
  assert.deepEqual(await list(`organization_guids=${api.organization}&hosts=shop`), [here]);
  assert.deepEqual(await list("organization_guids=nowhere"), []);
  assert.deepEqual(await list(`guids=${here},${inner}`), [here, inner]);
  assert.deepEqual(await list("ports=1,x"), []);
  const { included } = (await api.get("/v3/routes?include=domain,space,space.organization&hosts=b")).body;
  assert.equal(included?.domains?.["0"]?.name, "localhost");
  assert.equal(included?.spaces?.["0"]?.guid, second);
  assert.equal(included?.organizations?.["0"]?.name, "viaduct");
  const shown = await api.get(`/v3/routes/${here}?include=domain`);
  assert.equal(shown.body.included?.domains?.["0"]?.name, "localhost");
});

test("unmapped routes of a space go together; used, shared and bound ones stay", async (t) => {
  const api = await startApi(t);
  const app = await api.create("/v3/apps", {
    name: "shop",
    relationships: { space: { data: { guid: api.space } } },
  });
  const [used, shared, bound, unused] = await Promise.all(
    ["used", "shared", "bound", "unused"].map((host) => api.create("/v3/routes", body(api, { host }))),
  );
  await api.post(`/v3/routes/${used}/destinations`, { destinations: [{ app: { guid: app } }] });
  const { db } = api.store;
  const other = await api.create("/v3/spaces", {
    name: "other",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  await db
    .insertInto("route_shares")
    .values({ route_guid: shared ?? "", space_guid: other })
    .execute();
  const row = () => ({ guid: newGuid(), created_at: "2026-01-01", updated_at: "2026-01-01" });
  const service = { ...row(), name: "filter", space_guid: api.space, type: "user-provided" as const };
  await db
    .insertInto("service_instances")
    .values({
      ...service,
      route_service_url: "https://filter.example.com/",
      credentials: "{}" as never,
      tags: "[]" as never,
    })
    .execute();
  await db
    .insertInto("service_route_bindings")
    .values({
      ...row(),
      route_guid: bound ?? "",
      service_instance_guid: service.guid,
      parameters: "{}" as never,
    })
    .execute();

  const refused = await api.delete(`/v3/spaces/${api.space}/routes`);
  assert.equal(refused.status, 422);
  assert.equal((await api.delete(`/v3/spaces/${api.space}/routes?unmapped=true`)).status, 202);
  const left = (await api.list("/v3/routes")).map((route) => String(route.guid));
  assert.deepEqual(new Set(left), new Set([used, shared, bound]));
  assert.equal(api.routeTable.find("unused.localhost"), undefined);
  assert.equal((await api.get(`/v3/routes/${unused}`)).status, 404);
});

test("a route with a route service is reserved with its address", async (t) => {
  const api = await startApi(t);
  const guid = await api.create("/v3/routes", body(api));
  const { db } = api.store;
  const row = () => ({ guid: newGuid(), created_at: "2026-01-01", updated_at: "2026-01-01" });
  const service = { ...row(), name: "filter", space_guid: api.space, type: "user-provided" as const };
  const url = "https://filter.example.com/";
  await db
    .insertInto("service_instances")
    .values({ ...service, route_service_url: url, credentials: "{}" as never, tags: "[]" as never })
    .execute();
  await db
    .insertInto("service_route_bindings")
    .values({ ...row(), route_guid: guid, service_instance_guid: service.guid, parameters: "{}" as never })
    .execute();
  await api.patch(`/v3/routes/${guid}`, { options: { "trim-path": true } });
  assert.equal(api.routeTable.find("shop.localhost")?.routeServiceUrl, url);
});
