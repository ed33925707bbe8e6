import assert from "node:assert/strict";
import { test } from "node:test";
import { newGuid } from "../../kernel/index.ts";
import { startApi, type TestApi } from "../testing.ts";

const owned = (organization: string, more: object = {}) => ({
  relationships: { organization: { data: { guid: organization } }, ...more },
});

test("a foundation has its shared and its internal domain from the start", async (t) => {
  const api = await startApi(t);
  const domains = await api.list("/v3/domains");
  assert.deepEqual(
    domains.map((domain) => [domain.name, domain.internal]),
    [
      ["localhost", false],
      ["apps.internal", true],
    ],
  );
});

test("a shared and a private domain show what they are", async (t) => {
  const api = await startApi(t);
  const shared = (await api.post("/v3/domains", { name: "Shared.Example.com" })).body;
  const at = (path: string) => ({ href: `http://localhost:8080${path}` });
  assert.deepEqual(shared, {
    guid: shared.guid,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    name: "shared.example.com",
    internal: false,
    router_group: null,
    supported_protocols: ["http"],
    relationships: { organization: { data: null }, shared_organizations: { data: [] } },
    metadata: { labels: {}, annotations: {} },
    links: {
      self: at(`/v3/domains/${shared.guid}`),
      route_reservations: at(`/v3/domains/${shared.guid}/route_reservations`),
    },
  });
  const own = (await api.post("/v3/domains", { name: "own.example.com", ...owned(api.organization) })).body;
  assert.deepEqual(own.relationships?.organization, { data: { guid: api.organization } });
  assert.deepEqual(own.links?.organization, at(`/v3/organizations/${api.organization}`));
});

test("what a domain cannot be is refused in upstream's words", async (t) => {
  const api = await startApi(t);
  const other = await api.create("/v3/organizations", { name: "other" });
  await api.create("/v3/domains", { name: "other.example.com", ...owned(other) });
  await api.create("/v3/domains", { name: "example.com" });
  const domain = (await api.list("/v3/domains?names=example.com"))[0]?.guid;
  await api.create("/v3/routes", {
    host: "taken",
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: domain } } },
  });
  const long = "a".repeat(64);
  const cases: readonly { body: object; details: readonly string[] }[] = [
    { body: {}, details: ["Name can't be blank"] },
    { body: { name: "" }, details: ["Name can't be blank"] },
    { body: { name: "ab" }, details: ["Name is too short (minimum is 3 characters)"] },
    {
      body: { name: `${"a.".repeat(126)}ab` },
      details: ["Name is too long (maximum is 253 characters)"],
    },
    {
      body: { name: "localhost2" },
      details: ["Name does not comply with RFC 1035 standards", 'Name must contain at least one "."'],
    },
    { body: { name: "-a.example.com" }, details: ["Name does not comply with RFC 1035 standards"] },
    {
      body: { name: `${long}.example.com` },
      details: [
        "Name does not comply with RFC 1035 standards",
        "Name subdomains must each be at most 63 characters",
      ],
    },
    {
      body: { name: "a_b.example.com" },
      details: [
        "Name does not comply with RFC 1035 standards",
        "Name must consist of alphanumeric characters and hyphens",
      ],
    },
    { body: { name: "EXAMPLE.com" }, details: ['The domain name "EXAMPLE.com" is already in use'] },
    {
      body: { name: "x.internal", internal: true, ...owned(other) },
      details: ["Cannot associate an internal domain with an organization"],
    },
    {
      body: { name: "x.internal", internal: true, router_group: { guid: "g" } },
      details: ["Internal domains cannot be associated to a router group."],
    },
    {
      body: { name: "x.example.org", router_group: { guid: "g" }, ...owned(other) },
      details: ["Domains scoped to an organization cannot be associated to a router group."],
    },
    {
      body: { name: "tcp.example.org", router_group: { guid: "g" } },
      details: ["Router group with guid 'g' not found."],
    },
    {
      body: { name: "x.example.org", ...owned("nowhere") },
      details: ["Organization with guid 'nowhere' does not exist or you do not have access to it."],
    },
    {
      body: {
        name: "x.example.org",
        ...owned(api.organization, { shared_organizations: { data: [{ guid: "nowhere" }] } }),
      },
      details: ["Organization with guid 'nowhere' does not exist, or you do not have access to it."],
    },
    {
      body: { name: "x.other.example.com", ...owned(api.organization) },
      details: [
        'The domain name "x.other.example.com" cannot be created because "other.example.com" is already reserved by another domain',
      ],
    },
    {
      body: { name: "taken.example.com" },
      details: [
        'The domain name "taken.example.com" cannot be created because "taken.example.com" is already reserved by a route',
      ],
    },
    {
      body: { name: "x.example.org", ...owned(other, { shared_organizations: { data: [{ guid: other }] } }) },
      details: ["Domain cannot be shared with owning organization."],
    },
    {
      body: { name: "x.example.org", relationships: { shared_organizations: { data: [] } } },
      details: ["Relationships cannot contain shared_organizations without an owning organization."],
    },
    {
      body: {
        name: "x.example.org",
        relationships: { organization: { data: null }, shared_organizations: { data: [{ guid: other }] } },
      },
      details: ["Relationships cannot contain shared_organizations without an owning organization."],
    },
    { body: { name: "x.example.org", internal: "yes" }, details: ["Internal must be a boolean"] },
    { body: { name: "x.example.org", router_group: "g" }, details: ["Router group must be an object"] },
    { body: { name: "x.example.org", owner: 1 }, details: ["Unknown field(s): 'owner'"] },
  ];
  for (const { body, details } of cases) {
    await t.test(JSON.stringify(body).slice(0, 80), async () => {
      const reply = await api.post("/v3/domains", body);
      assert.deepEqual(reply.details, details);
      assert.equal(reply.status, 422);
    });
  }
});

