import { type Balancer, type Candidate, isEligible, type PickContext, type Picker } from "./define.ts";
import { WeightedRoundRobin } from "./weighted-round-robin.ts";

class RoundRobin implements Picker {
  /** Random at first: many routers, or many pools, must not all begin at the same endpoint. */
  #next = Math.floor(Math.random() * 0x1_0000);

  forPool(candidates: readonly Candidate[], weights: readonly number[] | null = null): Picker {
    return weights === null ? this : new WeightedRoundRobin(this, candidates, weights);
  }

  pick<C extends Candidate>(candidates: readonly C[], context: PickContext): C | undefined {
    const count = candidates.length;
    let sawFailed = false;
    for (let i = 0; i < count; i++) {
      const at = this.#next % count;
      this.#next = at + 1;
      const candidate = candidates[at] as C;
      if (!isEligible(candidate, context)) continue;
      if (candidate.load.failedUntilMs <= context.nowMs) return candidate;
      sawFailed = true;
    }
    if (!sawFailed) return undefined;
    // Everybody left is marked: nothing is known to be better, so all get a fresh chance.
    for (const candidate of candidates) candidate.load.failedUntilMs = 0;
    return this.pick(candidates, context);
  }
}

export const roundRobin: Balancer = {
  name: "round-robin",
  summary:
    "Each endpoint in turn, as often as its weight says; failed ones are skipped while others are left.",
  isKeyed: false,
  createPicker: () => new RoundRobin(),
};
