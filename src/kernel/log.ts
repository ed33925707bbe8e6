/**
 * Structured logs: one JSON object per line, written by pino. Rooms take a {@link Logger}, never a global.
 */
import { pino } from "pino";

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** The same log with fields added to every line, for instance `{ role: "router" }`. */
  child(fields: object): Logger;
}

/** Anything that takes whole lines: a file stream, `process.stdout`, an array in a test. */
export interface LineSink {
  write(line: string): unknown;
}

export function createLogger(options: { level: LogLevel; sink?: LineSink }): Logger {
  const sink = options.sink ?? process.stdout;
  return pino(
    { level: options.level, base: null, timestamp: isoTime, messageKey: "message" },
    { write: (line: string) => void sink.write(line) },
  );
}

// 100,000 routes that register at once are 200,000 lines, and writing the time was the dearest part of each.
let lastMs = -1;
let lastTime = "";

/** As pino's own, made once per millisecond. */
function isoTime(): string {
  const nowMs = Date.now();
  if (nowMs !== lastMs) {
    lastMs = nowMs;
    lastTime = `,"time":"${new Date(nowMs).toISOString()}"`;
  }
  return lastTime;
}

/** Says nothing; for tests and for tools that print by themselves. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
