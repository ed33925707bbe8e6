import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const related = (guid: string) => ({ data: { guid } });
const EVENTS = "/v3/audit_events";

const newRoute = (api: TestApi, host: string, token?: string) =>
  api.create(
    "/v3/routes",
    { host, relationships: { space: related(api.space), domain: related(api.domain) } },
    token,
  );
const typesOf = async (api: TestApi, query = "") =>
  (await api.list(`${EVENTS}${query}`)).map((event) => event.type);
/** Without those of the apps and spaces around the routes. */
const routeTypesOf = async (api: TestApi, query = "") =>
  (await typesOf(api, query)).filter((type) => /^audit\.route\.|map-route$/.test(String(type)));

test("an event says who did what to which route, where and when", async (t) => {
  const api = await startApi(t);
  const { guid: user, token } = await api.user("organization_user", "space_developer");
  const route = await newRoute(api, "shop", token);
  const [event] = await api.list(EVENTS, token);
  assert.deepEqual(event, {
    guid: event?.guid,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    type: "audit.route.create",
    actor: { guid: user, type: "user", name: user },
    target: { guid: route, type: "route", name: "shop" },
    data: { request: { host: "shop", path: "", port: null, domain_guid: api.domain, options: {} } },
    space: { guid: api.space },
    organization: { guid: api.organization },
    links: { self: { href: `http://localhost:8080${EVENTS}/${event?.guid}` } },
  });
  assert.deepEqual((await api.get(`${EVENTS}/${event?.guid}`, token)).body, event);
  assert.deepEqual((await api.get(`${EVENTS}/nothing`)).details, ["Event not found"]);
});

test("everything that is done to a route leaves its event, and what is refused or changes nothing leaves none", async (t) => {
  const api = await startApi(t);
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const second = await api.create("/v3/spaces", {
    name: "second",
    relationships: { organization: related(api.organization) },
  });
  const app = await api.create("/v3/apps", { name: "shop", relationships: { space: related(api.space) } });
  const route = await newRoute(api, "shop");
  const shares = `/v3/routes/${route}/relationships/shared_spaces`;
  const destinations = `/v3/routes/${route}/destinations`;
  const mapping = { destinations: [{ app: { guid: app } }] };
  await api.patch(`/v3/routes/${route}`, { options: { loadbalancing: "least-connection" } });
  await api.patch(`/v3/routes/${route}`, { options: { loadbalancing: "dice" } });
  for (const _ of ["maps", "changes nothing"]) await api.post(destinations, mapping);
  await api.patch(destinations, { destinations: [] });
  await api.post(shares, { data: [{ guid: second }] });
  await api.delete(`${shares}/${second}`);
  await api.patch(`/v3/routes/${route}/relationships/space`, { data: { guid: second } });
  await api.delete(`/v3/routes/${route}`);
  assert.deepEqual(await routeTypesOf(api), [
    "audit.route.create",
    "audit.route.update",
    "audit.app.map-route",
    "audit.app.unmap-route",
    "audit.route.share",
    "audit.route.unshare",
    "audit.route.transfer-owner",
    "audit.route.delete-request",
  ]);
  assert.deepEqual(await routeTypesOf(api, `?target_guids=${app}`), [
    "audit.app.map-route",
    "audit.app.unmap-route",
  ]);
  assert.deepEqual(await routeTypesOf(api, `?target_guids[not]=${route}`), [
    "audit.app.map-route",
    "audit.app.unmap-route",
  ]);
  assert.deepEqual(await routeTypesOf(api, `?space_guids=${second}`), ["audit.route.delete-request"]);
  assert.deepEqual(await typesOf(api, "?types=audit.route.share,audit.route.unshare&order_by=-created_at"), [
    "audit.route.unshare",
    "audit.route.share",
  ]);
});

