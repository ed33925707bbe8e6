/**
 * What would become of a request that came now: which route it would find and why no other, which options are in
 * force and who set them, which endpoints there are and how they fare, and what the client would get.
 *
 * Reads the same table, programs and endpoint states as the data path, and changes none of them.
 */
import { routeServiceRequestFailed } from "../kernel/errors/route-services.ts";
import {
  connectionLimitReached,
  emptyHost,
  noEndpoints,
  routeServiceUnsupported,
  unknownRoute,
} from "../kernel/errors/router.ts";
import { ViaductError } from "../kernel/index.ts";
import { findOption, honourOptions, type OptionProblem } from "../options/index.ts";
import type { Route } from "../table/index.ts";
import type { RouterContext } from "./context.ts";
import type { RoutedCandidate, RouteProgram } from "./program.ts";

export interface Question {
  /** `http://shop.example.com/cart?id=7`; scheme, port and query may be missing. */
  readonly url: string;
  readonly method: string;
}

/** Who set an option. */
export type OptionOrigin = "reservation" | "registration" | "config";

export interface ExplainedEndpoint {
  readonly address: string;
  readonly state: "ready" | "marked as failed" | "at its limit";
  /** How long it is still avoided; 0 when it is not. */
  readonly markedForMs: number;
  readonly inFlight: number;
  readonly idleConnections: number;
  readonly zone: string;
  readonly protocol: string;
  readonly tls: boolean;
  readonly appGuid: string;
  readonly instanceId: string;
  readonly instanceIndex: string;
}

export interface Explanation {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** Null when no route matches. */
  readonly route: {
    readonly key: string;
    /** GUID of the reservation; null when only registrations keep the route. */
    readonly reservation: string | null;
    readonly routeServiceUrl: string | null;
  } | null;
  /** Routes of the same host, and wildcards for it, that do not match, or not as well. */
  readonly others: readonly { readonly route: string; readonly why: string }[];
  readonly options: readonly {
    readonly name: string;
    readonly value: string | number | boolean;
    readonly from: OptionOrigin;
    /** What the value means, "" where it says all. */
    readonly meaning: string;
  }[];
  readonly ignoredOptions: readonly OptionProblem[];
  readonly endpoints: readonly ExplainedEndpoint[];
  /** What the client would get. `status` is null when that is up to an endpoint. */
  readonly now: { readonly status: number | null; readonly routerError: string; readonly text: string };
}

/** Further routes that are told of. */
const MAX_OTHERS = 20;
/** Routes looked at before traffic has its turn. */
const ROUTES_PER_TURN = 2_000;

export async function explain(router: RouterContext, { url, method }: Question): Promise<Explanation> {
  const { rawHost, host, path } = splitUrl(url);
  const route = host === "" ? null : router.table.lookup(host, path);
  const others = await otherRoutes(router, host, path, route);
  const problems: OptionProblem[] = [];
  const honoured = honourOptions(route?.options, (found) => problems.push(...found), {
    operator: router.config.optionLimits,
  });
  return {
    method,
    host,
    path,
    route:
      route === null
        ? null
        : {
            key: route.key,
            reservation: route.reservation?.guid ?? null,
            routeServiceUrl: route.routeServiceUrl,
          },
    others,
    options: route === null ? [] : optionsInForce(router, route, honoured),
    ignoredOptions: problems,
    endpoints:
      route?.attachment.candidates.map((candidate) => endpointOf(router, route.attachment, candidate)) ?? [],
    now: outcome(router, route, rawHost, { url, method }),
  };
}

function splitUrl(url: string): { rawHost: string; host: string; path: string } {
  const rest = url.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").replace(/#.*$/, "");
  const end = rest.search(/[/?]/);
  const rawHost = end === -1 ? rest : rest.slice(0, end);
  const target = end === -1 ? "/" : rest.slice(end);
  const host = rawHost.replace(/:.*$/, "").toLowerCase();
  return { rawHost, host, path: target.startsWith("/") ? target : `/${target}` };
}

// === why not another route ===

