import {
  type Balancer,
  type BalancerSettings,
  type Candidate,
  isEligible,
  isFailed,
  type PickContext,
  type Picker,
} from "./define.ts";
import { HashTable, hashText } from "./hash-table.ts";

class Hash implements Picker {
  readonly #settings: BalancerSettings;
  readonly #fallback: Picker;
  readonly #pool: readonly Candidate[];
  readonly #table: HashTable;
  /** Who may be picked, written anew for every pick that needs it; 0 is no. */
  readonly #flags: Uint8Array;

  constructor(
    settings: BalancerSettings,
    fallback: Picker,
    pool: readonly Candidate[] = [],
    table: HashTable = new HashTable(pool),
  ) {
    this.#settings = settings;
    this.#fallback = fallback;
    this.#pool = pool;
    this.#table = table;
    this.#flags = new Uint8Array(pool.length);
  }

  forPool(pool: readonly Candidate[]): Picker {
    const table = this.#table.fits(pool) ? this.#table : new HashTable(pool);
    return new Hash(this.#settings, this.#fallback.forPool(pool), pool, table);
  }

  pick<C extends Candidate>(candidates: readonly C[], context: PickContext): C | undefined {
    const { hashHeader, hashBalance } = this.#settings;
    const value = hashHeader === "" ? undefined : context.requestHeader(hashHeader);
    if (value === undefined || value === "") return this.#fallback.pick(candidates, context);
    const hash = hashText(value);
    const pool = this.#pool as readonly C[];
    if (candidates === pool && pool.length !== 0 && hashBalance === 0) {
      const owner = pool[this.#table.owner(hash)] as C;
      if (isEligible(owner, context) && !isFailed(owner, context)) return owner;
    }
    // Failed ones only when nothing else is left.
    const count = this.#flag(candidates, context, false) || this.#flag(candidates, context, true);
    if (count === 0) return undefined;
    const place = this.#table.owner(hash, this.#flags);
    return pool[hashBalance === 0 ? place : this.#belowBound(place, count)];
  }

  /** Flags those that may be picked, and counts them. */
  #flag(candidates: readonly Candidate[], context: PickContext, takesFailed: boolean): number {
    const isWhole = candidates === this.#pool;
    const pool = this.#pool;
    let count = 0;
    for (let place = 0; place < pool.length; place++) {
      const candidate = pool[place] as Candidate;
      const may =
        isEligible(candidate, context) &&
        (takesFailed || !isFailed(candidate, context)) &&
        (isWhole || candidates.includes(candidate));
      this.#flags[place] = may ? 1 : 0;
      if (may) count++;
    }
    return count;
  }

  /** From `place` on, the first that stays below the bound with one exchange more. */
  #belowBound(place: number, count: number): number {
    let inFlight = 0;
    for (let i = 0; i < this.#pool.length; i++) {
      if (this.#flags[i] !== 0) inFlight += (this.#pool[i] as Candidate).load.inFlight;
    }
    // Rounded up, and at least the average: somebody is always below it.
    const bound = Math.ceil((Math.max(1, this.#settings.hashBalance) * (inFlight + 1)) / count);
    let at = place;
    while (this.#flags[at] === 0 || (this.#pool[at] as Candidate).load.inFlight >= bound) {
      at = this.#table.next(at);
    }
    return at;
  }
}

export const hash: Balancer = {
  name: "hash",
  summary: "The endpoint that the value of a request header belongs to, as long as the pool stays the same.",
  isKeyed: true,
  createPicker: ({ settings, createFallback }) => new Hash(settings, createFallback()),
};
