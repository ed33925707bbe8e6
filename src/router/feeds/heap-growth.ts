/**
 * How far V8 lets the heap grow between two collections: up to four times of what is alive when it fills fast, which a
 * large table does for days (a router of 100,000 routes goes from 280 to 500 MB). Half more is enough for it. With few
 * routes the same limit would be reached five times as often by requests alone, for a tenth of their CPU.
 */
import { setFlagsFromString } from "node:v8";

/** Alive of so many: some 20 MB. */
export const LARGE_TABLE_ROUTES = 20_000;
const FLAG = "--heap-growing-percent";
const PERCENT = 50;
const AS_V8_LIKES = 0;

export interface HeapGrowth {
  /** To be told now and then; V8 asks for its limit at the end of each collection. */
  fit(routes: number): void;
  /** As V8 likes it again: what is compiled under other flags could not be used by the next process. */
  stop(): void;
}

export function createHeapGrowth(
  setFlag: (flag: string) => void = setFlagsFromString,
  flagsOfStart: readonly string[] = process.execArgv,
): HeapGrowth {
  // Whoever starts the process with a limit wants that one.
  const isOurs = !flagsOfStart.some((flag) => flag.startsWith(FLAG));
  let isLimited = false;
  const limit = (wanted: boolean) => {
    if (!isOurs || wanted === isLimited) return;
    isLimited = wanted;
    setFlag(`${FLAG}=${wanted ? PERCENT : AS_V8_LIKES}`);
  };
  return {
    fit: (routes) => limit(routes >= (isLimited ? LARGE_TABLE_ROUTES / 2 : LARGE_TABLE_ROUTES)),
    stop: () => limit(false),
  };
}
