/** Reads what wrk prints. */
import type { LoadResult } from "./load.ts";

const UNIT_MS: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** @param text  What `wrk --latency` printed. @throws when it is not the report of a finished run */
export function parseWrk(text: string): LoadResult {
  const number = (pattern: RegExp): number | null => {
    const match = pattern.exec(text);
    return match === null ? null : Number(match[1]);
  };
  const percentile = (percent: number): number | null => {
    const match = new RegExp(`^\\s+${percent}%\\s+([\\d.]+)(us|ms|s|m|h) *$`, "m").exec(text);
    return match === null ? null : Number(match[1]) * (UNIT_MS[match[2] ?? ""] ?? Number.NaN);
  };
  const requests = number(/^\s+(\d+) requests in /m);
  const requestsPerSecond = number(/^Requests\/sec:\s+([\d.]+)$/m);
  const p50Ms = percentile(50);
  const p99Ms = percentile(99);
  if (requests === null || requestsPerSecond === null || p50Ms === null || p99Ms === null) {
    throw new Error(`wrk printed no report:\n${text}`);
  }
  const sockets = /^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$/m.exec(text);
  const socketErrors = sockets === null ? 0 : sockets.slice(1).reduce((sum, count) => sum + Number(count), 0);
  const badAnswers = number(/^\s+Non-2xx or 3xx responses: (\d+)$/m) ?? 0;
  return { requests, requestsPerSecond, p50Ms, p99Ms, failures: socketErrors + badAnswers };
}
