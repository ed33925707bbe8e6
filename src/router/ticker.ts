/**
 * One timer for the whole router. Every timeout is a moment kept on its connection and compared at the tick:
 * a tick looks at each connection once, which costs less than starting and clearing a timer per exchange, and
 * makes timeouts up to one tick late.
 */
import type { Clock, Timer } from "../kernel/index.ts";

export const TICK_MS = 100;

export class Ticker {
  /** Monotonic milliseconds at the last tick. */
  nowMs: number;
  /** Value of a `Date` header. */
  httpDate = "";
  readonly #clock: Clock;
  /** Wall clock less monotonic clock: one clock is read per exchange, not two. */
  #wallOffsetMs: number;
  #second = 0;
  #timer: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.nowMs = clock.monotonicMs();
    this.#wallOffsetMs = clock.nowMs() - this.nowMs;
    this.#readDate();
  }

  start(onTick: () => void): void {
    this.#timer = this.#clock.setInterval(() => {
      this.nowMs = this.#clock.monotonicMs();
      this.#wallOffsetMs = this.#clock.nowMs() - this.nowMs;
      this.#readDate();
      onTick();
    }, TICK_MS);
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = null;
  }

  /** Precise, unlike {@link nowMs}. */
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  /** UNIX milliseconds of a monotonic moment. */
  wallMs(monotonicMs: number): number {
    return monotonicMs + this.#wallOffsetMs;
  }

  #readDate(): void {
    const wallMs = this.nowMs + this.#wallOffsetMs;
    const second = Math.floor(wallMs / 1_000);
    if (second === this.#second) return;
    this.#second = second;
    this.httpDate = new Date(wallMs).toUTCString();
  }
}
