/**
 * One suite for both engines: what holds on SQLite must hold on PostgreSQL. What only one of them has comes last.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { sql, type Transaction } from "kysely";
import { Client } from "pg";
import { storeConnectionLost, storeUnreachable } from "../../src/kernel/errors/store.ts";
import {
  type Clock,
  createManualClock,
  type Logger,
  type ManualClock,
  newGuid,
  silentLogger,
  systemClock,
  type ViaductError,
} from "../../src/kernel/index.ts";
import {
  createOutboxRelay,
  encodeJson,
  isForeignKeyViolation,
  isUniqueViolation,
  type NewRow,
  type OutboxEntry,
  openStore,
  type QuotaLimitsDocument,
  type Store,
  type StoreLocation,
  type Tables,
  together,
  writeLater,
} from "../../src/store/index.ts";
import type { StoreInternals } from "../../src/store/store.ts";
import { startPostgres } from "../support/postgres.ts";

const CHILD = fileURLToPath(new URL("../support/store-child.ts", import.meta.url));
const NOW = "2026-11-21T10:00:00.000Z";

/** Where a new, empty database may be. */
type NewPlace = (t: TestContext) => Promise<StoreLocation>;
interface Case {
  readonly name: string;
  readonly check: (t: TestContext, newPlace: NewPlace) => Promise<void>;
}

const cases: Case[] = [];
const both = (name: string, check: Case["check"]) => void cases.push({ name, check });

test("SQLite", async (t) => {
  const newPlace: NewPlace = async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "viaduct-store-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    return { kind: "sqlite", path: join(folder, "viaduct.db") };
  };
  for (const { name, check } of cases) await t.test(name, (t) => check(t, newPlace));
  for (const { name, check } of sqliteOnly) await t.test(name, (t) => check(t, newPlace));
});

test("PostgreSQL", async (t) => {
  const server = await startPostgres(t);
  if (server === null) return;
  const newPlace: NewPlace = async () => ({ kind: "postgres", url: await server.newDatabase() });
  for (const { name, check } of cases) await t.test(name, (t) => check(t, newPlace));
  for (const { name, check } of postgresOnly) await t.test(name, (t) => check(t, newPlace));
});

// --- opening and migrating ---

both("opening a second time changes nothing and finds what was there", async (t, newPlace) => {
  const place = await newPlace(t);
  const first = await openStore(place, { log: silentLogger, clock: systemClock });
  await first.db.insertInto("organizations").values(organization("kept")).execute();
  const before = await first.db.selectFrom("schema_migrations").selectAll().execute();
  await first.close();
  const second = await open(t, place);
  assert.deepEqual(await second.db.selectFrom("schema_migrations").selectAll().execute(), before);
  assert.deepEqual(await names(second), ["kept"]);
});

both("several processes may open a new database at once", async (t, newPlace) => {
  const place = await newPlace(t);
  const stores = await Promise.all([1, 2, 3, 4].map(() => open(t, place)));
  for (const store of stores) assert.deepEqual(await names(store), []);
});

both("a database of a newer version is refused, naming what it has more", async (t, newPlace) => {
  const place = await newPlace(t);
  const newer = await openStore(place, { log: silentLogger, clock: systemClock });
  await newer.db
    .insertInto("schema_migrations")
    .values({ name: "0999-from-tomorrow", checksum: "x", applied_at: NOW })
    .execute();
  await newer.close();
  await assert.rejects(open(t, place), (error: ViaductError) => {
    assert.equal(error.code, "store_too_new");
    assert.match(error.message, /newer version \(it has 0999-from-tomorrow\); start that version/);
    return true;
  });
});

both("a migration that is not the one that ran is refused", async (t, newPlace) => {
  const place = await newPlace(t);
  const colours = (statement: string) => ({
    migrations: [{ name: "0001-colours", statements: () => [statement] }],
  });
  await (await open(t, place, colours("create table colours (red integer)"))).close();
  await (await open(t, place, colours("create table colours\n  (red integer)"))).close();
  await assert.rejects(open(t, place, colours("create table colours (blue integer)")), {
    code: "store_migration_changed",
  });
});

both("a migration that fails leaves nothing behind", async (t, newPlace) => {
  const place = await newPlace(t);
  const good = { name: "0001-good", statements: () => ["create table good (id integer)"] };
  const bad = { name: "0002-bad", statements: () => ["create table bad (id integer)", "create nonsense"] };
  await assert.rejects(open(t, place, { migrations: [good, bad] }), (error: ViaductError) => {
    assert.equal(error.code, "store_migration_failed");
    assert.match(error.message, /^migration 0002-bad of the database .* changed nothing: .*nonsense/);
    return true;
  });
  const again = await open(t, place, { migrations: [good] });
  assert.deepEqual(
    (await again.db.selectFrom("schema_migrations").select("name").execute()).map((row) => row.name),
    ["0001-good"],
  );
});

// --- values ---

