/**
 * What is the heap of `viaduct router -c` like after weeks, and how long is its event loop held up then? Its table is
 * alive all the time, and what V8 makes of the gaps that leave in it shows late.
 *
 *   node bench/router/ageing.bench.ts [FLAGS]     (--help: which)
 *
 * Hours last `--hour`, or follow each other as fast as the router takes them (V8 lets a heap that fills fast grow far more
 * than one that fills slowly, as in truth). Over a real NATS server; in each hour 5 % of the endpoints are
 * replaced (another address, port, GUIDs, tags of other sizes; a fifth of them get another route too, a tenth is never
 * unregistered and pruned instead), and 10 % of all register again unchanged, which in truth all do 180 times an hour:
 * garbage that dies young. Each night 10 % of the routes go at once, and come back under other names.
 *
 * A row is the day before it: the most memory and the most pages of the old generation, with garbage; the least that was
 * in use there, which is about what is alive, and the share of gaps in its pages at that moment. Turns are in CPU time of their thread; the longest
 * three, because on a busy machine the first may be the machine's.
 */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { encodeRegister, type RegisterFields, SUBJECTS } from "../../src/bus/index.ts";
import { findProgram } from "../../test/support/needs.ts";
import { createChildren } from "../support/children.ts";
import { type ClassicRouter, serveSmall, startClassicRouter } from "../support/classic-router.ts";
import { applyLoad } from "../support/load.ts";
import { cpuUsOf } from "../support/process-tree.ts";
import { viaductFlags } from "../support/viaduct-flags.ts";
import type { HeapLine } from "../support/write-heap.ts";
import { readFlags } from "../support/flags.ts";

const USAGE = `What is a router's heap like after weeks, and how long is it held up then?

  --days N        to pass; 7
  --hour MS       length of an hour; 0 is as fast as the router takes it
  --routes N      in the table; 100000
  --rate N        requests a second through it; 0
  --idle SECONDS  without anything after the last day, and then once more what is held; 0
  --flags="…"     of Node, instead of ./viaduct's`;

const { values } = readFlags(USAGE, {
  days: 7,
  hour: 0,
  routes: 100_000,
  rate: 0,
  idle: 0,
  flags: viaductFlags.join(" "),
});
const { routes: ROUTES, rate: RATE } = values;
const HOURS = 24;
const REPLACED_PER_HOUR = Math.round(ROUTES * 0.05);
const RENEWED_PER_HOUR = Math.round(ROUTES * 0.1);
const GONE_EACH_NIGHT = Math.round(ROUTES * 0.1);
const RENAMED_OF_REPLACED = 0.2;
const LOST_OF_REPLACED = 0.1;
/** Messages between two flushes, and how many may be on their way: fewer than a router lets wait. */
const BURST = 500;
const MOST_UNDER_WAY = 10_000;
const START_MS = 500;
const NEVER_S = 3_600;
const AT_ONCE_S = 1;

/** An instance that runs: what it says of itself is made of these numbers alone. */
interface Instance {
  route: number;
  /** How often it has been replaced. */
  age: number;
}

const missing = ["nats-server", ...(RATE > 0 ? ["nginx", "h2load"] : [])].filter(
  (name) => findProgram(name) === null,
);
if (missing.length > 0) throw new Error(`needs ${missing.join(", ")}`);

const children = createChildren();
try {
  const router = await startClassicRouter(children, {
    flags: values.flags.split(" "),
    imports: ["write-turns.ts", "write-heap.ts"],
    config: { droplet_stale_threshold: `${NEVER_S}s`, prune_stale_droplets_interval: "2s" },
  });
  console.log(`${ROUTES} routes, ${values.days} days, ${values.flags}, ${RATE} requests a second`);
  await age(router);
  await router.stop();
} finally {
  await children.stopAll();
}

async function age(router: ClassicRouter): Promise<void> {
  const random = numbers();
  const pick = () => Math.floor(random() * ROUTES);
  const publish = await publisher(router);
  const instances: Instance[] = Array.from({ length: ROUTES }, (_, route) => ({ route, age: 0 }));
  let lastRoute = ROUTES - 1;
  // What the start left in the files has been written then.
  await sleep(START_MS);
  const day = watch(router);

  for (const [slot, instance] of instances.entries()) await publish("register", registration(slot, instance));
  await publish.all();
  day("registered");
  const stopTraffic = await startTraffic(router);
  for (let days = 1; days <= values.days; days++) {
    for (let hour = 0; hour < HOURS; hour++) {
      const over = sleep(values.hour);
      for (let i = 0; i < REPLACED_PER_HOUR; i++) {
        const slot = pick();
        const before = instances[slot] as Instance;
        const isRenamed = random() < RENAMED_OF_REPLACED;
        const after = { route: isRenamed ? ++lastRoute : before.route, age: before.age + 1 };
        instances[slot] = after;
        await publish("register", registration(slot, after));
        const isLost = random() < LOST_OF_REPLACED;
        if (isLost) await publish("register", registration(slot, before, AT_ONCE_S));
        else await publish("unregister", registration(slot, before));
      }
      for (let i = 0; i < RENEWED_PER_HOUR; i++) {
        const slot = pick();
        await publish("register", registration(slot, instances[slot] as Instance));
      }
      await over;
    }
    const gone = Array.from({ length: GONE_EACH_NIGHT }, (_, i) => (pick() + i) % ROUTES);
    for (const slot of gone) await publish("unregister", registration(slot, instances[slot] as Instance));
    for (const slot of gone) {
      const after = { route: ++lastRoute, age: (instances[slot] as Instance).age + 1 };
      instances[slot] = after;
      await publish("register", registration(slot, after));
    }
    await publish.all();
    day(`day ${days}`);
  }
  await stopTraffic();
  await sleep(values.idle * 1_000);
  if (values.idle > 0) day(`${values.idle} s idle`);
}

