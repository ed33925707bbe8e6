/**
 * The log as gorouter writes it, for tools that read it: one JSON object per line.
 *
 *   {"log_level":1,"timestamp":1795256130.123,"message":"gorouter.started","source":"vcap.gorouter.router","data":{…}}
 */
import { type Clock, type LineSink, type Logger, stdoutLines, systemClock } from "../kernel/index.ts";
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

const NOTHING = Object.freeze({});
/** As our own parts call what gorouter calls `error`. */
const ERR = "err";

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
  const { prefix, sink = stdoutLines(), clock = systemClock } = options;
  const least = LEVELS[options.level];
  const isNumeric = options.timestampFormat === "unix-epoch";
  const timestamp = createTimestamp(clock, isNumeric);

  const counts = { debug: 0, info: 0, error: 0, fatal: 0 };
  const logger = (source: string, common: object): GorouterLogger => {
    const tail = `,"source":${JSON.stringify(source)},"data":`;
    const at = (level: keyof typeof LEVELS) => {
      if (LEVELS[level] < least) return () => {};
      const counted = level === "warn" ? "info" : level;
      const head = `{"log_level":${JSON.stringify(isNumeric ? LEVELS[level] : level)},"timestamp":`;
      return (fields: object, message: string) => {
        counts[counted]++;
        sink.write(
          `${head}${timestamp()},"message":${JSON.stringify(message)}${tail}${dataText(common, fields)}}\n`,
        );
      };
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
  return logger(prefix, NOTHING);
}

/** Now as JSON, made once per millisecond. */
function createTimestamp(clock: Clock, isNumeric: boolean): () => string {
  let lastMs = Number.NaN;
  let lastText = "";
  return () => {
    const nowMs = clock.nowMs();
    if (nowMs !== lastMs) {
      lastMs = nowMs;
      lastText = JSON.stringify(isNumeric ? nowMs / 1_000 : new Date(nowMs).toISOString());
    }
    return lastText;
  };
}

function dataText(common: object, fields: object): string {
  const all: object = common === NOTHING ? fields : { ...common, ...fields };
  if (isPlain(all)) return JSON.stringify(all);
  const data: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(all)) {
    data[name === ERR ? "error" : name] = value instanceof Error ? value.message : (value as unknown);
  }
  return JSON.stringify(data);
}

/** Nothing in it is written otherwise than it is: errors say nothing as JSON, their messages do, as gorouter's `error`. */
function isPlain(fields: object): boolean {
  for (const name in fields) {
    if (name === ERR || (fields as Readonly<Record<string, unknown>>)[name] instanceof Error) return false;
  }
  return true;
}
