/**
 * What the router makes of a route when it changes, so that a request finds it ready: the picker of its balancer,
 * its endpoints as candidates with the header lines that name them, and the hooks of its options.
 */
import {
  type Balancer,
  balancers,
  type BalancerSettings,
  type Candidate,
  NO_SETTINGS,
  type Picker,
} from "../balancing/index.ts";
import type { Logger } from "../kernel/index.ts";
import { compileHooks, honourOptions, type OptionHooks, type OptionProblem } from "../options/index.ts";
import { type Endpoint, endpointAddress, type Route, type RouteOptions } from "../table/index.ts";
import type { RouterConfig } from "./config.ts";
import { destinationWeights } from "./destination-weights.ts";
import { type EndpointState, EndpointStates } from "./endpoint-state.ts";
import { flatten } from "./flat-text.ts";
import { compileRules, type RouteRules } from "./route-rules.ts";
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
  /** What the balancer was told. */
  readonly balancing: BalancerSettings;
  readonly candidates: readonly RoutedCandidate[];
  /** Those that the first attempt prefers; empty without a preference. */
  readonly inZone: readonly RoutedCandidate[];
  /** Exchanges in flight per endpoint; 0 is no limit. */
  readonly maxInFlight: number;
  /** Names of the app's cookies that make its sessions sticky. */
  readonly sessionCookies: readonly string[];
  /** Requests may name the instance of their session. */
  readonly readsSession: boolean;
  /** Null without a route service, and when its URL cannot be used. */
  readonly service: BoundService | null;
  /** What is wrong with its options, as it was logged; "" when nothing is. */
  readonly ignored: string;
  /** By option, what it keeps of the route; null for most routes. */
  readonly kept: Map<string, unknown> | null;
  /** Limits, retries and header rules; null for most routes. */
  readonly rules: RouteRules | null;
  readonly admit: readonly Hook<"admit">[];
  readonly foresee: readonly Hook<"foresee">[];
  readonly prepareRequest: readonly Hook<"prepareRequest">[];
  readonly requestSent: readonly Hook<"requestSent">[];
  readonly responseHead: readonly Hook<"responseHead">[];
}

/** Attaches programs to routes; give it to the table. */
export interface RoutePrograms {
  readonly attach: (route: Omit<Route<RouteProgram>, "attachment">, previous?: RouteProgram) => RouteProgram;
  /** A route without options is compiled at its first request: a program is half of what a route takes. */
  readonly attachesLate: (route: Pick<Route, "options">) => boolean;
  /** The route is gone: connections to endpoints that no other route has are closed. */
  readonly detach: (program: RouteProgram) => void;
  /** Those of compiled routes. */
  readonly endpoints: EndpointStates;
}

export interface RouteProgramParts {
  readonly config: Pick<
    RouterConfig,
    | "balancingAlgorithm"
    | "maxInFlightPerEndpoint"
    | "optionLimits"
    | "preferredZone"
    | "stickyCookieNames"
    | "stickyForAuthNegotiate"
  >;
  readonly log: Logger;
}

