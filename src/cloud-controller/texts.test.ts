/**
 * Every text of upstream's that a client may compare with, provoked once, in the order of the reference: conventions,
 * routes, destinations, options, domains, apps, route services, manifests. What a text means is tested where the
 * resource is; here it is only that nobody changes a letter of it.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type Reply, startApi, type TestApi } from "./testing.ts";

/** Rows in all the states that something may be refused for. */
interface Ground {
  readonly api: TestApi;
  readonly other: { readonly organization: string; readonly space: string; readonly ownDomain: string };
  readonly second: string;
  readonly ownDomain: string;
  readonly sharedOut: string;
  readonly tcpDomain: string;
  readonly app: string;
  readonly route: string;
  readonly destination: string;
  readonly weighted: string;
  readonly weightedDestination: string;
  readonly bound: string;
  readonly internal: string;
  readonly service: string;
  readonly otherService: string;
  readonly plainService: string;
  readonly fullSpace: string;
  readonly fullOrganization: string;
  readonly developer: string;
}

type Said = readonly string[];
type Provoke = (ground: Ground) => Promise<Reply | Said>;

const to = (guid: string) => ({ data: { guid } });
const long = (count: number) => "a".repeat(count);

async function prepare(t: TestContext): Promise<Ground> {
  const api = await startApi(t, {
    flags: {
      "cloud-controller.system_routes": "api.localhost",
      "cloud-controller.reserved_private_domains": "reserved.example.com",
    },
  });
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const now = "2026-01-01T00:00:00.000Z";
  await api.store.db
    .insertInto("router_groups")
    .values({
      guid: "group",
      created_at: now,
      updated_at: now,
      name: "tcp",
      type: "tcp",
      reservable_ports: "2000-2002",
    })
    .execute();
  const organization = (guid: string) => ({ relationships: { organization: to(guid) } });
  const space = (name: string, owner = api.organization) =>
    api.create("/v3/spaces", { name, ...organization(owner) });
  const domain = (name: string, more: object = {}) => api.create("/v3/domains", { name, ...more });
  const route = (host: string, domain: string, more: object = {}) =>
    api.create("/v3/routes", {
      ...(host !== "" && { host }),
      ...more,
      relationships: { space: to(api.space), domain: to(domain) },
    });
  const service = (name: string, space: string, url?: string) =>
    api.create("/v3/service_instances", {
      type: "user-provided",
      name,
      ...(url !== undefined && { route_service_url: url }),
      relationships: { space: to(space) },
    });
  const foreign = await api.create("/v3/organizations", { name: "other" });
  const other = {
    organization: foreign,
    space: await space("theirs", foreign),
    ownDomain: await domain("theirs.example.org", organization(foreign)),
  };
  const second = await space("second");
  const ownDomain = await domain("own.example.com", organization(api.organization));
  const sharedOut = await domain("out.example.com", {
    relationships: {
      organization: to(api.organization),
      shared_organizations: { data: [{ guid: foreign }] },
    },
  });
  await api.create("/v3/routes", {
    host: "used",
    relationships: { space: to(other.space), domain: to(sharedOut) },
  });
  const tcpDomain = await domain("tcp.example.com", { router_group: { guid: "group" } });
  await domain("host.own.example.com", organization(api.organization));
  const app = await api.create("/v3/apps", { name: "shop", relationships: { space: to(api.space) } });
  const main = await route("shop", api.domain);
  await route("shop", api.domain, { path: "/v2" });
  await route("", ownDomain);
  await route("", ownDomain, { path: "/v2" });
  await route("", tcpDomain, { port: 2000 });
  const destinations = (guid: string, ...list: readonly object[]) =>
    api.post(`/v3/routes/${guid}/destinations`, { destinations: list });
  const added = await destinations(main, { app: { guid: app } });
  const weighted = await route("weighted", api.domain);
  const halves = [8080, 9000].map((port) => ({ app: { guid: app }, port, weight: 50 }));
  const split = await api.patch(`/v3/routes/${weighted}/destinations`, { destinations: halves });
  const firstOf = ({ body }: Reply) =>
    String((body.destinations as unknown as readonly { guid: string }[])[0]?.guid);
  const guard = await service("guard", api.space, "https://guard.example.com");
  const bound = await route("bound", api.domain);
  await api.create("/v3/service_route_bindings", {
    relationships: { route: to(bound), service_instance: to(guard) },
  });
  const fullOrganization = await api.create("/v3/organizations", { name: "full" });
  const fullSpace = await space("full", fullOrganization);
  await api.create("/v3/organization_quotas", {
    name: "none",
    routes: { total_routes: 0, total_reserved_ports: 0 },
    domains: { total_domains: 0 },
    relationships: { organizations: { data: [{ guid: fullOrganization }] } },
  });
  await api.create("/v3/space_quotas", {
    name: "none",
    routes: { total_routes: 0 },
    relationships: { organization: to(api.organization), spaces: { data: [{ guid: second }] } },
  });
  return {
    api,
    other,
    second,
    ownDomain,
    sharedOut,
    tcpDomain,
    app,
    route: main,
    destination: firstOf(added),
    weighted,
    weightedDestination: firstOf(split),
    bound,
    internal: await route("internal", api.internalDomain),
    service: guard,
    otherService: await service("second-guard", api.space, "https://guard.example.com"),
    plainService: await service("plain", api.space),
    fullSpace,
    fullOrganization,
    developer: (await api.user("organization_user", "space_developer")).token,
  };
}

