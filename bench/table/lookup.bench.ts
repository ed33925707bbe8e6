/**
 * Does a lookup cost the same at 1,000 and at 1,000,000 routes, next to `Map.get` of the same hosts, and what does a
 * route cost in memory and to register?
 *
 *   node --expose-gc bench/table/lookup.bench.ts
 *
 * Every size runs in a process of its own, in several rounds whose order alternates; printed are median and spread.
 * Messages are parsed from JSON, as they come, so that memory counts every string that a route keeps alive.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { createTable, type Endpoint, type Table } from "../../src/table/index.ts";
import { endpoint } from "../../src/table/samples.ts";

const SIZES = [1_000, 10_000, 100_000, 1_000_000];
const ROUNDS = 3;
const LOOKUPS = 1_000_000;
/** Distinct request heads, so that neither strings nor their hashes are warm. */
const REQUESTS = 100_000;
const NO_OPTIONS = {};
const hostOf = (i: number) => `app-${i}.apps.example.com`;

interface Measurement {
  readonly routes: number;
  readonly heapMb: number;
  readonly registerUs: number;
  readonly renewUs: number;
  /** Over a thousand of the hosts: the work itself. */
  readonly hotNs: number;
  /** Over all hosts, the k-th most popular asked for 1/k times as often as the first: as traffic is. */
  readonly zipfNs: number;
  /** `Map.get` for the same hosts in the same order, beside it. */
  readonly mapZipfNs: number;
  /** Over all hosts alike, which no traffic is: the work and the memory's latency. */
  readonly exactNs: number;
  readonly mapExactNs: number;
  readonly pathNs: number;
  readonly wildcardNs: number;
  readonly unknownNs: number;
  readonly pruneMs: number;
  readonly snapshotUs: number;
  readonly firstWriteAfterSnapshotUs: number;
}

if (process.argv[2] === undefined) compare();
else console.log(JSON.stringify(measure(Number(process.argv[2]))));

function compare(): void {
  const results = new Map<number, Measurement[]>(SIZES.map((size) => [size, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const size of round % 2 === 0 ? SIZES : SIZES.toReversed()) {
      const args = ["--expose-gc", "--max-old-space-size=4096", fileURLToPath(import.meta.url), String(size)];
      const run = spawnSync(process.execPath, args, {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "inherit"],
      });
      if (run.status !== 0) throw new Error(`the run with ${size} routes ended with ${run.status}`);
      results.get(size)?.push(JSON.parse(run.stdout));
    }
  }
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  console.log(
    `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, commit ${commit}, ${ROUNDS} rounds`,
  );
  const rows = [...results.values()].map((measurements) => {
    const names = Object.keys(measurements[0] ?? {}) as (keyof Measurement)[];
    return Object.fromEntries(
      names.map((name) => [name, medianAndSpread(measurements.map((one) => one[name]))]),
    );
  });
  console.table(rows);
}

function medianAndSpread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const [median = 0, low = 0, high = 0] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)];
  const round = (value: number) => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
  return low === high ? String(round(median)) : `${round(median)} (${round(low)}–${round(high)})`;
}

function measure(routes: number): Measurement {
  const before = heapMb();
  const table = createTable({ attach: () => null });
  const registerUs = registerAll(table, routes) / (routes / 1_000);
  const heap = heapMb() - before;
  const renewUs = registerAll(table, routes) / (routes / 1_000);

  // A thousand hosts with ten path routes each, and wildcards, on top of the flat ones.
  for (let i = 0; i < 10_000; i++) {
    register(table, `paths-${i % 1_000}.example.com/v${Math.floor(i / 1_000)}/carts`, endpoint());
  }
  for (let i = 0; i < 1_000; i++) register(table, `*.wild-${i}.example.com`, endpoint());

  const pick = (i: number) => (i * 7_919) % routes;
  const hot = requests((i) => [hostOf(pick(i % 1_000)), "/carts/7?page=2"]);
  const rank = popular(routes);
  const zipf = requests((i) => [hostOf(pick(rank(i))), "/carts/7?page=2"]);
  const exact = requests((i) => [hostOf(pick(i)), "/carts/7?page=2"]);
  const path = requests((i) => [`paths-${i % 1_000}.example.com`, `/v${i % 10}/carts/7?page=2`]);
  const wildcard = requests((i) => [`tenant-${i}.wild-${i % 1_000}.example.com`, "/"]);
  const unknown = requests((i) => [`nobody-${i}.example.org`, "/"]);
  const map = new Map(Array.from({ length: routes }, (_, i) => [hostOf(i), { rank: i }]));
  const measured = {
    hotNs: lookupNs(table, hot, true),
    zipfNs: lookupNs(table, zipf, true),
    mapZipfNs: mapNs(map, zipf),
    exactNs: lookupNs(table, exact, true),
    mapExactNs: mapNs(map, exact),
    pathNs: lookupNs(table, path, true),
    wildcardNs: lookupNs(table, wildcard, true),
    unknownNs: lookupNs(table, unknown, false),
  };

  const pruneMs = time(() => table.prune(2));
  const snapshotUs = (time(() => repeat(1_000, () => void table.snapshot())) / 1_000) * 1_000;
  let written = 0;
  const firstWriteAfterSnapshotUs =
    (time(() =>
      repeat(1_000, () => {
        table.snapshot();
        register(table, `new-${written++}.example.com`, endpoint());
      }),
    ) /
      1_000) *
    1_000;
  return {
    routes,
    heapMb: heap,
    registerUs,
    renewUs,
    ...measured,
    pruneMs,
    snapshotUs,
    firstWriteAfterSnapshotUs,
  };
}