both("every table takes a full row and gives the same values back", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  for (const [table, row] of Object.entries(FULL_ROWS) as [keyof Tables, Record<string, unknown>][]) {
    await store.db
      .insertInto(table)
      .values(row as never)
      .execute();
    const [read] = await store.db.selectFrom(table).selectAll().execute();
    assert.deepEqual({ ...read }, row, table);
  }
});

both(
  "flags are 0 or 1 whether written as booleans or as numbers, and false when left out",
  async (t, newPlace) => {
    const store = await open(t, await newPlace(t));
    await store.db
      .insertInto("organizations")
      .values([
        { ...organization("a"), suspended: true },
        { ...organization("b"), suspended: 0 },
      ])
      .execute();
    await store.db.insertInto("organizations").values(organization("c")).execute();
    const rows = await store.db
      .selectFrom("organizations")
      .select(["name", "suspended"])
      .orderBy("name")
      .execute();
    assert.deepEqual(rows, [
      { name: "a", suspended: 1 },
      { name: "b", suspended: 0 },
      { name: "c", suspended: 0 },
    ]);
    const suspended = await store.db
      .selectFrom("organizations")
      .select("name")
      .where("suspended", "=", 1)
      .execute();
    assert.deepEqual(suspended, [{ name: "a" }]);
  },
);

both(
  "counts and sums are numbers, affected rows are counted, returned rows are whole",
  async (t, newPlace) => {
    const store = await open(t, await newPlace(t));
    await store.db
      .insertInto("outbox_cursors")
      .values([cursor("a", 1), cursor("b", 2 ** 52)])
      .execute();
    const totals = await store.db
      .selectFrom("outbox_cursors")
      .select((e) => [e.fn.countAll<number>().as("count"), e.fn.sum<number>("last_id").as("sum")])
      .executeTakeFirstOrThrow();
    assert.deepEqual(totals, { count: 2, sum: 2 ** 52 + 1 });
    const updated = await store.db
      .updateTable("outbox_cursors")
      .set({ last_id: 7 })
      .executeTakeFirstOrThrow();
    assert.equal(updated.numUpdatedRows, 2n);
    const deleted = await store.db
      .deleteFrom("outbox_cursors")
      .where("consumer", "=", "a")
      .returningAll()
      .execute();
    assert.deepEqual(deleted, [cursor("a", 7)]);
    const none = await store.db
      .deleteFrom("outbox_cursors")
      .where("consumer", "=", "a")
      .executeTakeFirstOrThrow();
    assert.equal(none.numDeletedRows, 0n);
  },
);

both("text is ordered byte by byte and comes back as it went in", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  const odd = ["", "A-1", "AB", "_", "a", "a b", "a'b\"c`d", "z", "ä", "日本", "🚋"];
  for (const name of odd.toReversed())
    await store.db.insertInto("organizations").values(organization(name)).execute();
  assert.deepEqual(await names(store), odd);
});

// --- constraints ---

both("a row or an address that is there already is recognised as such", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  await placeForRoutes(store);
  await store.db.insertInto("routes").values(route("r1", "shop")).execute();
  const conflicts: [string, () => Promise<unknown>][] = [
    ["the same GUID", () => store.db.insertInto("routes").values(route("r1", "other")).execute()],
    [
      "the same host without a port",
      () => store.db.insertInto("routes").values(route("r2", "shop")).execute(),
    ],
    [
      "a name in other letters",
      () => store.db.insertInto("organizations").values(organization("ORG")).execute(),
    ],
    [
      "a domain",
      () =>
        store.db
          .insertInto("domains")
          .values({ ...domain("example.com"), guid: "d2" })
          .execute(),
    ],
    [
      "an update",
      () => store.db.updateTable("routes").set({ guid: "r1" }).where("guid", "=", "r3").execute(),
    ],
  ];
  await store.db
    .insertInto("routes")
    .values({ ...route("r3", "shop"), path: "/v2" })
    .execute();
  for (const [what, run] of conflicts) {
    await assert.rejects(run, (error) => isUniqueViolation(error) && !isForeignKeyViolation(error), what);
  }
});

both("a row without its owner, and an owner with rows, are recognised as such", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  await placeForRoutes(store);
  await store.db.insertInto("routes").values(route("r1", "shop")).execute();
  const violations = [
    () =>
      store.db
        .insertInto("routes")
        .values({ ...route("r2", "x"), space_guid: "nowhere" })
        .execute(),
    () => store.db.deleteFrom("spaces").where("guid", "=", "space").execute(),
  ];
  for (const run of violations) {
    await assert.rejects(run, (error) => isForeignKeyViolation(error) && !isUniqueViolation(error));
  }
});

both("deleting a route takes its destinations and shares along", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  await placeForRoutes(store);
  await store.db.insertInto("routes").values(route("r1", "shop")).execute();
  await store.db
    .insertInto("apps")
    .values({ ...FULL_ROWS.apps, guid: "app", space_guid: "space" })
    .execute();
  await store.db
    .insertInto("destinations")
    .values({ ...FULL_ROWS.destinations, guid: "dest", route_guid: "r1", app_guid: "app" })
    .execute();
  await store.db.insertInto("route_shares").values({ route_guid: "r1", space_guid: "space" }).execute();
  await store.db.deleteFrom("routes").where("guid", "=", "r1").execute();
  assert.deepEqual(await store.db.selectFrom("destinations").selectAll().execute(), []);
  assert.deepEqual(await store.db.selectFrom("route_shares").selectAll().execute(), []);
});

