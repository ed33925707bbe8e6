/**
 * How long messages have been waiting at the server: a round trip tells, because the answer comes behind all of them.
 */
import type { Clock } from "../../kernel/index.ts";

export interface Backlog {
  /** Age of what may still wait there, 0 when the server has answered since it was asked. Asks when nothing is under way. */
  ageMs(): number;
}

export function createBacklog(clock: Clock, roundTrip: () => Promise<void>): Backlog {
  let askedAtMs: number | null = null;
  const answered = () => {
    askedAtMs = null;
  };
  return {
    ageMs() {
      const nowMs = clock.monotonicMs();
      if (askedAtMs === null) {
        askedAtMs = nowMs;
        roundTrip().then(answered, answered);
      }
      return nowMs - askedAtMs;
    },
  };
}
