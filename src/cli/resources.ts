/**
 * Names on the command line → resources of the API: the targeted space, an app, the domain and the route of a URL.
 */
import {
  apiRefused,
  domainUnknown,
  nameUnknown,
  nothingTargeted,
  usageInvalid,
} from "../kernel/errors/cli.ts";
import type { Answer } from "./answer.ts";
import type { ApiClient } from "./client.ts";
import { type Named, writeSession } from "./data-dir.ts";

export interface Target {
  readonly organization: Named;
  readonly space: Named;
}

/** A URL as a user writes it, taken apart: `https://shop.example.com/api` or `tcp.example.com:1024`. */
export interface RouteUrl {
  /** As given, without scheme. */
  readonly text: string;
  /** Host and domain, lower-case. */
  readonly name: string;
  readonly port: number | null;
  /** "" or `/api`. */
  readonly path: string;
}

export interface ResolvedRoute {
  readonly url: RouteUrl;
  readonly domain: Named;
  readonly isInternal: boolean;
  readonly isTcp: boolean;
  /** What stands before the domain; "" when the route is the domain itself. */
  readonly host: string;
  /** Null when nobody has created it. */
  readonly route: Answer | null;
}

/**
 * The space to work in: the targeted one, else the only one there is (which is then targeted).
 * @throws nothingTargeted
 */
export async function targetOf(client: ApiClient): Promise<Target> {
  const { organization, space } = client.session;
  if (organization !== null && space !== null) {
    // The database behind the API may be another one than last time; a target that is gone is no target.
    if ((await client.getIfThere(`/v3/spaces/${space.guid}`)) !== null) return { organization, space };
  }
  const choices = await listTargets(client);
  const [only, ...others] = choices;
  if (only === undefined || others.length > 0) {
    throw nothingTargeted({
      wanted: null,
      spaces: choices.map((c) => `${c.organization.name}/${c.space.name}`),
    });
  }
  writeSession(client.host, { ...client.session, ...only });
  return only;
}

export async function listTargets(client: ApiClient): Promise<readonly Target[]> {
  const [organizations, spaces] = await Promise.all([
    client.list("/v3/organizations"),
    client.list("/v3/spaces"),
  ]);
  const byGuid = new Map(organizations.map((o) => [o.text("guid"), named(o)]));
  return spaces.flatMap((space) => {
    const organization = byGuid.get(space.text("relationships", "organization", "data", "guid"));
    return organization === undefined ? [] : [{ organization, space: named(space) }];
  });
}

export const named = (resource: Answer): Named => ({
  guid: resource.text("guid"),
  name: resource.text("name"),
});

/** @throws nameUnknown with the nearest app of the space */
export async function findApp(client: ApiClient, name: string): Promise<Answer> {
  const { space } = await targetOf(client);
  const app = await findAppIn(client, space, name);
  if (app !== null) return app;
  const all = await client.list("/v3/apps", { space_guids: space.guid });
  throw nameUnknown({
    kind: "app",
    name,
    near: await nearest(
      name,
      all.map((a) => a.text("name")),
    ),
    list: "viaduct apps",
  });
}

export async function findAppIn(client: ApiClient, space: Named, name: string): Promise<Answer | null> {
  const found = await client.list("/v3/apps", { names: name, space_guids: space.guid });
  return found.find((app) => app.text("name") === name) ?? null;
}

