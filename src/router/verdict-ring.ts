/** The last exchanges in short: which route matched, how many attempts, what went wrong. Slots are reused. */

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
}

export class VerdictRing {
  readonly #slots: VerdictEntry[];
  #next = 0;
  #count = 0;

  constructor(size: number) {
    this.#slots = Array.from({ length: size }, () => ({
      endedAtMs: 0,
      requestId: "",
      route: "",
      endpoint: "",
      attempts: 0,
      status: 0,
      errorCode: "",
    }));
  }

  /** The slot to fill in for one more exchange. */
  take(): VerdictEntry {
    const slot = this.#slots[this.#next] as VerdictEntry;
    this.#next = (this.#next + 1) % this.#slots.length;
    this.#count = Math.min(this.#count + 1, this.#slots.length);
    return slot;
  }

  /** Newest first; copies. */
  list(): VerdictEntry[] {
    return Array.from({ length: this.#count }, (_, back) => {
      const size = this.#slots.length;
      return { ...(this.#slots[(this.#next - 1 - back + size) % size] as VerdictEntry) };
    });
  }
}