const createRoute =
  (
    body: object,
    place: (ground: Ground) => { space?: string; domain?: string; token?: string } = () => ({}),
  ): Provoke =>
  (ground) => {
    const { space = ground.api.space, domain = ground.api.domain, token } = place(ground);
    return ground.api.post(
      "/v3/routes",
      { ...body, relationships: { space: to(space), domain: to(domain) } },
      token,
    );
  };
const onOwn = ({ ownDomain }: Ground) => ({ domain: ownDomain });
const onTcp = ({ tcpDomain }: Ground) => ({ domain: tcpDomain });
const onInternal = ({ api }: Ground) => ({ domain: api.internalDomain });
const withOptions = (options: unknown) => createRoute({ host: "new", options });

const addDestinations =
  (...list: readonly unknown[]): Provoke =>
  ({ api, route }) =>
    api.post(`/v3/routes/${route}/destinations`, { destinations: list });
const toApp =
  (more: object): Provoke =>
  ({ api, app, route }) =>
    api.post(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app }, ...more }] });
const replaceDestinations =
  (...list: readonly object[]): Provoke =>
  ({ api, app, route }) =>
    api.patch(`/v3/routes/${route}/destinations`, {
      destinations: list.map((each) => ({ app: { guid: app }, ...each })),
    });

const createDomain =
  (body: object | ((ground: Ground) => object)): Provoke =>
  (ground) =>
    ground.api.post("/v3/domains", typeof body === "function" ? body(ground) : body);
const owned =
  (name: string, owner?: (ground: Ground) => string) =>
  (ground: Ground): object => ({
    name,
    relationships: { organization: to(owner?.(ground) ?? ground.api.organization) },
  });
const shareDomain =
  (domain: (ground: Ground) => string, organization: (ground: Ground) => string): Provoke =>
  (ground) =>
    ground.api.post(`/v3/domains/${domain(ground)}/relationships/shared_organizations`, {
      data: [{ guid: organization(ground) }],
    });

const bind =
  (route: (ground: Ground) => string, service: (ground: Ground) => string): Provoke =>
  (ground) =>
    ground.api.post("/v3/service_route_bindings", {
      relationships: { route: to(route(ground)), service_instance: to(service(ground)) },
    });

/** What the call or, if it took the manifest, its job says. */
const apply =
  (yaml: string, type = "application/x-yaml"): Provoke =>
  async ({ api }) => {
    const reply = await api.request({
      method: "POST",
      url: `/v3/spaces/${api.space}/actions/apply_manifest`,
      headers: { authorization: "bearer admin", "content-type": type },
      payload: yaml,
    });
    if (reply.status !== 202) return reply;
    const { body } = await api.get(new URL(String(reply.headers["location"])).pathname);
    return (body.errors as unknown as readonly { detail: string }[]).map(({ detail }) => detail);
  };