test("a manifest and the deletion of unmapped routes leave the same events", async (t) => {
  const api = await startApi(t);
  const apply = (route: string) =>
    api.request({
      method: "POST",
      url: `/v3/spaces/${api.space}/actions/apply_manifest`,
      headers: { authorization: "bearer admin", "content-type": "application/x-yaml" },
      payload: `applications: [{name: shop, ${route}}]`,
    });
  await apply("routes: [{route: shop.localhost}]");
  await apply("routes: [{route: shop.localhost, options: {loadbalancing: least-connection}}]");
  await apply("no-route: true");
  await api.delete(`/v3/spaces/${api.space}/routes?unmapped=true`);
  assert.deepEqual(await routeTypesOf(api), [
    "audit.route.create",
    "audit.app.map-route",
    "audit.route.update",
    "audit.app.unmap-route",
    "audit.route.delete-request",
  ]);
});

test("everything that is done to an app leaves its event, without what may be secret", async (t) => {
  const api = await startApi(t);
  const app = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv" } },
    environment_variables: { TOKEN: "secret-1" },
    relationships: { space: related(api.space) },
  });
  await api.patch(`/v3/apps/${app}`, { name: "store" });
  await api.patch(`/v3/apps/${app}/environment_variables`, { var: { TOKEN: "secret-2" } });
  await api.patch(`/v3/processes/${app}`, { command: "serve --password secret-3" });
  await api.post(`/v3/processes/${app}/actions/scale`, { instances: 2 });
  for (const action of ["start", "start", "restart", "stop"]) {
    assert.equal((await api.post(`/v3/apps/${app}/actions/${action}`)).status, 200);
  }
  await api.get(`/v3/apps/${app}/env`);
  await api.get(`/v3/apps/${app}/environment_variables`);
  await api.delete(`/v3/apps/${app}`);
  const events = await api.list(`${EVENTS}?target_guids=${app}`);
  assert.deepEqual(
    events.map(({ type }) => String(type).replace("audit.app.", "")),
    [
      "create",
      "update",
      "update",
      "process.update",
      "process.scale",
      "start",
      "restart",
      "stop",
      "environment.show",
      "environment_variables.show",
      "delete-request",
    ],
  );
  assert.doesNotMatch(JSON.stringify(events), /secret/);
  assert.deepEqual(
    events.map(({ target }) => target?.name),
    ["shop", ...Array.from({ length: 10 }, () => "store")],
  );
  assert.deepEqual(events[4]?.["data"], {
    process_guid: app,
    process_type: "web",
    request: { instances: 2 },
  });
});

test("what a manifest does to an app is told as what it is", async (t) => {
  const api = await startApi(t);
  const apply = (more: string) =>
    api.request({
      method: "POST",
      url: `/v3/spaces/${api.space}/actions/apply_manifest`,
      headers: { authorization: "bearer admin", "content-type": "application/x-yaml" },
      payload: `applications: [{name: shop, no-route: true, ${more}}]`,
    });
  await apply("env: {TOKEN: secret}, command: serve, instances: 2, processes: [{type: worker}]");
  await apply("instances: 2");
  const events = await api.list(`${EVENTS}?order_by=created_at`);
  const told = events.filter(({ target }) => String(target?.["type"]) === "app");
  assert.deepEqual(
    told.map(({ type }) => String(type).replace("audit.app.", "")),
    [
      "create",
      "update",
      "process.create",
      "process.update",
      "process.scale",
      "apply_manifest",
      "apply_manifest",
    ],
  );
  for (const { data } of told.slice(0, 5)) assert.match(JSON.stringify(data), /"manifest_triggered":true/);
  assert.doesNotMatch(JSON.stringify(events), /secret|"serve"/);
});

