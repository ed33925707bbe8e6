/** What the metrics know of exchanges, beyond plain counts: how long they took, for whom, and what went wrong. */
import type { Exchange } from "./exchange.ts";
import { createHistogram, type Histogram } from "./histogram.ts";
import { METRICS_DEFAULTS, type MetricsConfig } from "./metrics-config.ts";

/** Names of components and apps come from registrations, which anybody on the bus may send: so many are told apart. */
export const MAX_COMPONENTS = 256;
const MAX_APPS = 10_000;
const OTHERS = "(others)";
/** Whose latency it is when no endpoint was asked; gorouter's name. */
const OURSELVES = "gorouter";

export interface ComponentMetrics {
  requests: number;
  /** Milliseconds from the first byte of the request to the last of the answer. */
  readonly latency: Histogram;
}

export class ExchangeMetrics {
  /** By the `component` tag of the endpoint that was asked last; "" without one. */
  readonly components = new Map<string, ComponentMetrics>();
  /** Milliseconds: `latency` less the time spent waiting for the endpoint. */
  readonly routerTime: Histogram;
  /** Nanoseconds. */
  readonly lookupTime: Histogram;
  /** Exchanges that failed, by the code of their error. */
  readonly failures = new Map<string, number>();
  /** Seconds, by `source_id` tag or app GUID; null when nobody wants to know. */
  readonly apps: Map<string, Histogram> | null;
  readonly #config: MetricsConfig;

  constructor(config = METRICS_DEFAULTS) {
    this.#config = config;
    this.routerTime = createHistogram(config.histogramBuckets.gorouterTime);
    this.lookupTime = createHistogram(config.histogramBuckets.routeLookupTime);
    this.apps = config.countsLatencyPerApp ? new Map() : null;
  }

  /** Once per exchange, when it has ended. */
  ended(exchange: Exchange): void {
    const { candidate, errorCode, startedAtMs, handedOverAtMs, answeredAtMs, endedAtMs } = exchange;
    if (errorCode !== "") this.failures.set(errorCode, (this.failures.get(errorCode) ?? 0) + 1);
    if (this.apps !== null) this.#countApp(this.apps, exchange);
    if (candidate === null) return;
    const component = this.#component(candidate.endpoint.tags["component"] ?? "");
    component.requests++;
    // How long a tunnel lasts says nothing about anybody's speed.
    if (answeredAtMs === -1 || exchange.isTunnel) return;
    const totalMs = endedAtMs - startedAtMs;
    component.latency.observe(totalMs);
    this.routerTime.observe(totalMs - (answeredAtMs - handedOverAtMs));
  }

  #component(name: string): ComponentMetrics {
    return oneOfMany(this.components, name, MAX_COMPONENTS, () => ({
      requests: 0,
      latency: createHistogram(this.#config.histogramBuckets.responseLatency),
    }));
  }

  #countApp(apps: Map<string, Histogram>, { candidate, startedAtMs, endedAtMs, isTunnel }: Exchange): void {
    if (isTunnel) return;
    const app = candidate?.endpoint.tags["source_id"] || candidate?.endpoint.appGuid || OURSELVES;
    const { httpLatency } = this.#config.histogramBuckets;
    oneOfMany(apps, app, MAX_APPS, () => createHistogram(httpLatency)).observe(
      (endedAtMs - startedAtMs) / 1_000,
    );
  }
}

/** The value under `name`; beyond `limit` names the one that all others share. */
export function oneOfMany<V>(map: Map<string, V>, name: string, limit: number, create: () => V): V {
  let value = map.get(name);
  if (value === undefined) {
    if (map.size >= limit && name !== OTHERS) return oneOfMany(map, OTHERS, limit, create);
    value = create();
    map.set(name, value);
  }
  return value;
}
