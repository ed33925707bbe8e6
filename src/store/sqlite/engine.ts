/** SQLite as an {@link Engine}: one file, one process that writes, no server. */
import { type Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, sql } from "kysely";
import type { Engine } from "../engine.ts";
import type { TransactionScope } from "../transaction-scope.ts";
import { openDatabase } from "./connection.ts";
import { SqliteDriver } from "./driver.ts";

/** @throws what {@link openDatabase} throws */
export async function openSqlite(path: string, scope: TransactionScope): Promise<Engine> {
  const driver = new SqliteDriver(await openDatabase(path), path, scope);
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
    relaxed: (db, run) =>
      db.connection().execute(async (connection) => {
        // In WAL mode NORMAL leaves out the wait for the disk; the next FULL commit waits for both.
        await synchronous("normal", connection);
        try {
          return await run(connection);
        } finally {
          await synchronous("full", connection);
        }
      }),
    // `begin immediate` has locked out every other writer already.
    lockMigrations: async () => {},
    announceOutbox: async () => {},
    watchOutbox: () => () => {},
    lead: async () => true,
    resign: async () => {},
    close: () => driver.destroy(),
  };
}

async function synchronous<DB>(mode: "normal" | "full", connection: Kysely<DB>): Promise<void> {
  await sql`pragma synchronous = ${sql.raw(mode)}`.execute(connection);
}
