/** How old an endpoint may become that nobody registers again, and what becomes of it then. */
import type { Clock, Logger } from "../../kernel/index.ts";
import { endpointAddress, type PrunedEndpoint, type Table } from "../../table/index.ts";
import type { FeedCounts } from "./feed-counts.ts";
import { createSteps } from "./slices.ts";

export interface Pruner {
  /** Removes what nobody renewed in time, one log line per route; what takes longer than a slice goes on in later turns. */
  prune(): void;
  stop(): void;
}

export function createPruner(given: {
  readonly table: Table;
  readonly counts: FeedCounts;
  readonly log: Logger;
  /** That registrations were made with. */
  readonly clock: Clock;
}): Pruner {
  const { table, counts, log, clock } = given;
  const steps = createSteps(clock);
  let isPruning = false;

  function* pruneAll(nowMs: number): Generator<undefined, void> {
    for (const pruned of table.pruneInSteps(nowMs)) {
      tell(pruned);
      yield;
    }
    isPruning = false;
  }

  const tell = (pruned: readonly PrunedEndpoint[]) => {
    if (pruned.length === 0) return;
    counts.pruned += pruned.length;
    counts.heard(clock.nowMs());
    for (const [uri, endpoints] of Map.groupBy(pruned, ({ route }) => route)) {
      log.info(
        {
          uri,
          endpoints: endpoints.map(({ endpoint }) => endpointAddress(endpoint)),
          isolation_segment: endpoints[0]?.endpoint.isolationSegment || "-",
        },
        "pruned-route",
      );
    }
  };

  return {
    prune() {
      // A table so large that the last time is not over needs no other.
      if (isPruning) return;
      isPruning = true;
      steps.begin(pruneAll(clock.monotonicMs()));
    },
    stop() {
      steps.stop();
      isPruning = false;
    },
  };
}

/**
 * After what time a registration counts as stale: it may ask for less than the configured threshold, never for more.
 * @param askedSeconds  0 asks for nothing.
 */
export function staleAfter(askedSeconds: number, thresholdMs: number): number {
  const askedMs = askedSeconds * 1_000;
  return askedMs > 0 && askedMs < thresholdMs ? askedMs : thresholdMs;
}
