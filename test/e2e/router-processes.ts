/** What tests of routers as processes of their own are made of: the router, an app behind NATS, and load that counts. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, type IncomingMessage, request, type RequestListener } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { type Bus, encodeRegister, SUBJECTS } from "../../src/bus/index.ts";
import { followLog } from "../support/follow-log.ts";
import { connectRegistrar } from "../support/nats.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "bin", "viaduct.mjs");
export const HOST = "shop.example.com";

export type RouterChild = ReturnType<typeof spawnRouter>;

/** `viaduct router -c` as an operator starts it, with these settings beside {@link BASE}. JSON is YAML. */
export function spawnRouter(t: TestContext, settings: object | ((folder: string) => object)) {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-routers-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const configPath = join(folder, "gorouter.yml");
  const writeConfig = (more: object) => writeFileSync(configPath, JSON.stringify({ ...BASE, ...more }));
  writeConfig(typeof settings === "function" ? settings(folder) : settings);
  const child = spawn(process.execPath, [PROGRAM, "router", "-c", configPath], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => end(child));
  const log = followLog();
  createInterface({ input: child.stdout }).on("line", (line) => log.write(line));
  const exit = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const neverStarted = exit.then(([code, signal]) => {
    throw new Error(`the router ended (${code ?? signal}): ${JSON.stringify(log.lines.at(-1))}`);
  });
  neverStarted.catch(() => {});
  return {
    child,
    log,
    folder,
    writeConfig,
    exit,
    /** Once it serves: where. */
    async ports() {
      const started = await Promise.race([log.line("gorouter.started"), neverStarted]);
      const port = Number(started.data["port"]);
      const { data } = await log.line("status-listeners-started");
      return { port, health: Number(data["health"]), status: Number(data["routes"]) };
    },
    workerPids: () => log.lines.filter(({ message }) => message === "worker-started").map(pidOf),
  };
}

const BASE = {
  port: 0,
  status: { host: "127.0.0.1", port: 0, user: "ops", pass: "secret", routes: { port: 0 } },
  nats: { hosts: [] },
  start_response_delay_interval: "10ms",
  disable_keep_alives: false,
  max_idle_conns: 100,
  max_idle_conns_per_host: 100,
  logging: { syslog: "vcap.gorouter", level: "info" },
};

const pidOf = ({ data }: { readonly data: Readonly<Record<string, unknown>> }) => Number(data["pid"]);

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  // Its workers end with it.
  child.kill("SIGKILL");
  await exit;
}

// === the app ===

/** An app, and a registrar that registers it, with these fields besides, whenever a router asks. */
export async function startApp(
  t: TestContext,
  natsPort: number,
  answer: RequestListener,
  more: Partial<Parameters<typeof encodeRegister>[0]> = {},
) {
  const connections = new Set<Socket>();
  const server = createServer(answer).listen(0, "127.0.0.1");
  server.keepAliveTimeout = 120_000;
  server.on("connection", (socket) => connections.add(socket));
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const bus: Bus = await connectRegistrar(t, natsPort);
  const fields = { host: "127.0.0.1", port: (server.address() as AddressInfo).port, uris: [HOST], ...more };
  const register = () => bus.publish(SUBJECTS.routerRegister, encodeRegister(fields));
  bus.subscribe(SUBJECTS.routerStart, register);
  await bus.flush();
  return { connections, bus };
}

// === clients ===

export interface Answer {
  readonly status: number;
  readonly requestId: string;
  /** "" when nothing is said of it. */
  readonly connection: string;
  readonly body: string;
}

/** @throws what became of the connection when there is no whole answer */
export async function ask(
  port: number,
  { agent = false as Agent | false, host = HOST, path = "/", login = false } = {},
): Promise<Answer> {
  const authorization = `Basic ${Buffer.from("ops:secret").toString("base64")}`;
  const headers = { host, ...(login ? { authorization } : {}) };
  const sent = request({ host: "127.0.0.1", port, agent, path, headers }).end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of response) body += String(chunk);
  const { connection = "", "x-vcap-request-id": requestId } = response.headers;
  return {
    status: response.statusCode ?? 0,
    requestId: String(requestId),
    connection,
    body,
  };
}

/** Clients that ask again and again: each on a connection of its own that it keeps, or on a new one every time. */
export function startLoad(
  t: TestContext,
  given: {
    readonly keeping: number;
    readonly reconnecting: number;
    /** Asked before each request. */
    readonly port: () => number;
  },
) {
  const failures: string[] = [];
  const wakers = new Set<() => void>();
  let answers = 0;
  let isOver = false;
  const client = async (agent: Agent | false) => {
    // What has failed says enough; and where nobody can be asked, nothing in here would ever wait.
    while (!isOver && failures.length === 0) {
      try {
        const { status, body } = await ask(given.port(), { agent });
        if (status === 200 && body === "hello") answers++;
        else failures.push(`${status} ${body}`);
      } catch (error) {
        failures.push(String(error));
      }
      for (const wake of wakers) wake();
      wakers.clear();
    }
    if (agent !== false) agent.destroy();
  };
  const clients = [
    ...Array.from({ length: given.keeping }, () => client(new Agent({ keepAlive: true, maxSockets: 1 }))),
    ...Array.from({ length: given.reconnecting }, () => client(false)),
  ];
  const stop = async () => {
    isOver = true;
    await Promise.all(clients);
  };
  t.after(stop);
  return {
    failures,
    get answers() {
      return answers;
    },
    /** Until so many more requests have been answered. */
    async more(count: number): Promise<void> {
      const enough = answers + count;
      while (answers < enough && failures.length === 0) {
        await new Promise<void>((resolve) => {
          wakers.add(resolve);
        });
      }
    },
    stop,
  };
}
