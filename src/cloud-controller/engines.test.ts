/** The main paths on both databases, and two replicas of the API on one. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startPostgres } from "../../test/support/postgres.ts";
import { encodeJson, type StoreLocation } from "../store/index.ts";
import { startApi, type TestApi } from "./testing.ts";

const DROPLET = "7a5d3c1e-0f2b-4d68-9c4a-1b3e5d7f9a0c";

const route = (api: TestApi, host: string, more: object = {}) => ({
  host,
  relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  ...more,
});

async function mainPath(t: TestContext, location: StoreLocation | undefined): Promise<void> {
  const api = await startApi(t, location === undefined ? {} : { location });
  const app = await api.create("/v3/apps", {
    name: "shop",
    environment_variables: { COLOUR: "red" },
    lifecycle: { type: "local", data: { directory: "/srv" } },
    relationships: { space: { data: { guid: api.space } } },
    metadata: { labels: { tier: "web" } },
  });
  await api.patch(`/v3/processes/${app}`, { command: "run" });
  assert.equal((await api.get(`/v3/processes/${app}`)).body.log_rate_limit_in_bytes_per_second, -1);
  const made = await api.create("/v3/routes", route(api, "Shop", { options: { "trim-path": true } }));
  await api.post(`/v3/routes/${made}/destinations`, { destinations: [{ app: { guid: app } }] });
  await api.post(`/v3/apps/${app}/actions/start`);
  const [lrp] = api.bbs.desired.values();
  assert.equal(lrp?.environment["COLOUR"], "red");
  assert.equal(api.routeTable.find("shop.localhost")?.destinations[0]?.processGuid, app);

  assert.deepEqual((await api.post("/v3/routes", route(api, "SHOP"))).details, [
    "Route already exists with host 'shop' for domain 'localhost'.",
  ]);
  const lists = [
    "routes?hosts=shop&include=domain,space,space.organization",
    `routes?app_guids=${app}&organization_guids=${api.organization}&label_selector=!tier`,
    "apps?label_selector=tier in (web),tier!=db&order_by=-name&created_ats[gte]=2026-01-01T00:00:00Z",
    `processes?space_guids=${api.space}&organization_guids=${api.organization}`,
    `audit_events?target_guids[not]=${app}&types=audit.route.create`,
  ];
  for (const list of lists) assert.equal((await api.list(`/v3/${list}`)).length, 1, list);
  for (const role of ["organization_manager", "space_developer"]) {
    const { guid, token } = await api.user(role);
    const included = "include=user,organization,space";
    for (const list of [`users?usernames=${guid.toUpperCase()}`, `roles?user_guids=${guid}&${included}`]) {
      assert.equal((await api.list(`/v3/${list}`)).length, 1, list);
    }
    for (const list of ["organizations", "spaces", "domains", "routes", "apps", "roles", "users"]) {
      assert.equal((await api.get(`/v3/${list}`, token)).status, 200, list);
    }
  }
  const reserved = await api.get(`/v3/domains/${api.domain}/route_reservations?host=shop`);
  assert.deepEqual(reserved.body, { matching_route: true });
  assert.equal((await api.delete(`/v3/organizations/${api.organization}`)).status, 202);
  assert.equal(api.bbs.desired.size, 0);
  assert.equal(api.routeTable.reservations.size, 0);
}

/** Everything around a route: who may use it, what it goes through, where it is served, how many there may be. */
async function aroundRoutes(t: TestContext, location: StoreLocation | undefined): Promise<void> {
  const api = await startApi(t, location === undefined ? {} : { location });
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const to = (...guids: readonly string[]) => ({ data: guids.map((guid) => ({ guid })) });
  const inOrganization = { organization: { data: { guid: api.organization } } };
  const second = await api.create("/v3/spaces", { name: "second", relationships: inOrganization });
  const guid = await api.create("/v3/routes", route(api, "shop"));
  assert.equal((await api.post(`/v3/routes/${guid}/relationships/shared_spaces`, to(second))).status, 200);
  const service = await api.create("/v3/service_instances", {
    type: "user-provided",
    name: "guard",
    route_service_url: "https://guard.example.com",
    relationships: { space: { data: { guid: api.space } } },
  });
  const binding = await api.create("/v3/service_route_bindings", {
    relationships: { route: { data: { guid } }, service_instance: { data: { guid: service } } },
    metadata: { labels: { tier: "web" } },
  });
  const segment = await api.create("/v3/isolation_segments", { name: "Apart" });
  await api.post(`/v3/isolation_segments/${segment}/relationships/organizations`, to(api.organization));
  const place = `/v3/spaces/${api.space}/relationships/isolation_segment`;
  assert.equal((await api.patch(place, { data: { guid: segment } })).status, 200);
  const held = api.routeTable.find("shop.localhost");
  assert.equal(held?.routeServiceUrl, "https://guard.example.com");
  assert.equal(held?.isolationSegment, "Apart");

  const ofSpace = await api.create("/v3/space_quotas", {
    name: "small",
    routes: { total_routes: 1 },
    relationships: { ...inOrganization, spaces: to(api.space) },
  });
  await api.create("/v3/organization_quotas", {
    name: "small",
    domains: { total_domains: 0 },
    relationships: { organizations: to(api.organization) },
  });
  assert.deepEqual((await api.post("/v3/routes", route(api, "more"))).details, [
    "Routes quota exceeded for space 'dev'.",
  ]);
  const own = await api.post("/v3/domains", { name: "own.example.com", relationships: inOrganization });
  assert.match(own.details.join(), /^The number of private domains exceeds the quota/);
  const moved = await api.patch(`/v3/routes/${guid}/relationships/space`, { data: { guid: second } });
  assert.equal(moved.status, 200);

  const lists = [
    `routes?space_guids=${second}&ports=&include=route_policies`,
    `routes?service_instance_guids=${service}`,
    "service_instances?names=guard&order_by=-name",
    `service_route_bindings?service_instance_names=guard&label_selector=tier=web&include=route,service_instance`,
    `isolation_segments?organization_guids=${api.organization}`,
    `isolation_segments/${segment}/organizations`,
    `space_quotas?space_guids=${api.space}`,
    `organization_quotas?organization_guids=${api.organization}`,
  ];
  for (const list of lists) assert.equal((await api.list(`/v3/${list}`)).length, 1, list);
  for (const role of ["organization_manager", "space_developer"]) {
    const { token } = await api.user("organization_user", role);
    for (const list of [...lists, `spaces/${api.space}/users`]) {
      assert.equal((await api.get(`/v3/${list}`, token)).status, 200, list);
    }
  }
  assert.equal((await api.delete(`/v3/service_route_bindings/${binding}`)).status, 204);
  assert.equal((await api.delete(`/v3/space_quotas/${ofSpace}`)).status, 202);
  assert.equal((await api.delete(`/v3/organizations/${api.organization}`)).status, 202);
  assert.equal(api.routeTable.reservations.size, 0);
  assert.equal((await api.delete(`/v3/isolation_segments/${segment}`)).status, 204);
}

