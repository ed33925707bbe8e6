/** What the metrics know of exchanges, beyond plain counts: how long they took, for whom, and what went wrong. */
import type { Exchange } from "./exchange.ts";
import { createHistogram, type Histogram } from "./histogram.ts";

/** Milliseconds; gorouter's buckets. */
const TIME_BUCKETS = [1, 2, 4, 6, 8, 10, 20, 40, 50, 100, 500, 1_000] as const;
/** Nanoseconds; gorouter's buckets. */
const LOOKUP_BUCKETS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => n * 10_000);
/** Names of components come from registrations, which anybody on the bus may send: so many are told apart. */
const MAX_COMPONENTS = 256;
const OTHER_COMPONENTS = "(others)";

export interface ComponentMetrics {
  requests: number;
  /** Milliseconds from the first byte of the request to the last of the answer. */
  readonly latency: Histogram;
}

export class ExchangeMetrics {
  /** By the `component` tag of the endpoint that was asked last; "" without one. */
  readonly components = new Map<string, ComponentMetrics>();
  /** Milliseconds: `latency` less the time spent waiting for the endpoint. */
  readonly routerTime = createHistogram(TIME_BUCKETS);
  /** Nanoseconds. */
  readonly lookupTime = createHistogram(LOOKUP_BUCKETS);
  /** Exchanges that failed, by the code of their error. */
  readonly failures = new Map<string, number>();

  /** Once per exchange, when it has ended. */
  ended(exchange: Exchange): void {
    const { candidate, errorCode, startedAtMs, handedOverAtMs, answeredAtMs, endedAtMs } = exchange;
    if (errorCode !== "") this.failures.set(errorCode, (this.failures.get(errorCode) ?? 0) + 1);
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
    let component = this.components.get(name);
    if (component === undefined) {
      if (this.components.size >= MAX_COMPONENTS && name !== OTHER_COMPONENTS)
        return this.#component(OTHER_COMPONENTS);
      component = { requests: 0, latency: createHistogram(TIME_BUCKETS) };
      this.components.set(name, component);
    }
    return component;
  }
}
