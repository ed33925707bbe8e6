/** HTTP routes as the Routing API writes them, in its lists and in its events. */

export interface ModificationTag {
  /** Of one incarnation of the route; "" is unknown. */
  readonly guid: string;
  /** Counts what happened to it, heartbeats included. */
  readonly index: number;
}

export interface ApiRoute {
  /** `host[/path]`, as it was registered. */
  readonly route: string;
  readonly ip: string;
  readonly port: number;
  readonly ttlSeconds: number;
  readonly logGuid: string;
  /** `https://…`, or null. */
  readonly routeServiceUrl: string | null;
  readonly modificationTag: ModificationTag;
}

/** Whether what carries `next` may take the place of what carries `known`. */
export function succeeds(next: ModificationTag, known: ModificationTag): boolean {
  return next.guid === "" || next.guid !== known.guid || next.index > known.index;
}

export function isSameTag(a: ModificationTag, b: ModificationTag): boolean {
  return a.guid === b.guid && a.index === b.index;
}

/** A route, or what is wrong with it. Fields that we do not know are those of a later version. */
export function decodeApiRoute(json: unknown): ApiRoute | string {
  if (!isMap(json)) return `${shown(json)} is not a route`;
  const { route, ip, port, ttl = 0, log_guid: logGuid = "", route_service_url: serviceUrl = "" } = json;
  if (typeof route !== "string" || !/^[^/?#\s]\S*$/.test(route))
    return `route ${shown(route)} is no «host/path»`;
  if (typeof ip !== "string" || ip === "") return `ip ${shown(ip)} of ${route} is no address`;
  if (!isWhole(port) || port < 1 || port > 65_535) return `port ${shown(port)} of ${route} is not 1–65535`;
  if (!isWhole(ttl)) return `ttl ${shown(ttl)} of ${route} is no number of seconds`;
  if (typeof logGuid !== "string") return `log_guid ${shown(logGuid)} of ${route} is no text`;
  if (typeof serviceUrl !== "string" || (serviceUrl !== "" && !serviceUrl.startsWith("https://"))) {
    return `route_service_url ${shown(serviceUrl)} of ${route} does not begin with https://`;
  }
  const tag = isMap(json["modification_tag"]) ? json["modification_tag"] : {};
  const { guid = "", index = 0 } = tag;
  if (typeof guid !== "string" || !isWhole(index))
    return `modification_tag ${shown(tag)} of ${route} is none`;
  return {
    route,
    ip,
    port,
    ttlSeconds: ttl,
    logGuid,
    routeServiceUrl: serviceUrl === "" ? null : serviceUrl,
    modificationTag: { guid, index },
  };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const isWhole = (value: unknown): value is number => Number.isInteger(value);

const shown = (value: unknown) => (JSON.stringify(value) ?? "nothing").slice(0, 200);
