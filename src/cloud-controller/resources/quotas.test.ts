import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { newGuid } from "../../kernel/index.ts";
import { startApi, type TestApi } from "../testing.ts";

const to = (...guids: readonly string[]) => ({ data: guids.map((guid) => ({ guid })) });
const NO_LIMITS = {
  apps: {
    total_memory_in_mb: null,
    per_process_memory_in_mb: null,
    log_rate_limit_in_bytes_per_second: null,
    total_instances: null,
    per_app_tasks: null,
  },
  services: { paid_services_allowed: true, total_service_instances: null, total_service_keys: null },
  routes: { total_routes: null, total_reserved_ports: null },
};

async function foundation(t: TestContext) {
  const api = await startApi(t);
  const second = await api.create("/v3/spaces", {
    name: "second",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const newRoute = (host: string, space = api.space) =>
    api.post("/v3/routes", {
      host,
      relationships: { space: { data: { guid: space } }, domain: { data: { guid: api.domain } } },
    });
  const ofOrganization = (more: object) =>
    api.create("/v3/organization_quotas", {
      name: "small",
      relationships: { organizations: to(api.organization) },
      ...more,
    });
  const ofSpace = (more: object, ...spaces: readonly string[]) =>
    api.create("/v3/space_quotas", {
      name: "small",
      relationships: { organization: { data: { guid: api.organization } }, spaces: to(...spaces) },
      ...more,
    });
  return { api, second, newRoute, ofOrganization, ofSpace };
}

test("every organization has the default quota, which limits nothing", async (t) => {
  const { api } = await foundation(t);
  const other = await api.create("/v3/organizations", { name: "other" });
  const [quota] = await api.list("/v3/organization_quotas?names=default");
  assert.deepEqual(quota?.relationships, { organizations: to(api.organization, other) });
  assert.deepEqual(quota?.["domains"], { total_domains: null });
  const shown = (await api.get(`/v3/organizations/${other}`)).body;
  assert.deepEqual(shown.relationships?.quota, { data: { guid: quota?.guid } });
  assert.equal((await api.delete(`/v3/organization_quotas/${quota?.guid}`)).details[0], IN_USE);
});
const IN_USE =
  "This quota is applied to one or more organizations. Apply different quotas to those organizations before deleting.";

test("an organization's limit of routes counts all its spaces", async (t) => {
  const { api, second, newRoute, ofOrganization } = await foundation(t);
  const quota = await ofOrganization({ routes: { total_routes: 2 } });
  assert.equal((await newRoute("a")).status, 201);
  assert.equal((await newRoute("b", second)).status, 201);
  const refused = await newRoute("c", second);
  assert.deepEqual(
    [refused.status, refused.details],
    [422, ["Routes quota exceeded for organization 'viaduct'."]],
  );
  await api.patch(`/v3/organization_quotas/${quota}`, { routes: { total_routes: 3 } });
  assert.equal((await newRoute("c", second)).status, 201);
  await api.patch(`/v3/organization_quotas/${quota}`, { routes: { total_routes: null } });
  assert.equal((await newRoute("d")).status, 201);
});

test("a space's limit is its own, and ends when the quota is taken away", async (t) => {
  const { api, second, newRoute, ofSpace } = await foundation(t);
  const quota = await ofSpace({ routes: { total_routes: 0 } }, api.space);
  assert.deepEqual((await newRoute("a")).details, ["Routes quota exceeded for space 'dev'."]);
  assert.equal((await newRoute("a", second)).status, 201);
  const removal = () => api.delete(`/v3/space_quotas/${quota}/relationships/spaces/${api.space}`);
  assert.equal((await removal()).status, 204);
  assert.equal((await newRoute("b")).status, 201);
  assert.deepEqual((await removal()).details, [
    `Unable to remove quota from space with guid '${api.space}'. Ensure the space quota is applied to this space.`,
  ]);
});

test("a route that moves needs room where it goes", async (t) => {
  const { api, second, newRoute, ofSpace } = await foundation(t);
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const route = (await newRoute("a")).body.guid;
  await ofSpace({ routes: { total_routes: 0 } }, second);
  const moved = await api.patch(`/v3/routes/${route}/relationships/space`, { data: { guid: second } });
  assert.deepEqual(moved.details, ["Routes quota exceeded for space 'second'."]);
});

test("a route that moves within its organization takes the place it had", async (t) => {
  const { api, second, newRoute, ofOrganization } = await foundation(t);
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const route = (await newRoute("a")).body.guid;
  await ofOrganization({ routes: { total_routes: 1 } });
  const moved = await api.patch(`/v3/routes/${route}/relationships/space`, { data: { guid: second } });
  assert.equal(moved.status, 200);
});

test("reserved ports have limits of their own, for organizations and for spaces", async (t) => {
  const { api, ofOrganization, ofSpace } = await foundation(t);
  const group = newGuid();
  const times = { created_at: "2026-01-01", updated_at: "2026-01-01" };
  await api.store.db
    .insertInto("router_groups")
    .values({ guid: group, ...times, name: "default-tcp", type: "tcp", reservable_ports: "1024-1033" })
    .execute();
  const domain = await api.create("/v3/domains", { name: "tcp.example.com", router_group: { guid: group } });
  const newPort = () =>
    api.post("/v3/routes", {
      relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: domain } } },
    });
  await ofOrganization({ routes: { total_reserved_ports: 1 } });
  assert.equal((await newPort()).status, 201);
  assert.deepEqual((await newPort()).details, [
    "Reserved route ports quota exceeded for organization 'viaduct'.",
  ]);
  await ofSpace({ routes: { total_reserved_ports: 0 } }, api.space);
  assert.deepEqual((await newPort()).details, ["Reserved route ports quota exceeded for space 'dev'."]);
});

