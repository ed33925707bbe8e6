/**
 * The load generators. All answer with the same figures; `wrk` finds the peak of HTTP/1, `h2load` speaks HTTP/2 and
 * keeps to a rate, clients of our own talk over WebSockets and resume TLS sessions.
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Case, Generator } from "./cases.ts";
import { parseWrk } from "./wrk.ts";

export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers other than 2xx and 3xx, and connections that failed: a run with any is no measurement. */
  readonly failures: number;
}

export interface Load {
  readonly case: Case;
  readonly port: number;
  readonly isTls: boolean;
  readonly seconds: number;
  readonly connections: number;
  /** Requests per second over all connections; null: as many as are answered. */
  readonly rate: number | null;
  /** Temporary files go here. */
  readonly folder: string;
}

/** Those that are programs of our own, in files beside this one. */
const OWN: Partial<Record<Generator, string>> = {
  websocket: "websocket-load.ts",
  "resumed-tls": "resumed-tls-load.ts",
};

/** @param find  the path of a program, or null. @returns what is missing, in words; null when all is there */
export function missingFor(cases: readonly Case[], hasRate: boolean, find: (name: string) => string | null) {
  const wanted = new Set<string>(cases.map(({ generator }) => generator).filter((g) => OWN[g] === undefined));
  if (hasRate) wanted.add("h2load");
  const missing = [...wanted].filter((name) => find(name) === null);
  return missing.length === 0 ? null : missing.join(", ");
}

/** @param run  runs a program to its end and returns its output */
export async function applyLoad(
  load: Load,
  find: (name: string) => string | null,
  run: (command: readonly string[]) => Promise<string>,
): Promise<LoadResult> {
  const program = (name: string) => find(name) ?? name;
  const own = OWN[load.case.generator];
  if (own !== undefined) {
    const { port, connections, seconds } = load;
    const program = join(import.meta.dirname, own);
    const words = [port, connections, seconds, load.case.path].map(String);
    return JSON.parse(await run([process.execPath, program, ...words])) as LoadResult;
  }
  if (load.case.generator === "wrk" && load.rate === null)
    return parseWrk(await run([program("wrk"), ...wrkArguments(load)]));

  const log = join(load.folder, "h2load.log");
  rmSync(log, { force: true });
  const report = await run([program("h2load"), ...h2loadArguments(load, log)]);
  return { ...parseH2load(report), ...percentiles(readFileSync(log, "latin1")) };
}

const ALWAYS = { fromMs: 0, toMs: Number.POSITIVE_INFINITY };

const urlOf = ({ case: { path }, port, isTls }: Load) =>
  `${isTls ? "https" : "http"}://127.0.0.1:${port}/${path}`;

function wrkArguments(load: Load): readonly string[] {
  const { uploadBytes, closes } = load.case;
  const script = join(load.folder, "upload.lua");
  if (uploadBytes > 0) {
    writeFileSync(script, `wrk.method = "POST"\nwrk.body = string.rep("x", ${uploadBytes})\n`);
  }
  return [
    "--threads=1",
    `--connections=${load.connections}`,
    `--duration=${load.seconds}s`,
    "--latency",
    ...(uploadBytes > 0 ? ["--script", script] : []),
    ...(closes ? ["--header", "Connection: close"] : []),
    urlOf(load),
  ];
}

/** @param log  A line for each request goes there, when it is over. */
export function h2loadArguments(load: Load, log: string): readonly string[] {
  const { streams, generator } = load.case;
  const clients = Math.max(1, Math.round(load.connections / streams));
  return [
    "--threads=1",
    `--clients=${clients}`,
    `--max-concurrent-streams=${streams}`,
    `--duration=${load.seconds}`,
    `--log-file=${log}`,
    ...(generator === "wrk" ? ["--h1"] : []),
    ...(load.rate === null ? [] : [`--rps=${(load.rate / clients).toFixed(2)}`]),
    urlOf(load),
  ];
}

/** @param text  What `h2load` printed. @throws when it is not the report of a finished run */
export function parseH2load(text: string): Pick<LoadResult, "requests" | "requestsPerSecond" | "failures"> {
  const total = /^finished in ([\d.]+)(m?s), ([\d.]+) req\/s/m.exec(text);
  const counts = /^requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(text);
  if (total === null || counts === null) throw new Error(`h2load printed no report:\n${text}`);
  const [, succeeded, failed] = counts.map(Number);
  return {
    requests: succeeded ?? 0,
    requestsPerSecond: Number(total[3]),
    // «failed» holds those that errored or were late.
    failures: failed ?? 0,
  };
}

/**
 * @param log  lines of start, status and microseconds, separated by tabs
 * @param parts  Of those alone that were sent in one of them, by the wall clock in ms.
 */
export function percentiles(
  log: string,
  parts: readonly { readonly fromMs: number; readonly toMs: number }[] = [ALWAYS],
): { readonly p50Ms: number; readonly p99Ms: number } {
  const us: number[] = [];
  for (const line of log.split("\n")) {
    const [start = Number.NaN, , time = Number.NaN] = line.split("\t").map(Number);
    if (parts.some(({ fromMs, toMs }) => start >= fromMs * 1_000 && start < toMs * 1_000)) us.push(time);
  }
  us.sort((a, b) => a - b);
  const at = (share: number) => (us[Math.min(us.length - 1, Math.floor(us.length * share))] ?? 0) / 1_000;
  return { p50Ms: at(0.5), p99Ms: at(0.99) };
}