/** @throws usageInvalid */
export function parseRouteUrl(given: string): RouteUrl {
  const text = given.replace(/^[a-z]+:\/\//i, "");
  const match = /^([^/:?#\s]+)(?::(\d{1,5}))?(\/[^?#\s]*)?$/.exec(text);
  const name = match?.[1];
  if (match === null || name === undefined) {
    throw usageInvalid({
      problem: `«${given}» is no route`,
      remedy: "write HOST.DOMAIN, HOST.DOMAIN/PATH or DOMAIN:PORT",
    });
  }
  // The port of a web address pasted from a browser says where the router listens, not which route it is.
  const port = text !== given || match[2] === undefined ? null : Number(match[2]);
  return { text, name: name.toLowerCase(), port, path: (match[3] ?? "").replace(/\/+$/, "") };
}

/** The domain by the longest match, and the route when it exists. @throws usageInvalid, domainUnknown */
export async function resolveRoute(client: ApiClient, given: string): Promise<ResolvedRoute> {
  const url = parseRouteUrl(given);
  const domains = await client.list("/v3/domains");
  const domain = domains
    .filter((d) => url.name === d.text("name") || url.name.endsWith(`.${d.text("name")}`))
    .toSorted((a, b) => b.text("name").length - a.text("name").length)[0];
  if (domain === undefined) {
    throw domainUnknown({ route: given, domains: domains.map((d) => d.text("name")) });
  }
  const host = url.name.slice(0, -domain.text("name").length).replace(/\.$/, "");
  const isTcp = domain.has("router_group");
  const routes = await client.list("/v3/routes", {
    domain_guids: domain.text("guid"),
    // Not by path as well: the API compares it with its case, and routers do not.
    ...(host === "" ? {} : { hosts: host }),
  });
  const route = routes.find(
    (r) =>
      (r.find("host") ?? "") === host &&
      String(r.find("path") ?? "").toLowerCase() === url.path.toLowerCase() &&
      (!isTcp || r.find("port") === url.port),
  );
  return {
    url,
    domain: named(domain),
    isInternal: domain.find("internal") === true,
    isTcp,
    host,
    route: route ?? null,
  };
}

/** @throws nameUnknown with the nearest route of the space */
export async function existingRoute(client: ApiClient, given: string): Promise<Answer> {
  const { route, url } = await resolveRoute(client, given);
  if (route !== null) return route;
  const all = await client.list("/v3/routes");
  throw nameUnknown({
    kind: "route",
    name: url.text,
    near: await nearest(
      url.text,
      all.map((r) => r.text("url")),
    ),
    list: "viaduct routes --all",
  });
}

/** Takes back one thing that a command has done. */
export type Undo = (step: () => Promise<unknown>) => void;

/**
 * For commands of several calls: when the API refuses one of them, what the earlier ones made is taken back, the last
 * first, and the refusal is what the user hears. After anything else, a lost connection for instance, the same line
 * again goes on where it was.
 */
export async function allOrNothing<T>(run: (undo: Undo) => Promise<T>): Promise<T> {
  const steps: (() => Promise<unknown>)[] = [];
  try {
    return await run((step) => void steps.push(step));
  } catch (error) {
    // What cannot be taken back stays, and the first refusal is still the one that matters.
    if (apiRefused.is(error)) for (const step of steps.toReversed()) await step().catch(() => {});
    throw error;
  }
}

/** Creates the route, or gives an existing one the options it lacks. Returns it as it is then. */
export async function ensureRoute(
  client: ApiClient,
  space: Named,
  resolved: ResolvedRoute,
  options: Readonly<Record<string, string>>,
  undo: Undo,
): Promise<Answer> {
  const hasOptions = Object.keys(options).length > 0;
  if (resolved.route !== null) {
    const current = resolved.route.pairs("options");
    const changed = Object.keys(options).filter((key) => current[key] !== options[key]);
    if (changed.length === 0) return resolved.route;
    const path = `/v3/routes/${resolved.route.text("guid")}`;
    const route = await client.patch(path, { options });
    const before = Object.fromEntries(changed.map((key) => [key, current[key] ?? null]));
    undo(() => client.patch(path, { options: before }));
    return route;
  }
  const create = {
    ...(resolved.host === "" ? {} : { host: resolved.host }),
    ...(resolved.url.path === "" ? {} : { path: resolved.url.path }),
    ...(resolved.isTcp && resolved.url.port !== null ? { port: resolved.url.port } : {}),
    ...(hasOptions ? { options } : {}),
    relationships: {
      space: { data: { guid: space.guid } },
      domain: { data: { guid: resolved.domain.guid } },
    },
  };
  return createOrFind(
    async () => {
      const route = await client.post("/v3/routes", create);
      undo(() => client.delete(`/v3/routes/${route.text("guid")}`));
      return route;
    },
    async () => (await resolveRoute(client, resolved.url.text)).route,
  );
}

/** Somebody else, another run of the same line for instance, may make it between our look and our call. */
export async function createOrFind(
  create: () => Promise<Answer>,
  find: () => Promise<Answer | null>,
): Promise<Answer> {
  try {
    return await create();
  } catch (error) {
    if (!apiRefused.is(error) || error.details.status !== 422) throw error;
    const found = await find();
    if (found === null) throw error;
    return found;
  }
}

/** Points the route to the app's web process; again is fine. */
export async function mapRoute(
  client: ApiClient,
  routeGuid: string,
  appGuid: string,
  appPort?: number,
): Promise<void> {
  await client.post(`/v3/routes/${routeGuid}/destinations`, {
    destinations: [{ app: { guid: appGuid }, ...(appPort === undefined ? {} : { port: appPort }) }],
  });
}

async function nearest(name: string, candidates: readonly string[]): Promise<string | null> {
  const { nearestName } = await import("../kernel/index.ts");
  return nearestName(name, candidates);
}
