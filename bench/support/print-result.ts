/** How a load generator of our own says what came of it. */
import type { LoadResult } from "./load.ts";

/** Prints a {@link LoadResult} in JSON, and ends the process. @param timesMs  Of what was answered. */
export function printResult(timesMs: readonly number[], failures: number, tookS: number): void {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const result: LoadResult = {
    requests: sorted.length,
    requestsPerSecond: sorted.length / tookS,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failures,
  };
  process.stdout.write(JSON.stringify(result), () => process.exit(0));
}