// --- transactions ---

both("a rollback leaves neither the row nor its news", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  const failure = new Error("changed my mind");
  await assert.rejects(
    store.transaction(async (trx) => {
      await trx.insertInto("organizations").values(organization("ghost")).execute();
      await store.outbox.add(trx, { topic: "organization", key: "ghost" });
      throw failure;
    }),
    failure,
  );
  assert.deepEqual(await names(store), []);
  assert.deepEqual(await store.db.selectFrom("outbox").selectAll().execute(), []);
});

both("a failed statement fails its transaction with the statement's error", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  await store.db.insertInto("organizations").values(organization("a")).execute();
  await assert.rejects(
    store.transaction(async (trx) => {
      await trx.insertInto("organizations").values(organization("b")).execute();
      await trx.insertInto("organizations").values(organization("a")).execute();
    }),
    isUniqueViolation,
  );
  assert.deepEqual(await names(store), ["a"]);
});

both("what is written later is there for who looks after it, and is in the commit", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  await store.transaction(async (trx) => {
    await writeLater(trx, trx.insertInto("organizations").values(organization("a")));
    const seen = await trx.selectFrom("organizations").select("name").execute();
    assert.deepEqual(seen, [{ name: "a" }]);
    await writeLater(trx, trx.insertInto("organizations").values(organization("b")));
  });
  assert.deepEqual(await names(store), ["a", "b"]);
});

both(
  "a transaction fails with what a later write failed with, and nothing of it stays",
  async (t, newPlace) => {
    const store = await open(t, await newPlace(t));
    await store.db.insertInto("organizations").values(organization("a")).execute();
    const writeBoth = async (trx: Transaction<Tables>) => {
      await writeLater(trx, trx.insertInto("organizations").values(organization("b")));
      await writeLater(trx, trx.insertInto("organizations").values(organization("a")));
      return store.outbox.addLast(trx, { topic: "organization", key: "b" });
    };
    const atTheEnd = store.transaction(writeBoth);
    await assert.rejects(atTheEnd, isUniqueViolation);
    const before = store.transaction(async (trx) => {
      await writeBoth(trx);
      await trx.selectFrom("apps").selectAll().execute();
    });
    await assert.rejects(before, isUniqueViolation);
    assert.deepEqual(await names(store), ["a"]);
    assert.deepEqual(await store.db.selectFrom("outbox").selectAll().execute(), []);
  },
);

both("rows of several queries come together, in a transaction and without", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  await store.db.insertInto("organizations").values(organization("a")).execute();
  const ask = (db: Store["db"]) =>
    together(db, [
      db.selectFrom("organizations").select("name"),
      sql<{ total: number }>`select count(*) as total from organizations`,
      db.selectFrom("apps").selectAll(),
    ]);
  const found = [[{ name: "a" }], [{ total: 1 }], []];
  assert.deepEqual(await ask(store.db), found);
  assert.deepEqual(await store.transaction(ask), found);
  await assert.rejects(together(store.db, [sql`select 1`, sql`select nonsense`, sql`select 2`]), /nonsense/);
});

both(
  "transactions that look before they write keep a limit, however many run at once",
  async (t, newPlace) => {
    const place = await newPlace(t);
    // Three stores are three processes, as far as the database can tell.
    const stores = [await open(t, place), await open(t, place), await open(t, place)];
    const limit = 40;
    const tryToAdd = (store: Store, name: string) =>
      store.transaction(async (trx) => {
        const { count } = await trx
          .selectFrom("organizations")
          .select((e) => e.fn.countAll<number>().as("count"))
          .executeTakeFirstOrThrow();
        if (count >= limit) return;
        await trx.insertInto("organizations").values(organization(name)).execute();
      });
    await Promise.all(Array.from({ length: 60 }, (_, i) => tryToAdd(stores[i % 3] as Store, `org-${i}`)));
    assert.equal((await names(stores[1] as Store)).length, limit);
  },
);

both("using the store instead of the transaction is caught, not a deadlock", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  const misuse: ((store: Store) => Promise<unknown>)[] = [
    (store) => names(store),
    (store) => store.transaction(async () => {}),
  ];
  for (const use of misuse) {
    await assert.rejects(
      store.transaction(() => use(store)),
      /store\.db was used inside store\.transaction/,
    );
  }
  assert.deepEqual(await names(store), []);
});

both("what a transaction starts may use the store once the transaction has ended", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  const ended = Promise.withResolvers<void>();
  let later: Promise<string[]> | undefined;
  await store.transaction(async (trx) => {
    await trx.insertInto("organizations").values(organization("a")).execute();
    later = ended.promise.then(() => names(store));
  });
  ended.resolve();
  assert.deepEqual(await later, ["a"]);
});

