/**
 * The newest changes in a ring. A reader keeps a position, never a queue, so a slow one costs nothing:
 *
 *   sequence:   … 41 42 43 44 45          newest = 45, capacity 4: 42–45 can be replayed
 *                     ▲        ▲
 *      a slow reader ─┘        └─ a quick reader
 *
 * Who has fallen out of the ring takes an image of the whole table and goes on from there.
 */
import type { SequencedEvent } from "../contracts/index.ts";
import type { Endpoint, Reservation } from "../table/index.ts";

/**
 * One numbered change and what it means for each route, as of that moment: filtered readers are told from this,
 * because the table may have moved on when they read.
 */
export type Change = SequencedEvent &
  (
    | {
        readonly kind: "route-upsert";
        readonly reservation: Reservation;
        readonly revision: number;
        readonly before: Reservation | null;
        /** All endpoints that serve the route now. */
        readonly serving: readonly Endpoint[];
        /** Those among them that serve it from now on, because its destinations changed. */
        readonly attached: readonly Endpoint[];
        /** Endpoints that are there still but serve this route no longer. */
        readonly detached: readonly Endpoint[];
      }
    | { readonly kind: "route-delete"; readonly before: Reservation; readonly revision: number }
    | {
        readonly kind: "endpoint-upsert" | "endpoint-delete";
        readonly endpoint: Endpoint;
        /** Routes it serves, or has served until now. */
        readonly routes: readonly Reservation[];
      }
  );

export class ChangeLog {
  readonly #ring: Change[] = [];
  readonly #capacity: number;
  #newest = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Sequence number of the newest change; 0 before the first. */
  get newest(): number {
    return this.#newest;
  }

  append(make: (sequence: number) => Change): Change {
    this.#newest++;
    const change = make(this.#newest);
    this.#ring[this.#newest % this.#capacity] = change;
    return change;
  }

  /** At most `limit` changes after `sequence`, oldest first; null when they are not kept any more. */
  after(sequence: number, limit: number): readonly Change[] | null {
    const missing = this.#newest - sequence;
    if (missing < 0 || missing > this.#capacity) return null;
    const changes: Change[] = [];
    for (let next = sequence + 1; next <= this.#newest && changes.length < limit; next++) {
      const change = this.#ring[next % this.#capacity];
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }
}
