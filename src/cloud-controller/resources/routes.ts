/** Routes: a host and path (or a port) of a domain, held by a space, with options and destinations. */
import { randomInt } from "node:crypto";
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import { featureDisabled, resourceChanged, unprocessable } from "../../kernel/errors/cloud-controller.ts";
import { findOption, mergeOptions, validateOptions, validatePatch } from "../../options/index.ts";
import { decodeJson, encodeJson, type RowOf, together, writeLater } from "../../store/index.ts";
import type { RouteOptions } from "../../table/index.ts";
import { recordEvent } from "../audit.ts";
import { everything, isFoundBy } from "../condition.ts";
import type { Context, Database, Writer } from "../context.ts";
import { deleteRoutes, processesBehind } from "../deletions.ts";
import {
  type Actor,
  type Call,
  defineEndpoint,
  type Endpoint,
  ok,
  type OpenBody,
  type Problem,
} from "../endpoint.ts";
import { demandFeature, isEnabled } from "../feature-flags.ts";
import { asJob, JOB } from "../jobs.ts";
import {
  column,
  type Filter,
  findRow,
  includeOf,
  type Listing,
  listEndpoint,
  presentNow,
  presentRow,
  showEndpoint,
} from "../list.ts";
import { Metadata, metadataRows, presentMetadata, writeMetadata } from "../metadata.ts";
import type { News } from "../news.ts";
import { refusedOptions, validOptions } from "../option-problems.ts";
import { type Caller, demand, domainVisible, may, routeVisible } from "../permissions.ts";
import { demandRoomForRoute, type RouteLimits, routeLimits } from "../quotas.ts";
import { countRoutes, totalRoutes } from "../route-counts.ts";
import { demandRouteRevision, revisionOf, routeRevision } from "../route-revision.ts";
import { groupBy, head, link, toOneData } from "../present.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { routeUrl } from "../route-address.ts";
import { message, nullable, toOne } from "../schema.ts";
import {
  Guid,
  linksTo,
  MetadataShape,
  Nothing,
  oneOf,
  orNull,
  part,
  resource,
  shape,
  type Shown,
  Texts,
  ToOne,
} from "../shape.ts";
import { appListing } from "./apps.ts";
import { domainListing, MAX_DOMAIN_LENGTH, usableBy } from "./domains.ts";
import {
  demandSpace,
  organizationOf,
  placeOf,
  spaceInOrganizations,
  spaceListing,
  spaceOf,
  spaceWithGuid,
} from "./spaces.ts";

// --- messages ---

const MAX_PATH = 128;
const Host = Type.String({
  maxLength: 63,
  pattern: "^(?:[\\w-]+|\\*)?$",
  refusals: { pattern: 'must be either "*" or contain only alphanumeric characters, "_", or "-"' },
});
const CreateRoute = message({
  host: Type.Optional(nullable(Host)),
  path: Type.Optional(
    nullable(
      Type.String({
        maxLength: MAX_PATH,
        pattern: "^(?:/.*)?$",
        refusals: { pattern: "must begin with /" },
      }),
    ),
  ),
  port: Type.Optional(nullable(Type.Integer({ minimum: 0, maximum: 65_535 }))),
  relationships: message({ space: toOne("space"), domain: toOne("domain") }),
  // What an option map may hold is the options' own business.
  options: Type.Optional(Type.Unknown()),
  metadata: Type.Optional(Metadata),
});
type CreateRouteBody = Static<typeof CreateRoute>;

const UpdateRoute = message({
  options: Type.Optional(Type.Unknown()),
  metadata: Type.Optional(Metadata),
});

