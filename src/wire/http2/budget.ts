/** How often a peer may do what is allowed now and then: spent by it, given back by useful work and by time. */
export class Budget {
  readonly #burst: number;
  readonly #perSecond: number;
  #left: number;
  #atMs = 0;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#left = burst;
  }

  /** @returns false when it is spent. */
  take(nowMs: number): boolean {
    if (nowMs > this.#atMs) {
      this.give(((nowMs - this.#atMs) / 1_000) * this.#perSecond);
      this.#atMs = nowMs;
    }
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  give(count: number): void {
    this.#left = Math.min(this.#burst, this.#left + count);
  }
}
