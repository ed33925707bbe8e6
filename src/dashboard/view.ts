/**
 * What the page is told of a route: plain JSON, only what it shows.
 */
import { endpointAddress, type Route } from "../table/index.ts";

export interface RouteView {
  /** Unique over all protocols. */
  readonly id: string;
  /** What the API calls the route; null when only `router.register` messages keep it. */
  readonly guid: string | null;
  readonly protocol: "http" | "tcp" | "internal";
  /** Host of a route, port of a TCP route. */
  readonly host: string;
  readonly path: string;
  /** `reserved`: somebody holds it and nothing serves it. */
  readonly state: "active" | "reserved";
  readonly options: Readonly<Record<string, string | number | boolean>>;
  readonly routeServiceUrl: string | null;
  /** Names where the feed tells them, else process GUIDs. */
  readonly apps: readonly string[];
  readonly endpoints: readonly EndpointView[];
}

export interface EndpointView {
  readonly address: string;
  /** "" when unknown, as the rest. */
  readonly index: string;
  readonly app: string;
  readonly process: string;
  readonly instance: string;
  readonly zone: string;
}

export function viewOf(protocol: RouteView["protocol"], route: Route): RouteView {
  const endpoints = route.endpoints.map((endpoint) => ({
    address: endpointAddress(endpoint),
    index: endpoint.instanceIndex,
    app: endpoint.tags["app_name"] ?? endpoint.tags["component"] ?? "",
    process: endpoint.processGuid,
    instance: endpoint.instanceId,
    zone: endpoint.availabilityZone,
  }));
  const named = endpoints.map(({ app, process }) => app || process);
  const destinations = route.reservation?.destinations.map(({ processGuid }) => processGuid) ?? [];
  const ownName = route.reservation?.tags["app_name"];
  return {
    id: routeId(protocol, route),
    guid: route.reservation?.guid ?? null,
    protocol,
    host: route.host,
    path: route.path,
    state: endpoints.length > 0 ? "active" : "reserved",
    options: route.options,
    routeServiceUrl: route.routeServiceUrl,
    apps: [...new Set(named.length > 0 ? named : ownName === undefined ? destinations : [ownName])].filter(
      (name) => name !== "",
    ),
    endpoints,
  };
}

export const routeId = (protocol: RouteView["protocol"], route: Pick<Route, "key">): string =>
  `${protocol} ${route.key}`;
