/**
 * What the router makes of a route when it changes, so that a request finds it ready: the picker of its balancer,
 * its endpoints as candidates with the header lines that name them, and the hooks of its options.
 */
import { Value } from "typebox/value";
import type { Balancer, Candidate, Picker } from "../balancing/index.ts";
import type { Logger } from "../kernel/index.ts";
import type { AnyOption, OptionHooks } from "../options/index.ts";
import { type Endpoint, endpointAddress, type Route } from "../table/index.ts";
import type { RouterConfig } from "./config.ts";
import { type EndpointState, EndpointStates } from "./endpoint-state.ts";

/** An endpoint of a route, ready to be tried. */
export interface RoutedCandidate extends Candidate {
  readonly load: EndpointState;
  /** `host:port` */
  readonly address: string;
  /** `X-CF-ApplicationID`, `X-CF-InstanceID`, `X-CF-InstanceIndex`, each with its CRLF. */
  readonly headerLines: string;
}

type Hook<K extends keyof OptionHooks> = NonNullable<OptionHooks[K]>;

export interface RouteProgram {
  readonly picker: Picker;
  readonly balancer: string;
  readonly candidates: readonly RoutedCandidate[];
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
  readonly balancers: readonly Balancer[];
  /** In order of execution. */
  readonly options: readonly AnyOption[];
  readonly log: Logger;
}

export function createRoutePrograms({ config, balancers, options, log }: RouteProgramParts): RoutePrograms {
  const endpoints = new EndpointStates();
  const byName = new Map(balancers.map((balancer) => [balancer.name, balancer]));
  const fallback = byName.get(config.balancingAlgorithm) ?? (balancers[0] as Balancer);

  const attach: RoutePrograms["attach"] = (route, previous) => {
    const hooks = compileHooks(route, options, log);
    const wanted = hooks.findLast((hook) => hook.balancer !== undefined)?.balancer;
    const balancer = (wanted === undefined ? undefined : byName.get(wanted)) ?? fallback;
    const candidates = route.endpoints.map((endpoint) => ({
      endpoint,
      load: endpoints.acquire(endpoint),
      address: endpointAddress(endpoint),
      headerLines: identityLines(endpoint),
    }));
    // After acquiring: an endpoint that stays must not lose its connections in between.
    if (previous !== undefined) detach(previous);
    return {
      picker: previous?.balancer === balancer.name ? previous.picker : balancer.createPicker(),
      balancer: balancer.name,
      candidates,
      admit: hooksOf(hooks, "admit"),
      prepareRequest: hooksOf(hooks, "prepareRequest"),
      requestSent: hooksOf(hooks, "requestSent"),
      responseHead: hooksOf(hooks, "responseHead"),
    };
  };
  const detach = (program: RouteProgram) => {
    for (const candidate of program.candidates) endpoints.release(candidate.load);
  };
  return { attach, detach, endpoints };
}

/** RFC-0027: a pair that makes no sense is left out and said once; everything else stays in force. */
function compileHooks(
  route: Omit<Route, "attachment">,
  options: readonly AnyOption[],
  log: Logger,
): readonly OptionHooks[] {
  const compiled: OptionHooks[] = [];
  for (const option of options) {
    const name = [option.name, ...option.aliases].find((known) => Object.hasOwn(route.options, known));
    if (name === undefined) continue;
    const value = route.options[name];
    if (Value.Check(option.schema, value)) compiled.push(option.hooks(value as never));
    else log.warn({ route: route.key, option: name, value, problem: option.refusal }, "option-ignored");
  }
  return compiled;
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
