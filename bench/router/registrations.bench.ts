/**
 * What do 100,000 routes cost `viaduct router -c` when it hears of them by `router.register` over a real NATS server:
 * CPU, memory at its highest, and how long is its event loop held up meanwhile? And to hear of them all again?
 *
 *   node bench/router/registrations.bench.ts [--routes N] [--rounds N] [--busy] [--rate N] [--flags "NODE_FLAG …"]
 *
 * One endpoint each, as emitters send them (with tags, GUIDs and an index), as fast as the server takes them; the log is
 * at level info, and goes to a file. Every round has a router of its own. `--busy` keeps one core busy beside it, `--rate`
 * sends so many requests a second through it. Printed are the lowest and the highest round.
 *
 * Turns of the event loop are counted in CPU time of their thread, so that a busy machine does not count; what the
 * requests waited is in wall-clock time, and on two cores says as much about those who send.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Bus, connectNats, encodeRegister, type RegisterFields, SUBJECTS } from "../../src/bus/index.ts";
import { createLogger, systemClock } from "../../src/kernel/index.ts";
import { findProgram } from "../../test/support/needs.ts";
import { CASES, type Case } from "../support/cases.ts";
import { type Children, createChildren, freePort } from "../support/children.ts";
import { applyLoad, type LoadResult } from "../support/load.ts";
import { cpuUsOf } from "../support/process-tree.ts";
import { prepareOrigin } from "../support/proxies.ts";

const { values } = parseArgs({
  options: {
    routes: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
    busy: { type: "boolean", default: false },
    rate: { type: "string", default: "0" },
    /** As `./viaduct` starts it, unless others are given. */
    flags: { type: "string", default: "--max-semi-space-size=4" },
  },
});
const ROUTES = Number(values.routes);
const RATE = Number(values.rate);
/** Longer than registering takes twice, also on a busy machine. */
const LOAD_SECONDS = Math.ceil(ROUTES / 12_500);
/** Messages between two flushes: a registrar does not send all it has in one write. */
const BURST = 500;
const POLL_MS = 50;
const BUSY_CORE = 1;

interface Part {
  readonly cpuS: number;
  readonly wallS: number;
  /** The highest so far. */
  readonly residentMb: number;
  readonly longestTurnMs: number;
}

interface Round {
  readonly idleMb: number;
  readonly first: Part;
  readonly again: Part;
  readonly traffic: LoadResult | null;
}

const missing = ["nats-server", ...(RATE > 0 ? ["nginx", "h2load"] : [])].filter(
  (name) => findProgram(name) === null,
);
if (missing.length > 0) throw new Error(`needs ${missing.join(", ")}`);

const children = createChildren();
try {
  // As in production, where the program comes from the compile cache: the first start fills it.
  await measure(children, 1);
  if (values.busy) void children.run([process.execPath, "-e", "for (;;);"], BUSY_CORE).catch(() => {});
  const rounds: Round[] = [];
  for (let round = 0; round < Number(values.rounds); round++) rounds.push(await measure(children, ROUTES));
  report(rounds);
} finally {
  await children.stopAll();
}

