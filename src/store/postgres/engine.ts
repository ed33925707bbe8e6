/** PostgreSQL as an {@link Engine}: several processes share one database. */
import { randomUUID } from "node:crypto";
import { PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler, sql } from "kysely";
import { storeContended } from "../../kernel/errors/store.ts";
import type { Logger } from "../../kernel/index.ts";
import type { Engine } from "../engine.ts";
import type { TransactionScope } from "../transaction-scope.ts";
import { openPool, withoutPassword } from "./connection.ts";
import { PostgresDriver } from "./driver.ts";
import { post, writeLater } from "../together.ts";
import { isContention } from "./errors.ts";
import { createSession, OUTBOX_CHANNEL } from "./session.ts";

/** Keys of transaction locks, arbitrary but never changed: processes of different versions must agree. */
const MIGRATION_LOCK = 7_653_001;
const OUTBOX_LOCK = 7_653_002;

/** From the second on, only single statements outside of transactions can still be in the way. */
const MAX_ATTEMPTS = 10;

/** Connects with the first query. */
export function openPostgres(url: string, scope: TransactionScope, log: Logger): Engine {
  const where = withoutPassword(url);
  const driver = new PostgresDriver(openPool(url, log), where, scope);
  // What this process does it need not be told: relays here are woken directly.
  const self = randomUUID();
  const session = createSession(url, { where, self, log });
  return {
    name: "postgres",
    where,
    types: {
      // Without a collation the order of text would depend on how the database was made.
      text: 'text collate "C"',
      integer: "integer",
      bigint: "bigint",
      ascendingId: "bigint generated always as identity primary key",
      table: "",
    },
    dialect: {
      createDriver: () => driver,
      createQueryCompiler: () => new PostgresQueryCompiler(),
      createAdapter: () => new PostgresAdapter(),
      createIntrospector: (db) => new PostgresIntrospector(db),
    },
    async transaction(db, run) {
      for (let attempt = 1; ; attempt++) {
        // All run beside each other, but one that met another is let in alone the next time, or with many at once
        // the same ones would meet over and over. (Not an advisory lock: a serializable transaction sees what was
        // there when its first query began, and a query that waits for such a lock has begun.)
        const mode = sql.raw(attempt === 1 ? "row share" : "exclusive");
        try {
          // Serializable gives the promise SQLite keeps by itself: transactions as if one after the other.
          return await db
            .transaction()
            .setIsolationLevel("serializable")
            .execute(async (trx) => {
              await writeLater(trx, sql`lock table schema_migrations in ${mode} mode`);
              return run(trx);
            });
        } catch (error) {
          if (!isContention(error)) throw error;
          if (attempt === MAX_ATTEMPTS) throw storeContended({ attempts: attempt }, error);
        }
      }
    },
    relaxed: (db, run) =>
      db.transaction().execute(async (trx) => {
        await writeLater(trx, sql`set local synchronous_commit to off`);
        return run(trx);
      }),
    async lockMigrations(trx) {
      await sql`select pg_advisory_xact_lock(${MIGRATION_LOCK})`.execute(trx);
    },
    async addNews(trx, entries) {
      const rows = entries.map(
        ({ topic, key, created_at }) => sql`(${topic}::text, ${key}::text, ${created_at}::text)`,
      );
      // Ids are given at the insert and seen at the commit. Without the lock a reader could see 7, move its cursor
      // past 6, and never see 6, which commits a moment later. The lock is a row that the new ones are joined with, so
      // that none gets its id before.
      const { answer } = await post(
        trx,
        sql<{ id: number }>`
        with alone as materialized (
          select pg_advisory_xact_lock(${OUTBOX_LOCK}), pg_notify(${OUTBOX_CHANNEL}, ${self})
        )
        insert into outbox (topic, key, created_at)
        select entry.topic, entry.key, entry.created_at
        from alone cross join (values ${sql.join(rows)}) as entry (topic, key, created_at)
        returning id`,
      );
      return { lastId: answer.then(({ rows }) => Math.max(...rows.map(({ id }) => id))) };
    },
    async moveCursor(db, { consumer, lastId, now }) {
      // One statement is one transaction, and what it sets for itself holds at its own commit.
      await sql`
        with moved as (
          update outbox_cursors set last_id = ${lastId}, updated_at = ${now}
          where consumer = ${consumer} and last_id < ${lastId} returning consumer
        )
        select set_config('synchronous_commit', 'off', true), pg_notify(${OUTBOX_CHANNEL}, ${self})
        from moved`.execute(db);
    },
    watchOutbox: (wake) => session.watch(wake),
    lead: (consumer) => session.lead(consumer),
    resign: (consumer) => session.resign(consumer),
    async close() {
      await session.close();
      await driver.destroy();
    },
  };
}
