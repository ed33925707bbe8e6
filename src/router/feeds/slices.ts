/**
 * Work that comes faster than it is done, in slices: so much in one turn of the event loop, the rest in the next
 * ones, always in the order in which it came.
 */
import type { Clock } from "../../kernel/index.ts";

/** Traffic waits no longer than this, plus one piece of work and the collector. */
export const SLICE_MS = 5;

/** Pieces that are done are let go of in bunches; one long list would be copied as it grows and shrinks. */
const BUNCH = 1_024;

export interface Slices<Work> {
  /** The slice of this turn is not used up and nothing waits: work that has come may be done at once. */
  mayRun(): boolean;
  /** For a later turn. */
  add(work: Work): void;
  /** Forgets what waits. */
  stop(): void;
}

export function createSlices<Work>(clock: Clock, run: (work: Work) => void): Slices<Work> {
  /** The first bunch is being done, the last one filled; none is empty. */
  let waiting: Work[][] = [];
  /** Of the first bunch. */
  let done = 0;
  /** When the slice of this turn ends; null before its first piece of work. */
  let untilMs: number | null = null;
  let nextTurn: NodeJS.Immediate | null = null;

  const turn = () => {
    nextTurn = null;
    untilMs = null;
    if (waiting.length === 0) return;
    const endMs = begin();
    for (let bunch = waiting[0]; bunch !== undefined; bunch = waiting[0]) {
      run(bunch[done++] as Work);
      if (done === bunch.length) {
        waiting.shift();
        done = 0;
      }
      if (clock.monotonicMs() >= endMs) return;
    }
  };
  const begin = (): number => {
    nextTurn ??= setImmediate(turn);
    untilMs ??= clock.monotonicMs() + SLICE_MS;
    return untilMs;
  };

  return {
    mayRun: () => waiting.length === 0 && clock.monotonicMs() < begin(),
    add(work) {
      begin();
      const last = waiting.at(-1);
      if (last === undefined || last.length === BUNCH) waiting.push([work]);
      else last.push(work);
    },
    stop() {
      if (nextTurn !== null) clearImmediate(nextTurn);
      nextTurn = null;
      waiting = [];
      done = 0;
    },
  };
}