both("a closed store says so", async (t, newPlace) => {
  const store = await openStore(await newPlace(t), { log: silentLogger, clock: systemClock });
  await store.close();
  await assert.rejects(names(store), { code: "store_closed" });
  await store.close();
});

// --- the outbox ---

both("news arrives in commit order, each key once per batch at its first place", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  await addNews(store, ["a", "b", "a", "c", "b"]);
  const consumer = await startConsumer(t, store);
  await consumer.relay.drained();
  assert.deepEqual(consumer.batches, [["a", "b", "c"]]);
  await addNews(store, ["a"]);
  await consumer.relay.drained();
  assert.deepEqual(consumer.batches, [["a", "b", "c"], ["a"]]);
});

both("many entries come in batches, none lost", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  const keys = Array.from({ length: 1203 }, (_, i) => `key-${i}`);
  await addNews(store, keys);
  const consumer = await startConsumer(t, store, { batchSize: 100 });
  await consumer.relay.drained();
  assert.equal(consumer.batches.length, 13);
  assert.deepEqual(consumer.batches.flat(), keys);
});

both("a consumer gets the topics it asked for and passes over the others", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  await addNews(store, ["a1", "a2"], "app");
  await addNews(store, ["r1"], "route");
  const routes = await startConsumer(t, store, { consumer: "routes", topics: ["route"] });
  const all = await startConsumer(t, store, { consumer: "all", topics: ["route", "app"] });
  await Promise.all([routes.relay.drained(), all.relay.drained()]);
  assert.deepEqual(routes.batches.flat(), ["r1"]);
  assert.deepEqual(all.batches.flat(), ["a1", "a2", "r1"]);
});

both(
  "a failing handler gets the same entries again, later and later, and nothing overtakes them",
  async (t, newPlace) => {
    const clock = createManualClock();
    const store = await open(t, await newPlace(t), { clock });
    const { log, warned } = watchedLog();
    let failures = 3;
    const consumer = await startConsumer(t, store, {
      clock,
      log,
      onBatch: () => {
        if (failures-- > 0) throw new Error("the table is away");
      },
    });
    await addNews(store, ["a", "b"]);
    const tried = [1];
    for (const pauseMs of [100, 200, 400]) {
      assert.equal((await warned()).pauseMs, pauseMs);
      // More to do is no reason to ask a failing handler sooner.
      await addNews(store, [`c${pauseMs}`]);
      clock.advance(pauseMs - 1);
      tried.push(consumer.batches.length);
      clock.advance(1);
    }
    await consumer.relay.drained();
    assert.deepEqual(tried, [1, 1, 2, 3]);
    assert.deepEqual(consumer.batches, [
      ["a", "b"],
      ["a", "b", "c100"],
      ["a", "b", "c100", "c200"],
      ["a", "b", "c100", "c200", "c400"],
    ]);
  },
);

both("entries whose handler succeeded just before the process died come again", async (t, newPlace) => {
  const place = await newPlace(t);
  const store = await open(t, place);
  await addNews(store, ["a", "b"]);
  const child = startChild(t, "handle-and-die", place);
  assert.deepEqual(await child.linesUntilEnd(), ["a", "b"]);
  const consumer = await startConsumer(t, store);
  await consumer.relay.drained();
  assert.deepEqual(consumer.batches, [["a", "b"]]);
});

both("a relay goes on where the one before it stopped", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  const first = await startConsumer(t, store);
  await addNews(store, ["a"]);
  await first.relay.drained();
  await first.relay.stop();
  await addNews(store, ["b"]);
  const second = await startConsumer(t, store);
  await second.relay.drained();
  assert.deepEqual(second.batches, [["b"]]);
});

both("drained waits for what is being handled, and a stop ends the waiting", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  const started = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const consumer = await startConsumer(t, store, {
    onBatch: () => {
      started.resolve();
      return gate.promise;
    },
  });
  await addNews(store, ["a"]);
  let isDrained = false;
  const drained = consumer.relay.drained().then(() => {
    isDrained = true;
  });
  await started.promise;
  assert.equal(isDrained, false);
  gate.resolve();
  await drained;

  await consumer.relay.stop();
  await addNews(store, ["b"]);
  await assert.rejects(consumer.relay.drained(), { code: "store_closed" });
});

both("who waits for an entry does not wait for what comes after it", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  const gate = Promise.withResolvers<void>();
  const consumer = await startConsumer(t, store, {
    batchSize: 1,
    onBatch: ([entry]) => (entry?.key === "b" ? gate.promise : undefined),
  });
  const ids = await store.transaction(async (trx) => [
    await store.outbox.add(trx, { topic: "route", key: "a" }),
    await store.outbox.add(trx, { topic: "route", key: "b" }),
    await store.outbox.add(trx, []),
  ]);
  const [first, second] = ids.map(Number);
  assert.equal(ids[2], null);
  await consumer.relay.drained(first);
  assert.deepEqual(consumer.batches[0], ["a"]);
  gate.resolve();
  await consumer.relay.drained(second);
  assert.deepEqual(consumer.batches, [["a"], ["b"]]);
});

