import { Type } from "typebox";
import { parseDurationMs } from "../kernel/index.ts";

/** The router looks at its clock ten times a second: a shorter wait cannot be told from none. */
const MIN_MS = 100;

/** Of a pattern: where a time stands among other words. */
export const DURATION = String.raw`(?:\d{1,9}(?:\.\d{1,3})?(?:ms|s|m|h))+`;

/**
 * Schema and refusal of an option whose value is a time with a unit: `1m30s`.
 * @param words  The option's name in words: `Response timeout`.
 */
export function durationOf(words: string) {
  return {
    schema: Type.String({
      description: "a time with a unit, like `500ms`, `30s` or `1m30s`",
      maxLength: 24,
      pattern: `^${DURATION}$`,
    }),
    refusal: (given: unknown) =>
      /^\d+$/.test(String(given))
        ? `${words} must have a unit: ${String(given)}s`
        : `${words} must be a time with a unit, like 500ms, 30s or 1m30s`,
  };
}

/** For `check`: between what the router can measure and what the operator allows. */
export function checkDuration(text: string, maxMs: number): true | string {
  const ms = durationMs(text);
  if (ms < MIN_MS) return `${text} is too short; the shortest is ${MIN_MS}ms`;
  return ms <= maxMs || `${text} is longer than the ${shortest(maxMs)} that the operator allows`;
}

/** Of a value that the schema took. */
export const durationMs = (text: string): number => parseDurationMs(text) ?? 0;

/** `90000` → `90s`. */
const shortest = (ms: number) => (ms % 1_000 === 0 ? `${ms / 1_000}s` : `${ms}ms`);
