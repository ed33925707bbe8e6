/**
 * How many changes a second does the database acknowledge, how late does the outbox deliver one, and how long does
 * one change keep this thread from doing anything else?
 *
 *   node bench/store/outbox.bench.ts                       SQLite in a file of the current folder's disk
 *   node bench/store/outbox.bench.ts postgres://…          PostgreSQL as it is configured there
 *
 * A change is one row and its news. «raw commit» is the same file without Kysely, transactions and outbox: what the
 * disk costs. Printed are medians of the rounds and their spread.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { newGuid, silentLogger, systemClock } from "../../src/kernel/index.ts";
import {
  createOutboxRelay,
  openStore,
  type Store,
  type StoreLocation,
  toTimestamp,
} from "../../src/store/index.ts";

const ROUNDS = 5;
const CHANGES = 300;
/** As many API calls at once as a busy foundation has. */
const CONCURRENT = 16;

const folder = mkdtempSync(join(process.cwd(), ".bench-store-"));
try {
  const url = process.argv[2];
  await measure(
    url === undefined ? { kind: "sqlite", path: join(folder, "viaduct.db") } : { kind: "postgres", url },
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measure(location: StoreLocation): Promise<void> {
  const store = await openStore(location, { log: silentLogger, clock: systemClock });
  const handled = new Map<string, () => void>();
  const relay = createOutboxRelay({
    store,
    consumer: "bench",
    topics: ["bench"],
    handle: async (batch) => {
      for (const { key } of batch) handled.get(key)?.();
    },
    log: silentLogger,
    clock: systemClock,
  });
  await relay.start();

  const results: Record<string, number[]> = {};
  const note = (name: string, value: number) => void (results[name] ??= []).push(value);
  for (let round = 0; round < ROUNDS; round++) {
    if (location.kind === "sqlite") note("raw commit, ms", await rawCommitMs(join(folder, "raw.db")));
    note("one after the other, changes/s", await changesPerSecond(store, 1));
    const longestStopMs = watchThread();
    note(`${CONCURRENT} at once, changes/s`, await changesPerSecond(store, CONCURRENT));
    note("longest stop of the thread, ms", longestStopMs());
    const latencies = await deliveryMs(store, handled);
    note("commit to handler, median ms", at(latencies, 0.5));
    note("commit to handler, p99 ms", at(latencies, 0.99));
  }
  await relay.stop();
  await store.close();

  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  console.log(
    `${store.dialect}, ${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, commit ${commit}`,
  );
  const rows = Object.entries(results).map(([name, values]) => {
    const sorted = values.toSorted((a, b) => a - b);
    const round = (value: number | undefined) => Number((value ?? 0).toPrecision(3));
    return [
      name,
      { median: round(at(sorted, 0.5)), lowest: round(sorted[0]), highest: round(sorted.at(-1)) },
    ];
  });
  console.table(Object.fromEntries(rows));
}

async function rawCommitMs(path: string): Promise<number> {
  const { DatabaseSync } = await import("node:sqlite");
  const database = new DatabaseSync(path);
  database.exec(
    "pragma journal_mode = wal; pragma synchronous = full; create table if not exists t (a text)",
  );
  const insert = database.prepare("insert into t values (?)");
  const start = performance.now();
  for (let i = 0; i < CHANGES; i++) insert.run(newGuid());
  const ms = (performance.now() - start) / CHANGES;
  database.close();
  return ms;
}

async function changesPerSecond(store: Store, concurrent: number): Promise<number> {
  const start = performance.now();
  await Promise.all(
    Array.from({ length: concurrent }, async () => {
      for (let i = 0; i < CHANGES / concurrent; i++) await change(store, newGuid());
    }),
  );
  return (CHANGES / (performance.now() - start)) * 1000;
}

/** Counts from the call to the call of what it returns, during which everything else had to wait for its turn. */
function watchThread(): () => number {
  let last = performance.now();
  let longest = 0;
  const look = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const turn = () => {
    look();
    next = setImmediate(turn);
  };
  let next = setImmediate(turn);
  return () => {
    clearImmediate(next);
    look();
    return longest;
  };
}

/** Sorted. */
async function deliveryMs(store: Store, handled: Map<string, () => void>): Promise<number[]> {
  const latencies: number[] = [];
  for (let i = 0; i < CHANGES; i++) {
    const key = newGuid();
    const delivered = new Promise<void>((resolve) => handled.set(key, resolve));
    await change(store, key);
    const committed = performance.now();
    await delivered;
    latencies.push(performance.now() - committed);
    handled.delete(key);
  }
  return latencies.sort((a, b) => a - b);
}

async function change(store: Store, guid: string): Promise<void> {
  const now = toTimestamp(Date.now());
  await store.transaction(async (trx) => {
    await trx
      .insertInto("organizations")
      .values({ guid, name: guid, quota_guid: null, created_at: now, updated_at: now })
      .execute();
    await store.outbox.add(trx, { topic: "bench", key: guid });
  });
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}
