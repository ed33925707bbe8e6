import { type Candidate, type EndpointLoad, isEligible, type PickContext, type Picker } from "./define.ts";

interface Share {
  readonly weight: number;
  /** What it has been given and has not spent on being picked. */
  credit: number;
}

/**
 * Turns by weight, evenly mixed: each pick gives every candidate that may serve its weight as credit, takes the one
 * with the most, and has it pay what all of them got. Weights 3 and 1 are a, a, b, a and not a, a, a, b; who is away
 * gets no credit and has none to catch up with later.
 */
export class WeightedRoundRobin implements Picker {
  readonly #shares: ReadonlyMap<EndpointLoad, Share>;
  /** Of the picker for a pool without weights. */
  readonly #plain: Picker;

  /** @param before  Whose credits go on. */
  constructor(
    plain: Picker,
    candidates: readonly Candidate[],
    weights: readonly number[],
    before: WeightedRoundRobin | null = null,
  ) {
    this.#plain = plain;
    this.#shares = new Map(
      candidates.map(({ load }, i) => {
        const weight = weights[i] ?? 0;
        // Random at first: many routers must not all begin at the same endpoint.
        const credit =
          (before === null ? undefined : before.#shares.get(load))?.credit ?? Math.random() * weight;
        return [load, { weight, credit }];
      }),
    );
  }

  forPool(candidates: readonly Candidate[], weights: readonly number[] | null = null): Picker {
    if (weights === null) return this.#plain.forPool(candidates);
    return new WeightedRoundRobin(this.#plain, candidates, weights, this);
  }

  pick<C extends Candidate>(candidates: readonly C[], context: PickContext): C | undefined {
    let best: C | undefined;
    let bestShare: Share | undefined;
    let total = 0;
    let sawFailed = false;
    for (const candidate of candidates) {
      if (!isEligible(candidate, context)) continue;
      if (candidate.load.failedUntilMs > context.nowMs) {
        sawFailed = true;
        continue;
      }
      const share = this.#shares.get(candidate.load);
      if (share === undefined) continue;
      share.credit += share.weight;
      total += share.weight;
      if (bestShare !== undefined && share.credit <= bestShare.credit) continue;
      best = candidate;
      bestShare = share;
    }
    if (bestShare !== undefined) bestShare.credit -= total;
    if (best !== undefined || !sawFailed) return best;
    // Everybody left is marked: as without weights, all get a fresh chance.
    for (const candidate of candidates) candidate.load.failedUntilMs = 0;
    return this.pick(candidates, context);
  }
}