const applyRoute = (route: string, more = "") =>
  apply(`applications: [{name: m, routes: [{route: ${route}${more}}]}]`);
const applyApp = (keys: string) => apply(`applications: [{name: m, ${keys}}]`);

const ROUTE_STRUCTURE =
  'Destinations must have the structure "destinations": [{"app": {"guid": "app_guid"}}]';
const HASH_VALUES = "'round-robin, least-connection, hash'";

const texts: Readonly<Record<string, Provoke>> = {
  // --- conventions ---
  "Invalid Auth Token": ({ api }) => api.get("/v3/routes", "broken"),
  "Authentication error": ({ api }) => api.request({ method: "GET", url: "/v3/routes" }),
  "Request invalid due to parse error: invalid request body": ({ api }) => api.post("/v3/routes", "{"),
  "You are not authorized to perform the requested action": ({ api, developer }) =>
    api
      .post("/v3/organizations", { name: "mine" }, developer)
      .then(async (reply) =>
        reply.status === 403 ? reply : api.delete(`/v3/organizations/${api.organization}`, developer),
      ),
  "The query parameter is invalid: Page must be a positive integer": ({ api }) =>
    api.get("/v3/routes?page=0"),
  "Route not found": ({ api }) => api.get("/v3/routes/none"),
  "Domain not found": ({ api }) => api.get("/v3/domains/none"),
  "App not found": ({ api }) => api.get("/v3/apps/none"),
  "Unknown request": ({ api }) => api.get("/v3/nothing"),
  "Feature Disabled: route_creation": async (ground) => {
    const { api, developer } = ground;
    await api.patch("/v3/feature_flags/route_creation", { enabled: false });
    const reply = await createRoute({ host: "new" }, () => ({ token: developer }))(ground);
    await api.patch("/v3/feature_flags/route_creation", { enabled: true });
    return reply;
  },
  "Unknown field(s): 'a', 'b'": createRoute({ host: "new", a: 1, b: 2 }),
  "Relationships can't be blank": ({ api }) => api.post("/v3/routes", { host: "new" }),

  // --- routes ---
  'Host must be either "*" or contain only alphanumeric characters, "_", or "-"': createRoute({
    host: "a.b",
  }),
  "Path must begin with /": createRoute({ host: "new", path: "v2" }),
  "Path cannot contain ?": createRoute({ host: "new", path: "/v2?x" }),
  "Path cannot be exactly /": createRoute({ host: "new", path: "/" }),
  "Path is invalid.": createRoute({ host: "new", path: "/%zz" }),
  "Invalid space. Ensure that the space exists and you have access to it.": createRoute(
    { host: "new" },
    () => ({
      space: "none",
    }),
  ),
  "Invalid domain. Ensure that the domain exists and you have access to it.": createRoute(
    { host: "new" },
    () => ({
      domain: "none",
    }),
  ),
  "Invalid domain. Domain 'theirs.example.org' is not available in organization 'viaduct'.": createRoute(
    { host: "new" },
    ({ other }) => ({ domain: other.ownDomain }),
  ),
  "Route already exists with host 'shop' for domain 'localhost'.": createRoute({ host: "shop" }),
  "Route already exists for domain 'own.example.com'.": createRoute({}, onOwn),
  "Route already exists with host 'shop' and path '/v2' for domain 'localhost'.": createRoute({
    host: "shop",
    path: "/v2",
  }),
  "Route already exists with path '/v2' for domain 'own.example.com'.": createRoute({ path: "/v2" }, onOwn),
  "Route already exists with port '2000' for domain 'tcp.example.com'.": createRoute({ port: 2000 }, onTcp),
  "Route conflicts with domain 'host.own.example.com'.": createRoute({ host: "host" }, onOwn),
  "Route conflicts with a reserved system route.": createRoute({ host: "api" }),
  "Missing host. Routes in shared domains must have a host defined.": createRoute({}),
  "Host combined with domain name must be no more than 253 characters.": async (ground) => {
    const name = [long(60), long(60), long(60), long(60), "com"].join(".");
    const domain = await ground.api.create("/v3/domains", { name });
    return createRoute({ host: long(63) }, () => ({ domain }))(ground);
  },
  "Hosts are not supported for TCP routes.": createRoute({ host: "new", port: 2001 }, onTcp),
  "Paths are not supported for TCP routes.": createRoute({ path: "/v2", port: 2001 }, onTcp),
  "Routes with protocol 'tcp' must specify a port.": createRoute({ port: 0 }, onTcp),
  "Routes with protocol 'http' do not support ports.": createRoute({ host: "new", port: 2001 }),
  "Port '3000' is not available. Try a different port or use a different domain.": createRoute(
    { port: 3000 },
    onTcp,
  ),
  "Wildcard hosts are not supported for internal domains.": createRoute({ host: "*" }, onInternal),
  "Paths are not supported for internal domains.": createRoute({ host: "new", path: "/v2" }, onInternal),
  "You do not have sufficient permissions to create a route with a wildcard host on a domain not scoped to an organization.":
    createRoute({ host: "*" }, ({ developer }) => ({ token: developer })),
  "Routes quota exceeded for space 'second'.": createRoute({ host: "new" }, ({ second }) => ({
    space: second,
  })),
  "Routes quota exceeded for organization 'full'.": createRoute({ host: "new" }, ({ fullSpace }) => ({
    space: fullSpace,
  })),
  "Reserved route ports quota exceeded for organization 'viaduct'.": async (ground) => {
    const { api, tcpDomain } = ground;
    await api.create("/v3/organization_quotas", {
      name: "no ports",
      routes: { total_reserved_ports: 1 },
      relationships: { organizations: { data: [{ guid: api.organization }] } },
    });
    return createRoute({ port: 2001 }, () => ({ domain: tcpDomain }))(ground);
  },
  "Reserved route ports quota exceeded for space 'ports'.": async (ground) => {
    const { api, tcpDomain } = ground;
    const space = await api.create("/v3/spaces", {
      name: "ports",
      relationships: { organization: to(api.organization) },
    });
    await api.create("/v3/space_quotas", {
      name: "no ports",
      routes: { total_reserved_ports: 0 },
      relationships: { organization: to(api.organization), spaces: { data: [{ guid: space }] } },
    });
    return createRoute({ port: 2002 }, () => ({ domain: tcpDomain, space }))(ground);
  },

  // --- destinations ---
  [ROUTE_STRUCTURE]: ({ api, route }) => api.post(`/v3/routes/${route}/destinations`, {}),
  "Destinations must be an array containing between 1 and 100 destination objects.": addDestinations(),
  "Destinations must be an array containing between 0 and 100 destination objects.": ({ api, route }) =>
    api.patch(`/v3/routes/${route}/destinations`, { destinations: 1 }),
  "Destinations[0]: must be an object.": addDestinations(1),
  'Destinations[0]: must have an "app".': addDestinations({}),
  'Destinations[0]: app must have the structure {"guid": "app_guid"}': addDestinations({ app: 1 }),
  'Destinations[0]: process must have the structure {"type": "process_type"}': addDestinations({
    app: { guid: "x", process: 1 },
  }),
  'Destinations[0]: must have only "app" and optionally "weight", "port" or "protocol".': toApp({ x: 1 }),
  "Destinations[0]: weight must be a positive integer between 1 and 100.": toApp({ weight: 101 }),
  "Destinations[0]: protocol must be 'http1', 'http2' or 'tcp'.": toApp({ protocol: "x" }),
  "Destinations[0]: port must be a positive integer between 1024 and 65535 inclusive.": toApp({ port: 80 }),
  "Destinations cannot contain both weighted and unweighted destinations.": replaceDestinations(
    { weight: 1 },
    {},
  ),
  "Destinations must have weights that sum to 100.": replaceDestinations({ weight: 1 }),
  "Destinations cannot contain duplicate entries": replaceDestinations({}, {}),
  "Destinations cannot be inserted when there are weighted destinations already configured.": ({
    api,
    app,
    weighted,
  }) =>
    api.post(`/v3/routes/${weighted}/destinations`, { destinations: [{ app: { guid: app }, port: 9999 }] }),
  "Weighted destinations cannot be deleted individually.": ({ api, weighted, weightedDestination }) =>
    api.delete(`/v3/routes/${weighted}/destinations/${weightedDestination}`),
  "Routes can be mapped to at most 100 destinations.": ({ api, app, route }) =>
    api.post(`/v3/routes/${route}/destinations`, {
      destinations: Array.from({ length: 100 }, (_, i) => ({ app: { guid: app }, port: 10_000 + i })),
    }),
  'App(s) with guid(s) "none" do not exist.': addDestinations({ app: { guid: "none" } }),
  'App(s) with guid(s) "hidden" you do not have access.': async ({ api, other, route, developer }) => {
    const now = "2026-01-01T00:00:00.000Z";
    const { lifecycle, environment } = await api.store.db
      .selectFrom("apps")
      .selectAll()
      .executeTakeFirstOrThrow();
    await api.store.db
      .insertInto("apps")
      .values({
        guid: "hidden",
        created_at: now,
        updated_at: now,
        name: "hidden",
        space_guid: other.space,
        state: "STOPPED",
        lifecycle,
        environment,
      })
      .execute();
    return api.post(
      `/v3/routes/${route}/destinations`,
      { destinations: [{ app: { guid: "hidden" } }] },
      developer,
    );
  },
  "Routes destinations must be in either the route's space or the route's shared spaces": async ({
    api,
    second,
    route,
  }) => {
    const app = await api.create("/v3/apps", { name: "elsewhere", relationships: { space: to(second) } });
    return api.post(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app } }] });
  },
  "Unable to unmap route from destination. Ensure the route has a destination with this guid.": ({
    api,
    route,
  }) => api.delete(`/v3/routes/${route}/destinations/none`),

  // --- options ---
  "Options Unknown field(s): 'x'": withOptions({ x: 1 }),
  "Options 'options' is not a valid object": withOptions("x"),
  [`Options Loadbalancing must be one of ${HASH_VALUES} if present`]: withOptions({ loadbalancing: "x" }),
  "Options Hash header must be at most 128 characters": withOptions({
    loadbalancing: "hash",
    hash_header: long(129),
  }),
  "Options Hash balance must be at most 16 characters": withOptions({
    loadbalancing: "hash",
    hash_header: "x",
    hash_balance: "1".repeat(17),
  }),
  "Options Hash balance must be a numeric value": withOptions({
    loadbalancing: "hash",
    hash_header: "x",
    hash_balance: "x",
  }),
  "Options Hash balance must be either 0 or between 1.1 and 10.0": withOptions({
    loadbalancing: "hash",
    hash_header: "x",
    hash_balance: 11,
  }),
  "Options Hash header can only be set when loadbalancing is hash": withOptions({
    loadbalancing: "round-robin",
    hash_header: "x",
  }),
  "Options Hash balance can only be set when loadbalancing is hash": withOptions({
    loadbalancing: "round-robin",
    hash_balance: 2,
  }),
  "Hash header must be present when loadbalancing is set to hash.": ({ api, route }) =>
    api.patch(`/v3/routes/${route}`, { options: { loadbalancing: "hash" } }),

  // --- domains ---
  "Name does not comply with RFC 1035 standards": createDomain({ name: "a..b" }),
  'Name must contain at least one "."': createDomain({ name: "localhost2" }),
  "Name must consist of alphanumeric characters and hyphens": createDomain({ name: "a_b.com" }),
  "Name subdomains must each be at most 63 characters": createDomain({ name: `${long(64)}.com` }),
  'The domain name "own.example.com" is already in use': createDomain({ name: "own.example.com" }),
  'The "reserved.example.com" domain is reserved and cannot be used for org-scoped domains.': createDomain(
    owned("reserved.example.com"),
  ),
  "Cannot associate an internal domain with an organization": createDomain((ground) => ({
    ...owned("i.example.com")(ground),
    internal: true,
  })),
  "Internal domains cannot be associated to a router group.": createDomain({
    name: "i.example.com",
    internal: true,
    router_group: { guid: "group" },
  }),
  "Domains scoped to an organization cannot be associated to a router group.": createDomain((ground) => ({
    ...owned("i.example.com")(ground),
    router_group: { guid: "group" },
  })),
  "Router group with guid 'none' not found.": createDomain({
    name: "i.example.com",
    router_group: { guid: "none" },
  }),
  "Domains cannot be shared with other organizations unless they are scoped to an organization.": shareDomain(
    ({ api }) => api.domain,
    ({ other }) => other.organization,
  ),
  "Domain cannot be shared with owning organization.": shareDomain(
    ({ ownDomain }) => ownDomain,
    ({ api }) => api.organization,
  ),
  "This domain is shared with other organizations. Unshare before deleting.": ({ api, sharedOut }) =>
    api.delete(`/v3/domains/${sharedOut}`),
  "This domain has associated routes in this organization. Delete the routes before unsharing.": ({
    api,
    sharedOut,
    other,
  }) => api.delete(`/v3/domains/${sharedOut}/relationships/shared_organizations/${other.organization}`),
  'The number of private domains exceeds the quota for organization "full"': createDomain(
    owned("one.example.com", ({ fullOrganization }) => fullOrganization),
  ),

  // --- apps ---
  "App with the name 'shop' already exists.": ({ api }) =>
    api.post("/v3/apps", { name: "shop", relationships: { space: to(api.space) } }),
  "Assign a droplet before starting this app.": ({ api, app }) => api.post(`/v3/apps/${app}/actions/start`),

  // --- route services ---
  "Scheme for route_service_url must be https.": ({ api }) =>
    api.post("/v3/service_instances", {
      type: "user-provided",
      name: "plain-http",
      route_service_url: "http://guard.example.com",
      relationships: { space: to(api.space) },
    }),
  "The service instance and the route are in different spaces": async ({ api, second, route }) => {
    const service = await api.create("/v3/service_instances", {
      type: "user-provided",
      name: "elsewhere",
      route_service_url: "https://guard.example.com",
      relationships: { space: to(second) },
    });
    return api.post("/v3/service_route_bindings", {
      relationships: { route: to(route), service_instance: to(service) },
    });
  },
  "This service instance does not support route binding": bind(
    ({ route }) => route,
    ({ plainService }) => plainService,
  ),
  "The route and service instance are already bound.": bind(
    ({ bound }) => bound,
    ({ service }) => service,
  ),
  "A route may only be bound to a single service instance": bind(
    ({ bound }) => bound,
    ({ otherService }) => otherService,
  ),
  "Route services cannot be bound to internal routes": bind(
    ({ internal }) => internal,
    ({ service }) => service,
  ),

  // --- manifests ---
  "For application 'm': Routes must be a list of route objects": applyApp("routes: x"),
  "For application 'm': Route 'm.localhost': options must be an object": applyRoute(
    "m.localhost",
    ", options: x",
  ),
  [`For application 'm': Cannot use loadbalancing value 'x' for Route 'm.localhost'; Valid values are: ${HASH_VALUES}`]:
    applyRoute("m.localhost", ", options: {loadbalancing: x}"),
  [`For application 'm': Invalid value for 'loadbalancing' for Route 'm.localhost'; Valid values are: ${HASH_VALUES}`]:
    applyRoute("m.localhost", ", options: {loadbalancing: [x]}"),
  "For application 'm': Route 'm.localhost': Hash header must be at most 128 characters": applyRoute(
    "m.localhost",
    `, options: {loadbalancing: hash, hash_header: ${long(129)}}`,
  ),
  "For application 'm': Route 'm.localhost': Hash balance must be at most 16 characters": applyRoute(
    "m.localhost",
    `, options: {loadbalancing: hash, hash_header: x, hash_balance: "${"1".repeat(17)}"}`,
  ),
  "For application 'm': Route 'm.localhost': Hash balance must be a numeric value": applyRoute(
    "m.localhost",
    ", options: {loadbalancing: hash, hash_header: x, hash_balance: x}",
  ),
  "For application 'm': Route 'm.localhost': Hash balance must be either 0 or between 1.1 and 10.0":
    applyRoute("m.localhost", ", options: {loadbalancing: hash, hash_header: x, hash_balance: 11}"),
  "For application 'm': Route 'm.localhost': Hash header can only be set when loadbalancing is hash":
    applyRoute("m.localhost", ", options: {loadbalancing: round-robin, hash_header: x}"),
  "For application 'm': Route 'm.localhost': Hash balance can only be set when loadbalancing is hash":
    applyRoute("m.localhost", ", options: {loadbalancing: round-robin, hash_balance: 2}"),
  "For application 'm': The route 'https://' is not a properly formed URL": applyRoute('"https://"'),
  "For application 'm': Route protocol must be 'http1', 'http2' or 'tcp'.": applyRoute(
    "m.localhost",
    ", protocol: x",
  ),
  "For application 'm': No-route must be a boolean": applyApp("no-route: x"),
  "For application 'm': Random-route must be a boolean": applyApp("random-route: x"),
  "For application 'm': Default-route must be a boolean": applyApp("default-route: x"),
  "For application 'm': Random-route and default-route may not be used together": applyApp(
    "random-route: true, default-route: true",
  ),
  "For application 'm': No domains exist for route m.nowhere.example.net":
    applyRoute("m.nowhere.example.net"),
  "For application 'm': Routes cannot be mapped to destinations in different spaces":
    applyRoute("used.out.example.com"),
  "For application 'm': Route 'api.localhost': Route conflicts with a reserved system route.":
    applyRoute("api.localhost"),
  [`For application 'm': Route 'm.localhost/${long(128)}': Path exceeds 128 characters.`]: applyRoute(
    `m.localhost/${long(128)}`,
  ),
  "For application 'm': Route 'm.localhost/%zz': Path is invalid.": applyRoute('"m.localhost/%zz"'),
  [`For application 'm': Route '${long(64)}.localhost': Host format is invalid.`]: applyRoute(
    `${long(64)}.localhost`,
  ),
  "Content-Type must be yaml": apply("applications: []", "application/json"),
  "Unsupported manifest schema version. Currently supported versions: [1].": apply(
    "version: 2\napplications: []",
  ),
  "Cannot parse manifest with no 'applications' field.": apply("{}"),
};

