/**
 * What the `routes` map of a desired LRP says, as far as the classic feed needs it. Written by the Cloud Controller,
 * but also by anybody else who desires LRPs, so it is read with care: a bad entry is left out, the rest counts.
 */
import type { DesiredLrp } from "../contracts/index.ts";
import type { EndpointProtocol } from "../table/index.ts";

/** One host or host/path on one container port (key `cf-router`). */
export interface HttpRoute {
  readonly uri: string;
  readonly containerPort: number;
  readonly routeServiceUrl: string;
  readonly isolationSegment: string;
  readonly protocol: EndpointProtocol;
  readonly options: unknown;
}

export interface RouteInformation {
  readonly http: readonly HttpRoute[];
  /** Names that only apps resolve (key `internal-router`). */
  readonly internal: readonly string[];
}

export function readRoutes({ routes }: Pick<DesiredLrp, "routes">): RouteInformation {
  return {
    http: objectsIn(routes["cf-router"]).flatMap((entry) => {
      const { hostnames, port, options } = entry;
      if (!Array.isArray(hostnames) || typeof port !== "number") return [];
      const shared = {
        containerPort: port,
        routeServiceUrl: textIn(entry, "route_service_url"),
        isolationSegment: textIn(entry, "isolation_segment"),
        protocol: textIn(entry, "protocol") === "http2" ? ("http2" as const) : ("http1" as const),
        options: options ?? undefined,
      };
      return hostnames.filter(isName).map((uri) => ({ ...shared, uri }));
    }),
    internal: objectsIn(routes["internal-router"])
      .map(({ hostname }) => hostname)
      .filter(isName),
  };
}

function objectsIn(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "object" && item !== null) : [];
}

const isName = (value: unknown): value is string => typeof value === "string" && value !== "";

function textIn(entry: Readonly<Record<string, unknown>>, name: string): string {
  const value = entry[name];
  return typeof value === "string" ? value : "";
}
