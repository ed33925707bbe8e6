/**
 * Keeps the routing API's endpoints equal to what is wanted: changes at once, heartbeats for all, and whatever
 * failed again and again with growing pauses.
 *
 *   want(lrp, endpoints) ─► difference ─► pending puts / deletes ─► one flush at a time ─► routing API
 *                                                ▲                          │ failed
 *                                                └────────── pause ◄────────┘
 */
import type { RouteTableWriter } from "../contracts/index.ts";
import type { Clock, Logger, Timer } from "../kernel/index.ts";
import { type Endpoint, endpointAddress } from "../table/index.ts";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 10_000;

export interface NativeFeedOptions {
  readonly routeTable: RouteTableWriter;
  readonly ttlMs: number;
  readonly heartbeatMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export class NativeFeed {
  readonly #options: NativeFeedOptions;
  /** By {@link keyOf}; the LRP that wants it, because a new version may take over the address of an old one. */
  readonly #wanted = new Map<string, { readonly lrp: string; readonly endpoint: Endpoint }>();
  readonly #byLrp = new Map<string, ReadonlySet<string>>();
  #puts = new Map<string, Endpoint>();
  #deletes = new Map<string, Endpoint>();
  #isFlushing = false;
  #failures = 0;
  #pause: Timer | null = null;
  #heartbeat: Timer | null = null;
  #isStopped = false;

  constructor(options: NativeFeedOptions) {
    this.#options = options;
  }

  start(): void {
    this.#heartbeat = this.#options.clock.setInterval(() => this.#beat(), this.#options.heartbeatMs);
  }

  /** Endpoints stay in the table: the instances run on, and the next emitter takes over their heartbeats. */
  stop(): void {
    this.#isStopped = true;
    this.#heartbeat?.clear();
    this.#pause?.clear();
  }

  /** These are all endpoints of one LRP now. */
  want(lrp: string, endpoints: readonly Endpoint[]): void {
    const before = this.#byLrp.get(lrp);
    const keys = new Set(endpoints.map(keyOf));
    for (const key of before ?? []) {
      const held = this.#wanted.get(key);
      if (keys.has(key) || held?.lrp !== lrp) continue;
      this.#wanted.delete(key);
      this.#puts.delete(key);
      this.#deletes.set(key, held.endpoint);
    }
    for (const endpoint of endpoints) {
      const key = keyOf(endpoint);
      const held = this.#wanted.get(key);
      this.#wanted.set(key, { lrp, endpoint });
      if (held !== undefined && JSON.stringify(held.endpoint) === JSON.stringify(endpoint)) continue;
      this.#deletes.delete(key);
      this.#puts.set(key, endpoint);
    }
    if (keys.size > 0) this.#byLrp.set(lrp, keys);
    else this.#byLrp.delete(lrp);
    void this.#flush();
  }

  #beat(): void {
    for (const [key, { endpoint }] of this.#wanted) this.#puts.set(key, endpoint);
    void this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#isFlushing || this.#pause !== null) return;
    this.#isFlushing = true;
    try {
      while (!this.#isStopped && (this.#deletes.size > 0 || this.#puts.size > 0)) await this.#flushOnce();
      this.#failures = 0;
    } catch (error) {
      this.#pauseAfter(error);
    } finally {
      this.#isFlushing = false;
    }
  }

  async #flushOnce(): Promise<void> {
    const { routeTable, ttlMs } = this.#options;
    const deletes = this.#deletes;
    const puts = this.#puts;
    this.#deletes = new Map();
    this.#puts = new Map();
    try {
      // Deletes first: a request to an endpoint that is gone fails, one that waits for a new endpoint only waits.
      if (deletes.size > 0) await routeTable.deleteEndpoints([...deletes.values()]);
      deletes.clear();
      if (puts.size > 0) await routeTable.putEndpoints([...puts.values()], ttlMs);
      puts.clear();
    } finally {
      // What did not arrive is pending again, unless something newer was said of it meanwhile.
      for (const [key, endpoint] of deletes) if (!this.#wanted.has(key)) this.#deletes.set(key, endpoint);
      for (const key of puts.keys()) {
        const held = this.#wanted.get(key);
        if (held !== undefined) this.#puts.set(key, held.endpoint);
      }
    }
  }

  #pauseAfter(error: unknown): void {
    const { clock, log } = this.#options;
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(this.#failures++, 10));
    log.warn({ err: error, pauseMs }, "endpoints not reported; trying again");
    if (this.#isStopped) return;
    this.#pause = clock.setTimeout(() => {
      this.#pause = null;
      void this.#flush();
    }, pauseMs);
  }
}

function keyOf(endpoint: Endpoint): string {
  return `${endpoint.processGuid} ${endpointAddress(endpoint)}`;
}