export function createRoutePrograms({ config, log }: RouteProgramParts): RoutePrograms {
  const endpoints = new EndpointStates();
  const byName = new Map(balancers.map((balancer) => [balancer.name, balancer]));
  const fallback = byName.get(config.balancingAlgorithm) ?? (balancers[0] as Balancer);
  const createFallback = (): Picker => fallback.createPicker({ settings: NO_SETTINGS, createFallback });

  const attach: RoutePrograms["attach"] = (route, previous) => {
    // Only HTTP routes are looked up; the others need no program.
    const endpointsHere = (route.reservation?.protocol ?? "http") === "http" ? route.endpoints : [];
    let ignored = "";
    const report = (problems: readonly OptionProblem[], inForce: RouteOptions) => {
      ignored = JSON.stringify(problems);
      // The route changes with each of its endpoints; that its options are wrong is said once.
      if (ignored !== previous?.ignored)
        log.warn({ route: route.key, problems, inForce }, "route options ignored");
    };
    const honoured = honourOptions(route.options, report, { operator: config.optionLimits });
    const kept = previous?.kept ?? new Map<string, unknown>();
    const hooks = compileHooks(honoured, route, kept, config.optionLimits);
    const wanted = factOf(hooks, "balancer");
    const balancer = (wanted === undefined ? undefined : byName.get(wanted)) ?? fallback;
    const balancing = hooks.reduce((told, hook) => ({ ...told, ...hook.balancing }), NO_SETTINGS);
    const candidates = endpointsHere.map(
      (endpoint) => new EndpointCandidate(endpoint, endpoints.acquire(endpoint)),
    );
    const service = bindService(route, endpoints);
    if (previous !== undefined) {
      forgiveNewInstances(candidates, previous.candidates);
      // After acquiring: an endpoint that stays must not lose its connections in between.
      detach(previous);
    }
    const picker =
      previous !== undefined && picksAlike(previous, balancer, balancing)
        ? previous.picker
        : balancer.createPicker({ settings: balancing, createFallback });
    const sessionCookie = factOf(hooks, "sessionCookie");
    const sessionCookies = sessionCookie === undefined ? config.stickyCookieNames : [sessionCookie];
    return {
      picker: picker.forPool(candidates, destinationWeights(route)),
      balancer: balancer.name,
      balancing,
      candidates,
      inZone: balancer.isKeyed ? NO_CANDIDATES : inZone(candidates, config.preferredZone),
      maxInFlight: lowerLimit(config.maxInFlightPerEndpoint, factOf(hooks, "maxInFlightPerEndpoint") ?? 0),
      sessionCookies,
      readsSession: sessionCookies.length > 0 || config.stickyForAuthNegotiate,
      service,
      ignored,
      kept: kept.size === 0 ? null : kept,
      rules: hooks.length === 0 ? null : compileRules(hooks, previous?.rules ?? null),
      admit: hooksOf(hooks, "admit"),
      foresee: hooksOf(hooks, "foresee"),
      prepareRequest: hooksOf(hooks, "prepareRequest"),
      requestSent: hooksOf(hooks, "requestSent"),
      responseHead: hooksOf(hooks, "responseHead"),
    };
  };
  const detach = (program: RouteProgram) => {
    for (const candidate of program.candidates) endpoints.release(candidate.load);
    if (program.service !== null) endpoints.release(program.service.candidate.load);
  };
  // With options it is compiled at once, so that what is wrong with them is said while somebody looks.
  const attachesLate: RoutePrograms["attachesLate"] = ({ options }) => isEmpty(options);
  return { attach, attachesLate, detach, endpoints };
}

/** What failed at an address is gone when another instance is registered there: it need not wait for the mark to end. */
function forgiveNewInstances(
  candidates: readonly RoutedCandidate[],
  before: readonly RoutedCandidate[],
): void {
  for (const { endpoint, load } of candidates) {
    if (load.failedUntilMs === 0) continue;
    const known = before.find((other) => other.load === load);
    if (known !== undefined && known.endpoint.instanceId !== endpoint.instanceId) load.failedUntilMs = 0;
  }
}

function isEmpty(map: object): boolean {
  for (const _key in map) return false;
  return true;
}

type Fact = "balancer" | "maxInFlightPerEndpoint" | "sessionCookie";

/** The first option that has something to say. */
function factOf<K extends Fact>(hooks: readonly OptionHooks[], name: K): OptionHooks[K] {
  return hooks.find((hook) => hook[name] !== undefined)?.[name];
}

const picksAlike = (program: RouteProgram, balancer: Balancer, balancing: BalancerSettings): boolean =>
  program.balancer === balancer.name &&
  program.balancing.hashHeader === balancing.hashHeader &&
  program.balancing.hashBalance === balancing.hashBalance;

/** Empty also when all are: then there is nothing to prefer. */
function inZone(candidates: readonly RoutedCandidate[], zone: string): readonly RoutedCandidate[] {
  if (zone === "") return NO_CANDIDATES;
  const found = candidates.filter(({ endpoint }) => endpoint.availabilityZone === zone);
  return found.length === candidates.length ? NO_CANDIDATES : found;
}

const NO_CANDIDATES: readonly RoutedCandidate[] = [];

/** 0 is none. */
const lowerLimit = (a: number, b: number): number => (a === 0 || b === 0 ? a + b : Math.min(a, b));

const NO_HOOKS: readonly never[] = Object.freeze([]);

function hooksOf<K extends keyof OptionHooks>(hooks: readonly OptionHooks[], phase: K): readonly Hook<K>[] {
  const found = hooks.flatMap((hook) => (hook[phase] === undefined ? [] : [hook[phase] as Hook<K>]));
  return found.length === 0 ? NO_HOOKS : found;
}

/** Most endpoints of a big table are never asked: what only requests need is made at the first one. */
class EndpointCandidate implements RoutedCandidate {
  readonly endpoint: Endpoint;
  readonly load: EndpointState;
  readonly address: string;
  readonly service = null;
  #headerLines = "";

  constructor(endpoint: Endpoint, load: EndpointState) {
    this.endpoint = endpoint;
    this.load = load;
    // The same text, where the key says no more.
    this.address = endpoint.tls ? endpointAddress(endpoint) : load.key;
  }

  get headerLines(): string {
    if (this.#headerLines === "") this.#headerLines = flatten(identityLines(this.endpoint));
    return this.#headerLines;
  }
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
