/** The routes a manifest asks for: found or made under the longest domain that fits, and pointed to the app. */
import { randomInt } from "node:crypto";
import { sql } from "kysely";
import { unprocessable } from "../../kernel/errors/cloud-controller.ts";
import { newGuid, ViaductError } from "../../kernel/index.ts";
import { knownOptions, mergeOptions, validateOptions, validatePatch } from "../../options/index.ts";
import { decodeJson, encodeJson, type RowOf } from "../../store/index.ts";
import type { RouteOptions } from "../../table/index.ts";
import { recordEvent } from "../audit.ts";
import type { Context, Database, Writer } from "../context.ts";
import { processesOfRoutes } from "../deletions.ts";
import type { Actor } from "../endpoint.ts";
import { demandFeature } from "../feature-flags.ts";
import type { News } from "../news.ts";
import type { Caller } from "../permissions.ts";
import { refuse } from "../refuse.ts";
import { pointRoute } from "../resources/destinations.ts";
import { usableBy } from "../resources/domains.ts";
import {
  asTarget,
  demandHashFeature,
  demandHost,
  demandUsableAddress,
  insertRoute,
  surveyGround,
} from "../resources/routes.ts";
import { isMap, type ManifestRoute } from "./document.ts";

/** Where routes are made. */
export interface Place {
  readonly context: Context;
  readonly caller: Caller;
  readonly space: RowOf<"spaces">;
}

interface Found {
  readonly domain: RowOf<"domains">;
  readonly host: string;
  /** Null when nobody has made it. */
  readonly route: RowOf<"routes"> | null;
}

const HOST = /^(?:[\w-]{1,63}|\*)?$/;

/**
 * What is wrong with the options of a route, seen together with those it has already. Nothing is changed for it, so a
 * manifest is refused as a whole before anything of it happens.
 */
export async function optionProblems(
  db: Database,
  { context, space }: Place,
  wanted: ManifestRoute,
): Promise<readonly string[]> {
  const { route, options } = wanted;
  if (options === undefined) return [];
  if (!isMap(options)) return [`Route '${route}': options must be an object`];
  const patch = validatePatch(options, context);
  const found = await findRoute(db, space, wanted);
  const current = found?.route === undefined || found.route === null ? {} : decodeJson(found.route.options);
  const verdict = patch.ok ? validateOptions(mergeOptions(current, options as RouteOptions), context) : patch;
  if (verdict.ok) return [];
  return verdict.problems.map(({ key, value, text }) => {
    const option = knownOptions().find(({ name }) => name === key);
    if (option === undefined && key !== "") {
      const names = knownOptions()
        .map(({ name }) => name)
        .join(", ");
      return `Route '${route}' contains invalid route option '${key}'. Valid keys: '${names}'`;
    }
    const values = (option?.schema as { readonly enum?: readonly unknown[] } | undefined)?.enum;
    if (values !== undefined && !values.includes(value)) {
      const valid = `Valid values are: '${values.join(", ")}'`;
      return typeof value === "string"
        ? `Cannot use ${key} value '${value}' for Route '${route}'; ${valid}`
        : `Invalid value for '${key}' for Route '${route}'; ${valid}`;
    }
    return `Route '${route}': ${text.replace(/^Options /, "")}`;
  });
}

/** Makes the route be there with its options, and point to the app. */
export async function applyRoute(
  db: Writer,
  news: News,
  place: Place,
  appGuid: string,
  wanted: ManifestRoute,
): Promise<void> {
  const { space } = place;
  const found = await findRoute(db, space, wanted);
  if (found === null) refuse(`No domains exist for route ${wanted.route}`);
  const route = found.route ?? (await makeRoute(db, news, place, found, wanted));
  if (route.space_guid !== space.guid && !(await isSharedWith(db, route, space))) {
    refuse("Routes cannot be mapped to destinations in different spaces");
  }
  if (found.route !== null && wanted.options !== undefined) {
    await updateOptions(db, news, place, found.route, wanted.options as RouteOptions);
  }
  await pointRoute(db, news, place, route, { app: appGuid, protocol: wanted.protocol });
}

