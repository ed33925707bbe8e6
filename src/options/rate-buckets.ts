/**
 * A bucket of tokens per client, filled evenly; a request takes one. What is kept of a bucket is the moment at which it is
 * full again, so that one that is full needs no memory at all.
 *
 *   rate 2/s, burst 4          now     full at
 *                               ├────┬────┤          two tokens are missing: two are left
 *                               └ 0.5 s ┘
 */
export interface RateRule {
  /** Tokens of a full bucket. */
  readonly burst: number;
  /** Between one token and the next. */
  readonly intervalMs: number;
}

export interface Taken {
  /** Null: there was one. Else how long until there is one. */
  readonly waitMs: number | null;
  /** Whole tokens that are left. */
  readonly left: number;
  readonly fullInMs: number;
}

/** Half a megabyte at most. When there are more, who has been quiet longest is forgotten: its bucket is full again. */
export const MAX_CLIENTS = 4_096;
/** Of a token: what adding up fractions of milliseconds may cost. */
const TOLERANCE = 1e-6;

export class RateBuckets {
  /** By client; who came last is last. */
  readonly #fullAtMs = new Map<string, number>();

  get size(): number {
    return this.#fullAtMs.size;
  }

  take(client: string, nowMs: number, { burst, intervalMs }: RateRule): Taken {
    const fullAtMs = Math.max(this.#fullAtMs.get(client) ?? nowMs, nowMs);
    // A rule that has become stricter finds no bucket emptier than empty.
    const tokens = Math.max(0, burst - (fullAtMs - nowMs) / intervalMs);
    if (tokens + TOLERANCE < 1) {
      return { waitMs: (1 - tokens) * intervalMs, left: 0, fullInMs: (burst - tokens) * intervalMs };
    }
    const left = tokens - 1;
    const fullInMs = (burst - left) * intervalMs;
    this.#remember(client, nowMs + fullInMs, nowMs);
    return { waitMs: null, left: Math.floor(left + TOLERANCE), fullInMs };
  }

  #remember(client: string, fullAtMs: number, nowMs: number): void {
    this.#fullAtMs.delete(client);
    this.#fullAtMs.set(client, fullAtMs);
    // Two for each that comes: full ones do not pile up, and nobody pays for a sweep.
    for (let i = 0; i < 2; i++) {
      const [oldest, oldestFullAtMs] = this.#fullAtMs.entries().next().value as [string, number];
      if (oldestFullAtMs <= nowMs || this.#fullAtMs.size > MAX_CLIENTS) this.#fullAtMs.delete(oldest);
    }
  }
}