/** A manifest, packages and a deployment: their statements, without what is uploaded. */
async function pushPath(t: TestContext, location: StoreLocation): Promise<void> {
  const api = await startApi(t, { location });
  const apply = (yaml: string) =>
    api.request({
      method: "POST",
      url: `/v3/spaces/${api.space}/actions/apply_manifest`,
      headers: { authorization: "bearer admin", "content-type": "application/x-yaml" },
      payload: yaml,
    });
  const good =
    "{name: shop, command: run, routes: [{route: shop.localhost/x, options: {loadbalancing: hash, hash_header: X}}]}";
  for (const _ of ["makes it", "changes nothing"])
    assert.equal((await apply(`applications: [${good}]`)).status, 202);
  const failed = await apply(`applications: [{name: other, default-route: true}, {name: SHOP}]`);
  const job = await api.get(new URL(String(failed.headers["location"])).pathname);
  assert.equal(job.body.state, "FAILED");
  const [app, ...others] = await api.list("/v3/apps");
  assert.deepEqual([app?.name, others], ["shop", []]);
  assert.match(await api.text(`/v3/apps/${app?.guid}/manifest`), /hash_header: X/);

  const guid = String(app?.guid);
  const relationships = { app: { data: { guid } } };
  for (let i = 0; i < 7; i++) await api.create("/v3/packages", { type: "bits", relationships });
  assert.equal((await api.list(`/v3/packages?states=AWAITING_UPLOAD&space_guids=${api.space}`)).length, 5);
  const now = "2026-01-01T00:00:00.000Z";
  await api.store.db
    .insertInto("droplets")
    .values({
      guid: DROPLET,
      created_at: now,
      updated_at: now,
      app_guid: guid,
      package_guid: null,
      state: "STAGED",
      error: null,
      process_types: encodeJson({ web: "run", worker: "work" }),
      data: encodeJson({ sha256: "0".repeat(64) }),
    })
    .execute();
  const deploy = { droplet: { guid: DROPLET }, relationships };
  assert.equal((await api.post("/v3/deployments", deploy)).body.status?.reason, "DEPLOYED");
  const rolling = await api.post("/v3/deployments", deploy);
  assert.equal(api.bbs.desired.size, 3, "both versions of web, and the worker");
  await api.post(`/v3/deployments/${rolling.body.guid}/actions/cancel`);
  await api.deploy();
  assert.equal((await api.list("/v3/deployments?status_values=ACTIVE")).length, 1);
  assert.equal((await api.delete(`/v3/apps/${guid}`)).status, 202);
  assert.equal(api.bbs.desired.size, 0);
}

