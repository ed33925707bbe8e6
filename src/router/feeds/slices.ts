/**
 * Work that comes faster than it is done, in slices: so much in one turn of the event loop, the rest in the next
 * ones, always in the order in which it came. While the collector marks, much less in one turn, and then a rest.
 *
 *   turn │ work │ traffic │ work │ traffic │ …      marking: │ work │ traffic, nothing waits for us …… │ work │ …
 *          5 ms             5 ms                               1 ms   20 ms                              1 ms
 */
import type { Clock, Timer } from "../../kernel/index.ts";
import { isCollectorMarking } from "./collector.ts";

/** Traffic waits no longer than this, plus one piece of work and the collector. */
export const SLICE_MS = 5;

/** Of a turn while the collector marks. Who does less in a turn never asks whether it does. */
const MARKING_SLICE_MS = 1;
/** A table of 100,000 routes takes 60 to 120 ms to mark: what comes in five of these waits at the sender. */
export const REST_MS = 20;
/** In a row: who registers must be heard, whatever the collector does and however large the table is. */
export const MOST_RESTS = 25;

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

export interface Steps {
  /** Does what fits in a slice, and the rest in later turns; what was begun before it and is not over, never. */
  begin(work: Iterator<unknown>): void;
  stop(): void;
}

/** Slices of one long piece of work, which yields wherever others may have their turn. */
export function createSteps(clock: Clock, isMarking = isCollectorMarking): Steps {
  const slices: Slices<Iterator<unknown>> = createSlices(
    clock,
    (work) => {
      if (work.next().done !== true) slices.add(work);
    },
    isMarking,
  );
  return {
    begin(work) {
      slices.stop();
      while (slices.mayRun()) {
        if (work.next().done === true) return;
      }
      slices.add(work);
    },
    stop: slices.stop,
  };
}

export function createSlices<Work>(
  clock: Clock,
  run: (work: Work) => void,
  isMarking = isCollectorMarking,
): Slices<Work> {
  /** The first bunch is being done, the last one filled; none is empty. */
  let waiting: Work[][] = [];
  /** Of the first bunch. */
  let done = 0;
  /** When the slice of this turn ends; null before its first piece of work. */
  let untilMs: number | null = null;
  /** The slice of this turn has its whole length, or ended early. */
  let isDecided = false;
  let nextTurn: NodeJS.Immediate | null = null;
  let rest: Timer | null = null;
  /** In a row. */
  let rests = 0;

  const turn = () => {
    nextTurn = null;
    rest = null;
    untilMs = null;
    if (waiting.length === 0) return;
    begin();
    for (let bunch = waiting[0]; bunch !== undefined; bunch = waiting[0]) {
      run(bunch[done++] as Work);
      if (done === bunch.length) {
        waiting.shift();
        done = 0;
      }
      if (!hasTime()) return;
    }
  };
  const begin = (): number => {
    if (untilMs === null) {
      untilMs = clock.monotonicMs() + MARKING_SLICE_MS;
      isDecided = false;
    }
    if (rest === null) nextTurn ??= setImmediate(turn);
    return untilMs;
  };
  const hasTime = (): boolean => {
    // Before it begins: the first piece of a turn is always done.
    const nowMs = clock.monotonicMs();
    const endMs = begin();
    if (isDecided || nowMs < endMs) return nowMs < endMs;
    isDecided = true;
    if (!isMarking()) rests = 0;
    else if (rests < MOST_RESTS) {
      rests++;
      cancelTurn();
      rest = clock.setTimeout(turn, REST_MS);
      return false;
    }
    untilMs = endMs + SLICE_MS - MARKING_SLICE_MS;
    return nowMs < untilMs;
  };
  const cancelTurn = () => {
    if (nextTurn !== null) clearImmediate(nextTurn);
    nextTurn = null;
    rest?.clear();
    rest = null;
  };

  return {
    mayRun: () => waiting.length === 0 && rest === null && hasTime(),
    add(work) {
      begin();
      const last = waiting.at(-1);
      if (last === undefined || last.length === BUNCH) waiting.push([work]);
      else last.push(work);
    },
    stop() {
      cancelTurn();
      untilMs = null;
      waiting = [];
      done = 0;
    },
  };
}
