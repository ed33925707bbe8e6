/**
 * A route service as a route of its own, with one candidate and no options: what an exchange is sent along when it
 * goes to the service over the network. Picking, connecting, sending and trying again are then as for any route.
 */
import { NO_SETTINGS, type Picker } from "../../balancing/index.ts";
import { plainEndpoint, type Route } from "../../table/index.ts";
import type { EndpointStates } from "../endpoint-state.ts";
import type { RoutedCandidate, RouteProgram } from "../program.ts";
import { type ServiceTarget, serviceTarget } from "./target.ts";

export interface BoundService {
  readonly url: string;
  readonly target: ServiceTarget;
  readonly candidate: RoutedCandidate;
  readonly route: Route<RouteProgram>;
}

const theOnlyOne: Picker = {
  pick: (candidates) => candidates[0],
  forPool: () => theOnlyOne,
};

/** Null without a service, and when its URL is none: the URL came over a bus that others write to. */
export function bindService(
  { key, routeServiceUrl: url }: Pick<Route, "key" | "routeServiceUrl">,
  states: EndpointStates,
): BoundService | null {
  const target = url === null ? null : serviceTarget(url);
  if (url === null || target === null) return null;
  const endpoint = plainEndpoint({
    host: target.hostname,
    port: target.port,
    tls: true,
    serverCertDomainSan: target.serverName,
  });
  const candidate: RoutedCandidate = {
    endpoint,
    // Connections to it are verified otherwise than an endpoint's, so they are never those of one.
    load: states.acquire(endpoint, `route service ${target.host}`),
    address: `${target.hostname}:${target.port}`,
    headerLines: "",
    service: target,
  };
  const program: RouteProgram = {
    picker: theOnlyOne,
    balancer: "",
    balancing: NO_SETTINGS,
    candidates: [candidate],
    inZone: [],
    maxInFlight: 0,
    sessionCookies: [],
    readsSession: false,
    service: null,
    ignored: "",
    kept: null,
    rules: null,
    admit: [],
    foresee: [],
    prepareRequest: [],
    requestSent: [],
    responseHead: [],
  };
  return {
    url,
    target,
    candidate,
    route: {
      // Never the key of a route in the table: looking again between attempts must not find the guarded route.
      key: `${key} via ${target.host}`,
      host: target.hostname,
      path: "",
      reservation: null,
      options: {},
      routeServiceUrl: null,
      endpoints: [endpoint],
      attachment: program,
    },
  };
}
