/**
 * The official `cf` command line as a program. What takes its place where there is none: `replay.ts`. Both take the same
 * words and answer with an exit code and what a user reads, so that one list of commands runs with either.
 */
import { execFile } from "node:child_process";

export interface CfAnswer {
  readonly code: number;
  /** Standard output and standard error. */
  readonly output: string;
}

export interface Cf {
  run(...words: readonly string[]): Promise<CfAnswer>;
}

/** @param home  Where the program keeps its target and tokens. */
export function officialCf(program: string, home: string): Cf {
  return {
    run: (...words) =>
      new Promise((resolve) => {
        const env = { ...process.env, CF_HOME: home, CF_COLOR: "false", LANG: "en_US.UTF-8" };
        execFile(program, words, { env }, (error, stdout, stderr) =>
          resolve({
            code: error === null ? 0 : typeof error.code === "number" ? error.code : 1,
            output: stdout + stderr,
          }),
        );
      }),
  };
}
