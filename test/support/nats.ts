/**
 * A real nats-server for one test: on a free port of the loopback address, gone when the test ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { type Bus, connectNats } from "../../src/bus/index.ts";
import { silentLogger, systemClock } from "../../src/kernel/index.ts";
import { needs } from "./needs.ts";

export interface NatsServer {
  /** `nats://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  /** Kills the server as a crash would; returns when it is gone. */
  stop(): Promise<void>;
  /** Kills it if it runs, and starts it again on the same port; returns when it accepts clients. */
  restart(): Promise<void>;
}

/**
 * @param extraArguments  For instance `["--user", "nats", "--pass", "secret"]`.
 * @returns null after marking the test as skipped, and the test must return.
 */
export async function startNats(
  t: TestContext,
  extraArguments: readonly string[] = [],
): Promise<NatsServer | null> {
  const program = needs(t, "nats-server");
  if (program === null) return null;

  let child: ChildProcess | null = null;
  const start = async (port: number): Promise<number> => {
    const started = spawn(program, ["--addr", "127.0.0.1", "--port", String(port), ...extraArguments], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    child = started;
    return readyPort(started);
  };
  const stop = async () => {
    const running = child;
    child = null;
    if (running === null || running.exitCode !== null || running.signalCode !== null) return;
    running.kill("SIGKILL");
    await once(running, "exit");
  };
  t.after(stop);

  // -1 lets nats-server choose, which cannot collide with another test.
  const port = await start(-1);
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    stop,
    async restart() {
      await stop();
      await start(port);
    },
  };
}

/** One more client of the server, as whoever registers endpoints; closed with the test. */
export async function connectRegistrar(t: Pick<TestContext, "after">, port: number): Promise<Bus> {
  const bus = await connectNats({
    servers: [`127.0.0.1:${port}`],
    user: "",
    pass: "",
    name: "registrar",
    pingIntervalMs: 20_000,
    log: silentLogger,
    clock: systemClock,
    reconnectPauseMs: 10,
  });
  t.after(() => bus.close());
  return bus;
}

/** Reads the server's log until it says on which port it is ready. */
function readyPort(server: ChildProcess): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const said: string[] = [];
  let port = 0;
  // Read to the end, also after the promise is settled: a full pipe would stop the server.
  createInterface({ input: server.stderr as NonNullable<typeof server.stderr> }).on("line", (line) => {
    said.push(line);
    const listening = /Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(line);
    if (listening !== null) port = Number(listening[1]);
    if (line.includes("Server is ready")) resolve(port);
  });
  server.once("error", reject);
  server.once("exit", () => reject(new Error(`nats-server ended at once:\n${said.join("\n")}`)));
  return promise;
}
