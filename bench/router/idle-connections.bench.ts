/**
 * What does an idle keep-alive connection of a client cost the router in memory, once it has carried a request, and
 * what do requests of others cost and take beside so many of them?
 *
 *   node bench/router/idle-connections.bench.ts [CONNECTIONS] [FLAGS]     (--help: which)
 *
 * Resident memory of the router's processes; what the kernel keeps for a socket is not in it. The number of open files
 * that the machine allows limits how many connections one process can have (`ulimit -n`): with `--workers` it is
 * `viaduct router -c` with so many, and clients are in several processes always. Others come at a fixed rate
 * beside the idle ones, and then without them.
 */
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeRegister, SUBJECTS } from "../../src/bus/index.ts";
import { findProgram } from "../../test/support/needs.ts";
import { CASES, type Case } from "../support/cases.ts";
import { writeCertificate } from "../support/certificate.ts";
import { type Child, createChildren, freePort } from "../support/children.ts";
import { type ClassicRouter, startClassicRouter } from "../support/classic-router.ts";
import { applyLoad } from "../support/load.ts";
import { perRequest } from "../support/report.ts";
import { cpuUsOf, residentBytesOf } from "../support/process-tree.ts";
import { prepareOrigin } from "../support/proxies.ts";
import { viaductFlags } from "../support/viaduct-flags.ts";
import { readFlags } from "../support/flags.ts";

const USAGE = `What does an idle connection cost the router?

  CONNECTIONS  how many; 10000
  --tls        on TLS; of one process only
  --workers N  processes of the router; 1
  --rate N     requests of others a second; 2000`;

const { values, positionals } = readFlags(USAGE, { tls: false, workers: 1, rate: 2_000 }, 1);
const CONNECTIONS = Number(positionals[0] ?? "10000");
const { workers: WORKERS } = values;
/** So few that they are open before anybody loses patience. */
const PER_CLIENT = 5_000;
/** Make code and buffers that stay. */
const FIRST_CONNECTIONS = 500 * WORKERS;
const IDLE_S = 2;
const OTHERS = { connections: 32, seconds: 5 };

if (values.tls && WORKERS > 1) throw new Error("--tls is of one process: leave out --workers");
const missing = ["nginx", "h2load", ...(WORKERS > 1 ? ["nats-server"] : [])].filter(
  (name) => findProgram(name) === null,
);
if (missing.length > 0) throw new Error(`needs ${missing.join(", ")}`);

const small = CASES.find(({ name }) => name === "small-get") as Case;
const children = createChildren();
const { start, run, folder } = children;
try {
  const originPort = await freePort();
  await start(
    "origin",
    prepareOrigin(small, findProgram("nginx") ?? "", folder, originPort),
    null,
    originPort,
  );
  // The first start fills the compile cache, as in production; the second one is measured.
  await (await startRouter(originPort)).stop();
  const router = await startRouter(originPort);

  const first = await open(router.port, FIRST_CONNECTIONS, 0);
  const before = residentBytesOf(router.pid);
  const idle: Child[] = [];
  for (let opened = 0; opened < CONNECTIONS; opened += PER_CLIENT) {
    idle.push(await open(router.port, Math.min(PER_CLIENT, CONNECTIONS - opened), idle.length + 1));
  }
  const after = residentBytesOf(router.pid);
  const idleFrom = cpuUsOf(router.pid);
  await sleep(IDLE_S * 1_000);
  const cpuPercent = (cpuUsOf(router.pid) - idleFrom) / (IDLE_S * 10_000);
  // After the memory: many requests let the heap grow, and idle connections would find room there.
  await others(router);
  const beside = await others(router);
  await Promise.all([first, ...idle].map((client) => client.stop()));
  const without = await others(router);
  console.log(
    `${CONNECTIONS} idle connections, ${WORKERS} workers: ${((after - before) / CONNECTIONS / 1_000).toFixed(1)} kB each, ` +
      `${(before / 1e6).toFixed(0)} → ${(after / 1e6).toFixed(0)} MB resident, ${cpuPercent.toFixed(1)} % of a core while idle`,
  );
  console.log(`${values.rate} requests of others a second: CPU µs each, p50 and p99 in ms, failed`);
  console.table({ beside, without });
} finally {
  await children.stopAll();
}

interface Router extends Child {
  readonly port: number;
}

async function startRouter(originPort: number): Promise<Router> {
  if (WORKERS > 1) {
    const router = await startClassicRouter(children, {
      flags: viaductFlags,
      imports: [],
      config: { viaduct: { workers: WORKERS } },
    });
    await untilServed(router, originPort);
    return router;
  }
  const port = await freePort();
  const program = join(import.meta.dirname, "../support/router-process.ts");
  const tls = values.tls ? writeCertificate(folder) : null;
  const files = [join(folder, "access.log"), ...(tls === null ? [] : [tls.certificate, tls.key])];
  const command = [process.execPath, ...viaductFlags, program, String(port), String(originPort), ...files];
  return { ...(await start("router", command, null, port)), port };
}

/** By all workers, as far as connections that come to one or another of them can tell. */
async function untilServed({ bus, port }: ClassicRouter, originPort: number): Promise<void> {
  for (let served = 0; served < 20 * WORKERS; served++) {
    bus.publish(
      SUBJECTS.routerRegister,
      encodeRegister({ host: "127.0.0.1", port: originPort, uris: ["127.0.0.1"] }),
    );
    const [answer] = (await once(
      get({ host: "127.0.0.1", port, path: "/small-get", agent: false }),
      "response",
    )) as [IncomingMessage];
    answer.resume();
    if (answer.statusCode !== 200) served = 0;
  }
}

/** Clients of their own address, because an address has 28,000 ports for one destination. */
async function open(port: number, count: number, number: number): Promise<Child> {
  const readyPort = await freePort();
  const program = join(import.meta.dirname, "../support/idle-clients.ts");
  const given = [port, count, `127.0.1.${1 + number}`, readyPort].map(String);
  const command = [process.execPath, program, ...given, ...(values.tls ? ["tls"] : [])];
  return start(`clients-${number}`, command, null, readyPort);
}

async function others({ pid, port }: Router) {
  const before = cpuUsOf(pid);
  const load = { case: small, port, isTls: values.tls, ...OTHERS, rate: values.rate, folder };
  const { requests, p50Ms, p99Ms, failures } = await applyLoad(load, findProgram, (generator) =>
    run(generator, null),
  );
  return { cpuUs: Number(perRequest(before, cpuUsOf(pid), requests).toFixed(1)), p50Ms, p99Ms, failures };
}
