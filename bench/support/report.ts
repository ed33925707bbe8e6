/** Rounds → medians, ratios and a table. */

export interface Round {
  readonly requests: number;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Null for the origin without a proxy. */
  readonly cpuUsPerRequest: number | null;
  readonly failures: number;
}

export interface Series {
  readonly case: string;
  readonly proxy: string;
  readonly rounds: readonly Round[];
  /** Resident memory of the process tree after the last round. */
  readonly residentBytes: number | null;
}

export interface Summary {
  readonly case: string;
  readonly proxy: string;
  readonly requestsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUsPerRequest: number | null;
  /** Lowest and highest round. */
  readonly cpuSpreadUs: readonly [number, number] | null;
  /** CPU per request, this proxy's over the other's; null when either is missing. */
  readonly cpuTimesNginx: number | null;
  readonly cpuTimesCaddy: number | null;
  readonly residentMb: number | null;
  readonly failures: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** CPU time that passed between two looks, per request. */
export const perRequest = (beforeUs: number, afterUs: number, requests: number): number =>
  requests === 0 ? Number.NaN : (afterUs - beforeUs) / requests;

export function summarize(all: readonly Series[]): readonly Summary[] {
  const cpuOf = (caseName: string, proxy: string): number | null => {
    const series = all.find((s) => s.case === caseName && s.proxy === proxy);
    return series === undefined ? null : medianCpu(series);
  };
  const ratio = (value: number | null, base: number | null) =>
    value === null || base === null ? null : value / base;
  return all.map((series) => {
    const cpu = medianCpu(series);
    const spread = series.rounds.flatMap((r) => r.cpuUsPerRequest ?? []);
    return {
      case: series.case,
      proxy: series.proxy,
      requestsPerSecond: median(series.rounds.map((r) => r.requestsPerSecond)),
      p50Ms: median(series.rounds.map((r) => r.p50Ms)),
      p99Ms: median(series.rounds.map((r) => r.p99Ms)),
      cpuUsPerRequest: cpu,
      cpuSpreadUs: spread.length === 0 ? null : [Math.min(...spread), Math.max(...spread)],
      cpuTimesNginx: ratio(cpu, cpuOf(series.case, "nginx")),
      cpuTimesCaddy: ratio(cpu, cpuOf(series.case, "caddy")),
      residentMb: series.residentBytes === null ? null : series.residentBytes / 2 ** 20,
      failures: series.rounds.reduce((sum, r) => sum + r.failures, 0),
    };
  });
}

function medianCpu(series: Series): number | null {
  const values = series.rounds.flatMap((r) => r.cpuUsPerRequest ?? []);
  return values.length === 0 ? null : median(values);
}

const HEADER = [
  "case",
  "proxy",
  "req/s",
  "p50 ms",
  "p99 ms",
  "CPU µs/req",
  "spread",
  "× nginx",
  "× caddy",
  "RSS MB",
  "failed",
];

/** Markdown, so that it can be pasted where it is quoted. */
export function renderTable(summaries: readonly Summary[]): string {
  const shown = (value: number | null, digits: number) => (value === null ? "–" : value.toFixed(digits));
  const rows = summaries.map((s) => [
    s.case,
    s.proxy,
    shown(s.requestsPerSecond, 0),
    shown(s.p50Ms, 2),
    shown(s.p99Ms, 2),
    shown(s.cpuUsPerRequest, 1),
    s.cpuSpreadUs === null ? "–" : s.cpuSpreadUs.map((us) => us.toFixed(1)).join("–"),
    shown(s.cpuTimesNginx, 2),
    shown(s.cpuTimesCaddy, 2),
    shown(s.residentMb, 0),
    String(s.failures),
  ]);
  const widths = HEADER.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => (row[i] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => (i < 2 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(" | ")} |`;
  const rule = `|${widths.map((width, i) => (i < 2 ? `${"-".repeat(width + 2)}` : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return [line(HEADER), rule, ...rows.map(line)].join("\n");
}