async function otherRoutes(
  { table }: RouterContext,
  host: string,
  path: string,
  matched: Route | null,
): Promise<Explanation["others"]> {
  if (host === "") return [];
  const hosts = hostsFor(host);
  const fitting: { route: string; why: string }[] = [];
  const unfit: { route: string; why: string }[] = [];
  let looked = 0;
  for (const route of table.snapshot().routes()) {
    if (++looked % ROUTES_PER_TURN === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    if (!hosts.includes(route.host) || route.key === matched?.key) continue;
    if (!beginsWith(path, route.path)) {
      const why = `its path ${route.path} is not the beginning of ${withoutQuery(path)}, segment by segment`;
      unfit.push({ route: route.key, why });
    } else fitting.push({ route: route.key, why: whyNotBest(route, matched, hosts) });
  }
  return [...fitting, ...unfit].slice(0, MAX_OTHERS);
}

function whyNotBest(route: Route, matched: Route | null, hosts: readonly string[]): string {
  if (matched === null) return "it has come or gone while this was asked";
  if (hosts.indexOf(route.host) > hosts.indexOf(matched.host)) {
    return `${route.host} is asked only when no route of ${matched.host} matches`;
  }
  if (route.path.length < matched.path.length) return `its path is shorter than ${matched.path}`;
  return "nobody holds it and it has no endpoint: passed over for one that is held or has endpoints";
}

/** In the order in which they are asked: `a.b.c`, `*.b.c`, `*.c`. */
function hostsFor(host: string): readonly string[] {
  const labels = host.split(".");
  return [host, ...labels.slice(1).map((_, i) => `*.${labels.slice(i + 1).join(".")}`)];
}

const withoutQuery = (path: string) => path.split("?", 1)[0] ?? "";

function beginsWith(path: string, prefix: string): boolean {
  const asked = withoutQuery(path).toLowerCase();
  return prefix === "" || asked === prefix.toLowerCase() || asked.startsWith(`${prefix.toLowerCase()}/`);
}

// === what is in force ===

function optionsInForce(
  { config }: RouterContext,
  route: Route<RouteProgram>,
  honoured: Route["options"],
): Explanation["options"] {
  const from: OptionOrigin = route.reservation === null ? "registration" : "reservation";
  const own = Object.entries(honoured).map(([name, value]) => {
    const meaning = findOption(name)?.explain(value as never) ?? "";
    return { name, value, from, meaning };
  });
  const replaced = Object.keys(honoured).flatMap((name) => [name, ...(findOption(name)?.replaces ?? [])]);
  const operators = {
    loadbalancing: route.attachment.balancer,
    endpoint_timeout: seconds(config.endpointTimeoutMs),
    endpoint_dial_timeout: seconds(config.endpointDialTimeoutMs),
    max_attempts: config.maxAttempts,
    max_conns: config.maxInFlightPerEndpoint || "no limit",
  };
  return [
    ...own,
    ...Object.entries(operators)
      .filter(([name]) => !replaced.includes(name))
      .map(([name, value]) => ({ name, value, from: "config" as const, meaning: "" })),
  ];
}

const seconds = (ms: number) => (ms === 0 ? "no limit" : `${ms / 1_000}s`);

function endpointOf(
  router: RouterContext,
  program: RouteProgram,
  { endpoint, load, address }: RoutedCandidate,
): ExplainedEndpoint {
  const markedForMs = Math.max(0, Math.ceil(load.failedUntilMs - router.ticker.nowMs));
  return {
    address,
    state: isFull(program, load) ? "at its limit" : markedForMs > 0 ? "marked as failed" : "ready",
    markedForMs,
    inFlight: load.inFlight,
    idleConnections: load.idle.length,
    zone: endpoint.availabilityZone,
    protocol: endpoint.protocol,
    tls: endpoint.tls,
    appGuid: endpoint.appGuid,
    instanceId: endpoint.instanceId,
    instanceIndex: endpoint.instanceIndex,
  };
}

function isFull({ maxInFlight }: RouteProgram, load: RoutedCandidate["load"]): boolean {
  return maxInFlight !== 0 && load.inFlight >= maxInFlight;
}

// === what the client would get ===

function outcome(
  router: RouterContext,
  route: Route<RouteProgram> | null,
  rawHost: string,
  question: Question,
): Explanation["now"] {
  if (rawHost === "") return refusal(emptyHost({}));
  if (route === null) return refusal(unknownRoute({ host: rawHost }));
  const closed = optionOutcome(router, route.attachment, question);
  if (closed !== null) return closed;
  if (route.routeServiceUrl !== null) return serviceOutcome(router, route.attachment);
  const { candidates } = route.attachment;
  if (candidates.length === 0) return refusal(noEndpoints({ host: rawHost }));
  if (candidates.every(({ load }) => isFull(route.attachment, load)))
    return refusal(connectionLimitReached({ host: rawHost }));
  return { status: null, routerError: "", text: handOver(router, route.attachment, question.method) };
}

/** What an option of the route would answer in the app's place. */
function optionOutcome(
  { config }: RouterContext,
  { foresee }: RouteProgram,
  { url }: Question,
): Explanation["now"] | null {
  const { host, path: target } = splitUrl(url);
  // Who leaves the scheme out need not be told of the other one.
  const isHttps = config.forceForwardedProtoHttps || !/^http:/i.test(url);
  for (const hook of foresee) {
    const foreseen = hook({ host, target, isHttps });
    if (foreseen === null) continue;
    if (foreseen instanceof ViaductError) return refusal(foreseen);
    const { status, headers } = foreseen;
    const to = headers["Location"] === undefined ? "" : `, which leads to ${headers["Location"]}`;
    return { status, routerError: "", text: `the route answers itself${to}` };
  }
  return null;
}

function serviceOutcome({ routeServices }: RouterContext, { service }: RouteProgram): Explanation["now"] {
  if (routeServices === null) return refusal(routeServiceUnsupported({}));
  if (service === null) return refusal(routeServiceRequestFailed({}));
  const text = `goes to the route service ${service.url} first, and from there back here`;
  return { status: null, routerError: "", text };
}

const refusal = (error: ViaductError): Explanation["now"] => ({
  status: error.status,
  routerError:
    error.definition.routerError ??
    (error.source === "upstream" ? `endpoint_failure (${error.message})` : ""),
  text: error.message,
});

function handOver(
  { config, ticker }: RouterContext,
  { candidates, rules }: RouteProgram,
  method: string,
): string {
  const tries = Math.min(rules?.retry?.maxAttempts || config.maxAttempts, candidates.length);
  const ready = candidates.filter(({ load }) => load.failedUntilMs <= ticker.nowMs).length;
  const first =
    ready === 0
      ? `all ${candidates.length} endpoints are marked as failed, so one of them is asked all the same`
      : `handed to one of ${ready} of ${candidates.length} endpoints`;
  if (tries === 1) return first;
  const again = ["GET", "HEAD", "OPTIONS", "TRACE"].includes(method)
    ? `up to ${tries} are tried if it fails before its answer begins`
    : `up to ${tries} are tried, but only while none has been sent the request`;
  return `${first}; ${again}`;
}
