import { type Balancer, type Candidate, isEligible, type PickContext, type Picker } from "./define.ts";

class LeastConnection implements Picker {
  pick<C extends Candidate>(candidates: readonly C[], context: PickContext): C | undefined {
    let best: C | undefined;
    let bestFailed = true;
    let ties = 0;
    for (const candidate of candidates) {
      if (!isEligible(candidate, context)) continue;
      // A failed endpoint has no load, and would attract everything: it comes after all others.
      const failed = candidate.load.failedUntilMs > context.nowMs;
      if (best !== undefined) {
        if (failed && !bestFailed) continue;
        if (failed === bestFailed) {
          if (candidate.load.inFlight > best.load.inFlight) continue;
          if (candidate.load.inFlight === best.load.inFlight) {
            // Reservoir sampling: the n-th of n equals replaces the choice with probability 1/n.
            ties++;
            if (Math.random() * ties >= 1) continue;
            best = candidate;
            continue;
          }
        }
      }
      best = candidate;
      bestFailed = failed;
      ties = 1;
    }
    return best;
  }
}

export const leastConnection: Balancer = {
  name: "least-connection",
  summary: "The endpoint with the fewest exchanges in flight; ties are broken at random.",
  createPicker: () => new LeastConnection(),
};
