/**
 * Routes as the commands show them: with names instead of GUIDs, and an address that one can click on.
 */
import type { Answer } from "./answer.ts";
import type { ApiClient } from "./client.ts";

export interface RouteFacts {
  readonly guid: string;
  /** `shop.localhost/api` */
  readonly route: string;
  /** Where a browser finds it; of internal and TCP routes, the route. */
  readonly url: string;
  readonly protocol: "http" | "tcp" | "internal";
  readonly options: Readonly<Record<string, string>>;
  readonly destinations: readonly DestinationFacts[];
}

export interface DestinationFacts {
  /** Its name; the GUID of an app that one may not see. */
  readonly app: string;
  readonly process: string;
  readonly port: number | null;
  readonly protocol: string;
  readonly weight: number | null;
}

/** Looks up names once; what it returns describes any number of routes with them. */
export async function createRouteDescriber(client: ApiClient): Promise<(route: Answer) => RouteFacts> {
  const [apps, domains] = await Promise.all([client.list("/v3/apps"), client.list("/v3/domains")]);
  const appNames = new Map(apps.map((app) => [app.text("guid"), app.text("name")]));
  const internal = new Set(domains.filter((d) => d.find("internal") === true).map((d) => d.text("guid")));
  return (route) => {
    const isInternal = internal.has(route.text("relationships", "domain", "data", "guid"));
    return {
      guid: route.text("guid"),
      route: route.text("url"),
      url: routeUrl(client, route, isInternal),
      protocol: isInternal ? "internal" : isTcp(route) ? "tcp" : "http",
      options: route.pairs("options"),
      destinations: destinationsOf(route, appNames),
    };
  };
}

/** `http://shop.localhost:8080/api`: apps and API stand behind the same router, so scheme and port are the API's. */
export function routeUrl(client: ApiClient, route: Answer, isInternal: boolean): string {
  if (isInternal || isTcp(route)) return route.text("url");
  const { protocol, port } = new URL(client.session.api);
  const [, host = "", path = ""] = /^([^/]*)(.*)$/.exec(route.text("url")) ?? [];
  return `${protocol}//${host}${port === "" ? "" : `:${port}`}${path}`;
}

export const optionsText = (options: Readonly<Record<string, string>>): string =>
  Object.entries(options)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");

const isTcp = (route: Answer): boolean => route.find("protocol") === "tcp";

function destinationsOf(route: Answer, appNames: ReadonlyMap<string, string>): readonly DestinationFacts[] {
  const orNull = (value: unknown) => (typeof value === "number" ? value : null);
  return route.list("destinations").map((destination) => {
    const guid = destination.text("app", "guid");
    return {
      app: appNames.get(guid) ?? guid,
      process: destination.text("app", "process", "type"),
      port: orNull(destination.find("port")),
      protocol: String(destination.find("protocol") ?? ""),
      weight: orNull(destination.find("weight")),
    };
  });
}