/** Page after page, in both directions, and how many there are after some have gone. */
async function pagesOfRoutes(t: TestContext, location: StoreLocation | undefined): Promise<void> {
  const api = await startApi(t, location === undefined ? {} : { location });
  const hosts = Array.from({ length: 9 }, (_, i) => `shop-${i}`);
  const guids: string[] = [];
  for (const host of hosts) guids.push(await api.create("/v3/routes", route(api, host)));
  await api.delete(`/v3/routes/${guids.shift()}`);
  const left = hosts.slice(1);
  const { token } = await api.user("space_developer");
  for (const as of [undefined, token]) {
    for (const [order, wanted] of [
      ["created_at", left],
      ["-created_at", left.toReversed()],
    ] as const) {
      for (const filter of ["", `&space_guids=${api.space}`]) {
        const shown: string[] = [];
        for (let page = 1; page <= 3; page++) {
          const path = `/v3/routes?order_by=${order}&per_page=3&page=${page}${filter}`;
          const { body } = await api.get(path, as);
          assert.equal(body.pagination?.total_results, left.length, path);
          shown.push(...(body.resources as unknown as { host: string }[]).map(({ host }) => host));
        }
        assert.deepEqual(shown, wanted);
      }
    }
  }
}

test("SQLite: pages of routes hold each of them once, and say how many there are", (t) =>
  pagesOfRoutes(t, undefined));

test("SQLite: what is around a route, from creation to the end of its organization", (t) =>
  aroundRoutes(t, undefined));

test("SQLite: an app and its route, from creation to the end of their organization", (t) =>
  mainPath(t, undefined));