/** With a number or a list in it that is ours to choose. */
const patterns: readonly (readonly [RegExp, Provoke])[] = [
  [
    /^The query parameter is invalid: Unknown query parameter\(s\): 'x'\. Valid parameters are: 'page', 'per_page', '/,
    ({ api }) => api.get("/v3/routes?x=1"),
  ],
  [
    /^Options must be smaller than \d+ bytes \(actual size is \d+ bytes\)$/,
    withOptions({ loadbalancing: long(100_000) }),
  ],
  [
    /^For application 'm': Route 'm\.localhost' contains invalid route option 'x'\. Valid keys: '[\w-]+(?:, [\w-]+)+'$/,
    applyRoute("m.localhost", ", options: {x: 1}"),
  ],
  [/^For application at index 0: /, apply("applications: [{memory: x}]")],
];

/**
 * Upstream's, and never said here: the body of a route is refused before in the words of the first list («Path cannot
 * be a single '/'.», «Path is missing the beginning '/'.», «Path cannot contain '?'.»), the route table is no other
 * service's («The Routing API is …», «Communicating with the Routing API failed …»), calls are not counted
 * (CF-RateLimitExceeded), and a whole option map is measured before it is stored («Route options size exceeded: …»).
 */
test("texts with a number or a list in them are upstream's around it", async (t) => {
  const ground = await prepare(t);
  for (const [pattern, provoke] of patterns) {
    const answer = await provoke(ground);
    const said = "details" in answer ? answer.details : answer;
    assert(
      said.some((text) => pattern.test(text)),
      `${String(pattern)}: said instead: ${JSON.stringify(said)}`,
    );
  }
});

test("every text of upstream's that can be provoked reads as upstream's", async (t) => {
  const ground = await prepare(t);
  for (const [text, provoke] of Object.entries(texts)) {
    await t.test(text, async () => {
      const answer = await provoke(ground);
      const said = "details" in answer ? answer.details : answer;
      assert(said.includes(text), `said instead: ${JSON.stringify(said)}`);
    });
  }
});
