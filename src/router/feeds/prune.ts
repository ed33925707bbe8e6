/** How old an endpoint may become that nobody registers again, and what becomes of it then. */
import type { Logger } from "../../kernel/index.ts";
import { endpointAddress, type Table } from "../../table/index.ts";

/**
 * Removes what nobody renewed in time, one log line per route.
 * @param nowMs  Of the clock that registrations were made with.
 * @returns how many endpoints
 */
export function prune(table: Table, nowMs: number, log: Logger): number {
  const pruned = table.prune(nowMs);
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
  return pruned.length;
}

/**
 * After what time a registration counts as stale: it may ask for less than the configured threshold, never for more.
 * @param askedSeconds  0 asks for nothing.
 */
export function staleAfter(askedSeconds: number, thresholdMs: number): number {
  const askedMs = askedSeconds * 1_000;
  return askedMs > 0 && askedMs < thresholdMs ? askedMs : thresholdMs;
}
