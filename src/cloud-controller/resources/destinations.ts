/** Destinations: which processes of which apps a route points to. */
import { type Static, Type } from "typebox";
import { isUnprivilegedPort, newGuid, UNPRIVILEGED_PORTS } from "../../kernel/index.ts";
import { resourceChanged, unprocessable } from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import { recordEvent } from "../audit.ts";
import type { Context, Writer } from "../context.ts";
import { processesOfRoutes } from "../deletions.ts";
import {
  type Actor,
  type Call,
  defineEndpoint,
  type Endpoint,
  noContent,
  ok,
  type OpenBody,
} from "../endpoint.ts";
import { findRow, readValues } from "../list.ts";
import type { News } from "../news.ts";
import { spaceVisible } from "../permissions.ts";
import { link } from "../present.ts";
import { refuse } from "../refuse.ts";
import { demandRouteRevision } from "../route-revision.ts";
import { message } from "../schema.ts";
import { linksTo, shape, type Shown } from "../shape.ts";
import {
  demandRouteWrite,
  Destination,
  loadDestinations,
  presentDestination,
  routeListing,
} from "./routes.ts";

// --- messages ---

interface DestinationInput {
  readonly app: { readonly guid: string; readonly process?: { readonly type: string } };
  readonly port?: number | null;
  readonly weight?: number | null;
  readonly protocol?: "http1" | "http2" | "tcp" | null;
}

const MAX_DESTINATIONS = 100;
const DEFAULT_PORT = 8080;
const PROTOCOLS = ["http1", "http2", "tcp"] as const;
const WRONG_PROTOCOL = "protocol must be 'http1', 'http2' or 'tcp'.";

/** Upstream's sentences count the destinations, which a schema's cannot; see {@link destinationProblems}. */
const Destinations = message(
  { destinations: Type.Unsafe<readonly DestinationInput[]>({}) },
  {
    refusals: {
      required: 'Destinations must have the structure "destinations": [{"app": {"guid": "app_guid"}}]',
    },
  },
);
type DestinationsBody = Static<typeof Destinations>;

const UpdateDestination = message({
  protocol: Type.Optional(Type.Enum(PROTOCOLS, { sentence: `Destination ${WRONG_PROTOCOL}` })),
});

/** @param minimum  Replacing by nothing is allowed, adding nothing is not. */
function destinationProblems({ destinations }: OpenBody, minimum: 0 | 1): string[] {
  if (destinations === undefined) return [];
  if (
    !Array.isArray(destinations) ||
    destinations.length < minimum ||
    destinations.length > MAX_DESTINATIONS
  ) {
    return [
      `Destinations must be an array containing between ${minimum} and ${MAX_DESTINATIONS} destination objects.`,
    ];
  }
  const problems = destinations.flatMap((each: unknown, i) =>
    problemsOfOne(each).map((problem) => `Destinations[${i}]: ${problem}`),
  );
  return problems.length > 0 ? problems : weightProblems(destinations as DestinationInput[]);
}

function problemsOfOne(given: unknown): string[] {
  if (!isObject(given)) return ["must be an object."];
  const problems: string[] = [];
  const { app, weight = null, port = null, protocol = null, ...others } = given;
  if (Object.keys(others).length > 0) {
    problems.push('must have only "app" and optionally "weight", "port" or "protocol".');
  }
  const problem = appProblem(app);
  if (problem !== null) problems.push(problem);
  if (weight !== null && !isIntegerBetween(weight, 1, 100)) {
    problems.push("weight must be a positive integer between 1 and 100.");
  }
  if (protocol !== null && !PROTOCOLS.some((each) => each === protocol)) problems.push(WRONG_PROTOCOL);
  if (port !== null && !isUnprivilegedPort(port)) {
    problems.push(
      `port must be a positive integer between ${UNPRIVILEGED_PORTS.first} and ${UNPRIVILEGED_PORTS.last} inclusive.`,
    );
  }
  return problems;
}

