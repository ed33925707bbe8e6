/**
 * The last exchanges in short: which route matched, how many attempts, what went wrong. Exchanges with details have
 * a ring of their own, so that the many that went well do not push the few that did not out of it. Slots are reused.
 */
import type { VerdictDetails } from "./verdict.ts";

export interface VerdictEntry {
  endedAtMs: number;
  requestId: string;
  /** `host/path` of the route; "" when none matched. */
  route: string;
  /** `host:port` of the last endpoint; "" when none was tried. */
  endpoint: string;
  attempts: number;
  status: number;
  /** Code of the catalogued error; "" when all went well. */
  errorCode: string;
  /** From the first byte of the request head to the end. */
  durationMs: number;
  /** Null of an exchange that went well. */
  details: VerdictDetails | null;
}

export class VerdictRing {
  readonly #plain: Ring;
  readonly #detailed: Ring;

  /** @param size  Of each of the two rings. */
  constructor(size: number) {
    this.#plain = new Ring(size);
    this.#detailed = new Ring(size);
  }

  /** The slot to fill in for one more exchange. */
  take(details: VerdictDetails | null): VerdictEntry {
    const slot = (details === null ? this.#plain : this.#detailed).take();
    slot.details = details;
    return slot;
  }

  /** Newest first; copies. */
  list(): VerdictEntry[] {
    return [...this.#plain.entries(), ...this.#detailed.entries()]
      .toSorted((a, b) => b.endedAtMs - a.endedAtMs)
      .map((entry) => ({ ...entry }));
  }

  /** By request id; a copy, null when it is not kept (any more). */
  find(requestId: string): VerdictEntry | null {
    for (const ring of [this.#detailed, this.#plain]) {
      for (const entry of ring.entries()) if (entry.requestId === requestId) return { ...entry };
    }
    return null;
  }
}

class Ring {
  readonly #slots: VerdictEntry[] = [];
  readonly #size: number;
  #next = 0;

  constructor(size: number) {
    this.#size = size;
  }

  take(): VerdictEntry {
    let slot = this.#slots[this.#next];
    if (slot === undefined) {
      slot = {
        endedAtMs: 0,
        requestId: "",
        route: "",
        endpoint: "",
        attempts: 0,
        status: 0,
        errorCode: "",
        durationMs: 0,
        details: null,
      };
      this.#slots.push(slot);
    }
    this.#next = (this.#next + 1) % this.#size;
    return slot;
  }

  /** Newest first. */
  *entries(): IterableIterator<VerdictEntry> {
    const { length } = this.#slots;
    for (let back = 1; back <= length; back++) {
      yield this.#slots[(this.#next - back + length) % length] as VerdictEntry;
    }
  }
}