test("organizations, spaces, services and what binds them leave their events", async (t) => {
  const api = await startApi(t);
  const organization = await api.create("/v3/organizations", { name: "other" });
  await api.patch(`/v3/organizations/${organization}`, { name: "another" });
  const space = await api.create("/v3/spaces", {
    name: "dev",
    relationships: { organization: related(organization) },
  });
  await api.patch(`/v3/spaces/${space}`, { name: "test" });
  const service = await api.create("/v3/service_instances", {
    type: "user-provided",
    name: "auth",
    credentials: { password: "secret" },
    route_service_url: "https://auth.example.com",
    relationships: { space: related(api.space) },
  });
  await api.patch(`/v3/service_instances/${service}`, { credentials: { password: "secret" } });
  const app = await api.create("/v3/apps", { name: "shop", relationships: { space: related(api.space) } });
  const route = await newRoute(api, "shop");
  const binding = await api.create("/v3/service_credential_bindings", {
    type: "app",
    relationships: { service_instance: related(service), app: related(app) },
  });
  await api.post("/v3/service_route_bindings", {
    relationships: { service_instance: related(service), route: related(route) },
  });
  const [routeBinding] = await api.list("/v3/service_route_bindings");
  await api.delete(`/v3/service_credential_bindings/${binding}`);
  await api.delete(`/v3/service_route_bindings/${routeBinding?.guid}`);
  await api.delete(`/v3/service_instances/${service}`);
  await api.delete(`/v3/spaces/${space}`);
  await api.delete(`/v3/organizations/${organization}`);
  const events = await api.list(EVENTS);
  assert.deepEqual(
    events
      .filter(({ target }) => !["app", "route"].includes(String(target?.["type"])))
      .map(({ type, target }) => [String(type).replace("audit.", ""), target?.name]),
    [
      ["organization.create", "other"],
      ["organization.update", "another"],
      ["space.create", "dev"],
      ["space.update", "test"],
      ["user_provided_service_instance.create", "auth"],
      ["user_provided_service_instance.update", "auth"],
      ["service_binding.create", ""],
      ["service_route_binding.create", ""],
      ["service_binding.delete", ""],
      ["service_route_binding.delete", ""],
      ["user_provided_service_instance.delete", "auth"],
      ["space.delete-request", "test"],
      ["organization.delete-request", "another"],
    ],
  );
  assert.doesNotMatch(JSON.stringify(events), /secret/);
  const [made] = events;
  assert.deepEqual([made?.["space"], made?.["organization"]], [null, { guid: organization }]);
});

test("who gets a role or loses it is told, where it is a role", async (t) => {
  const api = await startApi(t);
  const { guid } = await api.user();
  const give = (type: string, where: object) =>
    api.create("/v3/roles", { type, relationships: { user: related(guid), ...where } });
  await give("organization_user", { organization: related(api.organization) });
  const developer = await give("space_developer", { space: related(api.space) });
  await api.delete(`/v3/roles/${developer}`);
  const events = await api.list(`${EVENTS}?target_guids=${guid}`);
  const target = { guid, type: "user", name: guid };
  const organization = { guid: api.organization };
  assert.deepEqual(
    events.map((event) => [event.type, event["target"], event["space"], event["organization"]]),
    [
      ["audit.user.organization_user_add", target, null, organization],
      ["audit.user.space_developer_add", target, { guid: api.space }, organization],
      ["audit.user.space_developer_remove", target, { guid: api.space }, organization],
    ],
  );
});

test("events of an organization are seen by who has a role in it", async (t) => {
  const api = await startApi(t);
  await api.patch(`/v3/organizations/${api.organization}`, { metadata: { labels: { a: "b" } } });
  const seenBy = async (...roles: string[]) =>
    (await api.list(EVENTS, (await api.user(...roles)).token)).length;
  assert.deepEqual([await seenBy("organization_user"), await seenBy()], [1, 0]);
});

test("events are seen by who sees their space", async (t) => {
  const api = await startApi(t);
  await newRoute(api, "shop");
  const [event] = await api.list(EVENTS);
  const auditor = await api.user("organization_user", "space_auditor");
  assert.equal((await api.list(EVENTS, auditor.token)).length, 1);
  const stranger = await api.user();
  assert.deepEqual(await api.list(EVENTS, stranger.token), []);
  assert.equal((await api.get(`${EVENTS}/${event?.guid}`, stranger.token)).status, 404);
});

test("events go after 31 days, and not before", async (t) => {
  const api = await startApi(t);
  await newRoute(api, "first");
  const day = 24 * 3_600_000;
  api.clock.advance(30 * day);
  await newRoute(api, "second");
  assert.equal((await api.list(EVENTS)).length, 2);
  api.clock.advance(2 * day);
  await newRoute(api, "third");
  const hosts = (await api.list(EVENTS)).map((event) => event["target"]?.name);
  assert.deepEqual(hosts, ["second", "third"]);
});