test("relationships that are null are none, as some clients write them", async (t) => {
  const api = await startApi(t);
  const created = await api.post("/v3/domains", {
    name: "shared.example.org",
    relationships: { organization: null, shared_organizations: null },
  });
  assert.deepEqual(
    [created.status, created.body["relationships"]],
    [201, { organization: { data: null }, shared_organizations: { data: [] } }],
  );
});

test("a private domain is shared by who manages both organizations, and taken back by who manages either", async (t) => {
  const api = await startApi(t);
  const manager = await api.user("organization_user", "organization_manager");
  const partner = await api.create("/v3/organizations", { name: "partner" });
  const stranger = await api.create("/v3/organizations", { name: "stranger" });
  const promote = (type: string, user: string) =>
    api.create("/v3/roles", {
      type,
      relationships: { user: { data: { guid: user } }, organization: { data: { guid: partner } } },
    });
  await promote("organization_auditor", manager.guid);
  const theirs = await api.user();
  await promote("organization_manager", theirs.guid);

  const named = (...guids: readonly string[]) => ({ data: guids.map((guid) => ({ guid })) });
  const withAll = {
    name: "a.example.com",
    ...owned(api.organization, { shared_organizations: named(partner) }),
  };
  const noPermission = ["You do not have sufficient permissions for organization 'partner' to share domain."];
  assert.deepEqual((await api.post("/v3/domains", withAll, manager.token)).details, noPermission);
  const domain = await api.create(
    "/v3/domains",
    { name: "a.example.com", ...owned(api.organization) },
    manager.token,
  );
  const shares = `/v3/domains/${domain}/relationships/shared_organizations`;
  assert.deepEqual((await api.post(shares, named(partner, stranger), manager.token)).details, [
    ...noPermission,
    `Organization with guid '${stranger}' does not exist, or you do not have access to it.`,
  ]);
  const promoted = await promote("organization_manager", manager.guid);
  await api.patch(`/v3/organizations/${partner}`, { suspended: true });
  assert.deepEqual((await api.post(shares, named(partner), manager.token)).details, [
    "Organization 'partner' is suspended.",
  ]);
  await api.patch(`/v3/organizations/${partner}`, { suspended: false });
  assert.equal((await api.post(shares, named(partner), manager.token)).status, 200);
  await api.delete(`/v3/roles/${promoted}`);

  await api.patch(`/v3/organizations/${partner}`, { suspended: true });
  assert.deepEqual((await api.delete(`${shares}/${partner}`, theirs.token)).details, [
    "The organization is suspended",
  ]);
  await api.patch(`/v3/organizations/${partner}`, { suspended: false });
  assert.equal((await api.delete(`${shares}/${partner}`, theirs.token)).status, 204);
  await api.post(shares, named(partner));
  assert.equal((await api.delete(`${shares}/${partner}`, manager.token)).status, 204);
  await api.post(shares, named(partner));
  const auditor = await api.user("organization_user", "organization_auditor");
  await promote("organization_auditor", auditor.guid);
  assert.equal((await api.delete(`${shares}/${partner}`, auditor.token)).status, 403);
});

