import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const instance = (api: TestApi, more: object = {}) => ({
  type: "user-provided",
  name: "guard",
  relationships: { space: { data: { guid: api.space } } },
  ...more,
});
const newRoute = (api: TestApi, host: string, more: { space?: string; domain?: string } = {}) =>
  api.create("/v3/routes", {
    host,
    relationships: {
      space: { data: { guid: more.space ?? api.space } },
      domain: { data: { guid: more.domain ?? api.domain } },
    },
  });
const between = (service: string, route: string) => ({
  relationships: { service_instance: { data: { guid: service } }, route: { data: { guid: route } } },
});
const GUARD = "https://guard.example.com/check";

test("a user-provided instance is created, shown in full, changed and deleted", async (t) => {
  const api = await startApi(t);
  const made = await api.post(
    "/v3/service_instances",
    instance(api, { route_service_url: GUARD, tags: ["auth"], credentials: { user: "ada" } }),
  );
  assert.equal(made.status, 201);
  const { guid } = made.body;
  const self = `http://localhost:8080/v3/service_instances/${guid}`;
  assert.deepEqual(made.body, {
    guid,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    name: "guard",
    tags: ["auth"],
    type: "user-provided",
    last_operation: {
      type: "create",
      state: "succeeded",
      description: "Operation succeeded",
      created_at: "2026-01-01T00:00:00Z",
      updated_at: "2026-01-01T00:00:00Z",
    },
    syslog_drain_url: null,
    route_service_url: GUARD,
    relationships: { space: { data: { guid: api.space } } },
    metadata: { labels: {}, annotations: {} },
    links: {
      self: { href: self },
      space: { href: `http://localhost:8080/v3/spaces/${api.space}` },
      service_credential_bindings: {
        href: `http://localhost:8080/v3/service_credential_bindings?service_instance_guids=${guid}`,
      },
      service_route_bindings: {
        href: `http://localhost:8080/v3/service_route_bindings?service_instance_guids=${guid}`,
      },
      credentials: { href: `${self}/credentials` },
    },
  });
  const path = `/v3/service_instances/${guid}`;
  assert.deepEqual((await api.get(`${path}/credentials`)).body, { user: "ada" });
  const changed = await api.patch(path, {
    name: "watch",
    credentials: { user: "bob" },
    syslog_drain_url: "syslog-tls://logs.example.com:6514",
    route_service_url: null,
  });
  assert.equal(changed.body.name, "watch");
  assert.equal(changed.body.route_service_url, null);
  assert.equal(changed.body.syslog_drain_url, "syslog-tls://logs.example.com:6514");
  assert.deepEqual(changed.body.tags, ["auth"]);
  assert.deepEqual((await api.get(`${path}/credentials`)).body, { user: "bob" });
  const listed = await api.list(
    `/v3/service_instances?names=watch&space_guids=${api.space}&order_by=name&fields[service_plan]=guid,name`,
  );
  assert.equal(listed.length, 1);
  assert.equal((await api.list("/v3/service_instances?service_plan_names=small")).length, 0);
  assert.equal((await api.delete(path)).status, 204);
  assert.equal((await api.get(path)).status, 404);
});

test("what an instance cannot be is refused, everything wrong at once", async (t) => {
  const api = await startApi(t);
  await api.create("/v3/service_instances", instance(api, { name: "taken" }));
  const cases: readonly { name: string; body: object; details: readonly string[] }[] = [
    {
      name: "a route service without TLS",
      body: instance(api, { route_service_url: "http://guard.example.com" }),
      details: ["Scheme for route_service_url must be https."],
    },
    {
      name: "addresses that are none, and too many tags",
      body: instance(api, { route_service_url: "guard", syslog_drain_url: ":", tags: ["x".repeat(2049)] }),
      details: [
        "Syslog drain url must be a valid URI",
        "Route service url must be a valid URI",
        "Tags combined length cannot exceed 2048 characters",
      ],
    },
    {
      name: "another type",
      body: instance(api, { type: "rented" }),
      details: ["Type must be one of 'managed', 'user-provided'"],
    },
    {
      name: "a managed one, as there is no broker",
      body: instance(api, { type: "managed" }),
      details: [
        "Invalid service plan. Ensure that the service plan exists, is available, and you have access to it.",
      ],
    },
    {
      name: "a name that is taken, whatever its case",
      body: instance(api, { name: "Taken" }),
      details: ["The service instance name is taken: Taken."],
    },
    {
      name: "tags that are no words",
      body: instance(api, { tags: [1] }),
      details: ["Tags must be a list of strings"],
    },
  ];
  for (const { name, body, details } of cases) {
    await t.test(name, async () => {
      const reply = await api.post("/v3/service_instances", body);
      assert.deepEqual([reply.status, reply.details], [422, details]);
    });
  }
});

