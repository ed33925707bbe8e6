/** Opens the database of either engine behind one face. */
import { Kysely, type Transaction } from "kysely";
import type { Clock, Logger } from "../kernel/index.ts";
import type { Engine, EngineName } from "./engine.ts";
import { migrate } from "./migrate.ts";
import type { Migration } from "./migrations/define.ts";
import { migrations } from "./migrations/index.ts";
import { createOutbox, type Outbox, type OutboxReader } from "./outbox.ts";
import type { Tables } from "./tables.ts";
import { createTransactionScope, type TransactionScope } from "./transaction-scope.ts";

export type StoreLocation =
  /** A file, made when it is not there; `:memory:` for one that lives as long as the store. */
  | { readonly kind: "sqlite"; readonly path: string }
  /** `postgres://user:password@host:5432/database` */
  | { readonly kind: "postgres"; readonly url: string };

export interface StoreOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** For tests of the migrations themselves. */
  readonly migrations?: readonly Migration[];
}

export interface Store {
  readonly dialect: EngineName;
  /** Single statements. Inside {@link transaction} use the transaction; using this one there is caught. */
  readonly db: Kysely<Tables>;
  readonly outbox: Outbox;
  /**
   * All or nothing, and as if transactions ran one after the other, in both engines. What was acknowledged is on
   * disk. Nothing else reads or writes an SQLite database meanwhile, so `run` waits for its statements only. On
   * PostgreSQL it is called again when it met another transaction, so it must have no other effects.
   * @throws storeContended when it met others too often; whatever `run` throws, after a rollback.
   */
  transaction<T>(run: (trx: Transaction<Tables>) => Promise<T>): Promise<T>;
  /** Waits for the transactions that are running. */
  close(): Promise<void>;
}

/** The same store with what relays need. */
export interface StoreInternals extends Store {
  readonly outbox: OutboxReader;
}

/**
 * Opens and migrates.
 * @throws storeFolderMissing, storeNotWritable, storeCorrupt, storeLocked, storeOpenFailed, storeUnreachable,
 *   storeTooNew, storeMigrationChanged, storeMigrationFailed
 */
export async function openStore(location: StoreLocation, options: StoreOptions): Promise<Store> {
  const scope = createTransactionScope();
  const engine = await openEngine(location, scope, options.log);
  const db = new Kysely<Tables>({ dialect: engine.dialect });
  try {
    await migrate(db, engine, options.migrations ?? migrations, options);
  } catch (error) {
    await engine.close();
    throw error;
  }
  const outbox = createOutbox(db, engine, options.clock);
  const store: StoreInternals = {
    dialect: engine.name,
    db,
    outbox,
    async transaction(run) {
      let hasNews = false;
      const result = await engine.transaction(db, (trx) =>
        scope.run(async () => {
          const value = await run(trx);
          hasNews = outbox.hasNews(trx);
          return value;
        }),
      );
      if (hasNews) outbox.wake();
      return result;
    },
    close: () => engine.close(),
  };
  return store;
}

/** Only the engine in use is loaded. */
async function openEngine(location: StoreLocation, scope: TransactionScope, log: Logger): Promise<Engine> {
  switch (location.kind) {
    case "sqlite": {
      const { openSqlite } = await import("./sqlite/engine.ts");
      return openSqlite(location.path, scope);
    }
    case "postgres": {
      const { openPostgres } = await import("./postgres/engine.ts");
      return openPostgres(location.url, scope, log);
    }
    default:
      return location satisfies never;
  }
}
