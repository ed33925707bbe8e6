/**
 * Reads a command's flags and arguments; everything wrong with them is a `usage_invalid` with a remedy.
 */
import { parseArgs } from "node:util";
import { usageInvalid } from "../kernel/errors/cli.ts";
import type { AnyCommand, Flags } from "./command.ts";

export interface ParsedLine {
  readonly flags: Readonly<Record<string, string | boolean | readonly string[]>>;
  readonly args: readonly string[];
  readonly wantsHelp: boolean;
}

/** @throws usageInvalid */
export async function parseLine(
  name: string,
  command: Pick<AnyCommand, "options" | "parameters">,
  argv: readonly string[],
): Promise<ParsedLine> {
  const options = { ...command.options, help: { type: "boolean", short: "h", describe: "" } } satisfies Flags;
  const seeHelp = `see «viaduct ${name} --help»`;
  // Not strict: Node's own messages name neither the nearest flag nor the command.
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });

  const flags: Record<string, string | boolean | string[]> = {};
  const args: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") args.push(token.value);
    if (token.kind !== "option") continue;
    const flag = (options as Flags)[token.name];
    if (flag === undefined) throw await unknownFlag(name, token.rawName, Object.keys(options));
    if (flag.type === "boolean") {
      if (token.value !== undefined) {
        throw usageInvalid({
          problem: `${token.rawName} takes no value`,
          remedy: `leave «=${token.value}» out`,
        });
      }
      flags[token.name] = true;
      continue;
    }
    // A value that looks like the next flag is nearly always a forgotten value.
    if (token.value === undefined || (!token.inlineValue && /^-[-a-zA-Z]/.test(token.value))) {
      throw usageInvalid({
        problem: `${token.rawName} needs a value (${flag.value ?? "TEXT"})`,
        remedy: seeHelp,
      });
    }
    if (flag.multiple !== true) flags[token.name] = token.value;
    else flags[token.name] = [...((flags[token.name] as string[] | undefined) ?? []), token.value];
  }
  const wantsHelp = flags["help"] === true;
  if (!wantsHelp) checkArguments(name, command.parameters, args, seeHelp);
  return { flags, args, wantsHelp };
}

function checkArguments(
  name: string,
  parameters: readonly string[],
  args: readonly string[],
  seeHelp: string,
): void {
  const missing = parameters.slice(args.length).find((parameter) => !parameter.endsWith("?"));
  if (missing !== undefined) {
    throw usageInvalid({ problem: `«viaduct ${name}» needs ${missing.replace("…", "")}`, remedy: seeHelp });
  }
  const takesAll = parameters.at(-1)?.endsWith("…") === true;
  const extra = args[parameters.length];
  if (!takesAll && extra !== undefined) {
    throw usageInvalid({ problem: `«viaduct ${name}» does not take «${extra}»`, remedy: seeHelp });
  }
}

async function unknownFlag(command: string, given: string, known: readonly string[]) {
  const { nearestName } = await import("../kernel/index.ts");
  const near = nearestName(given.replace(/^-+/, ""), known);
  return usageInvalid({
    problem: `«viaduct ${command}» has no flag ${given}`,
    remedy: near === null ? `see «viaduct ${command} --help»` : `did you mean «--${near}»?`,
  });
}

/** `["a=1", "b=x=y"]` → `{ a: "1", b: "x=y" }`. @throws usageInvalid */
export function parsePairs(flag: string, pairs: readonly string[]): Readonly<Record<string, string>> {
  const map: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) {
      throw usageInvalid({ problem: `${flag} «${pair}» is no pair`, remedy: `write ${flag} KEY=VALUE` });
    }
    const key = pair.slice(0, at);
    if (Object.hasOwn(map, key)) {
      throw usageInvalid({ problem: `${flag} «${key}» is there twice`, remedy: "leave one of them out" });
    }
    map[key] = pair.slice(at + 1);
  }
  return map;
}

/** @throws usageInvalid */
export function parseCount(flag: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) {
    throw usageInvalid({ problem: `${flag} «${text}» is no count`, remedy: `write ${flag} 2` });
  }
  return Number(text);
}

/** `256M`, `1G`, or a number of megabytes → megabytes. @throws usageInvalid */
export function parseMegabytes(flag: string, text: string): number {
  const [, number, unit = "M"] = /^(\d{1,7})(?:([MG])B?)?$/i.exec(text) ?? [];
  const megabytes = Number(number) * (unit.toUpperCase() === "G" ? 1024 : 1);
  if (megabytes >= 1) return megabytes;
  throw usageInvalid({ problem: `${flag} «${text}» is no size`, remedy: `write ${flag} 256M or ${flag} 1G` });
}

/** A port that an app may listen on. @throws usageInvalid */
export async function parseAppPort(flag: string, text: string): Promise<number> {
  const { isUnprivilegedPort, UNPRIVILEGED_PORTS } = await import("../kernel/index.ts");
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (isUnprivilegedPort(port)) return port;
  throw usageInvalid({
    problem: `${flag} «${text}» is no port of an app (${UNPRIVILEGED_PORTS.first} to ${UNPRIVILEGED_PORTS.last})`,
    remedy: `write ${flag} 8080`,
  });
}

/** Milliseconds of `--timeout`; 60 s when it was not given. @throws usageInvalid */
export async function parseTimeout(text: string | undefined): Promise<number> {
  if (text === undefined) return 60_000;
  const { parseDurationMs } = await import("../kernel/index.ts");
  const ms = parseDurationMs(text);
  if (ms === null) {
    throw usageInvalid({ problem: `--timeout «${text}» is no duration`, remedy: "write one like 30s" });
  }
  return ms;
}
