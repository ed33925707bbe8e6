/**
 * The log as gorouter writes it, for tools that read it: one JSON object per line.
 *
 *   {"log_level":1,"timestamp":1795256130.123,"message":"gorouter.started","source":"vcap.gorouter.router","data":{…}}
 */
import { type Clock, type LineSink, type Logger, systemClock } from "../kernel/index.ts";
import type { GorouterValue } from "./gorouter-keys.ts";

export type GorouterLogLevel = GorouterValue<"logging.level">;

/** Lines written so far. */
export type LogCounts = Readonly<Record<GorouterLogLevel, number>>;

export interface GorouterLogger extends Logger {
  /** Of this log and all its sessions. */
  readonly counts: LogCounts;
  /** The last line of a process that cannot go on. */
  fatal(fields: object, message: string): void;
  /** The same log, of one part: `.name` is added to `source`. */
  session(name: string): GorouterLogger;
  child(fields: object): GorouterLogger;
}

const LEVELS = { debug: 0, info: 1, warn: 1, error: 2, fatal: 3 } as const;

export interface GorouterLogOptions {
  /** Least level that is written. */
  readonly level: GorouterLogLevel;
  /** `unix-epoch` writes times and levels as numbers, `rfc3339` as texts. */
  readonly timestampFormat: GorouterValue<"logging.format.timestamp">;
  /** Beginning of `source`. */
  readonly prefix: string;
  readonly sink?: LineSink;
  readonly clock?: Clock;
}

export function createGorouterLogger(options: GorouterLogOptions): GorouterLogger {
  const { prefix, sink = process.stdout, clock = systemClock } = options;
  const least = LEVELS[options.level];
  const isNumeric = options.timestampFormat === "unix-epoch";

  const counts = { debug: 0, info: 0, error: 0, fatal: 0 };
  const logger = (source: string, common: object): GorouterLogger => {
    const at = (level: keyof typeof LEVELS) => (fields: object, message: string) => {
      if (LEVELS[level] < least) return;
      counts[level === "warn" ? "info" : level]++;
      const nowMs = clock.nowMs();
      const line = {
        log_level: isNumeric ? LEVELS[level] : level,
        timestamp: isNumeric ? nowMs / 1_000 : new Date(nowMs).toISOString(),
        message,
        source,
        data: dataOf({ ...common, ...fields }),
      };
      sink.write(`${JSON.stringify(line)}\n`);
    };
    return {
      counts,
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      fatal: at("fatal"),
      session: (name) => logger(`${source}.${name}`, common),
      child: (fields) => logger(source, { ...common, ...fields }),
    };
  };
  return logger(prefix, {});
}

/** Errors say nothing as JSON; their messages do. `err`, as our own parts call it, is gorouter's `error`. */
function dataOf(fields: object): object {
  const data: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    data[name === "err" ? "error" : name] = value instanceof Error ? value.message : (value as unknown);
  }
  return data;
}
