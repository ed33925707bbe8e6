/**
 * The doors from the command line to the roles: loaded when they are called, so that a command which only talks
 * to the API never reads the server's code. `app/` is the one room this one may import, and only here.
 */
import { usageInvalid } from "../kernel/errors/cli.ts";
import type { LoadedConfig } from "../kernel/index.ts";
import type { Flags } from "./command.ts";
import type { Host } from "./output.ts";
import { dataDirectory } from "./data-dir.ts";
import { parsePairs } from "./parse.ts";

export interface RunOptions {
  /** Absolute path of the YAML file; undefined runs on defaults. */
  readonly configPath: string | undefined;
  readonly dataDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** `{ "router.port": "8081" }` */
  readonly flags: Readonly<Record<string, string>>;
}

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

/** What the app room offers to the command line. */
export interface AppDoor {
  readonly runUp: (options: RunOptions) => Promise<number>;
  /** @throws configInvalid with every problem */
  readonly loadAppConfig: (options: RunOptions) => LoadedConfig;
  /** Writes the reference pages; with `isCheck` only says which are out of date. Returns their paths. */
  readonly generateDocs: (options: {
    readonly isCheck: boolean;
    readonly cli: string;
  }) => Promise<readonly string[]>;
  readonly runRouterRole: (options: { readonly configPath: string }) => Promise<number>;
  readonly runRegistrarRole: (options: { readonly configPath: string }) => Promise<number>;
}

type AppFile = "index" | "router-role" | "registrar-role";

export async function openApp(file: AppFile): Promise<AppDoor> {
  const specifier = `../app/${file}.ts`;
  return (await import(specifier)) as AppDoor;
}
