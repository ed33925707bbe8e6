/**
 * The order of addresses in answers. Most clients take the first, so every address comes first equally often: in turn,
 * not by luck. The others follow in random order, because a fixed one would give all the traffic of a dead first
 * address to the same second, and cutting an answer would always lose the same tail.
 */

/** Uniform in [0, 1), as `Math.random`. */
export type Random = () => number;

/** The same numbers in the same order for the same seed (mulberry32). For tests, not for secrets. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface Rotation<T> {
  /** All items, or `limit` of them when it is above 0, in the next order. */
  next(limit: number): readonly T[];
}

export function createRotation<T>(items: readonly T[], random: Random): Rotation<T> {
  // Starting anywhere: rotations are made anew when a route changes, and then the first must not be preferred.
  let turn = Math.floor(random() * items.length);
  return {
    next(limit) {
      const order = items.slice();
      const last = limit > 0 ? Math.min(limit, order.length) : order.length;
      if (order.length > 1) swap(order, 0, turn++ % order.length);
      for (let i = 1; i < last; i++) swap(order, i, i + Math.floor(random() * (order.length - i)));
      order.length = last;
      return order;
    },
  };
}

function swap<T>(items: T[], i: number, j: number): void {
  const kept = items[i] as T;
  items[i] = items[j] as T;
  items[j] = kept;
}