test("credentials are for developers of the space, parameters for brokers", async (t) => {
  const api = await startApi(t);
  const guid = await api.create("/v3/service_instances", instance(api, { credentials: { a: 1 } }));
  const path = `/v3/service_instances/${guid}`;
  const auditor = await api.user("space_auditor");
  assert.equal((await api.get(path, auditor.token)).status, 200);
  assert.equal((await api.get(`${path}/credentials`, auditor.token)).status, 403);
  assert.equal((await api.get(`${path}/credentials`, "reader:r")).status, 200);
  const developer = await api.user("space_developer");
  assert.equal((await api.get(`${path}/credentials`, developer.token)).status, 200);
  const permissions = async (token: string) => (await api.get(`${path}/permissions`, token)).body;
  assert.deepEqual(await permissions(auditor.token), { read: true, manage: false });
  assert.deepEqual(await permissions(developer.token), { read: true, manage: true });
  const parameters = await api.get(`${path}/parameters`);
  assert.deepEqual(
    [parameters.status, parameters.details],
    [400, ["This service does not support fetching service instance parameters."]],
  );
  assert.deepEqual((await api.get(`${path}/relationships/shared_spaces`)).body.data, []);
});

test("a bound route carries its service in the reservation and to the app, until it is unbound", async (t) => {
  const api = await startApi(t);
  const route = await newRoute(api, "shop");
  const app = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv" } },
    relationships: { space: { data: { guid: api.space } } },
  });
  await api.patch(`/v3/processes/${app}`, { command: "run" });
  await api.post(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app } }] });
  await api.post(`/v3/apps/${app}/actions/start`);
  const service = await api.create("/v3/service_instances", instance(api, { route_service_url: GUARD }));
  const made = await api.post("/v3/service_route_bindings", between(service, route));
  assert.equal(made.status, 201);
  assert.equal(made.body.route_service_url, GUARD);
  assert.equal(made.body.last_operation?.state, "succeeded");
  assert.deepEqual(made.body.relationships, between(service, route).relationships);

  const inForce = () => {
    const [lrp] = api.bbs.desired.values();
    const [known] = (lrp?.routes["cf-router"] ?? []) as readonly { route_service_url?: string }[];
    return [api.routeTable.find("shop.localhost")?.routeServiceUrl, known?.route_service_url];
  };
  assert.deepEqual(inForce(), [GUARD, GUARD]);
  await api.patch(`/v3/service_instances/${service}`, { route_service_url: `${GUARD}/v2` });
  assert.deepEqual(inForce(), [`${GUARD}/v2`, `${GUARD}/v2`]);
  assert.deepEqual(
    (await api.patch(`/v3/service_instances/${service}`, { route_service_url: null })).details,
    ["The route service URL cannot be removed while routes are bound to it. Unbind the routes first."],
  );
  const lists = [
    `route_guids=${route}`,
    `service_instance_guids=${service}`,
    "service_instance_names=guard",
    "include=route,service_instance",
  ];
  for (const query of lists) assert.equal((await api.list(`/v3/service_route_bindings?${query}`)).length, 1);
  assert.equal((await api.list("/v3/service_route_bindings?route_guids=other")).length, 0);
  assert.equal((await api.list(`/v3/routes?service_instance_guids=${service}`)).length, 1);
  const { included } = (await api.get(`/v3/service_route_bindings/${made.body.guid}?include=route`)).body;
  assert.equal(included?.routes?.["0"]?.guid, route);
  const labelled = await api.patch(`/v3/service_route_bindings/${made.body.guid}`, {
    metadata: { labels: { team: "shop" } },
  });
  assert.deepEqual(labelled.body.metadata?.labels, { team: "shop" });
  assert.equal((await api.list("/v3/service_route_bindings?label_selector=team=shop")).length, 1);
  assert.equal((await api.delete(`/v3/service_route_bindings/${made.body.guid}`)).status, 204);
  assert.deepEqual(inForce(), [null, undefined]);
});

