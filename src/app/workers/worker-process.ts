/** A worker as the primary sees it: a child process with sockets that it did not bind, and a channel. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { getCompileCacheDir } from "node:module";
import { join } from "node:path";
import { workerEndedEarly, workerNotStarted } from "../../kernel/errors/app.ts";
import type { BoundSockets } from "../../router/index.ts";
import { type FromWorker, type Generation, STATUS_USER, type ToWorker } from "./messages.ts";
import type { Worker } from "./supervisor.ts";

const ENTRY = join(import.meta.dirname, "worker.ts");
/** Standard streams and the channel come before it. */
const FIRST_SOCKET_FD = 4;

export interface WorkerProcess extends Worker<ToWorker> {
  readonly slot: number;
  /** Where it answers the primary's questions; null while it does not serve. */
  readonly status: { readonly url: string; readonly authorization: string } | null;
  /** What it said of its metrics at its end; "" when it could not. */
  readonly lastMetrics: string;
}

export function launchWorker(given: {
  readonly slot: number;
  readonly configPath: string;
  readonly generation: Generation;
  /** File descriptors of this process. */
  readonly sockets: BoundSockets;
}): WorkerProcess {
  const { slot, sockets } = given;
  const inherited = [sockets.plain, sockets.tls].filter((fd) => fd !== null);
  // All workers have the same arguments: OpenSSL's session contexts are made of them, and a session whose context is
  // another one is not resumed.
  const child = spawn(process.execPath, [...process.execArgv, ENTRY], {
    stdio: ["ignore", "inherit", "inherit", "ipc", ...inherited],
    env: { ...process.env, NODE_COMPILE_CACHE: getCompileCacheDir() },
  });
  const statusPassword = randomBytes(18).toString("base64url");
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<string>();
  let statusPort = 0;
  let lastMetrics = "";

  const send = (message: ToWorker) => {
    // A worker that has just ended is told nothing any more; its end is what counts.
    if (child.connected) child.send(message, () => {});
  };
  child.on("message", (message) => {
    const said = message as FromWorker;
    switch (said.kind) {
      case "ready":
        statusPort = said.statusPort;
        ready.resolve();
        return;
      case "failed":
        ready.reject(workerNotStarted({ worker: slot, message: said.message, reason: said.reason }));
        return;
      case "over":
        lastMetrics = said.metrics;
        return;
      default:
        said satisfies never;
    }
  });
  const over = (how: string) => {
    statusPort = 0;
    ready.reject(workerEndedEarly({ worker: slot, how }));
    ended.resolve(how);
  };
  child.once("error", (error) => over(error.message));
  // Not «exit»: what the worker said last may still be in the channel.
  child.once("close", (code, signal) => over(signal === null ? `exit code ${code}` : signal));

  const nextFd = [FIRST_SOCKET_FD, FIRST_SOCKET_FD + 1];
  send({
    kind: "start",
    slot,
    configPath: given.configPath,
    generation: given.generation,
    boundSockets: {
      plain: sockets.plain === null ? null : (nextFd.shift() ?? null),
      tls: sockets.tls === null ? null : (nextFd.shift() ?? null),
    },
    statusPassword,
  });
  const authorization = `Basic ${Buffer.from(`${STATUS_USER}:${statusPassword}`).toString("base64")}`;
  return {
    slot,
    pid: child.pid ?? 0,
    ready: ready.promise,
    ended: ended.promise,
    get status() {
      return statusPort === 0 ? null : { url: `http://127.0.0.1:${statusPort}`, authorization };
    },
    get lastMetrics() {
      return lastMetrics;
    },
    send,
    kill: () => void child.kill("SIGKILL"),
  };
}