both("the id of news that goes with the commit is known after it", async (t, newPlace) => {
  const store = await open(t, await newPlace(t));
  const consumer = await startConsumer(t, store);
  const add = (...keys: string[]) =>
    store.transaction((trx) =>
      store.outbox.addLast(
        trx,
        keys.map((key) => ({ topic: "route", key })),
      ),
    );
  assert.equal(await (await add()).lastId, null);
  const lastId = await (await add("a", "b")).lastId;
  assert(lastId !== null);
  await consumer.relay.drained(lastId);
  assert.deepEqual(consumer.batches, [["a", "b"]]);
});

both("a transaction that began earlier and commits later is not skipped", async (t, newPlace) => {
  const place = await newPlace(t);
  const store = await open(t, place);
  const consumer = await startConsumer(t, store);
  const added = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const slow = store.transaction(async (trx) => {
    await store.outbox.add(trx, { topic: "route", key: "slow" });
    added.resolve();
    await gate.promise;
  });
  await added.promise;
  const fast = addNews(store, ["fast"]);
  // Time enough for the second to commit and be delivered before the first, if nothing kept it from that. (On
  // SQLite the second has not begun: there is one connection.)
  if (place.kind === "postgres") for (let i = 0; i < 30; i++) await names(store);
  gate.resolve();
  await Promise.all([slow, fast]);
  await consumer.relay.drained();
  assert.deepEqual(consumer.batches.flat(), ["slow", "fast"]);
});

both("what another process adds is found", async (t, newPlace) => {
  const place = await newPlace(t);
  const clock = createManualClock();
  const here = await open(t, place, { clock });
  const arrived = Promise.withResolvers<void>();
  const consumer = await startConsumer(t, here, { clock, onBatch: () => arrived.resolve() });
  await consumer.relay.drained();
  const elsewhere = await open(t, place);
  await addNews(elsewhere, ["a"]);
  // PostgreSQL tells at once; SQLite is asked once a second, and here a second passes at every turn.
  if (place.kind === "sqlite") await advanceUntil(clock, arrived.promise);
  await arrived.promise;
  assert.deepEqual(consumer.batches, [["a"]]);
});

both("only what every consumer has handled is pruned", async (t, newPlace) => {
  const clock = createManualClock();
  const store = await open(t, await newPlace(t), { clock });
  const fast = await startConsumer(t, store, { consumer: "fast", clock });
  const slow = await startConsumer(t, store, { consumer: "slow", clock });
  const kept = async () =>
    (await store.db.selectFrom("outbox").select("key").orderBy("id").execute()).map((r) => r.key);
  await addNews(store, ["a"]);
  await Promise.all([fast.relay.drained(), slow.relay.drained()]);
  await slow.relay.stop();
  await addNews(store, ["b"]);
  await fast.relay.drained();
  assert.deepEqual(await kept(), ["a", "b"]);

  await advanceUntil(
    clock,
    until(async () => (await kept()).length === 1),
  );
  assert.deepEqual(await kept(), ["b"]);
  await store.outbox.forget("slow");
  await advanceUntil(
    clock,
    until(async () => (await kept()).length === 0),
  );
  // Numbers are not given again, or a cursor would skip what comes next.
  await addNews(store, ["c"]);
  await fast.relay.drained();
  assert.deepEqual(fast.batches.flat(), ["a", "b", "c"]);
});

// --- only one engine ---

const sqliteOnly: readonly Case[] = [
  {
    name: "whatever was acknowledged is there after a kill in the middle of commits, with its news",
    check: async (t, newPlace) => {
      const place = await newPlace(t);
      const acknowledged: string[] = [];
      for (let round = 1; round <= 3; round++) {
        const child = startChild(t, "commit", place);
        const until = acknowledged.length + 40;
        for await (const guid of child.lines) {
          acknowledged.push(guid);
          if (acknowledged.length === until) child.kill();
        }
      }
      const store = await open(t, place);
      const rows = new Set(await names(store));
      const news = new Set(
        (await store.db.selectFrom("outbox").select("key").execute()).map((row) => row.key),
      );
      assert.deepEqual(
        acknowledged.filter((guid) => !rows.has(guid)),
        [],
      );
      assert.deepEqual(rows, news);
    },
  },
];

