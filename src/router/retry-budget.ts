import { MIN_RETRY_BUDGET } from "../options/index.ts";

/** Bounds the repeated requests of one route among those in flight, so that a failing app does not get more work. */
export class RetryBudget {
  /** May change while exchanges are in flight. */
  percent = 0;
  /** Exchanges of the route in flight, and those among them that were repeated. */
  #exchanges = 0;
  #repeated = 0;

  /** One more exchange. @returns what takes it out again. */
  enter(): () => void {
    this.#exchanges++;
    return () => {
      this.#exchanges--;
    };
  }

  get hasRoom(): boolean {
    return this.#repeated < Math.max(MIN_RETRY_BUDGET, Math.floor((this.#exchanges * this.percent) / 100));
  }

  /** One of the exchanges is repeated. @returns what takes it out again. */
  spend(): () => void {
    this.#repeated++;
    return () => {
      this.#repeated--;
    };
  }
}
