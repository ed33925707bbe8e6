/**
 * Durations with the texts of Go's parser and printer, because operators search for them.
 */
import { parseDurationMs } from "../kernel/index.ts";

/** Milliseconds, negative ones too; or the parser's complaint. */
export function parseGoDuration(text: string): { readonly ms: number } | { readonly problem: string } {
  const sign = text.startsWith("-") ? -1 : 1;
  const amount = text.replace(/^[+-]/, "");
  const ms = parseDurationMs(amount.replace(/(^|[a-zµ])\./g, "$10.").replace(/(\d)\.([a-zµ])/g, "$1$2"));
  if (ms !== null) return { ms: sign * ms };
  const quoted = JSON.stringify(text);
  return {
    problem: /^\d+(\.\d+)?$/.test(amount)
      ? `time: missing unit in duration ${quoted}`
      : `time: invalid duration ${quoted}`,
  };
}

/** 90,000 → `1m30s`. */
export function printGoDuration(ms: number): string {
  const sign = ms < 0 ? "-" : "";
  const total = Math.abs(ms);
  if (total === 0) return "0s";
  if (total < 1_000) return `${sign}${total}ms`;
  const hours = Math.floor(total / 3_600_000);
  const minutes = Math.floor((total % 3_600_000) / 60_000);
  const seconds = (total % 60_000) / 1_000;
  return `${sign}${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}
