/** Kysely over the runtime's own SQLite: one connection, taken in turn, with prepared statements kept. */
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from "kysely";
import type { Posted, StoreConnection } from "../together.ts";
import type { TransactionScope } from "../transaction-scope.ts";
import { storeClosed, storeFailed } from "../../kernel/errors/store.ts";
import { toParameter } from "../values.ts";
import { patiently } from "./errors.ts";
import type { Flusher } from "./flusher.ts";

/** Statements kept prepared. A list filter makes one per number of values, so the least used must go. */
const STATEMENT_CACHE_SIZE = 256;

interface Prepared {
  readonly statement: StatementSync;
  /** Names of the columns it returns; empty when it returns none. */
  readonly columns: readonly string[];
}

export class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection;
  readonly #scope: TransactionScope;
  readonly #flusher: Flusher;
  readonly #path: string;
  readonly #turns = new Turns();
  #isClosed = false;

  constructor(
    database: DatabaseSync,
    { path, scope, flusher }: { path: string; scope: TransactionScope; flusher: Flusher },
  ) {
    this.#connection = new SqliteConnection(database, path);
    this.#scope = scope;
    this.#flusher = flusher;
    this.#path = path;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    this.#scope.assertOutside();
    await this.#turns.take();
    if (this.#isClosed) {
      this.#turns.give();
      throw storeClosed({ where: this.#path });
    }
    return this.#connection;
  }

  /** What was written is acknowledged when it is on disk; the next in turn need not wait for that. */
  async releaseConnection(): Promise<void> {
    const mustFlush = this.#connection.takeUnflushed();
    this.#turns.give();
    if (!mustFlush) return;
    try {
      await this.#flusher.flush();
    } catch (error) {
      throw storeFailed({ where: this.#path, reason: (error as Error).message }, error);
    }
  }

  /** What the connection has written since it was acquired may be lost in a power cut. */
  relax(): void {
    this.#connection.takeUnflushed();
  }

  async beginTransaction(): Promise<void> {
    // The write lock at once: a transaction that reads first and writes later could find, too late, that another
    // process wrote in between (SQLITE_BUSY_SNAPSHOT, which no timeout helps against).
    await this.#connection.execute("begin immediate");
  }
  async commitTransaction(): Promise<void> {
    await this.#connection.commit();
  }
  async rollbackTransaction(): Promise<void> {
    await this.#connection.rollback();
  }
  async savepoint(_: DatabaseConnection, name: string): Promise<void> {
    await this.#connection.execute(`savepoint "${name}"`);
  }
  async rollbackToSavepoint(_: DatabaseConnection, name: string): Promise<void> {
    await this.#connection.execute(`rollback to "${name}"`);
  }
  async releaseSavepoint(_: DatabaseConnection, name: string): Promise<void> {
    await this.#connection.execute(`release "${name}"`);
  }

  /** Waits for the transaction that is running. */
  async destroy(): Promise<void> {
    await this.#turns.take();
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#connection.close();
      await this.#flusher.close();
    }
    this.#turns.give();
  }
}

class SqliteConnection implements StoreConnection {
  readonly #database: DatabaseSync;
  readonly #path: string;
  #hasUnflushed = false;
  /** In order of use, the least recent first. */
  readonly #prepared = new Map<string, Prepared>();

  constructor(database: DatabaseSync, path: string) {
    this.#database = database;
    this.#path = path;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const parameters = query.parameters.map(toParameter) as SQLInputValue[];
    const result = await patiently(this.#path, () => {
      const { statement, columns } = this.#prepare(query.sql);
      if (columns.length > 0) {
        const values = statement.all(...parameters) as unknown as unknown[][];
        return { rows: values.map((row) => toRow(columns, row)) as R[] };
      }
      const { changes } = statement.run(...parameters);
      return { rows: [], numAffectedRows: BigInt(changes) };
    });
    // A statement outside a transaction is its own commit.
    if (query.query.kind !== "SelectQueryNode" && !this.#database.isTransaction) this.#hasUnflushed = true;
    return result;
  }

  async post<R>(query: CompiledQuery<R>): Promise<Posted<R>> {
    return { answer: Promise.resolve(await this.executeQuery<R>(query)) };
  }

  // oxlint-disable-next-line require-yield
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("streams are not used: a slow reader would hold the only connection; read in pages");
  }

  /** Whether something was committed since the last call. */
  takeUnflushed(): boolean {
    const had = this.#hasUnflushed;
    this.#hasUnflushed = false;
    return had;
  }

  async commit(): Promise<void> {
    await this.execute("commit");
    this.#hasUnflushed = true;
  }

  execute(sql: string): Promise<void> {
    return patiently(this.#path, () => this.#database.exec(sql));
  }

  async rollback(): Promise<void> {
    // A full disk or an I/O error has rolled back already; a second rollback would hide the first failure.
    if (this.#database.isTransaction) await this.execute("rollback");
  }

  close(): void {
    this.#prepared.clear();
    this.#database.close();
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#prepared.get(sql);
    if (prepared === undefined) {
      const statement = this.#database.prepare(sql);
      const columns = statement.columns().map((column) => column.name);
      // Rows as arrays, made into objects below: half the time of the runtime's own objects, which have no prototype.
      statement.setReturnArrays(true);
      prepared = { statement, columns };
      if (this.#prepared.size >= STATEMENT_CACHE_SIZE) {
        const [oldest] = this.#prepared.keys();
        if (oldest !== undefined) this.#prepared.delete(oldest);
      }
    } else {
      this.#prepared.delete(sql);
    }
    this.#prepared.set(sql, prepared);
    return prepared;
  }
}

function toRow(columns: readonly string[], values: readonly unknown[]): Record<string, unknown> {
  const row: Record<string, unknown> = {};
  for (let i = 0; i < columns.length; i++) row[columns[i] as string] = values[i];
  return row;
}

/** First come, first served. */
class Turns {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];

  take(): Promise<void> | undefined {
    if (!this.#isTaken) {
      this.#isTaken = true;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Hands the turn on without freeing it, so that nobody can jump the queue. */
  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#isTaken = false;
    else next();
  }
}
