/**
 * How long a process's event loop is held up. Counted in CPU time of its own thread, so that a busy machine does not
 * count, and in wall-clock time, which is what clients wait.
 */
import { threadCpuMs } from "./thread-cpu.ts";

export interface Turns {
  /** Since the last look. */
  read(): { readonly longestTurnMs: number; readonly longestWaitMs: number };
}

/** A timer that is due at every turn of the loop sees what the turn before it used. */
export function watchTurns(): Turns {
  let longestTurnMs = 0;
  let longestWaitMs = 0;
  let lastCpuMs = threadCpuMs();
  let lastMs = performance.now();
  setInterval(() => {
    const nowCpuMs = threadCpuMs();
    const nowMs = performance.now();
    longestTurnMs = Math.max(longestTurnMs, nowCpuMs - lastCpuMs);
    longestWaitMs = Math.max(longestWaitMs, nowMs - lastMs);
    lastCpuMs = nowCpuMs;
    lastMs = nowMs;
  }, 1).unref();
  return {
    read() {
      const seen = { longestTurnMs, longestWaitMs };
      longestTurnMs = 0;
      longestWaitMs = 0;
      return seen;
    },
  };
}
