/**
 * What do 100,000 routes cost `viaduct router -c` when it hears of them by `router.register` over a real NATS server:
 * CPU, memory at its highest, and how long is its event loop held up meanwhile? And to hear of them all again?
 *
 *   node bench/router/registrations.bench.ts [FLAGS]     (--help: which)
 *
 * One endpoint each, as emitters send them (with tags, GUIDs and an index), as fast as the server takes them; the log is
 * at level info, and goes to a file. Every round has a router of its own. Printed are the lowest and the highest round.
 *
 * Turns of the event loop are counted in CPU time of their thread, so that a busy machine does not count; what the
 * requests waited is in wall-clock time, and on two cores says as much about those who send.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Bus, encodeRegister, type RegisterFields, SUBJECTS } from "../../src/bus/index.ts";
import { findProgram } from "../../test/support/needs.ts";
import { type Children, createChildren } from "../support/children.ts";
import { serveSmall, startClassicRouter } from "../support/classic-router.ts";
import { applyLoad, type LoadResult } from "../support/load.ts";
import { cpuUsOf } from "../support/process-tree.ts";
import { viaductFlags } from "../support/viaduct-flags.ts";
import { readFlags } from "../support/flags.ts";

const USAGE = `What do routes cost the router when it hears of them over NATS?

  --routes N   with an endpoint each; 100000
  --rounds N   each with a router of its own; 5
  --busy       keep one core busy beside it
  --rate N     requests a second through it meanwhile; 0
  --flags="…"  of Node, instead of ./viaduct's`;

const { values } = readFlags(USAGE, {
  routes: 100_000,
  rounds: 5,
  busy: false,
  rate: 0,
  flags: viaductFlags.join(" "),
});
const { routes: ROUTES, rate: RATE } = values;
/** Longer than registering takes twice, also on a busy machine. */
const LOAD_SECONDS = Math.ceil(ROUTES / 12_500);
/** Messages between two flushes: a registrar does not send all it has in one write. */
const BURST = 500;
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
  for (let round = 0; round < values.rounds; round++) rounds.push(await measure(children, ROUTES));
  report(rounds);
} finally {
  await children.stopAll();
}

async function measure(children: Children, routes: number): Promise<Round> {
  const { run, folder } = children;
  const router = await startClassicRouter(children, {
    flags: values.flags.split(" "),
    imports: ["write-turns.ts"],
    config: {},
  });
  const { bus, heard, untilHeard } = router;
  const turnsFile = join(folder, "turns");

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
  if (RATE > 0 && routes > 1) {
    const small = await serveSmall(children, router);
    load = applyLoad(
      {
        case: small,
        port: router.port,
        isTls: false,
        seconds: LOAD_SECONDS,
        connections: 32,
        rate: RATE,
        folder,
      },
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
  await router.stop();
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