test("a domain shows the organizations it is shared with as far as one sees these", async (t) => {
  const api = await startApi(t);
  const partner = await api.create("/v3/organizations", { name: "partner" });
  const stranger = await api.create("/v3/organizations", { name: "stranger" });
  const shared_organizations = { data: [partner, stranger].toSorted().map((guid) => ({ guid })) };
  const domain = await api.create("/v3/domains", {
    name: "own.example.com",
    ...owned(api.organization, { shared_organizations }),
  });
  const member = await api.user("organization_user");
  await api.create("/v3/roles", {
    type: "organization_user",
    relationships: { user: { data: { guid: member.guid } }, organization: { data: { guid: partner } } },
  });
  const seenBy = async (token?: string) =>
    (await api.get(`/v3/domains/${domain}`, token)).body.relationships?.shared_organizations;
  assert.deepEqual(await seenBy(), shared_organizations);
  assert.deepEqual(await seenBy(member.token), { data: [{ guid: partner }] });
});

test("a private domain is shared with an organization, used there, and taken back when unused", async (t) => {
  const api = await startApi(t);
  const owner = await api.create("/v3/organizations", { name: "owner" });
  const domain = await api.create("/v3/domains", { name: "own.example.com", ...owned(owner) });
  const at = `/v3/domains/${domain}/relationships/shared_organizations`;
  const inSpace = {
    host: "shop",
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: domain } } },
  };
  assert.equal((await api.post("/v3/routes", inSpace)).status, 422);
  const shared = await api.post(at, { data: [{ guid: api.organization }] });
  assert.equal(shared.status, 200);
  assert.deepEqual(shared.body, { data: [{ guid: api.organization }] });
  const route = await api.create("/v3/routes", inSpace);

  assert.deepEqual((await api.delete(`${at}/${api.organization}`)).details, [
    "This domain has associated routes in this organization. Delete the routes before unsharing.",
  ]);
  assert.deepEqual((await api.delete(`/v3/domains/${domain}`)).details, [
    "This domain is shared with other organizations. Unshare before deleting.",
  ]);
  await api.delete(`/v3/routes/${route}`);
  assert.equal((await api.delete(`${at}/${api.organization}`)).status, 204);
  assert.deepEqual((await api.delete(`${at}/${api.organization}`)).details, [
    "Unable to unshare domain from organization with name 'viaduct'. Ensure the domain is shared to this organization.",
  ]);
  assert.deepEqual((await api.post(at, { data: [{ guid: owner }] })).details, [
    "Domain cannot be shared with owning organization.",
  ]);
  const everybodys = `/v3/domains/${api.domain}/relationships/shared_organizations`;
  assert.deepEqual((await api.post(everybodys, { data: [{ guid: owner }] })).details, [
    "Domains cannot be shared with other organizations unless they are scoped to an organization.",
  ]);
});

test("a deleted domain takes its routes along, in the route table too", async (t) => {
  const api = await startApi(t);
  const domain = await api.create("/v3/domains", { name: "gone.example.com" });
  const route = await api.create("/v3/routes", {
    host: "shop",
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: domain } } },
  });
  assert(api.routeTable.reservations.has(route));
  assert.equal((await api.delete(`/v3/domains/${domain}`)).status, 202);
  assert.equal(api.routeTable.reservations.size, 0);
  assert.deepEqual((await api.get(`/v3/routes/${route}`)).details, ["Route not found"]);
  assert.deepEqual((await api.get(`/v3/domains/${domain}`)).details, ["Domain not found"]);
});

test("an organization's domains are the shared ones and its own; the default is the oldest shared", async (t) => {
  const api = await startApi(t);
  const other = await api.create("/v3/organizations", { name: "other" });
  await api.create("/v3/domains", { name: "own.example.com", ...owned(api.organization) });
  await api.create("/v3/domains", { name: "other.example.com", ...owned(other) });
  const names = async (organization: string) =>
    (await api.list(`/v3/organizations/${organization}/domains`)).map((domain) => String(domain.name));
  assert.deepEqual(await names(api.organization), ["localhost", "apps.internal", "own.example.com"]);
  assert.deepEqual(await names(other), ["localhost", "apps.internal", "other.example.com"]);
  const standard = await api.get(`/v3/organizations/${other}/domains/default`);
  assert.equal(standard.body.name, "localhost");
  await api.delete(`/v3/domains/${api.domain}`);
  const left = await api.get(`/v3/organizations/${other}/domains/default`);
  assert.equal(left.body.name, "other.example.com");
  assert.deepEqual((await api.get("/v3/organizations/nowhere/domains")).details, ["Organization not found"]);
});