test("private domains are limited, shared ones are not", async (t) => {
  const { api, ofOrganization } = await foundation(t);
  await ofOrganization({ domains: { total_domains: 1 } });
  const post = (name: string) =>
    api.post("/v3/domains", { name, relationships: { organization: { data: { guid: api.organization } } } });
  assert.equal((await post("one.example.com")).status, 201);
  assert.deepEqual((await post("two.example.com")).details, [
    'The number of private domains exceeds the quota for organization "viaduct"',
  ]);
  assert.equal((await api.post("/v3/domains", { name: "shared.example.com" })).status, 201);
});

test("of two who want the last route at once, one gets it", async (t) => {
  const { newRoute, ofOrganization } = await foundation(t);
  await ofOrganization({ routes: { total_routes: 3 } });
  const replies = await Promise.all(["a", "b", "c", "d", "e", "f"].map((host) => newRoute(host)));
  assert.equal(replies.filter((reply) => reply.status === 201).length, 3);
});

test("a quota is shown in full, renamed, listed by whom it is for, and deleted", async (t) => {
  const { api, ofSpace, ofOrganization } = await foundation(t);
  const guid = await ofSpace({}, api.space);
  const shown = (await api.get(`/v3/space_quotas/${guid}`)).body;
  assert.deepEqual(shown, {
    guid,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    name: "small",
    ...NO_LIMITS,
    relationships: { organization: { data: { guid: api.organization } }, spaces: to(api.space) },
    links: {
      self: { href: `http://localhost:8080/v3/space_quotas/${guid}` },
      organization: { href: `http://localhost:8080/v3/organizations/${api.organization}` },
    },
  });
  const renamed = await api.patch(`/v3/space_quotas/${guid}`, { name: "tiny", apps: { total_instances: 4 } });
  assert.equal(renamed.body.name, "tiny");
  assert.deepEqual(renamed.body["apps"], { ...NO_LIMITS.apps, total_instances: 4 });
  for (const query of ["names=tiny", `space_guids=${api.space}`, `organization_guids=${api.organization}`]) {
    assert.equal((await api.list(`/v3/space_quotas?${query}`)).length, 1, query);
  }
  assert.equal((await api.list("/v3/space_quotas?space_guids=other")).length, 0);
  assert.equal((await api.delete(`/v3/space_quotas/${guid}`)).status, 202);
  assert.deepEqual((await api.get(`/v3/spaces/${api.space}`)).body.relationships?.["quota"], { data: null });

  const large = await ofOrganization({ name: "large" });
  assert.equal((await api.list(`/v3/organization_quotas?organization_guids=${api.organization}`)).length, 1);
  const [standard] = await api.list("/v3/organization_quotas?names=default");
  const applied = await api.post(
    `/v3/organization_quotas/${standard?.guid}/relationships/organizations`,
    to(api.organization),
  );
  assert.deepEqual(applied.body.data, [{ guid: api.organization }]);
  assert.equal((await api.delete(`/v3/organization_quotas/${large}`)).status, 202);
  assert.equal((await api.get(`/v3/organization_quotas/${large}`)).status, 404);
});

