/**
 * Time as a value that is passed in, so that tests move it by hand and nothing sleeps.
 */

// The global of that name is made by a getter at each use, and is asked several times per request.
import { performance } from "node:perf_hooks";

export interface Timer {
  /** Forgets the timer; harmless when it has fired. */
  clear(): void;
}

export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch, with fractions where the platform has them. */
  nowMs(): number;
  /** Never goes backwards; for durations only. Milliseconds. */
  monotonicMs(): number;
  /** Timers never keep the process alive by themselves. A time of more than 24 days counts as 24 days. */
  setTimeout(run: () => void, afterMs: number): Timer;
  setInterval(run: () => void, everyMs: number): Timer;
}

/** Node fires a timer of more milliseconds than these, 24.8 days, at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimeout(run, afterMs) {
    const timer = setTimeout(run, Math.min(afterMs, LONGEST_TIMER_MS)).unref();
    return { clear: () => clearTimeout(timer) };
  },
  setInterval(run, everyMs) {
    const timer = setInterval(run, Math.min(everyMs, LONGEST_TIMER_MS)).unref();
    return { clear: () => clearInterval(timer) };
  },
};

/**
 * Waits for `work` and keeps the process alive meanwhile, which our timers do not: a role that waits for its
 * database or bus at the start would otherwise end in silence.
 */
export async function keepAliveWhile<T>(work: Promise<T>): Promise<T> {
  const handle = setInterval(() => {}, 60_000);
  try {
    return await work;
  } finally {
    clearInterval(handle);
  }
}

export interface ManualClock extends Clock {
  /** Moves time and runs, in order, every timer that is due on the way. */
  advance(byMs: number): void;
}

/** A clock that stands still until it is told to move. For tests. */
export function createManualClock(startMs = Date.parse("2026-01-01T00:00:00Z")): ManualClock {
  let now = startMs;
  let nextId = 1;
  const due = new Map<number, { atMs: number; everyMs: number | null; run: () => void }>();
  const add = (run: () => void, afterMs: number, everyMs: number | null): Timer => {
    const id = nextId++;
    due.set(id, { atMs: now + afterMs, everyMs, run });
    return { clear: () => void due.delete(id) };
  };
  return {
    nowMs: () => now,
    monotonicMs: () => now - startMs,
    setTimeout: (run, afterMs) => add(run, afterMs, null),
    setInterval: (run, everyMs) => add(run, everyMs, everyMs),
    advance(byMs) {
      const until = now + byMs;
      for (;;) {
        let first: number | null = null;
        for (const [id, timer] of due) {
          if (timer.atMs <= until && (first === null || timer.atMs < (due.get(first)?.atMs ?? 0))) first = id;
        }
        if (first === null) break;
        const timer = due.get(first);
        if (timer === undefined) break;
        now = Math.max(now, timer.atMs);
        if (timer.everyMs === null) due.delete(first);
        else timer.atMs += Math.max(timer.everyMs, 1);
        timer.run();
      }
      now = until;
    },
  };
}