/** By the longest domain that the space may use. */
async function findRoute(
  db: Database,
  space: RowOf<"spaces">,
  { name, port, path }: Pick<ManifestRoute, "name" | "port" | "path">,
): Promise<Found | null> {
  const labels = name.split(".");
  const [domain] = (
    await db
      .selectFrom("domains")
      .selectAll()
      .where(
        "name",
        "in",
        labels.map((_, i) => labels.slice(i).join(".")),
      )
      .where(usableBy(space.organization_guid))
      .execute()
  ).toSorted((a, b) => b.name.length - a.name.length);
  if (domain === undefined) return null;
  const host = name.slice(0, name.length - domain.name.length).replace(/\.$/, "");
  const route = await db
    .selectFrom("routes")
    .selectAll()
    .where("domain_guid", "=", domain.guid)
    .where("host", "=", host)
    .where(sql`lower(path)`, "=", path.toLowerCase())
    .where(sql`coalesce(port, 0)`, "=", port ?? 0)
    .executeTakeFirst();
  return { domain, host, route: route ?? null };
}

async function isSharedWith(db: Database, route: RowOf<"routes">, space: RowOf<"spaces">): Promise<boolean> {
  const share = await db
    .selectFrom("route_shares")
    .select("route_guid")
    .where("route_guid", "=", route.guid)
    .where("space_guid", "=", space.guid)
    .executeTakeFirst();
  return share !== undefined;
}

async function makeRoute(
  db: Writer,
  news: News,
  place: Place,
  { domain, host }: Found,
  { path, port, options, route }: ManifestRoute,
): Promise<RowOf<"routes">> {
  const { context, caller, space } = place;
  await demandFeature(db, caller, "route_creation");
  if (!HOST.test(host)) refuse(`Route '${route}': Host format is invalid.`);
  const target = { space, domain };
  const guid = newGuid();
  const verdict = validateOptions(options ?? {}, context);
  try {
    await demandHost(db, caller, target, host);
    await demandHashFeature(db, options);
    const ground = await surveyGround(db, target, host);
    const address = await demandUsableAddress(db, context, target, { host, path, port }, ground);
    const made = { guid, address, options: verdict.ok ? verdict.options : {} };
    return await insertRoute(db, news, place, target, made, ground);
  } catch (error) {
    throw named(error, (problem) => `Route '${route}': ${problem}`);
  }
}

async function updateOptions(
  db: Writer,
  news: News,
  actor: Actor,
  route: RowOf<"routes">,
  patch: RouteOptions,
): Promise<void> {
  const { context } = actor;
  await demandHashFeature(db, patch);
  const verdict = validateOptions(mergeOptions(decodeJson(route.options), patch), context);
  const options = verdict.ok ? encodeJson(verdict.options) : route.options;
  if (options === route.options) return;
  await db
    .updateTable("routes")
    .set({ options, updated_at: context.now(route.updated_at) })
    .where("guid", "=", route.guid)
    .execute();
  await recordEvent(db, actor, {
    type: "audit.route.update",
    target: asTarget(route),
    data: { manifest_triggered: true, request: { options: patch } },
  });
  news.route(route.guid);
  for (const process of await processesOfRoutes(db, [route.guid])) news.process(process);
}

// --- a route for who has none ---

const ADJECTIVES = ["brave", "calm", "eager", "fair", "gentle", "kind", "lively", "proud", "quick", "wise"];
const NOUNS = ["badger", "crane", "dolphin", "fox", "hare", "lynx", "otter", "panda", "raven", "wombat"];

/** `shop.example.com` or `shop-brave-otter-xy.example.com`, under the first domain that everybody may use. */
export async function inventRoute(
  db: Database,
  appName: string,
  kind: "random" | "default",
): Promise<ManifestRoute> {
  const domain = await db
    .selectFrom("domains")
    .select("name")
    .where("organization_guid", "is", null)
    .where("internal", "=", 0)
    .where("router_group_guid", "is", null)
    .orderBy("created_at")
    .orderBy("guid")
    .executeTakeFirst();
  if (domain === undefined) refuse("No default domains available");
  const host = appName
    .toLowerCase()
    .replaceAll(/[^a-z\d_-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  const name = `${kind === "random" ? randomHost(host) : host.slice(0, 63)}.${domain.name}`;
  return { route: name, name, port: null, path: "", protocol: null, options: undefined };
}

function randomHost(host: string): string {
  const one = (words: readonly string[]) => words[randomInt(words.length)] ?? "";
  const letters = Array.from({ length: 2 }, () => one([..."abcdefghijklmnopqrstuvwxyz"])).join("");
  return `${host.slice(0, 40)}-${one(ADJECTIVES)}-${one(NOUNS)}-${letters}`;
}

// --- whose fault it was ---

/** A refusal, said again with what it is about. */
export function named(error: unknown, say: (problem: string) => string): unknown {
  if (!(error instanceof ViaductError) || error.source !== "client") return error;
  const problems = unprocessable.is(error) ? error.details.problems : [error.message];
  return unprocessable({ problems: problems.map(say) }, error);
}