test("what a quota cannot be is refused, and leaves nothing behind", async (t) => {
  const { api, ofSpace, ofOrganization } = await foundation(t);
  const foreign = await api.create("/v3/organizations", { name: "foreign" });
  const far = await api.create("/v3/spaces", {
    name: "far",
    relationships: { organization: { data: { guid: foreign } } },
  });
  await ofSpace({});
  await ofOrganization({});
  const owned = (more: object = {}) => ({
    name: "other",
    relationships: { organization: { data: { guid: api.organization } }, ...more },
  });
  const cases: readonly { name: string; path: string; body: object; details: readonly string[] }[] = [
    {
      name: "a limit below zero",
      path: "organization_quotas",
      body: { name: "other", routes: { total_routes: -1 } },
      details: ["Routes Total routes must be greater than or equal to 0"],
    },
    {
      name: "more ports than routes",
      path: "organization_quotas",
      body: { name: "other", routes: { total_routes: 1, total_reserved_ports: 2 } },
      details: ["Total reserved ports must be less than or equal to total routes"],
    },
    {
      name: "a name that is taken",
      path: "organization_quotas",
      body: { name: "SMALL" },
      details: ["Organization Quota 'SMALL' already exists."],
    },
    {
      name: "organizations there are not",
      path: "organization_quotas",
      body: { name: "other", relationships: { organizations: to("nowhere") } },
      details: ['Organizations with guids ["nowhere"] do not exist, or you do not have access to them.'],
    },
    {
      name: "a space quota's name that is taken in its organization",
      path: "space_quotas",
      body: { ...owned(), name: "small" },
      details: ["Space Quota 'small' already exists."],
    },
    {
      name: "a space of another organization",
      path: "space_quotas",
      body: owned({ spaces: to(far) }),
      details: ["Space quotas cannot be applied outside of their owning organization."],
    },
    {
      name: "spaces there are not",
      path: "space_quotas",
      body: owned({ spaces: to("nowhere") }),
      details: ['Spaces with guids ["nowhere"] do not exist, or you do not have access to them.'],
    },
    {
      name: "an organization there is not",
      path: "space_quotas",
      body: { name: "other", relationships: { organization: { data: { guid: "nowhere" } } } },
      details: ["Organization with guid 'nowhere' does not exist, or you do not have access to it."],
    },
  ];
  for (const { name, path, body, details } of cases) {
    await t.test(name, async () => {
      const reply = await api.post(`/v3/${path}`, body);
      assert.deepEqual([reply.status, reply.details], [422, details]);
      assert.deepEqual(await api.list(`/v3/${path}?names=other`), []);
    });
  }
});

const asManager = async (api: TestApi) => (await api.user("organization_manager")).token;

test("organization quotas are an administrator's, space quotas a manager's", async (t) => {
  const { api, ofSpace } = await foundation(t);
  const manager = await asManager(api);
  assert.equal((await api.post("/v3/organization_quotas", { name: "mine" }, manager)).status, 403);
  assert.equal((await api.list("/v3/organization_quotas", manager)).length, 1);
  const guid = await ofSpace({}, api.space);
  assert.equal((await api.patch(`/v3/space_quotas/${guid}`, { name: "mine" }, manager)).status, 200);
  const developer = await api.user("organization_user", "space_developer");
  assert.equal((await api.get(`/v3/space_quotas/${guid}`, developer.token)).status, 200);
  assert.equal((await api.patch(`/v3/space_quotas/${guid}`, { name: "x" }, developer.token)).status, 403);
  const stranger = await api.user("organization_user");
  assert.equal((await api.get(`/v3/space_quotas/${guid}`, stranger.token)).status, 404);
});
