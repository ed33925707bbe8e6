/**
 * What do 100,000 routes cost a router that hears of them by `router.register` over a real NATS server: CPU, memory,
 * and how long is its event loop held up meanwhile? And what does it cost to hear of them all again?
 *
 *   node bench/router/registrations.bench.ts [ROUTES] [NODE_FLAG …]
 *
 * One endpoint each, as emitters send them (with tags, GUIDs and an index); the log is at level info, and thrown away.
 */
import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connectNats, encodeRegister, SUBJECTS } from "../../src/bus/index.ts";
import { createLogger, systemClock } from "../../src/kernel/index.ts";
import { findProgram } from "../../test/support/needs.ts";
import { cpuUsOf, residentBytesOf } from "../support/process-tree.ts";

interface Report {
  /** Registrations since the start. */
  readonly heard: number;
  readonly longestTurnMs: number;
  readonly longestWaitMs: number;
}

const [routesGiven = "100000", ...flagsGiven] = process.argv.slice(2);
/** As `./viaduct` starts it, unless others are given. */
const execArgv = flagsGiven.length === 0 ? ["--max-semi-space-size=4"] : flagsGiven;
const ROUTES = Number(routesGiven);
/** Messages between two flushes: a registrar does not send all it has in one write. */
const BURST = 500;
const POLL_MS = 50;

const program = findProgram("nats-server");
if (program === null) {
  console.error("registrations: needs nats-server");
  process.exit(1);
}
const server = spawn(program, ["--addr", "127.0.0.1", "--port", "-1"], {
  stdio: ["ignore", "ignore", "pipe"],
});
const port = await natsPort();
// As in production, where the program comes from the compile cache: the first start fills it, the second is measured.
const cache = mkdtempSync(join(tmpdir(), "viaduct-bench-"));
const first = startRouter();
await ask(first);
first.disconnect();
await once(first, "exit");
const router = startRouter();
const pid = router.pid ?? 0;
try {
  const bus = await connectNats({
    servers: [`127.0.0.1:${port}`],
    user: "",
    pass: "",
    name: "registrar",
    pingIntervalMs: 20_000,
    log: createLogger({ level: "silent" }),
    clock: systemClock,
  });
  await ask(router);
  let heardBefore = 0;
  console.log(`before: ${megabytes()} MB resident`);
  for (const what of ["first registration", "the same again"]) {
    const beforeUs = cpuUsOf(pid);
    const startedMs = performance.now();
    for (let i = 0; i < ROUTES; i++) {
      bus.publish(SUBJECTS.routerRegister, registration(i));
      if (i % BURST === 0) await bus.flush();
    }
    await bus.flush();
    heardBefore += ROUTES;
    let report = await ask(router);
    while (report.heard < heardBefore) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      const next = await ask(router);
      report = {
        heard: next.heard,
        longestTurnMs: Math.max(report.longestTurnMs, next.longestTurnMs),
        longestWaitMs: Math.max(report.longestWaitMs, next.longestWaitMs),
      };
    }
    const cpuS = (cpuUsOf(pid) - beforeUs) / 1e6;
    console.log(
      `${what}: ${cpuS.toFixed(2)} CPU s, ${((performance.now() - startedMs) / 1_000).toFixed(1)} s, ` +
        `${megabytes()} MB resident, longest turn ${report.longestTurnMs.toFixed(1)} ms of CPU, ${report.longestWaitMs.toFixed(1)} ms in all`,
    );
  }
  await bus.close();
} finally {
  router.disconnect();
  server.kill("SIGKILL");
  rmSync(cache, { recursive: true });
}

function registration(i: number): string {
  const guid = (kind: number) => `${kind}${String(i).padStart(7, "0")}-5b1d-4c3a-9e6f-0a1b2c3d4e5f`;
  return encodeRegister({
    host: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
    port: 61_000,
    uris: [`app-${i}.apps.example.com`],
    app: guid(1),
    privateInstanceId: guid(2),
    privateInstanceIndex: "0",
    staleThresholdInSeconds: 120,
    tags: { component: "route-emitter", process_id: guid(3), instance_id: "0", organization_name: "org" },
    availabilityZone: "z1",
  });
}

function startRouter(): ChildProcess {
  return fork(join(import.meta.dirname, "../support/classic-router-process.ts"), [port, "0"], {
    execArgv,
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

async function ask(router: ChildProcess): Promise<Report> {
  const answer = once(router, "message");
  router.send("report");
  const [report] = (await answer) as [Report];
  return report;
}

function megabytes(): string {
  return (residentBytesOf(pid) / 1e6).toFixed(0);
}

async function natsPort(): Promise<string> {
  for await (const line of createInterface({ input: server.stderr })) {
    const match = /Listening for client connections on \S+:(\d+)/.exec(line);
    if (match?.[1] !== undefined) {
      server.stderr.resume();
      return match[1];
    }
  }
  throw new Error("nats-server did not start");
}