async function tcpDomain(api: TestApi, name = "tcp.example.com", group = "default-tcp"): Promise<string> {
  const guid = newGuid();
  const times = { created_at: "2026-01-01", updated_at: "2026-01-01" };
  await api.store.db
    .insertInto("router_groups")
    .values({ guid, ...times, name: group, type: "tcp", reservable_ports: "1024-1026,2000" })
    .execute();
  const reply = await api.post("/v3/domains", { name, router_group: { guid } });
  assert.deepEqual(reply.body.supported_protocols, ["tcp"]);
  assert.deepEqual(reply.body.router_group, { guid });
  return String(reply.body.guid);
}

test("a domain of a TCP router group takes ports of that group, and nothing else", async (t) => {
  const api = await startApi(t);
  const domain = await tcpDomain(api);
  const relationships = { space: { data: { guid: api.space } }, domain: { data: { guid: domain } } };
  const post = (more: object) => api.post("/v3/routes", { ...more, relationships });
  const reserved = async (query: string) =>
    (await api.get(`/v3/domains/${domain}/route_reservations${query}`)).body["matching_route"];
  const made = await post({ port: 1025 });
  assert.deepEqual(
    [await reserved("?port=1025"), await reserved("?port=1026"), await reserved("")],
    [true, false, false],
  );
  assert.equal(made.status, 201);
  assert.equal(made.body.url, "tcp.example.com:1025");
  assert.equal(made.body.protocol, "tcp");
  assert.equal(api.routeTable.find("1025")?.protocol, "tcp");
  assert.equal((await post({ port: 2000 })).status, 201);
  for (const [more, detail] of [
    [{ port: 1025 }, "Route already exists with port '1025' for domain 'tcp.example.com'."],
    [{ port: 1027 }, "Port '1027' is not available. Try a different port or use a different domain."],
    [{ port: null }, "Routes with protocol 'tcp' must specify a port."],
    [{ port: 0 }, "Routes with protocol 'tcp' must specify a port."],
    [{ port: 1024, host: "a" }, "Hosts are not supported for TCP routes."],
    [{ port: 1024, path: "/a" }, "Paths are not supported for TCP routes."],
  ] as const) {
    assert.deepEqual((await post(more)).details, [detail]);
  }
});

test("a TCP route that asks for no port gets a free one, until the router group has none left", async (t) => {
  const api = await startApi(t);
  const domain = await tcpDomain(api);
  const { guid: group } = (await api.get(`/v3/domains/${domain}`)).body.router_group ?? {};
  const sibling = await api.create("/v3/domains", {
    name: "tcp2.example.com",
    router_group: { guid: String(group) },
  });
  const post = (guid: string, more: object = {}) =>
    api.post("/v3/routes", {
      ...more,
      relationships: { space: { data: { guid: api.space } }, domain: { data: { guid } } },
    });
  const ports: number[] = [];
  for (const guid of [domain, sibling, domain, sibling]) {
    const made = await post(guid);
    assert.equal(made.status, 201);
    ports.push(Number(made.body.port));
  }
  assert.deepEqual(ports.toSorted(), [1024, 1025, 1026, 2000]);
  assert.deepEqual((await post(domain)).details, ["There are no more ports available for this domain."]);
  const [ofSibling] = await api.list(`/v3/routes?domain_guids=${sibling}`);
  assert.deepEqual((await post(domain, { port: ofSibling?.port })).details, [
    `Port '${ofSibling?.port}' is not available. Try a different port or use a different domain.`,
  ]);
});

test("the same port may be taken in each router group", async (t) => {
  const api = await startApi(t);
  const domains = [await tcpDomain(api), await tcpDomain(api, "tcp2.example.com", "other-tcp")];
  const groups: string[] = [];
  for (const guid of domains) {
    const relationships = { space: { data: { guid: api.space } }, domain: { data: { guid } } };
    const route = await api.create("/v3/routes", { port: 1025, relationships });
    groups.push(api.routeTable.reservations.get(route)?.routerGroup ?? "none");
  }
  const wanted = domains.map(async (guid) => (await api.get(`/v3/domains/${guid}`)).body.router_group?.guid);
  assert.deepEqual(groups, await Promise.all(wanted));
  assert.equal(new Set(groups).size, 2);
});

test("a reserved name is nobody's private domain, and may be shared with everybody", async (t) => {
  const api = await startApi(t, { flags: { "cloud-controller.reserved_private_domains": "co.example" } });
  const reply = await api.post("/v3/domains", { name: "CO.example", ...owned(api.organization) });
  assert.deepEqual(reply.details, [
    'The "CO.example" domain is reserved and cannot be used for org-scoped domains.',
  ]);
  await api.create("/v3/domains", { name: "shop.co.example", ...owned(api.organization) });
  await api.create("/v3/domains", { name: "co.example" });
});
