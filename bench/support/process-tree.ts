/**
 * What a program and all its descendants have used, from `/proc` (Linux). CPU time counts threads, and children
 * that are still alive; a child that ended between two looks would be lost, and none of the proxies has such.
 */
import { readdirSync, readFileSync } from "node:fs";

/** `sysconf(_SC_CLK_TCK)`: 100 on every Linux for which `/proc` is documented; so a round is measured to ±10 ms. */
const TICK_US = 10_000;

export interface ProcessStat {
  readonly pid: number;
  readonly parent: number;
  /** utime + stime. */
  readonly cpuUs: number;
}

/** @param line  `/proc/PID/stat`. @see proc(5) */
export function parseStat(line: string): ProcessStat {
  // The name, in parentheses, may hold spaces and parentheses; the fields begin after the last one.
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  const field = (number: number) => Number(fields[number - 3]);
  return { pid: Number.parseInt(line, 10), parent: field(4), cpuUs: (field(14) + field(15)) * TICK_US };
}

/** The process and all its descendants. */
export function treeOf(root: number, all: readonly ProcessStat[]): readonly ProcessStat[] {
  const children = Map.groupBy(all, ({ parent }) => parent);
  const tree: ProcessStat[] = all.filter(({ pid }) => pid === root);
  // Grows while it is walked: each member's children are appended behind it.
  for (const member of tree) tree.push(...(children.get(member.pid) ?? []));
  return tree;
}

export const cpuUsOf = (root: number): number =>
  treeOf(root, readAll()).reduce((sum, { cpuUs }) => sum + cpuUs, 0);

export function residentBytesOf(root: number): number {
  return treeOf(root, readAll()).reduce((sum, { pid }) => {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readOr(`/proc/${pid}/status`));
    return sum + Number(match?.[1] ?? 0) * 1024;
  }, 0);
}

function readAll(): readonly ProcessStat[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readOr(`/proc/${pid}/stat`))
    .filter((line) => line !== "")
    .map(parseStat);
}

/** "" for a process that has just ended. */
function readOr(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
