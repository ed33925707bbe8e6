/** What a router's feeds have done since they started, together, for metrics. Each counts what it does. */
import type { RegisterOutcome } from "../../table/index.ts";
import { createHistogram, type Histogram } from "../histogram.ts";
import { METRICS_DEFAULTS, type MetricsConfig } from "../metrics-config.ts";

/** Components come from messages; a sender that makes them up must not fill the memory. */
const MAX_COMPONENTS = 100;
const OTHER_COMPONENTS = "other";

export class FeedCounts {
  /** Registrations of a URI, by the `component` tag. */
  readonly registered = new Map<string, Record<RegisterOutcome, number>>();
  /** Unregistrations of a URI, by the `component` tag. */
  readonly unregistered = new Map<string, number>();
  /** Endpoints removed for their age. */
  pruned = 0;
  /**
   * When a feed was heard of last, wall clock; null before. A renewal counts: who looks at the age of this wants to know
   * whether registrars are still heard, not whether anything is new.
   */
  lastUpdateAtMs: number | null = null;
  /** Messages that have come and wait for their turn. */
  waitingMessages = 0;
  /** Messages that came while too many waited. */
  droppedMessages = 0;
  /** Failed tries to get a token for the Routing API. */
  tokenFetchErrors = 0;
  /** Failed tries to hear the Routing API's events. */
  subscribeErrors = 0;
  /** Milliseconds from an instance's last change to its first registration here. */
  readonly registrationLatency: Histogram;

  readonly #latencyFromMs: number;

  /** @param startedAtMs  Wall clock. */
  constructor(startedAtMs: number, config: MetricsConfig = METRICS_DEFAULTS) {
    this.registrationLatency = createHistogram(config.histogramBuckets.registrationLatency);
    this.#latencyFromMs = startedAtMs + config.registrationLatencyAfterMs;
  }

  countRegistered(component: string, outcome: RegisterOutcome): void {
    const label = known(component, this.registered);
    let outcomes = this.registered.get(label);
    if (outcomes === undefined) {
      outcomes = { new: 0, updated: 0, unchanged: 0 };
      this.registered.set(label, outcomes);
    }
    outcomes[outcome]++;
  }

  countUnregistered(component: string): void {
    const label = known(component, this.unregistered);
    this.unregistered.set(label, (this.unregistered.get(label) ?? 0) + 1);
  }

  /** An endpoint was registered, again or for the first time, or has left. */
  heard(nowMs: number): void {
    this.lastUpdateAtMs = nowMs;
  }

  /** @param updatedAtNs  As endpoints say it; "" is unknown. */
  countLatency(updatedAtNs: string, nowMs: number): void {
    if (updatedAtNs === "" || nowMs < this.#latencyFromMs) return;
    this.registrationLatency.observe(nowMs - Number(updatedAtNs) / 1e6);
  }
}

function known(component: string, map: ReadonlyMap<string, unknown>): string {
  return map.has(component) || map.size < MAX_COMPONENTS ? component : OTHER_COMPONENTS;
}
