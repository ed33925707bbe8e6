/**
 * The shape of a command. One file per command in `commands/`; its name and summary stand in `list.ts`, so that
 * `viaduct --help` reads one file. What a command needs beyond this is imported inside `run`.
 */
import type { ApiClient } from "./client.ts";
import type { Host, Output } from "./output.ts";

export interface Flag {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: boolean;
  /** Placeholder of the value in help: `N`, `KEY=VALUE`. */
  readonly value?: string;
  readonly describe: string;
}
export type Flags = Readonly<Record<string, Flag>>;

export type FlagValues<F extends Flags> = {
  readonly [K in keyof F]?: F[K]["type"] extends "boolean"
    ? boolean
    : F[K] extends { readonly multiple: true }
      ? readonly string[]
      : string;
};

export interface CommandExample {
  readonly command: string;
  /** What it does, as a sentence about behaviour. */
  readonly effect: string;
}

export interface Context<F extends Flags = Flags> {
  readonly flags: FlagValues<F>;
  /** Positional arguments in order; those after `--` included. */
  readonly args: readonly string[];
  readonly out: Output;
  readonly host: Host;
  /** A client that is logged in on first use. */
  readonly client: () => Promise<ApiClient>;
}

export interface Command<F extends Flags = Flags> {
  /** After the program's name: `app NAME`. */
  readonly usage: string;
  /** What a user must know beyond the summary; may be several lines. */
  readonly details?: string;
  readonly examples: readonly CommandExample[];
  readonly options: F;
  /** Names of positional arguments; `NAME?` may be missing, `COMMAND…` takes all that is left. */
  readonly parameters: readonly string[];
  /** @returns the exit code. @throws catalogued errors, which become exit code 1 (2 for `usage_invalid`). */
  readonly run: (context: Context<F>) => Promise<number>;
}

/** What the list holds: flags of every kind. */
export type AnyCommand = Omit<Command, "run"> & {
  readonly run: (context: Context<never>) => Promise<number>;
};

export function defineCommand<const F extends Flags>(command: Command<F>): Command<F> {
  return Object.freeze(command);
}

/** Flags that many commands share, spread into `options`. */
export const jsonFlag = {
  json: { type: "boolean", describe: "Print JSON for programs instead of text for people." },
} as const satisfies Flags;

export const apiFlag = {
  api: {
    type: "string",
    value: "URL",
    describe: "Talk to this API (default: VIADUCT_API, the last login, «viaduct up»).",
  },
} as const satisfies Flags;

export const timeoutFlag = {
  timeout: {
    type: "string",
    value: "DURATION",
    describe: 'How long to wait at most, such as "90s" (default: 60s).',
  },
} as const satisfies Flags;

export const routeOptionFlag = {
  option: {
    type: "string",
    short: "o",
    multiple: true,
    value: "KEY=VALUE",
    describe: "Set a route option; repeatable. «viaduct options» lists them.",
  },
} as const satisfies Flags;
