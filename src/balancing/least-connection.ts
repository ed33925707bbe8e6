import { type Balancer, type Candidate, isEligible, type PickContext, type Picker } from "./define.ts";

class LeastConnection implements Picker {
  /** Where the next look begins. Random at first: many routers must not all begin at the same endpoint. */
  #next = Math.floor(Math.random() * 0x1_0000);

  forPool(): Picker {
    return this;
  }

  pick<C extends Candidate>(candidates: readonly C[], context: PickContext): C | undefined {
    const count = candidates.length;
    let best = -1;
    let bestInFlight = Number.POSITIVE_INFINITY;
    let bestFailed = true;
    for (let i = 0; i < count; i++) {
      const at = (this.#next + i) % count;
      const candidate = candidates[at] as C;
      if (!isEligible(candidate, context)) continue;
      // A failed endpoint has no load, and would attract everything: it comes after all others.
      const failed = candidate.load.failedUntilMs > context.nowMs;
      if (failed && !bestFailed) continue;
      // Among equals the first wins, and each look begins behind the last winner: equals are served in turn.
      if (failed === bestFailed && candidate.load.inFlight >= bestInFlight) continue;
      best = at;
      bestInFlight = candidate.load.inFlight;
      bestFailed = failed;
    }
    if (best < 0) return undefined;
    this.#next = best + 1;
    return candidates[best];
  }
}

export const leastConnection: Balancer = {
  name: "least-connection",
  summary: "The endpoint with the fewest exchanges in flight; equals are served in turn.",
  isKeyed: false,
  createPicker: () => new LeastConnection(),
};