async function measure({ start, run, folder }: Children, routes: number): Promise<Round> {
  const [natsPort, port, metricsPort, originPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const natsCommand = [findProgram("nats-server") ?? "", "--addr", "127.0.0.1", "--port", String(natsPort)];
  const nats = await start("nats", natsCommand, null, natsPort);
  writeFileSync(
    join(folder, "gorouter.yml"),
    JSON.stringify({
      port,
      nats: { hosts: [{ hostname: "127.0.0.1", port: natsPort }] },
      status: { host: "127.0.0.1", port: 0, user: "user", pass: "pass" },
      prometheus: { enabled: true, port: metricsPort },
      access_log: { file: join(folder, "access.log") },
      logging: { level: "info" },
      start_response_delay_interval: "10ms",
    }),
  );
  const turnsFile = join(folder, "turns");
  const command = [
    process.execPath,
    ...values.flags.split(" "),
    "--import",
    join(import.meta.dirname, "../support/write-turns.ts"),
    join(import.meta.dirname, "../../bin/viaduct.mjs"),
    "router",
    "-c",
    join(folder, "gorouter.yml"),
  ];
  const router = await start("router", command, null, port);
  const bus = await connectNats({
    servers: [`127.0.0.1:${natsPort}`],
    user: "",
    pass: "",
    name: "registrar",
    pingIntervalMs: 20_000,
    log: createLogger({ level: "silent" }),
    clock: systemClock,
  });

  const heard = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
    return [...text.matchAll(/^registry_message\{.*\} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
  };
  const untilHeard = async (count: number) => {
    while ((await heard()) < count) await sleep(POLL_MS);
  };
  const registerAll = async (): Promise<Part> => {
    const turnsFrom = statSync(turnsFile).size;
    const beforeUs = cpuUsOf(router.pid);
    const startedMs = performance.now();
    const heardBefore = await heard();
    await publish(bus, routes);
    await untilHeard(heardBefore + routes);
    const turns = readFileSync(turnsFile, "latin1").slice(turnsFrom).split("\n").map(Number);
    return {
      cpuS: (cpuUsOf(router.pid) - beforeUs) / 1e6,
      wallS: (performance.now() - startedMs) / 1_000,
      residentMb: memoryMb(router.pid, "VmHWM"),
      longestTurnMs: Math.max(...turns),
    };
  };

  let load: Promise<LoadResult | null> = Promise.resolve(null);
  const small = CASES.find(({ name }) => name === "small-get") as Case;
  if (RATE > 0 && routes > 1) {
    await start(
      `origin-${originPort}`,
      prepareOrigin(small, findProgram("nginx") ?? "", folder, originPort),
      null,
      originPort,
    );
    bus.publish(
      SUBJECTS.routerRegister,
      encodeRegister({ host: "127.0.0.1", port: originPort, uris: ["127.0.0.1"] }),
    );
    await untilHeard(1);
    load = applyLoad(
      { case: small, port, isTls: false, seconds: LOAD_SECONDS, connections: 32, rate: RATE, folder },
      findProgram,
      (generator) => run(generator, null),
    );
  }
  // What the start left in the file of turns has been written then.
  await sleep(500);
  const idleMb = memoryMb(router.pid, "VmRSS");
  const first = await registerAll();
  const again = await registerAll();
  const traffic = await load;
  await bus.close();
  await router.stop();
  await nats.stop();
  return { idleMb, first, again, traffic };
}

async function publish(bus: Bus, routes: number): Promise<void> {
  for (let i = 0; i < routes; i++) {
    bus.publish(SUBJECTS.routerRegister, encodeRegister(registration(i)));
    if (i % BURST === 0) await bus.flush();
  }
  await bus.flush();
}

function registration(i: number): RegisterFields {
  const guid = (kind: number) => `${kind}${String(i).padStart(7, "0")}-5b1d-4c3a-9e6f-0a1b2c3d4e5f`;
  return {
    host: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
    port: 61_000,
    uris: [`app-${i}.apps.example.com`],
    app: guid(1),
    privateInstanceId: guid(2),
    privateInstanceIndex: "0",
    staleThresholdInSeconds: 120,
    tags: { component: "route-emitter", process_id: guid(3), instance_id: "0", organization_name: "org" },
    availabilityZone: "z1",
  };
}

function memoryMb(pid: number, field: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1_024) / 1e6;
}

function report(rounds: readonly Round[]): void {
  const range = (pick: (round: Round) => number, digits: number) => {
    const all = rounds.map(pick).toSorted((a, b) => a - b);
    return `${(all[0] ?? 0).toFixed(digits)}–${(all.at(-1) ?? 0).toFixed(digits)}`;
  };
  console.log(
    `${ROUTES} routes, ${rounds.length} rounds; before them ${range((r) => r.idleMb, 0)} MB resident`,
  );
  for (const part of ["first", "again"] as const) {
    console.log(
      `${part}: ${range((r) => r[part].cpuS, 2)} CPU s, ${range((r) => r[part].wallS, 1)} s, ` +
        `at most ${range((r) => r[part].residentMb, 0)} MB resident, longest turn ${range((r) => r[part].longestTurnMs, 1)} ms of CPU`,
    );
  }
  if (RATE === 0) return;
  console.log(
    `${RATE} requests a second meanwhile: p50 ${range((r) => r.traffic?.p50Ms ?? 0, 1)} ms, ` +
      `p99 ${range((r) => r.traffic?.p99Ms ?? 0, 1)} ms, ${range((r) => r.traffic?.failures ?? 0, 0)} failed`,
  );
}
