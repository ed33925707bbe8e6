/**
 * For how long does a router hold up its event loop when all its routes come, change or go at once: an image of the
 * native feed, the next one in which a tenth is another, and pruning of all that classic registrations brought?
 *
 *   node bench/router/feeds.bench.ts [FLAGS]     (--help: which)
 *
 * Every round has a process of its own; printed are the lowest and the highest. Turns are counted in CPU time of their
 * thread, so that a busy machine does not count. What comes over a bus is `registrations.bench.ts`.
 */
import { fork, spawnSync } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { RouteTableHandler } from "../../src/contracts/index.ts";
import { createLogger, loadConfig, systemClock } from "../../src/kernel/index.ts";
import { createRoutePrograms, routerConfigFrom, routerSection } from "../../src/router/index.ts";
import { createNativeFeed } from "../../src/router/feeds/native.ts";
import { FeedCounts } from "../../src/router/feeds/feed-counts.ts";
import { createPruner } from "../../src/router/feeds/prune.ts";
import { createRouteTableClient } from "../../src/routing-api/index.ts";
import { createRoutingApiFeed } from "../../src/router/feeds/routing-api.ts";
import { createTable, type Endpoint, type Reservation, type TableImage } from "../../src/table/index.ts";
import { watchTurns } from "../support/turns.ts";
import { viaductFlags } from "../support/viaduct-flags.ts";
import { endpointOf, hostOf, reservationOf } from "./feeds-samples.ts";

const USAGE = `For how long is a router held up when all its routes come, change or go at once?

  --routes N   with an endpoint each; 100000
  --rounds N   each in a process of its own; 5
  --served     instead: what comes over HTTP, the Routing API's list twice, the second without a tenth, and the image of
               a route table in another process
  --flags="…"  of Node, instead of ./viaduct's`;

const { values } = parseArgs({
  options: {
    help: { type: "boolean", default: false },
    routes: { type: "string", default: "100000" },
    rounds: { type: "string", default: "5" },
    flags: { type: "string", default: viaductFlags.join(" ") },
    served: { type: "boolean", default: false },
    /** The process of a round. */
    one: { type: "boolean", default: false },
  },
});
const ROUTES = Number(values.routes);
const CHANGED_SHARE = 0.1;
/** Routes that are made in a turn. */
const PIECE = 200;
const SETTLE_MS = 300;

interface Part {
  readonly cpuS: number;
  readonly wallS: number;
  readonly longestTurnMs: number;
}
type Round = Readonly<Record<string, Part>>;
type Timed = (run: () => void, isDone: () => boolean) => Promise<Part>;

if (values.help) console.log(USAGE);
else if (values.one) console.log(JSON.stringify(await (values.served ? measureServed() : measure())));
else report(Array.from({ length: Number(values.rounds) }, runRound));

function runRound(): Round {
  const args = [
    ...values.flags.split(" "),
    fileURLToPath(import.meta.url),
    "--one",
    "--routes",
    values.routes,
    ...(values.served ? ["--served"] : []),
  ];
  const run = spawnSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (run.status !== 0) throw new Error(`the round ended with ${run.status}`);
  return JSON.parse(run.stdout);
}

async function measure(): Promise<Round> {
  const { config, log, counts, clock, table: native } = emptyRouter();
  const timed = createTimer();

  const handlers: RouteTableHandler[] = [];
  const feed = createNativeFeed({
    reader: {
      subscribe(_reader, handler) {
        handlers.push(handler);
        return { acknowledge() {}, close() {} };
      },
    },
    readerName: "router/0",
    table: native,
    counts,
    log,
    clock,
  });
  void feed.start();
  const load = async (sequence: number, changedShare: number) => {
    const image = await imageOf(sequence, changedShare);
    return timed(
      () => handlers[0]?.onImage(image),
      () => feed.cursor?.sequence === sequence,
    );
  };
  const image = await load(1, 0);
  const nextImage = await load(2, CHANGED_SHARE);
  await feed.stop();

  const classic = createTable(createRoutePrograms({ config, log }));
  for (let i = 0; i < ROUTES; i++) {
    const registration = { uri: hostOf(i), endpoint: endpointOf(i, 0), options: {}, routeServiceUrl: null };
    classic.register({ ...registration, staleAfterMs: 1 }, clock.monotonicMs() - 1_000);
    if (i % PIECE === 0) await nextTurn();
  }
  await sleep(SETTLE_MS);
  const pruner = createPruner({ table: classic, counts, log, clock });
  const pruning = await timed(pruner.prune, () => classic.size === 0);
  pruner.stop();
  return { image, "next image": nextImage, pruning };
}