/** Characters a request line can carry in a path (RFC 3986 §3.3). */
const URI_PATH = /^\/(?:[\w\-.~!$&'()*+,;=:@/]|%[\da-f]{2})*$/i;

/** The schema says what else is wrong. */
function pathProblems(path: unknown): string[] {
  if (typeof path !== "string" || !path.startsWith("/")) return [];
  if (path.includes("?")) return ["Path cannot contain ?"];
  if (path === "/") return ["Path cannot be exactly /"];
  return URI_PATH.test(path) ? [] : ["Path is invalid."];
}

function createProblems({ host, path, options }: OpenBody, context: Context): Problem[] {
  const route = [host, path].filter((part) => typeof part === "string").join("");
  return [...pathProblems(path), ...refusedOptions(route, options, context, validateOptions)];
}

/** Upstream's: without the flag there is no balancer `hash`, and nothing that goes with it. */
export async function demandHashFeature(db: Database, options: unknown): Promise<void> {
  const isHash = ([name, value]: [string, unknown]) =>
    value !== null &&
    ((name === "loadbalancing" && value === "hash") || findOption(name)?.bond?.value === "hash");
  const hashed = Object.entries((options ?? {}) as object).filter(isHash);
  if (hashed.length === 0 || (await isEnabled(db, "hash_based_routing"))) return;
  throw unprocessable({
    problems: hashed.map(([name]) =>
      name === "loadbalancing"
        ? "Options Loadbalancing must be one of 'round-robin, least-connection' if present"
        : `Options Unknown field(s): '${name}'`,
    ),
  });
}

// --- actions ---

export interface Target {
  readonly space: RowOf<"spaces">;
  readonly domain: RowOf<"domains">;
}

async function createRoute(call: Call<CreateRouteBody>): Promise<RowOf<"routes">> {
  const { context, caller, body } = call;
  const { db } = context.store;
  await demandFeature(db, caller, "route_creation");
  const target = await findTarget(call);
  const { space, domain } = target;
  await demand(db, caller, "route.write", placeOf(space));
  const host = (body.host ?? "").toLowerCase();
  await demandHost(db, caller, target, host);
  await demandHashFeature(db, body.options);
  const guid = newGuid();
  const wanted = { host, path: body.path ?? "", port: body.port };
  const options = validOptions(host + (body.path ?? ""), body.options, context);
  let address: Address = { ...wanted, port: wanted.port ?? null };
  return unlessTaken(
    context.write(async (db, news) => {
      const ground = await surveyGround(db, target, host);
      address = await demandUsableAddress(db, context, target, wanted, ground);
      const route = await insertRoute(db, news, call, target, { guid, address, options }, ground);
      await writeMetadata(db, "route", guid, body.metadata);
      return route;
    }),
    (cause) => unprocessable({ problems: [alreadyExists(address, domain.name)] }, cause),
  );
}

/** Few may have a route for every host of a domain that is everybody's. */
export async function demandHost(
  db: Database,
  caller: Caller,
  { space, domain }: Target,
  host: string,
): Promise<void> {
  if (host !== "*" || domain.organization_guid !== null) return;
  if (await may(db, caller, "route.write-wildcard-on-shared-domain", placeOf(space))) return;
  refuse(
    "You do not have sufficient permissions to create a route with a wildcard host on a domain not scoped to an organization.",
  );
}

/**
 * The row and its news. The address has passed {@link demandUsableAddress}, the options their check. When somebody has
 * a route there, whatever the case of its path, the transaction fails with what {@link unlessTaken} waits for.
 */
export async function insertRoute(
  db: Writer,
  news: News,
  actor: Actor,
  { space, domain }: Target,
  { guid, address, options }: { guid: string; address: Address; options: RouteOptions },
  { limits }: Ground,
): Promise<RowOf<"routes">> {
  const protocol = domain.router_group_guid === null ? "http" : "tcp";
  await demandRoomForRoute(db, space, protocol, limits);
  await countRoutes(db, { space_guid: space.guid, protocol }, 1);
  const now = actor.context.now();
  const row = {
    guid,
    created_at: now,
    updated_at: now,
    space_guid: space.guid,
    domain_guid: domain.guid,
    ...address,
    protocol,
    options: encodeJson(options),
  } as const;
  await writeLater(db, db.insertInto("routes").values(row));
  await recordEvent(db, actor, {
    type: "audit.route.create",
    target: { guid, name: address.host, space_guid: space.guid },
    data: { request: { ...address, domain_guid: domain.guid, options } },
  });
  news.route(guid);
  return row;
}

async function findTarget(call: Call<CreateRouteBody>): Promise<Target> {
  const { context, caller, body } = call;
  const { db } = context.store;
  const [spaces, [domain]] = await together(db, [
    spaceWithGuid(call, body.relationships.space.data.guid),
    db
      .selectFrom("domains")
      .selectAll()
      .where("guid", "=", body.relationships.domain.data.guid)
      .where(domainVisible(caller)),
  ]);
  const space = demandSpace(spaces);
  if (domain === undefined) {
    refuse("Invalid domain. Ensure that the domain exists and you have access to it.");
  }
  return { space, domain };
}

export interface Address {
  readonly host: string;
  readonly path: string;
  readonly port: number | null;
}
/** Left out, the port of a TCP route is ours to choose. */
interface WantedAddress extends Omit<Address, "port"> {
  readonly port: number | null | undefined;
}

/** What rows say about a place for a route: read in one step, inside the transaction that takes it. */
export interface Ground {
  /** Whether the space may use the domain. */
  readonly isUsable: boolean;
  /** Whether host and domain together are the name of a domain. */
  readonly isDomain: boolean;
  readonly limits: RouteLimits;
}

export async function surveyGround(db: Writer, { space, domain }: Target, host: string): Promise<Ground> {
  const usable = usableBy(space.organization_guid);
  const [[found], limits] = await together(db, [
    sql<Record<"is_usable" | "is_domain", boolean | 0 | 1>>`
      select
        exists (select 1 from domains where guid = ${domain.guid} and ${usable}) as is_usable,
        exists (select 1 from domains where name = ${nameOf(host, domain)}) as is_domain`,
    routeLimits(db, space),
  ]);
  return {
    isUsable: Boolean(found?.is_usable),
    isDomain: Boolean(found?.is_domain),
    limits: demandSpace(limits),
  };
}

const nameOf = (host: string, domain: RowOf<"domains">) =>
  host === "" ? domain.name : `${host}.${domain.name}`;

/**
 * What the domain allows; upstream's texts in upstream's order.
 * @returns the address, with a port where a TCP route left the choice to us
 */
export async function demandUsableAddress(
  db: Writer,
  context: Context,
  { space, domain }: Target,
  wanted: WantedAddress,
  { isUsable, isDomain }: Ground,
): Promise<Address> {
  const { host, path, port = null } = wanted;
  const name = nameOf(host, domain);
  if (!isUsable) {
    const { name: organization } = await db
      .selectFrom("organizations")
      .select("name")
      .where("guid", "=", space.organization_guid)
      .executeTakeFirstOrThrow();
    refuse(`Invalid domain. Domain '${domain.name}' is not available in organization '${organization}'.`);
  }
  if (domain.router_group_guid !== null) {
    if (host !== "") refuse("Hosts are not supported for TCP routes.");
    if (path !== "") refuse("Paths are not supported for TCP routes.");
    if (wanted.port === null || wanted.port === 0) refuse("Routes with protocol 'tcp' must specify a port.");
    return { host, path, port: await reservePort(db, domain, domain.router_group_guid, port) };
  }
  if (port !== null) refuse("Routes with protocol 'http' do not support ports.");
  // A body says so in other words, before anything is looked up; a manifest's path comes here as it is.
  if (path.length > MAX_PATH) refuse(`Path exceeds ${MAX_PATH} characters.`);
  if (path !== "" && !URI_PATH.test(path)) refuse("Path is invalid.");
  if (host !== "" && isDomain) refuse(`Route conflicts with domain '${name}'.`);
  if (context.config.systemRoutes.includes(name)) refuse("Route conflicts with a reserved system route.");
  if (domain.internal === 1 && host === "*") {
    refuse("Wildcard hosts are not supported for internal domains.");
  }
  if (domain.organization_guid === null && host === "") {
    refuse("Missing host. Routes in shared domains must have a host defined.");
  }
  if (name.length > MAX_DOMAIN_LENGTH) {
    refuse(`Host combined with domain name must be no more than ${MAX_DOMAIN_LENGTH} characters.`);
  }
  if (domain.internal === 1 && path !== "") refuse("Paths are not supported for internal domains.");
  return { host, path, port };
}

/**
 * A port of the domain's router group that no other route of the group has. Each group has TCP routers of its own.
 * @param wanted  Null for a random one.
 */
async function reservePort(
  db: Writer,
  domain: RowOf<"domains">,
  routerGroup: string,
  wanted: number | null,
): Promise<number> {
  const group = await db
    .selectFrom("router_groups")
    .select("reservable_ports")
    .where("guid", "=", routerGroup)
    .executeTakeFirst();
  const ranges = portRanges(group?.reservable_ports ?? "");
  const taken = await db
    .selectFrom("routes")
    .innerJoin("domains", "domains.guid", "routes.domain_guid")
    .select(["routes.port", "routes.domain_guid"])
    .where("domains.router_group_guid", "=", routerGroup)
    .$if(wanted !== null, (query) => query.where("routes.port", "=", wanted))
    .execute();
  if (wanted !== null) {
    const isReservable = ranges.some(([first, last]) => wanted >= first && wanted <= last);
    if (isReservable && taken.length === 0) return wanted;
    if (taken.some((route) => route.domain_guid === domain.guid)) {
      refuse(alreadyExists({ host: "", path: "", port: wanted }, domain.name));
    }
    refuse(`Port '${wanted}' is not available. Try a different port or use a different domain.`);
  }
  const held = new Set(taken.map((route) => route.port));
  const free = ranges
    .flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
    .filter((port) => !held.has(port));
  return (
    free[randomInt(Math.max(1, free.length))] ?? refuse("There are no more ports available for this domain.")
  );
}

/** `1024-1123,2000` */
function portRanges(text: string): readonly (readonly [first: number, last: number])[] {
  return text
    .split(",")
    .filter((range) => range.trim() !== "")
    .map((range) => {
      const [first = Number.NaN, last = first] = range.split("-").map(Number);
      return [first, last] as const;
    });
}

function alreadyExists({ host, path, port }: Address, domain: string): string {
  if (port !== null) return `Route already exists with port '${port}' for domain '${domain}'.`;
  const parts = [...(host === "" ? [] : [`host '${host}'`]), ...(path === "" ? [] : [`path '${path}'`])];
  const having = parts.length === 0 ? "" : ` with ${parts.join(" and ")}`;
  return `Route already exists${having} for domain '${domain}'.`;
}

async function updateRoute(call: Call<Static<typeof UpdateRoute>>, route: RowOf<"routes">): Promise<void> {
  const { context, body } = call;
  await demandRouteWrite(call, route);
  await demandHashFeature(context.store.db, body.options);
  await context.write(async (db, news) => {
    await demandRouteRevision(db, call, route.guid);
    // The row again, inside the transaction: two updates of different options at once must both stay.
    const [[current], processes] = await together(db, [
      db.selectFrom("routes").select(["options", "updated_at"]).where("guid", "=", route.guid),
      processesBehind(db, [route.guid]),
    ]);
    if (current === undefined) return;
    const options =
      body.options === undefined
        ? current.options
        : encodeJson(
            validOptions(
              route.guid,
              mergeOptions(decodeJson(current.options), body.options as RouteOptions),
              context,
            ),
          );
    const change = { options, updated_at: context.now(current.updated_at) };
    await writeLater(db, db.updateTable("routes").set(change).where("guid", "=", route.guid));
    await writeMetadata(db, "route", route.guid, body.metadata);
    await recordEvent(db, call, {
      type: "audit.route.update",
      target: asTarget(route),
      data: { request: body },
    });
    if (options === current.options) return;
    news.route(route.guid);
    for (const process of processes) news.process(process);
  });
}

const recordDeletion = (db: Writer, actor: Actor, route: RowOf<"routes">) =>
  recordEvent(db, actor, {
    type: "audit.route.delete-request",
    target: asTarget(route),
    data: { request: { recursive: true } },
  });

/** As events call it. */
export const asTarget = ({ guid, host, space_guid }: RowOf<"routes">) => ({ guid, name: host, space_guid });

/** Of the space that owns the route; a space it is shared with may only use it. */
export async function demandRouteWrite(call: Call<unknown>, route: RowOf<"routes">): Promise<void> {
  const { db } = call.context.store;
  const space = await db
    .selectFrom("spaces")
    .selectAll()
    .where("guid", "=", route.space_guid)
    .executeTakeFirstOrThrow();
  await demand(db, call.caller, "route.write", placeOf(space));
}

/** Those that nothing uses: no app, no other space, no route service. */
async function deleteUnmapped(call: Call<unknown>): ReturnType<typeof asJob> {
  const { context, caller, query } = call;
  const space = await findRow(call, spaceListing, call.params["guid"] ?? "");
  if (query["unmapped"] !== "true") {
    refuse(
      "Mass delete not supported for routes. Use 'unmapped=true' parameter to delete all unmapped routes.",
    );
  }
  await demand(context.store.db, caller, "route.write", placeOf(space));
  const job = { operation: "space.delete_unmapped_routes", resourceType: "space", resourceGuid: space.guid };
  return asJob(context, job, async (db, news) => {
    const unused = await db
      .selectFrom("routes")
      .selectAll()
      .where("space_guid", "=", space.guid)
      .where(sql<boolean>`guid not in (select route_guid from destinations)`)
      .where(sql<boolean>`guid not in (select route_guid from route_shares)`)
      .where(sql<boolean>`guid not in (select route_guid from service_route_bindings)`)
      .execute();
    await deleteRoutes(
      db,
      news,
      unused.map((route) => route.guid),
    );
    for (const route of unused) await recordDeletion(db, call, route);
  });
}

// --- presenters ---

const Port = Type.Integer({ minimum: 1, maximum: 65_535 });

export const Destination = resource("Destination", {
  app: part({ guid: Guid, process: part({ type: Type.String() }) }),
  weight: orNull(Type.Integer({ minimum: 1, maximum: 100 })),
  port: orNull(Port),
  protocol: oneOf("http1", "http2", "tcp"),
});

export const Route = resource("Route", {
  protocol: oneOf("http", "tcp"),
  host: Type.String(),
  path: Type.String(),
  port: orNull(Port),
  url: Type.String(),
  destinations: Type.Array(Destination),
  // Texts, whatever an option's own type: upstream has no others, and the cf CLI reads no route with a number among them.
  options: Texts,
  metadata: MetadataShape,
  relationships: part({ space: ToOne, domain: ToOne }),
  links: linksTo(["self", "space", "destinations", "domain"]),
});

async function presentRoutes(
  context: Context,
  rows: readonly RowOf<"routes">[],
): Promise<Shown<typeof Route>[]> {
  if (rows.length === 0) return [];
  const { db } = context.store;
  const guids = rows.map((row) => row.guid);
  const [domains, destinations, metadata] = await together(db, [
    db
      .selectFrom("domains")
      .select(["guid", "name"])
      .where("guid", "in", [...new Set(rows.map((row) => row.domain_guid))]),
    destinationsOfRoutes(db, guids),
    metadataRows(db, "route", guids),
  ]);
  const domainOf = new Map(domains.map((domain) => [domain.guid, domain.name]));
  const destinationsOf = groupBy(destinations, (row) => row.route_guid);
  const metadataOf = presentMetadata(metadata);
  return rows.map((row) => ({
    ...head(row),
    protocol: row.protocol,
    host: row.host,
    path: row.path,
    port: row.port,
    url: routeUrl(row, domainOf.get(row.domain_guid) ?? ""),
    destinations: destinationsOf(row.guid).map((each) => presentDestination(each, row.protocol)),
    options: textsOf(decodeJson(row.options)),
    metadata: metadataOf(row.guid),
    relationships: { space: toOneData(row.space_guid), domain: toOneData(row.domain_guid) },
    links: {
      self: link(context, `/v3/routes/${row.guid}`),
      space: link(context, `/v3/spaces/${row.space_guid}`),
      destinations: link(context, `/v3/routes/${row.guid}/destinations`),
      domain: link(context, `/v3/domains/${row.domain_guid}`),
    },
  }));
}

const textsOf = (options: RouteOptions): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [name, String(value)]));