interface Publish {
  (kind: "register" | "unregister", fields: RegisterFields): Promise<void>;
  /** Resolves when the router has taken all of them. */
  all(): Promise<void>;
}

async function publisher({ bus, heard, untilHeard }: ClassicRouter): Promise<Publish> {
  let sent = await heard();
  const publish = async (kind: "register" | "unregister", fields: RegisterFields) => {
    bus.publish(
      kind === "register" ? SUBJECTS.routerRegister : SUBJECTS.routerUnregister,
      encodeRegister(fields),
    );
    sent++;
    if (sent % BURST !== 0) return;
    await bus.flush();
    if (sent % MOST_UNDER_WAY === 0) await untilHeard(sent - MOST_UNDER_WAY);
  };
  publish.all = async () => {
    await bus.flush();
    await untilHeard(sent);
  };
  return publish;
}

/** Prints a row each time it is called, of what was since the time before. */
function watch({ pid }: ClassicRouter): (name: string) => void {
  const since = (file: string) => {
    const path = join(children.folder, file);
    let from = statSync(path).size;
    return () => {
      const lines = readFileSync(path, "latin1").slice(from).split("\n").slice(0, -1);
      from = statSync(path).size;
      return lines;
    };
  };
  const turnLines = since("turns");
  const heapLines = since("heap");
  let cpuUs = cpuUsOf(pid);
  console.log(
    ["", "resident MB", "pages MB", "used MB", "gaps %", "CPU s", "longest turns ms"]
      .map((title) => title.padEnd(12))
      .join(""),
  );
  return (name) => {
    const turns = turnLines()
      .map(Number)
      .toSorted((a, b) => b - a);
    const heap = heapLines().map((line) => JSON.parse(line) as HeapLine);
    const lowest = heap.reduce((low, line) => (line.usedBytes < low.usedBytes ? line : low));
    const most = (pick: (line: HeapLine) => number) => megabytes(Math.max(...heap.map(pick)));
    const beforeUs = cpuUs;
    cpuUs = cpuUsOf(pid);
    const row = [
      name,
      most(({ residentBytes }) => residentBytes),
      most(({ committedBytes }) => committedBytes),
      megabytes(lowest.usedBytes),
      ((1 - lowest.usedBytes / lowest.committedBytes) * 100).toFixed(0),
      ((cpuUs - beforeUs) / 1e6).toFixed(1),
      turns.slice(0, 3).join(" "),
    ];
    console.log(row.map((cell) => cell.padEnd(12)).join(""));
  };
}

/** @returns how to end it, which prints what the requests waited */
async function startTraffic(router: ClassicRouter): Promise<() => Promise<void>> {
  if (RATE === 0) return async () => {};
  const small = await serveSmall(children, router);
  const { run, folder } = children;
  let isOver = false;
  const seen = (async () => {
    const all = [];
    while (!isOver) {
      const load = {
        case: small,
        port: router.port,
        isTls: false,
        seconds: 5,
        connections: 32,
        rate: RATE,
        folder,
      };
      all.push(await applyLoad(load, findProgram, (generator) => run(generator, null)));
    }
    return all;
  })();
  return async () => {
    isOver = true;
    const all = await seen;
    const failures = all.reduce((sum, { failures }) => sum + failures, 0);
    const p99 = all.map(({ p99Ms }) => p99Ms).toSorted((a, b) => a - b);
    console.log(
      `requests: median of p99 ${p99[p99.length >> 1]} ms, worst ${p99.at(-1)} ms, ${failures} failed`,
    );
  };
}

function registration(
  slot: number,
  { route, age }: Instance,
  staleThresholdInSeconds = NEVER_S,
): RegisterFields {
  const guid = (kind: number, of: number) =>
    `${kind}${String(of).padStart(7, "0")}-5b1d-4c3a-9e6f-${String(age).padStart(12, "0")}`;
  // Spread over sizes as names and labels of apps are, the same whenever it is asked.
  const size = (slot * 7 + age * 13) % 17;
  const tags: Record<string, string> = {
    component: "route-emitter",
    process_id: guid(3, slot),
    instance_id: "0",
    organization_name: `org-${slot % 97}`,
    space_name: "space".repeat(1 + (size % 5)),
  };
  for (let i = 0; i < size % 6; i++) tags[`label_${i}`] = `${"value".repeat(1 + (i % 4))}-${age % 7}`;
  return {
    host: `10.${(slot >> 16) & 255}.${(slot >> 8) & 255}.${slot & 255}`,
    port: 61_000 + (age % 4_000),
    uris: [`app-${"x".repeat(size * 2)}${route}.apps.example.com`],
    app: guid(1, slot),
    privateInstanceId: guid(2, slot),
    privateInstanceIndex: "0",
    staleThresholdInSeconds,
    tags,
    availabilityZone: `z${slot % 3}`,
  };
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

/** The same in every run (a linear congruence: Numerical Recipes). */
function numbers(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
