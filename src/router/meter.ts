/** Events per second as averages over the last one, five and fifteen minutes, as Unix load averages are made. */

export const METER_TICK_MS = 5_000;
export const METER_MINUTES = [1, 5, 15] as const;

/** How much of the newest tick is in an average. */
const SHARES = METER_MINUTES.map((minutes) => 1 - Math.exp(-METER_TICK_MS / 60_000 / minutes));

export class Meter {
  /** Per second, one for each of {@link METER_MINUTES}. */
  readonly rates: number[] = METER_MINUTES.map(() => 0);
  #sinceTick = 0;
  #hasTicked = false;

  mark(): void {
    this.#sinceTick++;
  }

  /** Call it every {@link METER_TICK_MS}. */
  tick(): void {
    const rate = this.#sinceTick / (METER_TICK_MS / 1_000);
    this.#sinceTick = 0;
    for (const [i, share] of SHARES.entries()) {
      const before = this.rates[i] as number;
      // The first one is all that is known.
      this.rates[i] = this.#hasTicked ? before + share * (rate - before) : rate;
    }
    this.#hasTicked = true;
  }
}