export async function loadDestinations(
  db: Database,
  routeGuids: readonly string[],
): Promise<(routeGuid: string) => readonly RowOf<"destinations">[]> {
  return groupBy(await destinationsOfRoutes(db, routeGuids).execute(), (row) => row.route_guid);
}

const destinationsOfRoutes = (db: Database, routeGuids: readonly string[]) =>
  db
    .selectFrom("destinations")
    .selectAll()
    .where("route_guid", "in", routeGuids)
    .orderBy("created_at")
    .orderBy("guid");

export function presentDestination(
  row: RowOf<"destinations">,
  protocol: RowOf<"routes">["protocol"],
): Shown<typeof Destination> {
  return {
    ...head(row),
    app: { guid: row.app_guid, process: { type: row.process_type } },
    weight: row.weight,
    port: row.app_port,
    protocol: row.protocol ?? (protocol === "tcp" ? "tcp" : "http1"),
  };
}

/**
 * Beside hosts or ports, which lead to few routes, this filter only looks at those. SQLite would rather read all the
 * routes of a domain, because they come in the order of the list: 18 ms of 100,000, and the cf CLI asks so each time.
 */
const narrowing =
  (name: string): Filter =>
  (values, call) =>
    call.query["hosts"] === undefined && call.query["ports"] === undefined
      ? column(name)(values, call)
      : sql<boolean>`coalesce(${sql.ref(name)}, '') in (${sql.join(values)})`;