test("an instance takes its bindings along when it is deleted", async (t) => {
  const api = await startApi(t);
  const route = await newRoute(api, "shop");
  const service = await api.create("/v3/service_instances", instance(api, { route_service_url: GUARD }));
  await api.create("/v3/service_route_bindings", between(service, route));
  assert.equal((await api.delete(`/v3/spaces/${api.space}/routes?unmapped=true`)).status, 202);
  assert.equal(api.routeTable.find("shop.localhost")?.routeServiceUrl, GUARD, "a bound route is in use");
  assert.equal((await api.delete(`/v3/service_instances/${service}`)).status, 204);
  assert.equal(api.routeTable.find("shop.localhost")?.routeServiceUrl, null);
  assert.deepEqual(await api.list("/v3/service_route_bindings"), []);
});

test("what cannot be bound is refused in upstream's words", async (t) => {
  const api = await startApi(t);
  const other = await api.create("/v3/spaces", {
    name: "other",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const service = await api.create("/v3/service_instances", instance(api, { route_service_url: GUARD }));
  const second = await api.create(
    "/v3/service_instances",
    instance(api, { name: "second", route_service_url: GUARD }),
  );
  const plain = await api.create("/v3/service_instances", instance(api, { name: "plain" }));
  const bound = await newRoute(api, "bound");
  const binding = await api.create("/v3/service_route_bindings", between(service, bound));
  const cases: readonly { name: string; body: object; detail: string }[] = [
    {
      name: "an instance that is no route service",
      body: between(plain, bound),
      detail: "This service instance does not support route binding",
    },
    {
      name: "an internal route",
      body: between(service, await newRoute(api, "in", { domain: api.internalDomain })),
      detail: "Route services cannot be bound to internal routes",
    },
    {
      name: "a route of another space",
      body: between(service, await newRoute(api, "far", { space: other })),
      detail: "The service instance and the route are in different spaces",
    },
    {
      name: "the same twice",
      body: between(service, bound),
      detail: "The route and service instance are already bound.",
    },
    {
      name: "a second service",
      body: between(second, bound),
      detail: "A route may only be bound to a single service instance",
    },
    {
      name: "parameters",
      body: { ...between(service, await newRoute(api, "p")), parameters: { a: 1 } },
      detail: "Binding parameters are not supported for user-provided service instances",
    },
    { name: "no route", body: between(service, "none"), detail: "The route could not be found: none" },
    {
      name: "no instance",
      body: between("none", bound),
      detail: "The service instance could not be found: none",
    },
  ];
  for (const { name, body, detail } of cases) {
    await t.test(name, async () => {
      const reply = await api.post("/v3/service_route_bindings", body);
      assert.deepEqual([reply.status, reply.details], [422, [detail]]);
    });
  }
  const parameters = await api.get(`/v3/service_route_bindings/${binding}/parameters`);
  assert.deepEqual(parameters.details, [
    "This service does not support fetching service binding parameters.",
  ]);
});

test("supporters see bindings and may not make them", async (t) => {
  const api = await startApi(t);
  const route = await newRoute(api, "shop");
  const service = await api.create("/v3/service_instances", instance(api, { route_service_url: GUARD }));
  const supporter = await api.user("space_supporter");
  const ask = () => api.post("/v3/service_route_bindings", between(service, route), supporter.token);
  assert.equal((await ask()).status, 403);
  const binding = await api.create("/v3/service_route_bindings", between(service, route));
  assert.equal((await api.get(`/v3/service_route_bindings/${binding}`, supporter.token)).status, 200);
  assert.equal((await api.delete(`/v3/service_route_bindings/${binding}`, supporter.token)).status, 403);
  const stranger = await api.user("organization_user");
  assert.equal((await api.get(`/v3/service_route_bindings/${binding}`, stranger.token)).status, 404);
  assert.deepEqual(
    (await api.post("/v3/service_route_bindings", between(service, route), stranger.token)).details,
    [`The service instance could not be found: ${service}`],
  );
});