const postgresOnly: readonly Case[] = [
  {
    name: "of two processes with one consumer, one delivers, and the other takes over",
    check: async (t, newPlace) => {
      const place = await newPlace(t);
      const [a, b] = [await open(t, place), await open(t, place)];
      const leader = await startConsumer(t, a);
      await addNews(a, ["1"]);
      await leader.relay.drained();
      const standby = await startConsumer(t, b);
      await addNews(b, ["2"]);
      // The standby learns from the cursor that the leader has handled it.
      await standby.relay.drained();
      assert.deepEqual([leader.batches, standby.batches], [[["1"], ["2"]], []]);
      await leader.relay.stop();
      await addNews(a, ["3"]);
      await standby.relay.drained();
      assert.deepEqual([leader.batches, standby.batches], [[["1"], ["2"]], [["3"]]]);
    },
  },
  {
    name: "a process is not told of its own news once more",
    check: async (t, newPlace) => {
      const place = await newPlace(t);
      const here = (await open(t, place)) as StoreInternals;
      const elsewhere = await open(t, place);
      const woken: string[] = [];
      const heard = Promise.withResolvers<void>();
      let writing = "";
      t.after(
        here.outbox.onChange(() => {
          woken.push(writing);
          if (writing === "elsewhere") heard.resolve();
        }),
      );
      // Leading and listening go by one connection, so now it listens.
      await here.outbox.lead("table");
      await here.outbox.register("table");
      writing = "here";
      await addNews(here, ["a"]);
      await here.outbox.advance("table", 1);
      // Notifications come in the order of commits.
      writing = "elsewhere";
      await addNews(elsewhere, ["b"]);
      await heard.promise;
      assert.deepEqual(woken, ["here", "elsewhere"]);
    },
  },
  {
    name: "a server that ends all connections costs one error each, then everything works again",
    check: async (t, newPlace) => {
      const place = await newPlace(t);
      const store = await open(t, place);
      const consumer = await startConsumer(t, store);
      await addNews(store, ["a"]);
      await consumer.relay.drained();
      await assert.rejects(
        store.transaction(async (trx) => {
          await trx.selectFrom("apps").selectAll().execute();
          await endAllConnections(place);
          await trx.insertInto("organizations").values(organization("lost")).execute();
        }),
        (error) =>
          storeConnectionLost.is(error) && /whether the last change was made is unknown/.test(error.message),
      );
      // An idle connection of the pool may learn of its end only when it is asked.
      await until(async () => (await names(store).catch(() => null)) !== null);
      assert.deepEqual(await names(store), []);
      await addNews(store, ["b"]);
      await consumer.relay.drained();
      assert.deepEqual(consumer.batches, [["a"], ["b"]]);
    },
  },
  {
    name: "what was prepared before another process changed a table is asked again, alone and in a transaction",
    check: async (t, newPlace) => {
      const place = await newPlace(t);
      const store = await open(t, place);
      const columns = async (db: Store["db"]) => {
        const [found] = await db.selectFrom("organizations").selectAll().where("guid", "=", "a").execute();
        return Object.keys(found ?? {}).length;
      };
      await store.db
        .insertInto("organizations")
        .values({ ...organization("a"), guid: "a" })
        .execute();
      const before = await columns(store.db);
      for (const [i, ask] of [() => columns(store.db), () => store.transaction(columns)].entries()) {
        // Prepared at the second time, used from then on.
        for (let times = 0; times < 3; times++) assert.equal(await ask(), before + i);
        const other = await open(t, place);
        await sql.raw(`alter table organizations add column newer_${i} text`).execute(other.db);
        assert.equal(await ask(), before + i + 1);
      }
    },
  },
  {
    name: "a server or database that is not there is refused without showing the password",
    check: async (t, newPlace) => {
      const place = await newPlace(t);
      assert(place.kind === "postgres");
      const missing = place.url.replace(/test_\d+/, "nowhere").replace("viaduct@", "viaduct:hunter2@");
      const locations = [
        missing,
        "postgres://viaduct:hunter2@127.0.0.1:1/cf",
        "mysql://viaduct:hunter2@127.0.0.1/cf",
      ];
      for (const url of locations) {
        await assert.rejects(open(t, { kind: "postgres", url }), (error) => {
          assert(storeUnreachable.is(error));
          assert.match(error.message, /viaduct@.*(does not exist|ECONNREFUSED|does not begin with postgres)/);
          assert.doesNotMatch(error.message, /hunter2/);
          return true;
        });
      }
    },
  },
];

// --- helpers ---

async function open(
  t: TestContext,
  place: StoreLocation,
  options: Partial<Parameters<typeof openStore>[1]> = {},
): Promise<Store> {
  const store = await openStore(place, { log: silentLogger, clock: systemClock, ...options });
  t.after(() => store.close());
  return store;
}

async function names(store: Store): Promise<string[]> {
  const rows = await store.db.selectFrom("organizations").select("name").orderBy("name").execute();
  return rows.map((row) => row.name);
}

async function addNews(store: Store, keys: readonly string[], topic = "route"): Promise<void> {
  await store.transaction((trx) =>
    store.outbox.add(
      trx,
      keys.map((key) => ({ topic, key })),
    ),
  );
}

async function startConsumer(
  t: TestContext,
  store: Store,
  options: {
    consumer?: string;
    topics?: readonly string[];
    batchSize?: number;
    clock?: Clock;
    log?: Logger;
    onBatch?: (batch: readonly OutboxEntry[]) => unknown;
  } = {},
) {
  const batches: string[][] = [];
  const relay = createOutboxRelay({
    store,
    consumer: "table",
    topics: ["route"],
    log: silentLogger,
    clock: systemClock,
    ...options,
    handle: async (batch) => {
      batches.push(batch.map((entry) => entry.key));
      await options.onBatch?.(batch);
    },
  });
  await relay.start();
  t.after(() => relay.stop());
  return { relay, batches };
}