export const routeListing: Listing<"routes", typeof Route> = {
  table: "routes",
  resource: "Route",
  shape: Route,
  labelled: "route",
  filters: {
    hosts: (values, call) =>
      column("routes.host")(
        values.map((value) => value.toLowerCase()),
        call,
      ),
    paths: narrowing("routes.path"),
    // «ports=» asks for routes that have none: the cf CLI sends it when it looks for an HTTP route.
    ports: (values) => {
      const numbers = values.map((value) => (/^\d{0,5}$/.test(value) ? Number(value) : -1));
      const having = sql<boolean>`routes.port in (${sql.join(numbers)})`;
      return numbers.includes(0) ? sql<boolean>`(${having} or routes.port is null)` : having;
    },
    app_guids: (values) =>
      sql<boolean>`routes.guid in (select route_guid from destinations where app_guid in (${sql.join(values)}))`,
    // A route is also «in» the spaces it is shared with.
    space_guids: (values, { context }) => {
      const shared = sql`select route_guid from route_shares where space_guid in (${sql.join(values)})`;
      return sql<boolean>`(routes.space_guid in (${sql.join(values)})
        or ${isFoundBy(context.store, "routes.guid", shared)})`;
    },
    organization_guids: spaceInOrganizations("routes.space_guid"),
    domain_guids: narrowing("routes.domain_guid"),
    service_instance_guids: (values) => sql<boolean>`routes.guid in (
      select route_guid from service_route_bindings where service_instance_guid in (${sql.join(values)}))`,
  },
  includes: {
    domain: includeOf("domains", domainListing, ({ domain_guid }) => domain_guid),
    space: spaceOf,
    "space.organization": organizationOf,
    // Upstream's newest; there are none here.
    route_policies: { key: "route_policies", shape: Nothing, load: async () => [] },
  },
  tag: ({ context }, guid) => routeRevision(context.store.db, guid),
  total: ({ context }) => totalRoutes(context.store.db, everything),
  visible: ({ caller, context }) => routeVisible(caller, context.store),
  present: ({ context }, rows) => presentRoutes(context, rows),
};

