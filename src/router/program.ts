/**
 * What the router makes of a route when it changes, so that a request finds it ready: the picker of its balancer,
 * its endpoints as candidates with the header lines that name them, and the hooks of its options.
 */
import { type Balancer, balancers, type Candidate, type Picker } from "../balancing/index.ts";
import type { Logger } from "../kernel/index.ts";
import { compileHooks, honourOptions, type OptionHooks } from "../options/index.ts";
import { type Endpoint, endpointAddress, type Route } from "../table/index.ts";
import type { RouterConfig } from "./config.ts";
import { type EndpointState, EndpointStates } from "./endpoint-state.ts";
import { bindService, type BoundService } from "./route-services/service-route.ts";
import type { ServiceTarget } from "./route-services/target.ts";

/** An endpoint of a route, ready to be tried. */
export interface RoutedCandidate extends Candidate {
  readonly load: EndpointState;
  /** `host:port` */
  readonly address: string;
  /** `X-CF-ApplicationID`, `X-CF-InstanceID`, `X-CF-InstanceIndex`, each with its CRLF. */
  readonly headerLines: string;
  /** Null for endpoints: what it is when it is a route service. */
  readonly service: ServiceTarget | null;
}

type Hook<K extends keyof OptionHooks> = NonNullable<OptionHooks[K]>;

export interface RouteProgram {
  readonly picker: Picker;
  readonly balancer: string;
  readonly candidates: readonly RoutedCandidate[];
  /** Null without a route service, and when its URL cannot be used. */
  readonly service: BoundService | null;
  readonly admit: readonly Hook<"admit">[];
  readonly prepareRequest: readonly Hook<"prepareRequest">[];
  readonly requestSent: readonly Hook<"requestSent">[];
  readonly responseHead: readonly Hook<"responseHead">[];
}

/** Attaches programs to routes; give {@link attach} and {@link detach} to the table. */
export interface RoutePrograms {
  readonly attach: (route: Omit<Route<RouteProgram>, "attachment">, previous?: RouteProgram) => RouteProgram;
  /** The route is gone: connections to endpoints that no other route has are closed. */
  readonly detach: (program: RouteProgram) => void;
  readonly endpoints: EndpointStates;
}

export interface RouteProgramParts {
  readonly config: Pick<RouterConfig, "balancingAlgorithm">;
  readonly log: Logger;
}

export function createRoutePrograms({ config, log }: RouteProgramParts): RoutePrograms {
  const endpoints = new EndpointStates();
  const byName = new Map(balancers.map((balancer) => [balancer.name, balancer]));
  const fallback = byName.get(config.balancingAlgorithm) ?? (balancers[0] as Balancer);

  const attach: RoutePrograms["attach"] = (route, previous) => {
    // Only HTTP routes are looked up; the others need no program.
    const endpointsHere = (route.reservation?.protocol ?? "http") === "http" ? route.endpoints : [];
    const hooks = compileHooks(
      honourOptions(route.options, (problems, inForce) =>
        log.warn({ route: route.key, problems, inForce }, "route options ignored"),
      ),
    );
    const wanted = hooks.find((hook) => hook.balancer !== undefined)?.balancer;
    const balancer = (wanted === undefined ? undefined : byName.get(wanted)) ?? fallback;
    const candidates = endpointsHere.map((endpoint) => ({
      endpoint,
      load: endpoints.acquire(endpoint),
      address: endpointAddress(endpoint),
      headerLines: identityLines(endpoint),
      service: null,
    }));
    const service = bindService(route, endpoints);
    // After acquiring: an endpoint that stays must not lose its connections in between.
    if (previous !== undefined) detach(previous);
    return {
      picker: previous?.balancer === balancer.name ? previous.picker : balancer.createPicker(),
      balancer: balancer.name,
      candidates,
      service,
      admit: hooksOf(hooks, "admit"),
      prepareRequest: hooksOf(hooks, "prepareRequest"),
      requestSent: hooksOf(hooks, "requestSent"),
      responseHead: hooksOf(hooks, "responseHead"),
    };
  };
  const detach = (program: RouteProgram) => {
    for (const candidate of program.candidates) endpoints.release(candidate.load);
    if (program.service !== null) endpoints.release(program.service.candidate.load);
  };
  return { attach, detach, endpoints };
}

function hooksOf<K extends keyof OptionHooks>(hooks: readonly OptionHooks[], phase: K): Hook<K>[] {
  return hooks.flatMap((hook) => (hook[phase] === undefined ? [] : [hook[phase] as Hook<K>]));
}

function identityLines(endpoint: Endpoint): string {
  const instanceId = endpoint.instanceId === "" ? `${endpoint.host}:${endpoint.port}` : endpoint.instanceId;
  return (
    `X-CF-ApplicationID: ${headerText(endpoint.appGuid)}\r\nX-CF-InstanceID: ${headerText(instanceId)}\r\n` +
    `X-CF-InstanceIndex: ${headerText(endpoint.instanceIndex)}\r\n`
  );
}

/** Registrations come over a bus that others write to: what would break a header line is left out. */
const headerText = (text: string) => text.replaceAll(/[^\x20-\x7e]/g, "");
