/**
 * The door from the command line to the roles, opened when a command runs one: a command that only talks to the API
 * never reads the server's code. What is behind it is said here in types, and a test compares.
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

type RunRole = (options: { readonly configPath: string }) => Promise<number>;

/** Files of `app/` and what commands use of them. */
export interface AppFiles {
  readonly index: {
    readonly runUp: (options: RunOptions) => Promise<number>;
    /** @throws configInvalid with every problem */
    readonly loadAppConfig: (options: RunOptions) => LoadedConfig;
  };
  readonly "generate-docs": {
    /** Writes the reference pages, or with `isCheck` only says which are out of date. Returns their paths. */
    readonly generateDocs: (options: {
      readonly isCheck: boolean;
      readonly cli: string;
    }) => Promise<readonly string[]>;
  };
  readonly "router-role": { readonly runRouterRole: RunRole };
  readonly "registrar-role": { readonly runRegistrarRole: RunRole };
}

export async function openApp<F extends keyof AppFiles>(file: F): Promise<AppFiles[F]> {
  // Computed on purpose: this room does not depend on `app/`, not even for its types.
  const specifier = `../app/${file}.ts`;
  return (await import(specifier)) as AppFiles[F];
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