/** The same over HTTP. */
async function measureServed(): Promise<Round> {
  const server = fork(new URL("feeds-served.ts", import.meta.url), [values.routes], { execArgv: [] });
  const [port] = (await once(server, "message")) as [number];
  const url = `http://127.0.0.1:${port}`;
  const timed = createTimer();
  const round = { ...(await measureLists(url, timed)), "remote image": await measureRemoteImage(url, timed) };
  server.kill();
  return round;
}

async function measureLists(url: string, timed: Timed): Promise<Round> {
  const given = emptyRouter();
  const { table } = given;
  const feed = createRoutingApiFeed({
    ...given,
    config: {
      url,
      tls: {},
      oauth: null,
      dropletStaleThresholdMs: 120_000,
      pruneStaleDropletsIntervalMs: 60_000,
      routingTableShardingMode: "all",
      isolationSegments: [],
    },
    prunes: false,
  });
  let isStarted = false;
  const list = await timed(
    () => void feed.start().then(() => (isStarted = true)),
    () => isStarted,
  );
  // Taken with the subscription.
  const nextList = await timed(
    () => {},
    () => table.size <= ROUTES * (1 - CHANGED_SHARE),
  );
  void feed.stop();
  return { list, "next list": nextList };
}

async function measureRemoteImage(url: string, timed: Timed): Promise<Part> {
  const given = emptyRouter();
  const reader = createRouteTableClient({ url, token: async () => "t", ...given });
  const feed = createNativeFeed({ reader, readerName: "router/0", ...given });
  const image = await timed(
    () => void feed.start(),
    () => feed.cursor !== null,
  );
  void feed.stop();
  return image;
}

/** Takes its time: whoever has made it has left garbage, of which the collector is done when it returns. */
async function imageOf(sequence: number, changedShare: number): Promise<TableImage> {
  const reservations: Reservation[] = [];
  const endpoints: Endpoint[] = [];
  for (let i = 0; i < ROUTES; i++) {
    reservations.push(reservationOf(i));
    endpoints.push(endpointOf(i, i % 1_000 < changedShare * 1_000 ? sequence : 0));
    if (i % PIECE === 0) await nextTurn();
  }
  await sleep(SETTLE_MS);
  return { cursor: { epoch: "e", sequence }, reservations, endpoints };
}

function emptyRouter() {
  const log = createLogger({ level: "info", sink: { write() {} } });
  const config = routerConfigFrom(loadConfig([routerSection], { flags: {} }).get(routerSection));
  const counts = new FeedCounts(systemClock.nowMs());
  return {
    config,
    log,
    counts,
    clock: systemClock,
    table: createTable(createRoutePrograms({ config, log })),
  };
}

function createTimer(): Timed {
  const turns = watchTurns();
  return async (run: () => void, isDone: () => boolean): Promise<Part> => {
    await nextTurn();
    turns.read();
    const before = process.cpuUsage();
    const startedMs = performance.now();
    run();
    while (!isDone()) await nextTurn();
    await nextTurn();
    const { user, system } = process.cpuUsage(before);
    return {
      cpuS: (user + system) / 1e6,
      wallS: (performance.now() - startedMs) / 1_000,
      longestTurnMs: turns.read().longestTurnMs,
    };
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function report(rounds: readonly Round[]): void {
  const range = (all: readonly number[], digits: number) =>
    `${Math.min(...all).toFixed(digits)}–${Math.max(...all).toFixed(digits)}`;
  console.log(`${ROUTES} routes, ${rounds.length} rounds`);
  for (const part of Object.keys(rounds[0] ?? {})) {
    const all = rounds.map((round) => round[part] as Part);
    const [cpuS, wallS, longest] = [
      all.map((one) => one.cpuS),
      all.map((one) => one.wallS),
      all.map((one) => one.longestTurnMs),
    ];
    console.log(
      `${part}: ${range(cpuS, 2)} CPU s, ${range(wallS, 1)} s, longest turn ${range(longest, 1)} ms of CPU`,
    );
  }
}
