/**
 * One command in its own process group, which cannot outlive us.
 *
 *   this process ──stdin: the death pipe──► watcher (sh, leads the group)
 *        ▲                                    ├── guard (sh): waits for the end of the death pipe
 *        └──fd 3: up, code────────────────────└── /bin/sh -c <command> and whatever it starts
 *
 * The kernel closes the death pipe when this process dies, however it dies; the guard then kills the group. When
 * the command exits, the watcher says with which code and kills what the command left behind.
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const WATCHER = fileURLToPath(new URL("watcher.sh", import.meta.url));

/** Where no /proc shows it, a process that left the group may hold our end of its output for ever. */
const LAST_OUTPUT_MS = 1_000;

export interface WatchedProcess {
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** SIGTERM to the whole group. */
  terminate(): void;
  /** SIGKILL to everything the command started. */
  kill(): void;
}

export interface WatchedProcessHandlers {
  /**
   * The command has ended, called once: the code as a shell reports it (128 + signal), or null when the watcher
   * itself was killed. Its listening sockets are closed by then; output may still come.
   */
  onExit(code: number | null): void;
  /** Nothing of it is left, and all output has been read. */
  onGone(): void;
  /** It could not be started at all; nothing else is called. */
  onFailure(reason: string): void;
}

/**
 * @returns null when the system has no room for a process; `onFailure` follows.
 * @throws what `spawn` throws, for instance for an environment that is too large.
 */
export function startWatchedProcess(
  what: {
    command: string;
    directory: string;
    environment: Readonly<Record<string, string>>;
    /** Marks every process of the instance, also one that leaves the group. */
    instanceGuid: string;
  },
  handlers: WatchedProcessHandlers,
): WatchedProcess | null {
  const watcher = spawn("/bin/sh", [WATCHER, what.command], {
    cwd: what.directory,
    env: { ...what.environment, CF_INSTANCE_GUID: what.instanceGuid },
    detached: true,
    stdio: ["pipe", "pipe", "pipe", "pipe"],
  });
  if (watcher.pid === undefined) {
    watcher.on("error", (error) => handlers.onFailure(error.message));
    return null;
  }
  const group = -watcher.pid;
  const deathPipe = pipeOf(watcher, 0);
  const reports = pipeOf(watcher, 3) as Readable;

  let hasExited = false;
  const exited = (code: number | null) => {
    if (hasExited) return;
    hasExited = true;
    handlers.onExit(code);
  };
  let isUp = false;
  let isToTerminate = false;
  const terminate = () => {
    if (hasExited || watcher.exitCode !== null || watcher.signalCode !== null) return;
    try {
      process.kill(group, "SIGTERM");
    } catch {
      // The group ended between the check and the call.
    }
  };
  createInterface({ input: reports }).on("line", (line) => {
    if (line !== "up") {
      exited(Number(line));
      return;
    }
    isUp = true;
    if (isToTerminate) terminate();
  });
  watcher.on("exit", () => {
    // Without its watcher the rest of the group still has its guard, which this wakes.
    deathPipe.destroy();
    exited(null);
    setTimeout(() => {
      watcher.stdout?.destroy();
      watcher.stderr?.destroy();
    }, LAST_OUTPUT_MS).unref();
  });
  watcher.on("close", () => handlers.onGone());
  // A watcher that is gone cannot be written to; that it is gone is told by «exit».
  deathPipe.on("error", () => {});

  return {
    stdout: pipeOf(watcher, 1) as Readable,
    stderr: pipeOf(watcher, 2) as Readable,
    terminate() {
      // Until it is up it would not notice.
      if (isUp) terminate();
      else isToTerminate = true;
    },
    kill() {
      deathPipe.destroy();
    },
  };
}

function pipeOf(child: ChildProcess, fd: 0 | 1 | 2 | 3) {
  const pipe = child.stdio[fd];
  if (pipe === null || pipe === undefined) throw new Error(`descriptor ${fd} was not asked for as a pipe`);
  return pipe;
}