function appProblem(app: unknown): string | null {
  if (app === undefined) return 'must have an "app".';
  if (!isObject(app) || typeof app["guid"] !== "string" || !hasOnly(app, ["guid", "process"])) {
    return 'app must have the structure {"guid": "app_guid"}';
  }
  const { process } = app;
  if (process === undefined) return null;
  return isObject(process) && typeof process["type"] === "string" && hasOnly(process, ["type"])
    ? null
    : 'process must have the structure {"type": "process_type"}';
}

function weightProblems(destinations: readonly DestinationInput[]): string[] {
  const weights = destinations.flatMap((each) => each.weight ?? []);
  if (weights.length === 0) return [];
  if (weights.length < destinations.length) {
    return ["Destinations cannot contain both weighted and unweighted destinations."];
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return sum === 100 ? [] : ["Destinations must have weights that sum to 100."];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const hasOnly = (value: object, keys: readonly string[]) =>
  Object.keys(value).every((key) => keys.includes(key));
const isIntegerBetween = (value: unknown, minimum: number, maximum: number) =>
  typeof value === "number" && Number.isInteger(value) && value >= minimum && value <= maximum;

// --- actions ---

type NewDestination = Pick<
  RowOf<"destinations">,
  "app_guid" | "process_type" | "app_port" | "weight" | "protocol"
>;

const fromInput = (input: DestinationInput, route: RowOf<"routes">): NewDestination => ({
  app_guid: input.app.guid,
  process_type: input.app.process?.type ?? "web",
  app_port: input.port ?? DEFAULT_PORT,
  weight: input.weight ?? null,
  protocol: input.protocol ?? (route.protocol === "tcp" ? "tcp" : "http1"),
});

/** Two destinations of one route never have the same. */
const identity = (each: NewDestination) =>
  JSON.stringify([each.app_guid, each.process_type, each.app_port ?? DEFAULT_PORT]);

async function readWanted(call: Call<DestinationsBody>, route: RowOf<"routes">): Promise<NewDestination[]> {
  const wanted = call.body.destinations.map((input) => fromInput(input, route));
  const problems = new Set(wanted.flatMap(({ protocol }) => protocolProblem(route, protocol) ?? []));
  if (new Set(wanted.map(identity)).size < wanted.length) {
    problems.add("Destinations cannot contain duplicate entries");
  }
  const apps = [...new Set(wanted.map((each) => each.app_guid))];
  for (const problem of await appProblems(call, route, apps)) problems.add(problem);
  if (problems.size > 0) throw unprocessable({ problems: [...problems] });
  return wanted;
}

function protocolProblem(route: RowOf<"routes">, protocol: NewDestination["protocol"]): string | null {
  const allowed = route.protocol === "tcp" ? ["tcp"] : ["http1", "http2"];
  if (protocol === null || allowed.includes(protocol)) return null;
  return `Cannot use '${protocol}' protocol for ${route.protocol} routes; valid options are: [${allowed.join(", ")}].`;
}

function demandProtocol(route: RowOf<"routes">, protocol: NewDestination["protocol"]): void {
  const problem = protocolProblem(route, protocol);
  if (problem !== null) refuse(problem);
}

async function appProblems(
  call: Call<unknown>,
  route: RowOf<"routes">,
  guids: readonly string[],
): Promise<readonly string[]> {
  if (guids.length === 0) return [];
  const { db } = call.context.store;
  const apps = await db
    .selectFrom("apps")
    .select(["guid", "space_guid"])
    .where("guid", "in", guids)
    .execute();
  const named = (missing: readonly string[]) => missing.map((guid) => `"${guid}"`).join(", ");
  const missing = guids.filter((guid) => !apps.some((app) => app.guid === guid));
  const problems: string[] = [];
  if (missing.length > 0) problems.push(`App(s) with guid(s) ${named(missing)} do not exist.`);
  const visible = await db
    .selectFrom("apps")
    .select("guid")
    .where("guid", "in", guids)
    .where(spaceVisible(call.caller, "apps.space_guid"))
    .execute();
  const hidden = apps.filter(({ guid }) => !visible.some((app) => app.guid === guid));
  if (hidden.length > 0) {
    problems.push(`App(s) with guid(s) ${named(hidden.map(({ guid }) => guid))} you do not have access.`);
  }
  const shares = await db
    .selectFrom("route_shares")
    .select("space_guid")
    .where("route_guid", "=", route.guid)
    .execute();
  const spaces = [route.space_guid, ...shares.map((share) => share.space_guid)];
  // Whose space that is stays between those who see it.
  if (apps.some((app) => !hidden.includes(app) && !spaces.includes(app.space_guid))) {
    problems.push("Routes destinations must be in either the route's space or the route's shared spaces");
  }
  return problems;
}

/** Runs `change` on the stored destinations; when it says it changed any, whoever was or is pointed to hears of it. */
async function changeDestinations(
  call: Call<unknown>,
  route: RowOf<"routes">,
  change: (db: Writer, stored: readonly RowOf<"destinations">[]) => Promise<boolean>,
): Promise<void> {
  await call.context.write(async (db, news) => {
    await demandRouteRevision(db, call, route.guid);
    await tellChange(db, news, call, route, change);
  });
}

async function tellChange(
  db: Writer,
  news: News,
  actor: Actor,
  route: Pick<RowOf<"routes">, "guid">,
  change: (db: Writer, stored: readonly RowOf<"destinations">[]) => Promise<boolean>,
): Promise<void> {
  const stored = (await loadDestinations(db, [route.guid]))(route.guid);
  const before = await processesOfRoutes(db, [route.guid]);
  if (!(await change(db, stored))) return;
  const after = await processesOfRoutes(db, [route.guid]);
  for (const process of [...before, ...after]) news.process(process);
  news.route(route.guid);
  const changed = (await loadDestinations(db, [route.guid]))(route.guid);
  const missingIn = (others: typeof stored) => (each: (typeof stored)[number]) =>
    !others.some(({ guid }) => guid === each.guid);
  await recordMappings(db, actor, "audit.app.unmap-route", stored.filter(missingIn(changed)));
  await recordMappings(db, actor, "audit.app.map-route", changed.filter(missingIn(stored)));
}

async function recordMappings(
  db: Writer,
  actor: Actor,
  type: "audit.app.map-route" | "audit.app.unmap-route",
  destinations: readonly RowOf<"destinations">[],
): Promise<void> {
  for (const { guid, route_guid, app_guid, app_port, process_type, weight } of destinations) {
    const target = await db
      .selectFrom("apps")
      .select(["guid", "name", "space_guid"])
      .where("guid", "=", app_guid)
      .executeTakeFirstOrThrow();
    const data = { route_guid, app_port, destination_guid: guid, process_type, weight };
    await recordEvent(db, actor, { type, target, data });
  }
}

/** Adds what is not there yet; a destination that is there with another protocol takes the new one. */
async function addDestinations(call: Call<DestinationsBody>, route: RowOf<"routes">): Promise<void> {
  const wanted = await readWanted(call, route);
  await changeDestinations(call, route, (db, stored) => add(call.context, db, route, stored, wanted));
}

async function add(
  context: Context,
  db: Writer,
  route: Pick<RowOf<"routes">, "guid">,
  stored: readonly RowOf<"destinations">[],
  wanted: readonly NewDestination[],
): Promise<boolean> {
  if (stored.some((each) => each.weight !== null)) {
    refuse("Destinations cannot be inserted when there are weighted destinations already configured.");
  }
  if (stored.length > 0 && wanted.some((each) => each.weight !== null)) {
    refuse("Destinations cannot contain both weighted and unweighted destinations.");
  }
  return converge(context, db, route, stored, wanted);
}

/**
 * Points a route to the web process of an app of its space, in a transaction that is running. What points there already
 * stays, whatever its port, and takes the protocol when one is given.
 */
export async function pointRoute(
  db: Writer,
  news: News,
  actor: Actor,
  route: RowOf<"routes">,
  target: { readonly app: string; readonly protocol: NewDestination["protocol"] },
): Promise<void> {
  const { context } = actor;
  if (target.protocol !== null) demandProtocol(route, target.protocol);
  await tellChange(db, news, actor, route, async (writer, stored) => {
    const existing = stored.find((each) => each.app_guid === target.app && each.process_type === "web");
    const protocol = target.protocol ?? existing?.protocol ?? (route.protocol === "tcp" ? "tcp" : "http1");
    const common = { app_guid: target.app, process_type: "web", protocol };
    if (existing !== undefined) {
      const { app_port, weight } = existing;
      return converge(context, writer, route, stored, [{ ...common, app_port, weight }]);
    }
    return add(context, writer, route, stored, [{ ...common, app_port: DEFAULT_PORT, weight: null }]);
  });
}

/** Takes an app from all its routes, in a transaction that is running. */
export async function unpointRoutes(db: Writer, news: News, actor: Actor, appGuid: string): Promise<void> {
  const routes = await db
    .selectFrom("destinations")
    .select("route_guid as guid")
    .distinct()
    .where("app_guid", "=", appGuid)
    .execute();
  for (const route of routes) {
    await tellChange(db, news, actor, route, async (writer) => {
      const gone = await writer
        .deleteFrom("destinations")
        .where("route_guid", "=", route.guid)
        .where("app_guid", "=", appGuid)
        .executeTakeFirst();
      return Number(gone.numDeletedRows) > 0;
    });
  }
}

async function replaceDestinations(call: Call<DestinationsBody>, route: RowOf<"routes">): Promise<void> {
  const wanted = await readWanted(call, route);
  const kept = new Set(wanted.map(identity));
  await changeDestinations(call, route, async (db, stored) => {
    const staying = stored.filter((each) => kept.has(identity(each)));
    const obsolete = stored.filter((each) => !kept.has(identity(each)));
    for (const { guid } of obsolete) await db.deleteFrom("destinations").where("guid", "=", guid).execute();
    const isChanged = await converge(call.context, db, route, staying, wanted);
    return isChanged || obsolete.length > 0;
  });
}

/** Makes every wanted destination be there as wanted. Says whether anything had to change. */
async function converge(
  context: Context,
  db: Writer,
  route: Pick<RowOf<"routes">, "guid">,
  stored: readonly RowOf<"destinations">[],
  wanted: readonly NewDestination[],
): Promise<boolean> {
  const storedBy = new Map(stored.map((each) => [identity(each), each]));
  let count = stored.length;
  let isChanged = false;
  for (const each of wanted) {
    const existing = storedBy.get(identity(each));
    const now = context.now();
    if (existing === undefined) {
      count += 1;
      await db
        .insertInto("destinations")
        .values({ guid: newGuid(), created_at: now, updated_at: now, route_guid: route.guid, ...each })
        .execute();
    } else if (existing.protocol !== each.protocol || existing.weight !== each.weight) {
      const { protocol, weight } = each;
      await db
        .updateTable("destinations")
        .set({ protocol, weight, updated_at: now })
        .where("guid", "=", existing.guid)
        .execute();
    } else continue;
    isChanged = true;
  }
  if (count > MAX_DESTINATIONS) refuse(`Routes can be mapped to at most ${MAX_DESTINATIONS} destinations.`);
  return isChanged;
}

async function deleteDestination(call: Call<unknown>, route: RowOf<"routes">, guid: string): Promise<void> {
  await changeDestinations(call, route, async (db, stored) => {
    const destination = findStored(stored, guid);
    if (destination.weight !== null) refuse("Weighted destinations cannot be deleted individually.");
    await db.deleteFrom("destinations").where("guid", "=", guid).execute();
    return true;
  });
}

async function updateDestination(
  call: Call<Static<typeof UpdateDestination>>,
  route: RowOf<"routes">,
  guid: string,
): Promise<void> {
  const { protocol } = call.body;
  if (protocol !== undefined) demandProtocol(route, protocol);
  await changeDestinations(call, route, async (db, stored) => {
    const destination = findStored(stored, guid);
    if (protocol === undefined || destination.protocol === protocol) return false;
    await db
      .updateTable("destinations")
      .set({ protocol, updated_at: call.context.now() })
      .where("guid", "=", guid)
      .execute();
    return true;
  });
}

function findStored(stored: readonly RowOf<"destinations">[], guid: string): RowOf<"destinations"> {
  const found = stored.find((each) => each.guid === guid);
  if (found !== undefined) return found;
  return refuse("Unable to unmap route from destination. Ensure the route has a destination with this guid.");
}

// --- endpoints ---

const DestinationList = shape("RouteDestinations", {
  destinations: Type.Array(Destination),
  links: linksTo(["self", "route"]),
});

async function present(call: Call<unknown>, route: RowOf<"routes">): Promise<Shown<typeof DestinationList>> {
  const { context, query } = call;
  const stored = (await loadDestinations(context.store.db, [route.guid]))(route.guid);
  const isAsked = (list: string | undefined, guid: string) =>
    list === undefined || readValues(list).includes(guid);
  const asked = stored.filter(
    (each) => isAsked(query["guids"], each.guid) && isAsked(query["app_guids"], each.app_guid),
  );
  return {
    destinations: asked.map((each) => presentDestination(each, route.protocol)),
    links: {
      self: link(context, `/v3/routes/${route.guid}/destinations`),
      route: link(context, `/v3/routes/${route.guid}`),
    },
  };
}

const findRoute = (call: Call<unknown>) => findRow(call, routeListing, call.params["guid"] ?? "");

async function findWritable(call: Call<unknown>): Promise<RowOf<"routes">> {
  const route = await findRoute(call);
  await demandRouteWrite(call, route);
  return route;
}

/** Takes a list of destinations, of `fewest` at the least, and answers with all that there are then. */
const writing = (
  method: "POST" | "PATCH",
  summary: string,
  fewest: 0 | 1,
  write: (call: Call<DestinationsBody>, route: RowOf<"routes">) => Promise<void>,
): Endpoint =>
  defineEndpoint({
    method,
    path: "/v3/routes/:guid/destinations",
    summary,
    access: "write",
    answers: { 200: DestinationList },
    refuses: [resourceChanged],
    body: Destinations,
    checkOpen: (body) => destinationProblems(body, fewest),
    handle: async (call) => {
      const route = await findWritable(call);
      await write(call, route);
      return ok(await present(call, route));
    },
  });

export const destinations: readonly Endpoint[] = [
  defineEndpoint({
    method: "GET",
    path: "/v3/routes/:guid/destinations",
    summary: "Lists a route's destinations.",
    access: "read",
    answers: { 200: DestinationList },
    parameters: ["guids", "app_guids"],
    handle: async (call) => ok(await present(call, await findRoute(call))),
  }),
  writing("POST", "Adds destinations.", 1, addDestinations),
  writing("PATCH", "Replaces all destinations.", 0, replaceDestinations),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/routes/:guid/destinations/:destination_guid",
    summary: "Changes a destination's protocol.",
    access: "write",
    answers: { 200: Destination },
    refuses: [resourceChanged],
    body: UpdateDestination,
    handle: async (call) => {
      const route = await findWritable(call);
      const guid = call.params["destination_guid"] ?? "";
      await updateDestination(call, route, guid);
      const stored = (await loadDestinations(call.context.store.db, [route.guid]))(route.guid);
      return ok(presentDestination(findStored(stored, guid), route.protocol));
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/routes/:guid/destinations/:destination_guid",
    summary: "Removes a destination.",
    access: "write",
    answers: { 204: null },
    refuses: [resourceChanged],
    handle: async (call) => {
      await deleteDestination(call, await findWritable(call), call.params["destination_guid"] ?? "");
      return noContent;
    },
  }),
];
