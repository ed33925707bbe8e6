/** Requests by app in the last minute, in steps of five seconds. */

const STEP_MS = 5_000;
const STEPS = 12;

export class AppRequests {
  /** Oldest first; the last one is being counted. */
  #steps: Map<string, number>[] = [new Map()];
  #step = 0;

  /** @param nowMs  Monotonic. */
  count(app: string, nowMs: number): void {
    this.#forget(nowMs);
    const step = this.#steps.at(-1) as Map<string, number>;
    step.set(app, (step.get(app) ?? 0) + 1);
  }

  /** Most first. */
  top(limit: number, nowMs: number): readonly (readonly [app: string, requests: number])[] {
    this.#forget(nowMs);
    const sums = new Map<string, number>();
    for (const step of this.#steps) {
      for (const [app, requests] of step) sums.set(app, (sums.get(app) ?? 0) + requests);
    }
    return [...sums].toSorted(([, a], [, b]) => b - a).slice(0, limit);
  }

  #forget(nowMs: number): void {
    const step = Math.floor(nowMs / STEP_MS);
    const passed = step - this.#step;
    if (passed === 0) return;
    this.#step = step;
    for (let i = 0; i < Math.min(passed, STEPS); i++) this.#steps.push(new Map());
    this.#steps = this.#steps.slice(-STEPS);
  }
}