/** Milliseconds for one message per route, parsing included. */
function registerAll(table: Table<null>, routes: number): number {
  return time(() => {
    for (let i = 0; i < routes; i++) {
      const { uri, ...fields } = JSON.parse(message(i)) as { uri: string } & Endpoint;
      register(table, uri, endpoint(fields));
    }
  });
}

function register(table: Table<null>, uri: string, given: Endpoint): void {
  table.register(
    { uri, endpoint: given, options: NO_OPTIONS, routeServiceUrl: null, staleAfterMs: 120_000 },
    1,
  );
}

function message(i: number): string {
  const guid = `${String(i).padStart(8, "0")}-1c2d-4e5f-8a9b-0123456789ab`;
  return JSON.stringify({
    uri: hostOf(i),
    host: `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`,
    port: 61_000 + (i % 1_000),
    tls: true,
    instanceId: guid,
    serverCertDomainSan: guid,
    appGuid: guid,
    processGuid: guid,
    instanceIndex: "0",
    availabilityZone: "z1",
    tags: { component: "route-emitter", process_id: guid, space_id: guid, organization_id: guid },
    updatedAtNs: "1767225600000000000",
  });
}

/** Built by joining, as a parser's slices are: no string here has its hash computed yet. */
function requests(make: (i: number) => readonly [string, string]): readonly (readonly [string, string])[] {
  return Array.from({ length: REQUESTS }, (_, i) => {
    const [host, target] = make(i);
    return [Buffer.from(host).toString("latin1"), target];
  });
}

function lookupNs(table: Table<null>, all: readonly (readonly [string, string])[], isFound: boolean): number {
  let found = 0;
  const run = (from: number, count: number) => {
    for (let i = from; i < from + count; i++) {
      const [host, target] = all[i % REQUESTS] ?? ["", ""];
      if (table.lookup(host, target) !== null) found++;
    }
  };
  run(0, 20_000);
  const ms = time(() => run(20_000, LOOKUPS));
  if (found !== (isFound ? LOOKUPS + 20_000 : 0)) throw new Error(`${found} lookups found a route`);
  return (ms / LOOKUPS) * 1e6;
}

/** Hosts as new texts, as every request brings them. */
function mapNs(
  map: ReadonlyMap<string, { readonly rank: number }>,
  all: readonly (readonly [string, string])[],
): number {
  const hosts = requests((i) => all[i] ?? ["", ""]);
  let found = 0;
  const run = (from: number, count: number) => {
    for (let i = from; i < from + count; i++) {
      // What is found is looked at, as a request does.
      if ((map.get(hosts[i % REQUESTS]?.[0] ?? "")?.rank ?? -1) >= 0) found++;
    }
  };
  run(0, 20_000);
  const ms = time(() => run(20_000, LOOKUPS));
  if (found !== LOOKUPS + 20_000) throw new Error(`${found} hosts were in the map`);
  return (ms / LOOKUPS) * 1e6;
}

/** The rank of the i-th request, the same in every run: logarithms of ranks are spread evenly. */
function popular(routes: number): (i: number) => number {
  const GOLDEN = 0.618_033_988_749_894_9;
  return (i) => Math.floor(routes ** ((i * GOLDEN) % 1)) - 1;
}

function repeat(times: number, run: () => void): void {
  for (let i = 0; i < times; i++) run();
}

/** In CPU time of this thread, so that a busy machine does not count, but for what it does to the caches. */
function time(run: () => void): number {
  const before = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}

function heapMb(): number {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc");
  for (let i = 0; i < 3; i++) globalThis.gc();
  return process.memoryUsage().heapUsed / 1e6;
}
