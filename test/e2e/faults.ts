/** What the fault tests are made of: a router in gorouter's place, backends and load, the first two as processes. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { type Bus, encodeRegister, type RegisterFields, SUBJECTS } from "../../src/bus/index.ts";
import { followLog } from "../support/follow-log.ts";
import { connectRegistrar } from "../support/nats.ts";

export const HOST = "shop.example.com";
export const CLIENTS = 20;
/** Every so many requests one is a POST that may be repeated. */
const POST_EVERY = 5;

export interface Backend {
  readonly name: string;
  readonly port: number;
  readonly process: ChildProcess;
  kill(): Promise<void>;
}

/** @param behaviour  See `faults-backend.ts`. */
export async function startBackend(
  t: TestContext,
  name: string,
  { behaviour = "serves", port = 0, backlog = 511 } = {},
): Promise<Backend> {
  const program = join(import.meta.dirname, "faults-backend.ts");
  const child = spawn(process.execPath, [program, name, String(port), behaviour, String(backlog)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return {
    name,
    port: Number(line),
    process: child,
    async kill() {
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    },
  };
}

export type RouterProcess = Awaited<ReturnType<typeof startRouter>>;

/** `viaduct router -c` as an operator starts it. */
export async function startRouter(t: TestContext, natsPort: number, settings = "") {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-faults-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "gorouter.yml");
  writeFileSync(
    path,
    `port: 0
viaduct: {host: 127.0.0.1}
status: {host: 127.0.0.1, port: 0, user: ops, pass: secret, routes: {port: 0}}
nats:
  hosts: [{hostname: 127.0.0.1, port: ${natsPort}}]
start_response_delay_interval: 10ms
disable_keep_alives: false
max_idle_conns: 100
max_idle_conns_per_host: 100
logging: {syslog: vcap.gorouter, level: info}
${settings}`,
  );
  const program = join(import.meta.dirname, "..", "..", "bin", "viaduct.mjs");
  const child = spawn(process.execPath, [program, "router", "-c", path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const log = followLog();
  createInterface({ input: child.stdout }).on("line", (line) => log.write(line));
  const { data } = await log.line("gorouter.started");
  return { log, port: Number(data["port"]) };
}

export type Registrar = Awaited<ReturnType<typeof startRegistrar>>;

/** Registers backends, and all of them again whenever a router asks, as a registrar does. */
export async function startRegistrar(t: TestContext, natsPort: number) {
  const bus: Bus = await connectRegistrar(t, natsPort);
  const registered = new Map<string, RegisterFields>();
  const fieldsOf = ({ name, port }: Pick<Backend, "name" | "port">, uri: string) => ({
    host: "127.0.0.1",
    port,
    uris: [uri],
    privateInstanceId: name,
  });
  bus.subscribe(SUBJECTS.routerStart, () => {
    for (const fields of registered.values()) bus.publish(SUBJECTS.routerRegister, encodeRegister(fields));
  });
  return {
    bus,
    register(backend: Pick<Backend, "name" | "port">, uri = HOST) {
      const fields = fieldsOf(backend, uri);
      registered.set(`${uri} ${backend.name}`, fields);
      bus.publish(SUBJECTS.routerRegister, encodeRegister(fields));
    },
    unregister(backend: Pick<Backend, "name" | "port">, uri = HOST) {
      registered.delete(`${uri} ${backend.name}`);
      bus.publish(SUBJECTS.routerUnregister, encodeRegister(fieldsOf(backend, uri)));
    },
  };
}

export interface Answer {
  /** `200`; `502 endpoint_failure (EOF)` with a router error; `cut` when the connection ended before the answer did. */
  readonly outcome: string;
  readonly body: string;
}

export async function ask(port: number, agent: Agent | false, method = "GET", host = HOST): Promise<Answer> {
  const headers = { host, ...(method === "POST" ? { "idempotency-key": "1", "content-length": "0" } : {}) };
  let body = "";
  try {
    const sent = request({ host: "127.0.0.1", port, agent, method, headers }).end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    for await (const chunk of response) body += String(chunk);
    const error = response.headers["x-cf-routererror"];
    return {
      outcome: error === undefined ? String(response.statusCode) : `${response.statusCode} ${error}`,
      body,
    };
  } catch {
    return { outcome: "cut", body };
  }
}

export interface Load {
  /** How often each outcome was seen so far, without the addresses in it. */
  readonly outcomes: ReadonlyMap<string, number>;
  /** Until so many more answers have come that satisfy the condition. */
  seen(count: number, condition?: (answer: Answer) => boolean): Promise<void>;
  /** No further request; resolves when all are answered. */
  stop(): Promise<void>;
}

/** Clients on keep-alive connections, each asking again as soon as it has its answer. */
export function startLoad(t: TestContext, port: number): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const outcomes = new Map<string, number>();
  const watchers = new Set<(answer: Answer) => void>();
  let isStopped = false;
  const client = async () => {
    for (let i = 0; !isStopped; i++) {
      const answer = await ask(port, agent, i % POST_EVERY === 0 ? "POST" : "GET");
      const outcome = answer.outcome.replaceAll(/127\.0\.0\.1:\d+/g, "<address>");
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      for (const watch of watchers) watch(answer);
    }
  };
  const clients = Array.from({ length: CLIENTS }, client);
  const stop = async () => {
    isStopped = true;
    await Promise.all(clients);
    agent.destroy();
  };
  t.after(stop);
  return {
    outcomes,
    seen: (count, condition = () => true) =>
      new Promise((resolve) => {
        let left = count;
        const watch = (answer: Answer) => {
          if (!condition(answer) || --left > 0) return;
          watchers.delete(watch);
          resolve();
        };
        watchers.add(watch);
      }),
    stop,
  };
}

/** Asks until the answer is as wanted: how long that takes is up to the machine, and the test's own limit. */
export async function until(
  port: number,
  host: string,
  isWanted: (answer: Answer) => boolean,
): Promise<Answer> {
  for (;;) {
    const answer = await ask(port, false, "GET", host);
    if (isWanted(answer)) return answer;
  }
}