// --- endpoints ---

const Reserved = shape("RouteReservation", { matching_route: Type.Boolean() });

const guidOf = (call: Call<unknown>) => call.params["guid"] ?? "";

export const routes: readonly Endpoint[] = [
  listEndpoint("/v3/routes", "Lists routes.", routeListing),
  showEndpoint("/v3/routes/:guid", "Shows a route.", routeListing),
  listEndpoint("/v3/apps/:guid/routes", "Lists an app's routes.", routeListing, async (call) => {
    const app = await findRow(call, appListing, guidOf(call));
    return sql<boolean>`routes.guid in (select route_guid from destinations where app_guid = ${app.guid})`;
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/domains/:guid/route_reservations",
    summary: "Says whether a route is taken.",
    access: "read",
    answers: { 200: Reserved },
    parameters: ["host", "path", "port"],
    handle: async (call) => {
      const domain = await findRow(call, domainListing, guidOf(call));
      // Left out, it is that of an HTTP route; no route has it otherwise.
      const { host = "", path = "", port = "0" } = call.query;
      const taken = await call.context.store.db
        .selectFrom("routes")
        .select("guid")
        .where("domain_guid", "=", domain.guid)
        .where("host", "=", host.toLowerCase())
        .where(sql`lower(path)`, "=", path.toLowerCase())
        .where(sql`coalesce(port, 0)`, "=", /^\d{1,5}$/.test(port) ? Number(port) : -1)
        .executeTakeFirst();
      return ok({ matching_route: taken !== undefined });
    },
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/routes",
    summary: "Creates a route.",
    access: "write",
    answers: { 201: Route },
    refuses: [featureDisabled],
    body: CreateRoute,
    checkOpen: createProblems,
    handle: async (call) => {
      const route = await createRoute(call);
      const headers = { etag: revisionOf(route.updated_at, []) };
      return { status: 201, headers, body: await presentRow(call, routeListing, route) };
    },
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/routes/:guid",
    summary: "Changes a route's options or metadata.",
    access: "write",
    answers: { 200: Route },
    refuses: [resourceChanged],
    body: UpdateRoute,
    checkOpen: ({ options }, context, { guid = "" }) => refusedOptions(guid, options, context, validatePatch),
    handle: async (call) => {
      const route = await findRow(call, routeListing, guidOf(call));
      await updateRoute(call, route);
      const headers = { etag: await routeRevision(call.context.store.db, route.guid) };
      return { status: 200, headers, body: await presentNow(call, routeListing, route.guid) };
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/routes/:guid",
    summary: "Deletes a route.",
    access: "write",
    answers: JOB,
    refuses: [resourceChanged],
    handle: async (call) => {
      const route = await findRow(call, routeListing, guidOf(call));
      await demandRouteWrite(call, route);
      const job = { operation: "route.delete", resourceType: "route", resourceGuid: route.guid };
      return asJob(call.context, job, async (db, news) => {
        await demandRouteRevision(db, call, route.guid);
        await deleteRoutes(db, news, [route.guid]);
        await recordDeletion(db, call, route);
      });
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/spaces/:guid/routes",
    summary: "Deletes the routes of a space that nothing uses.",
    access: "write",
    answers: JOB,
    parameters: ["unmapped"],
    handle: deleteUnmapped,
  }),
];
