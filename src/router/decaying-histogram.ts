/**
 * Durations of the last minutes, in buckets that each reach 2 % further than the one before: percentiles from it are right
 * within 1 %, and those of several processes are added up bucket by bucket.
 *
 * What is older weighs less, by e every 67 s, so that the present is seen without a window that jumps.
 */
import { METER_TICK_MS } from "./meter.ts";

const STEP = Math.log(1.02);
/** Upper end of the first bucket, milliseconds. */
const LEAST_MS = 0.001;
/** As gorouter's samples decay, per second. */
const DECAY = 0.015;
const KEPT_PER_TICK = Math.exp((-DECAY * METER_TICK_MS) / 1_000);
/** One observation after twenty minutes; nothing that is left of it shows. */
const FORGOTTEN_WEIGHT = 1e-8;

export class DecayingHistogram {
  /** Weight by bucket; only those that have any. */
  readonly weights = new Map<number, number>();

  observe(ms: number): void {
    const bucket = ms <= LEAST_MS ? 0 : Math.ceil(Math.log(ms / LEAST_MS) / STEP);
    this.weights.set(bucket, (this.weights.get(bucket) ?? 0) + 1);
  }

  /** Call it every {@link METER_TICK_MS}. */
  tick(): void {
    for (const [bucket, weight] of this.weights) {
      const left = weight * KEPT_PER_TICK;
      if (left < FORGOTTEN_WEIGHT) this.weights.delete(bucket);
      else this.weights.set(bucket, left);
    }
  }
}

/** @param share  0.95: so much of the weight is at or below the answer. @returns milliseconds; 0 of nothing. */
export function percentile(weights: ReadonlyMap<number, number>, share: number): number {
  const buckets = [...weights].toSorted(([a], [b]) => a - b);
  let left = share * buckets.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [bucket, weight] of buckets) {
    left -= weight;
    // The middle of the bucket, on the scale that the buckets are on; weights are no whole numbers.
    if (left <= 1e-9) return LEAST_MS * Math.exp((bucket - 0.5) * STEP);
  }
  return 0;
}
