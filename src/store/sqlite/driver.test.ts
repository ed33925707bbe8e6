import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { type Generated, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, sql } from "kysely";
import { storeFailed } from "../../kernel/errors/store.ts";
import { createTransactionScope } from "../transaction-scope.ts";
import { SqliteDriver } from "./driver.ts";

interface Notes {
  notes: { id: Generated<number>; text: string };
}

/** A database whose log reaches the disk when the test says so. */
function openNotes(t: TestContext) {
  const database = new DatabaseSync(":memory:");
  database.exec("create table notes (id integer primary key, text text unique)");
  const flushes: PromiseWithResolvers<void>[] = [];
  const driver = new SqliteDriver(database, {
    path: "notes.db",
    scope: createTransactionScope(),
    flusher: {
      flush: () => {
        const flush = Promise.withResolvers<void>();
        flushes.push(flush);
        return flush.promise;
      },
      close: async () => {},
    },
  });
  t.after(() => driver.destroy());
  const db = new Kysely<Notes>({
    dialect: {
      createDriver: () => driver,
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createAdapter: () => new SqliteAdapter(),
      createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    },
  });
  return { db, driver, flushes };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

const writes: Readonly<Record<string, (db: Kysely<Notes>) => Promise<unknown>>> = {
  "a transaction": (db) =>
    db.transaction().execute((trx) => trx.insertInto("notes").values({ text: "a" }).execute()),
  "a single insert": (db) => db.insertInto("notes").values({ text: "a" }).execute(),
  "an insert that returns its row": (db) =>
    db.insertInto("notes").values({ text: "a" }).returningAll().execute(),
  "an insert below a with": (db) =>
    db
      .with("one", (e) => e.selectNoFrom(sql<string>`'a'`.as("text")))
      .insertInto("notes")
      .columns(["text"])
      .expression((e) => e.selectFrom("one").select("text"))
      .execute(),
  "raw SQL": (db) => sql`insert into notes (text) values ('a')`.execute(db),
};
for (const [name, write] of Object.entries(writes)) {
  test(`${name} is acknowledged when it is on disk, and keeps nobody from reading before`, async (t) => {
    const { db, flushes } = openNotes(t);
    let isAcknowledged = false;
    const written = write(db).then(() => {
      isAcknowledged = true;
    });
    await settle();
    assert.deepEqual([isAcknowledged, flushes.length], [false, 1]);
    assert.deepEqual(await db.selectFrom("notes").select("text").execute(), [{ text: "a" }]);
    flushes[0]?.resolve();
    await written;
    assert.equal(flushes.length, 1);
  });
}

test("reads, failures and what was relaxed wait for no disk", async (t) => {
  const { db, driver, flushes } = openNotes(t);
  await db.selectFrom("notes").selectAll().execute();
  await assert.rejects(sql`nonsense`.execute(db));
  await assert.rejects(
    db.transaction().execute(async (trx) => {
      await trx.insertInto("notes").values({ text: "a" }).execute();
      throw new Error("no");
    }),
  );
  await db.connection().execute(async (connection) => {
    await connection.insertInto("notes").values({ text: "a" }).execute();
    driver.relax();
  });
  assert.equal(flushes.length, 0);
});

test("a disk that refuses fails the write, naming the database", async (t) => {
  const { db, flushes } = openNotes(t);
  const written = db.insertInto("notes").values({ text: "a" }).execute();
  await settle();
  flushes[0]?.reject(new Error("EIO: i/o error, fdatasync"));
  await assert.rejects(written, (error) => storeFailed.is(error) && /notes\.db.*EIO/.test(error.message));
});

test("more texts of a statement than are kept prepared still work", async (t) => {
  const { db, flushes } = openNotes(t);
  const written = db
    .insertInto("notes")
    .values(Array.from({ length: 600 }, (_, i) => ({ text: `${i}` })))
    .execute();
  await settle();
  flushes[0]?.resolve();
  await written;
  for (let round = 0; round < 2; round++) {
    for (let length = 1; length <= 600; length += 2) {
      const wanted = Array.from({ length }, (_, i) => `${i}`);
      const rows = await db.selectFrom("notes").select("text").where("text", "in", wanted).execute();
      assert.equal(rows.length, length);
    }
  }
});

test("those who wait for the connection get it in the order they asked", async (t) => {
  const { db } = openNotes(t);
  const order: number[] = [];
  const gate = Promise.withResolvers<void>();
  const uses = [1, 2, 3, 4].map((i) =>
    db.connection().execute(async () => {
      if (i === 1) await gate.promise;
      order.push(i);
    }),
  );
  gate.resolve();
  await Promise.all(uses);
  assert.deepEqual(order, [1, 2, 3, 4]);
});
