/**
 * What the commands that run a role, or ask for its settings, have in common. They import `app/` when they are
 * called, so that a command which only talks to the API never reads the server's code.
 */
import type { RunOptions } from "../app/index.ts";
import { usageInvalid } from "../kernel/errors/cli.ts";
import type { Flags } from "./command.ts";
import type { Host } from "./output.ts";
import { dataDirectory } from "./data-dir.ts";
import { parsePairs } from "./parse.ts";

export const configFlags = {
  config: { type: "string", short: "c", value: "FILE", describe: "Read settings from this YAML file." },
  set: {
    type: "string",
    multiple: true,
    value: "KEY=VALUE",
    describe: "Set one setting, such as router.port=8081; repeatable, wins over file and environment.",
  },
} as const satisfies Flags;

/** @throws usageInvalid */
export async function runOptions(
  host: Host,
  flags: { readonly config?: string; readonly set?: readonly string[] },
): Promise<RunOptions> {
  return {
    configPath: flags.config === undefined ? undefined : await absolutePath(host, flags.config),
    dataDirectory: dataDirectory(host),
    environment: host.environment,
    flags: parsePairs("--set", flags.set ?? []),
  };
}

/** @throws usageInvalid when the role cannot run without a file and none is named */
export async function requiredConfigPath(
  host: Host,
  role: string,
  path: string | undefined,
): Promise<string> {
  if (path === undefined) {
    throw usageInvalid({
      problem: `«viaduct ${role}» needs its configuration`,
      remedy: "name the file with -c FILE",
    });
  }
  return absolutePath(host, path);
}

async function absolutePath(host: Host, path: string): Promise<string> {
  const { resolve } = await import("node:path");
  return resolve(host.cwd, path);
}
