/**
 * Programs that run beside the benchmark and end with it, whatever ends it: on an exit or a signal we end them,
 * and should we be killed, the kernel does (`setpriv --pdeathsig`, where the machine has it).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "../../test/support/needs.ts";

const START_LIMIT_MS = 15_000;
const START_POLL_MS = 20;
const STOP_LIMIT_MS = 5_000;

export interface Child {
  readonly pid: number;
  stop(): Promise<void>;
}

export interface Children {
  /** Temporary; goes away with the benchmark. */
  readonly folder: string;
  /** Starts a program on one core (null: any) and waits until its port answers. */
  start(name: string, command: readonly string[], core: number | null, port: number): Promise<Child>;
  /** Runs a program to its end and returns what it printed on stdout. */
  run(command: readonly string[], core: number | null): Promise<string>;
  stopAll(): Promise<void>;
}

/** What is left to end, of all that were created here; one listener for them all. */
const endings = new Set<() => void>();
process.once("exit", () => {
  for (const end of endings) end();
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(130));

export function createChildren(): Children {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-bench-"));
  const running = new Set<ChildProcess>();
  const track = (child: ChildProcess) => {
    running.add(child);
    child.once("exit", () => running.delete(child));
    return child;
  };
  endings.add(() => {
    for (const child of running) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });

  return {
    folder,
    async start(name, command, core, port) {
      const logFile = join(folder, `${name}.out`);
      const log = openSync(logFile, "a");
      const [program = "", ...args] = wrap(command, core);
      const child = track(
        spawn(program, args, { stdio: ["ignore", log, log], cwd: folder, env: environment(folder) }),
      );
      closeSync(log);
      const failure = new Promise<string>((resolve) => {
        child.once("error", (error) => resolve(error.message));
        child.once("exit", (code, signal) => resolve(`it ended with ${signal ?? code}`));
      });
      const problem = await Promise.race([answers(port), failure]);
      if (problem !== null)
        throw new Error(`${name} did not start: ${problem}\n${readFileSync(logFile, "utf8")}`);
      return { pid: child.pid ?? 0, stop: () => stop(child) };
    },
    run: (command, core) =>
      new Promise((resolve, reject) => {
        const [program = "", ...args] = wrap(command, core);
        const child = track(spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] }));
        let text = "";
        child.stdout?.on("data", (chunk: Buffer) => (text += chunk.toString("utf8")));
        child.once("error", reject);
        child.once("close", (code) =>
          code === 0 ? resolve(text) : reject(new Error(`${command.join(" ")} ended with ${code}\n${text}`)),
        );
      }),
    async stopAll() {
      await Promise.all([...running].map(stop));
    },
  };
}

/** A port that nobody has at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** Pinned to a core and tied to our life, as far as the machine has the tools. */
function wrap(command: readonly string[], core: number | null): readonly string[] {
  const setpriv = findProgram("setpriv");
  const taskset = core === null ? null : findProgram("taskset");
  return [
    ...(setpriv === null ? [] : [setpriv, "--pdeathsig", "KILL"]),
    ...(taskset === null ? [] : [taskset, "--cpu-list", String(core)]),
    ...command,
  ];
}

/** Nothing of a user's own configuration or data may count. */
function environment(folder: string): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    HOME: folder,
    XDG_DATA_HOME: folder,
    XDG_CONFIG_HOME: folder,
    NODE_COMPILE_CACHE: join(folder, "compile-cache"),
  };
}

/** Null once something accepts connections there. */
async function answers(port: number): Promise<string | null> {
  for (let waitedMs = 0; waitedMs < START_LIMIT_MS; waitedMs += START_POLL_MS) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = createConnection(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (isOpen) return null;
    await sleep(START_POLL_MS);
  }
  return `nothing answers on port ${port} after ${START_LIMIT_MS / 1000} s`;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
  await ended;
  clearTimeout(late);
}
