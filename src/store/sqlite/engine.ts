/** SQLite as an {@link Engine}: one file, one process that writes, no server. */
import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from "kysely";
import type { Engine } from "../engine.ts";
import type { TransactionScope } from "../transaction-scope.ts";
import { MEMORY, openDatabase } from "./connection.ts";
import { SqliteDriver } from "./driver.ts";
import { createLogFlusher, noFlusher } from "./flusher.ts";

/** @throws what {@link openDatabase} throws */
export async function openSqlite(path: string, scope: TransactionScope): Promise<Engine> {
  const flusher = path === MEMORY ? noFlusher : createLogFlusher(path);
  const driver = new SqliteDriver(await openDatabase(path), { path, scope, flusher });
  const relaxed: Engine["relaxed"] = (db, run) =>
    db.connection().execute(async (connection) => {
      const result = await run(connection);
      driver.relax();
      return result;
    });
  return {
    name: "sqlite",
    where: path,
    types: {
      text: "text",
      integer: "integer",
      bigint: "integer",
      ascendingId: "integer primary key autoincrement",
      // Without it SQLite would store a text in an integer column.
      table: "strict",
    },
    dialect: {
      createDriver: () => driver,
      createQueryCompiler: () => new SqliteQueryCompiler(),
      createAdapter: () => new SqliteAdapter(),
      createIntrospector: (db) => new SqliteIntrospector(db),
    },
    transaction: (db, run) => db.transaction().execute(run),
    relaxed,
    // `begin immediate` has locked out every other writer already.
    lockMigrations: async () => {},
    async addNews(trx, entries) {
      const added = await trx.insertInto("outbox").values(entries).returning("id").execute();
      return { lastId: Promise.resolve(Math.max(...added.map(({ id }) => id))) };
    },
    moveCursor: (db, { consumer, lastId, now }) =>
      relaxed(db, async (connection) => {
        await connection
          .updateTable("outbox_cursors")
          .set({ last_id: lastId, updated_at: now })
          .where("consumer", "=", consumer)
          .where("last_id", "<", lastId)
          .execute();
      }),
    watchOutbox: () => () => {},
    lead: async () => true,
    resign: async () => {},
    close: () => driver.destroy(),
  };
}