function startChild(t: TestContext, job: string, place: StoreLocation) {
  const child = spawn(process.execPath, [CHILD, job, JSON.stringify(place)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout });
  return {
    lines,
    linesUntilEnd: () => Array.fromAsync(lines),
    kill: () => child.kill("SIGKILL"),
  };
}

/** A log whose warnings can be awaited, one after the other. */
function watchedLog() {
  const warnings: { pauseMs?: number }[] = [];
  let wake = () => {};
  const log: Logger = {
    ...silentLogger,
    warn: (fields) => {
      warnings.push(fields);
      wake();
    },
    child: () => log,
  };
  const warned = async () => {
    while (warnings.length === 0) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return warnings.shift() ?? {};
  };
  return { log, warned };
}

/** Lets time pass, a second per turn of the event loop, until the promise settles. */
async function advanceUntil(clock: ManualClock, promise: Promise<unknown>): Promise<void> {
  const progress = { isSettled: false };
  const settled = promise.finally(() => {
    progress.isSettled = true;
  });
  while (!progress.isSettled) {
    clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await settled;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

async function endAllConnections(place: StoreLocation): Promise<void> {
  assert(place.kind === "postgres");
  const admin = new Client(place.url);
  await admin.connect();
  await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()",
  );
  await admin.end();
}

// --- rows ---

const row = (guid: string) => ({ guid, created_at: NOW, updated_at: NOW });
const organization = (name: string) => ({ ...row(newGuid()), name, quota_guid: null });
const domain = (name: string) => ({
  ...row("domain"),
  name,
  router_group_guid: null,
  organization_guid: null,
});
const cursor = (consumer: string, last_id: number) => ({ consumer, last_id, updated_at: NOW });
const route = (guid: string, host: string): NewRow<"routes"> => ({
  ...row(guid),
  space_guid: "space",
  domain_guid: "domain",
  host,
  path: "",
  port: null,
  protocol: "http",
  options: encodeJson({}),
});

async function placeForRoutes(store: Store): Promise<void> {
  await store.db
    .insertInto("organizations")
    .values({ ...organization("org"), guid: "org" })
    .execute();
  await store.db
    .insertInto("spaces")
    .values({ ...row("space"), name: "space", organization_guid: "org", quota_guid: null })
    .execute();
  await store.db.insertInto("domains").values(domain("example.com")).execute();
}

/** One row of each table with every column set, in an order that its owners come first. */
const FULL_ROWS = {
  users: {
    ...row("user"),
    username: "ada",
    password_hash: "scrypt:…",
    email: "ada@example.com",
    origin: "uaa",
    scopes: encodeJson(["openid"]),
    active: 1,
  },
  login_attempts: { name_hash: "hash", failures: 3, locked_until: null, updated_at: NOW },
  clients: {
    id: "cf",
    secret_hash: "",
    grant_types: encodeJson(["password"]),
    authorities: encodeJson([]),
    scopes: encodeJson(["*"]),
    created_at: NOW,
    updated_at: NOW,
  },
  signing_keys: {
    kid: "key",
    algorithm: "RS256",
    private_pem: "-----BEGIN\n",
    public_pem: "-----BEGIN\n",
    created_at: NOW,
    retired_at: null,
  },
  refresh_tokens: {
    token_hash: "hash",
    jti: "j-r",
    user_guid: "user",
    client_id: "cf",
    scopes: encodeJson(["openid"]),
    created_at: NOW,
    expires_at: NOW,
  },
  revoked_tokens: { jti: "j", expires_at: NOW },
  quotas: {
    ...row("quota"),
    kind: "organization",
    name: "small",
    organization_guid: null,
    limits: encodeJson<QuotaLimitsDocument>({
      apps: {
        total_memory_in_mb: null,
        per_process_memory_in_mb: null,
        log_rate_limit_in_bytes_per_second: null,
        total_instances: null,
        per_app_tasks: null,
      },
      services: { paid_services_allowed: true, total_service_instances: null, total_service_keys: null },
      routes: { total_routes: 10, total_reserved_ports: 0 },
      domains: { total_domains: null },
    }),
  },
  isolation_segments: { ...row("segment"), name: "apart" },
  organizations: {
    ...row("org"),
    name: "org",
    suspended: 1,
    quota_guid: "quota",
    isolation_segment_guid: "segment",
  },
  entitlements: { isolation_segment_guid: "segment", organization_guid: "org" },
  spaces: {
    ...row("space"),
    name: "space",
    organization_guid: "org",
    quota_guid: null,
    isolation_segment_guid: null,
  },
  roles: {
    ...row("role"),
    type: "space_developer",
    user_guid: "user",
    organization_guid: null,
    space_guid: "space",
  },
  domains: {
    ...row("domain"),
    name: "example.com",
    internal: 0,
    router_group_guid: null,
    organization_guid: "org",
  },
  domain_shares: { domain_guid: "domain", organization_guid: "org" },
  routes: {
    ...row("route"),
    space_guid: "space",
    domain_guid: "domain",
    host: "",
    path: "",
    port: 65_535,
    protocol: "tcp",
    options: encodeJson({ loadbalancing: "hash", hash_balance: 1.25, "trim-path": true }),
  },
  route_shares: { route_guid: "route", space_guid: "space" },
  apps: {
    ...row("app"),
    name: "shop",
    space_guid: "space",
    state: "STARTED",
    lifecycle: encodeJson({ type: "buildpack", data: { buildpacks: [], stack: null } }),
    environment: encodeJson({ GREETING: 'it\'s "me"\n' }),
    current_droplet_guid: null,
  },
  processes: {
    ...row("process"),
    app_guid: "app",
    type: "web",
    command: null,
    instances: 2,
    memory_in_mb: 256,
    disk_in_mb: 512,
    log_rate_limit_in_bytes_per_second: 2 ** 40,
    health_check: encodeJson({ type: "http", data: { endpoint: "/health" } }),
    readiness_health_check: encodeJson({ type: "process", data: {} }),
    version: "v1",
    ports: encodeJson([8080, 9090]),
  },
  destinations: {
    ...row("destination"),
    route_guid: "route",
    app_guid: "app",
    process_type: "web",
    app_port: null,
    weight: 60,
    protocol: null,
  },
  packages: {
    ...row("package"),
    app_guid: "app",
    type: "bits",
    state: "READY",
    error: null,
    data: encodeJson({}),
  },
  droplets: {
    ...row("droplet"),
    app_guid: "app",
    package_guid: "package",
    state: "STAGED",
    error: null,
    process_types: encodeJson({ web: "node server.js" }),
    data: encodeJson({}),
  },
  builds: {
    ...row("build"),
    app_guid: "app",
    package_guid: "package",
    droplet_guid: null,
    state: "FAILED",
    error: "no buildpack",
    created_by: encodeJson({ guid: "user", name: "ada", email: "ada@example.com" }),
  },
  deployments: {
    ...row("deployment"),
    app_guid: "app",
    process_guid: "process",
    strategy: "rolling",
    status_value: "ACTIVE",
    status_reason: "DEPLOYING",
    status_changed_at: "2026-01-01T00:00:00.000Z",
    droplet_guid: "droplet",
    previous_droplet_guid: null,
    previous_version: "1",
    previous_instances: 2,
    new_instances: 1,
    max_in_flight: 1,
  },
  service_instances: {
    ...row("service"),
    name: "limiter",
    space_guid: "space",
    type: "user-provided",
    route_service_url: "https://limiter.example.com",
    syslog_drain_url: null,
    credentials: encodeJson({}),
    tags: encodeJson([]),
  },
  route_counts: { space_guid: "space", protocol: "http", total: 1 },
  audit_events: {
    ...row("event"),
    type: "audit.route.create",
    actor_guid: "user",
    actor_name: "ada",
    target_guid: "route",
    target_type: "route",
    target_name: "shop",
    data: encodeJson({ request: {} }),
    space_guid: "space",
    organization_guid: "org",
  },
  app_features: { app_guid: "app", name: "ssh", enabled: 0 },
  environment_groups: { name: "running", variables: encodeJson({ REGION: "north" }), updated_at: NOW },
  service_credential_bindings: {
    ...row("credentials"),
    name: null,
    app_guid: "app",
    service_instance_guid: "service",
  },
  service_route_bindings: {
    ...row("binding"),
    route_guid: "route",
    service_instance_guid: "service",
    parameters: encodeJson({}),
  },
  metadata: {
    resource_type: "route",
    resource_guid: "route",
    kind: "annotation",
    prefix: "",
    name: "note",
    // Longer than an index entry of PostgreSQL may be, and not compressible.
    value: Array.from({ length: 400 }, newGuid).join("").slice(0, 5000),
  },
  feature_flags: { name: "route_creation", enabled: 0, error_message: null, updated_at: NOW },
  jobs: {
    ...row("job"),
    operation: "route.delete",
    state: "PROCESSING",
    resource_type: "route",
    resource_guid: "route",
    errors: encodeJson([]),
    warnings: encodeJson([{ detail: "slow" }]),
  },
  router_groups: { ...row("group"), name: "default-tcp", type: "tcp", reservable_ports: "1024-1123" },
  route_reservations: {
    guid: "route",
    protocol: "http",
    route: "shop.example.com/v2",
    router_group_guid: "",
    document: encodeJson<unknown>({ tags: {} }),
    sequence: 2 ** 50,
    created_at: NOW,
    updated_at: NOW,
  },
  desired_lrps: {
    process_guid: "process-v1",
    domain: "cf-apps",
    log_guid: "app",
    document: encodeJson<unknown>(null),
    modification_epoch: "epoch",
    modification_index: 7,
    created_at: NOW,
    updated_at: NOW,
  },
  outbox_cursors: { consumer: "table", last_id: 1, updated_at: NOW },
} as const satisfies { readonly [T in Exclude<keyof Tables, "outbox" | "schema_migrations">]: NewRow<T> };