test("PostgreSQL", async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === null) return;

  await t.test("an app and its route, from creation to the end of their organization", async (t) => {
    await mainPath(t, { kind: "postgres", url: await postgres.newDatabase() });
  });

  await t.test("pages of routes hold each of them once, and say how many there are", async (t) => {
    await pagesOfRoutes(t, { kind: "postgres", url: await postgres.newDatabase() });
  });

  await t.test("a manifest, packages and a deployment", async (t) => {
    await pushPath(t, { kind: "postgres", url: await postgres.newDatabase() });
  });

  await t.test("what is around a route, from creation to the end of its organization", async (t) => {
    await aroundRoutes(t, { kind: "postgres", url: await postgres.newDatabase() });
  });

  await t.test("two replicas start on a new database at once, and make one of everything", async (t) => {
    const location: StoreLocation = { kind: "postgres", url: await postgres.newDatabase() };
    const [one] = await Promise.all([startApi(t, { location }), startApi(t, { location })]);
    const lists = ["organizations", "spaces", "organization_quotas", "isolation_segments"];
    for (const list of lists) assert.equal((await one.list(`/v3/${list}`)).length, 1, list);
    assert.equal(
      (await one.list("/v3/organization_quotas?organization_guids=" + one.organization)).length,
      1,
    );
  });

  await t.test("of two replicas that want the last route of a quota, one gets it", async (t) => {
    const location: StoreLocation = { kind: "postgres", url: await postgres.newDatabase() };
    const one = await startApi(t, { location });
    const two = await startApi(t, { location });
    await one.create("/v3/organization_quotas", {
      name: "small",
      routes: { total_routes: 3 },
      relationships: { organizations: { data: [{ guid: one.organization }] } },
    });
    const hosts = Array.from({ length: 6 }, (_, i) => `shop-${i}`);
    const replies = await Promise.all(
      hosts.map((host, i) => (i % 2 === 0 ? one : two).post("/v3/routes", route(one, host))),
    );
    assert.equal(replies.filter((reply) => reply.status === 201).length, 3);
    for (const refused of replies.filter((reply) => reply.status !== 201)) {
      assert.deepEqual(refused.details, ["Routes quota exceeded for organization 'viaduct'."]);
    }
  });

  await t.test("a replica whose clock is behind gives what it changes another tag, too", async (t) => {
    const location: StoreLocation = { kind: "postgres", url: await postgres.newDatabase() };
    const ahead = await startApi(t, { location });
    const behind = await startApi(t, { location });
    const made = await ahead.post("/v3/routes", route(ahead, "shop"));
    const path = `/v3/routes/${String(made.body.guid)}`;
    // The same millisecond, by both clocks.
    const changed = await behind.patch(path, { options: { "trim-path": true } });
    assert.notEqual(changed.headers["etag"], made.headers["etag"]);
  });

  await t.test("of two replicas that want the last instance of a quota, one gets it", async (t) => {
    const location: StoreLocation = { kind: "postgres", url: await postgres.newDatabase() };
    const one = await startApi(t, { location });
    const two = await startApi(t, { location });
    const inSpace = { space: { data: { guid: one.space } } };
    const lifecycle = { type: "local", data: { directory: "/tmp" } };
    const names = ["a", "b", "c", "d"];
    const apps = await Promise.all(
      names.map((name) => one.create("/v3/apps", { name, lifecycle, relationships: inSpace })),
    );
    for (const app of apps) await one.patch(`/v3/processes/${app}`, { command: "run" });
    await one.create("/v3/organization_quotas", {
      name: "small",
      apps: { total_instances: 2, total_memory_in_mb: 1_000_000, log_rate_limit_in_bytes_per_second: 0 },
      relationships: { organizations: { data: [{ guid: one.organization }] } },
    });
    const quiet = { log_rate_limit_in_bytes_per_second: 0 };
    for (const app of apps) await one.post(`/v3/processes/${app}/actions/scale`, quiet);
    const replies = await Promise.all(
      apps.map((app, i) => (i % 2 === 0 ? one : two).post(`/v3/apps/${app}/actions/start`)),
    );
    assert.equal(replies.filter((reply) => reply.status === 200).length, 2);
    for (const refused of replies.filter((reply) => reply.status !== 200)) {
      assert.deepEqual(refused.details, ["app_instance_limit app_instance_limit_exceeded"]);
    }
  });

  await t.test("of two replicas that create the same route at once, exactly one gets it", async (t) => {
    const location: StoreLocation = { kind: "postgres", url: await postgres.newDatabase() };
    const one = await startApi(t, { location });
    const two = await startApi(t, { location });
    const hosts = Array.from({ length: 10 }, (_, i) => `shop-${i}`);
    const replies = await Promise.all(
      hosts.flatMap((host) => [one, two].map((api) => api.post("/v3/routes", route(api, host)))),
    );
    assert.equal(replies.filter((reply) => reply.status === 201).length, hosts.length);
    for (const refused of replies.filter((reply) => reply.status !== 201)) {
      assert.equal(refused.status, 422);
      assert.match(
        refused.details.join(),
        /^Route already exists with host 'shop-\d' for domain 'localhost'\.$/,
      );
    }
    const reserved = one.routeTable.reservations.size + two.routeTable.reservations.size;
    assert.equal(reserved, hosts.length, "one of the replicas delivers");
  });
});
