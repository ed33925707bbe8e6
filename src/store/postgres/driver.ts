/** Kysely over `pg`: connections from a pool, values and errors as the rest of the store expects them. */
import assert from "node:assert/strict";
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult, TransactionSettings } from "kysely";
import type { Pool, PoolClient, QueryResult as PostgresResult } from "pg";
import type { TransactionScope } from "../transaction-scope.ts";
import { storeClosed } from "../../kernel/errors/store.ts";
import { toParameter } from "../values.ts";
import { connectError, isConnectionLost, isOutdatedPlan, queryError } from "./errors.ts";
import { PreparedStatements } from "./prepared.ts";

export class PostgresDriver implements Driver {
  readonly #pool: Pool;
  readonly #where: string;
  readonly #scope: TransactionScope;
  readonly #prepared = new PreparedStatements();

  constructor(pool: Pool, where: string, scope: TransactionScope) {
    this.#pool = pool;
    this.#where = where;
    this.#scope = scope;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PostgresConnection> {
    this.#scope.assertOutside();
    if (this.#pool.ending) throw storeClosed({ where: this.#where });
    try {
      return new PostgresConnection(await this.#pool.connect(), this.#prepared, this.#where);
    } catch (error) {
      throw connectError(this.#where, error);
    }
  }

  async releaseConnection(connection: PostgresConnection): Promise<void> {
    connection.release();
  }

  async beginTransaction(connection: PostgresConnection, settings: TransactionSettings): Promise<void> {
    const level = settings.isolationLevel === undefined ? "" : ` isolation level ${settings.isolationLevel}`;
    connection.begin(`begin${level}`);
  }
  async commitTransaction(connection: PostgresConnection): Promise<void> {
    await connection.commit();
  }
  async rollbackTransaction(connection: PostgresConnection): Promise<void> {
    await connection.rollback();
  }
  async savepoint(connection: PostgresConnection, name: string): Promise<void> {
    await connection.execute(`savepoint "${name}"`);
  }
  async rollbackToSavepoint(connection: PostgresConnection, name: string): Promise<void> {
    await connection.execute(`rollback to "${name}"`);
  }
  async releaseSavepoint(connection: PostgresConnection, name: string): Promise<void> {
    await connection.execute(`release "${name}"`);
  }

  async destroy(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }
}

class PostgresConnection implements DatabaseConnection {
  readonly #client: PoolClient;
  readonly #prepared: PreparedStatements;
  readonly #where: string;
  #failure: Error | undefined;
  /** Not sent yet: it goes with the first statement, which spares waiting for an answer that says nothing. */
  #beginning: string | null = null;
  readonly #onError = (error: Error) => {
    this.#failure ??= error;
  };

  constructor(client: PoolClient, prepared: PreparedStatements, where: string) {
    this.#client = client;
    this.#prepared = prepared;
    this.#where = where;
    // A connection may break between two queries; without a listener that would end the process.
    client.on("error", this.#onError);
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const result = await this.#query(query.sql, query.parameters.map(toParameter));
    return {
      rows: result.rows as R[],
      ...(result.command !== "SELECT" && { numAffectedRows: BigInt(result.rowCount ?? 0) }),
    };
  }

  // oxlint-disable-next-line require-yield
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error(
      "streams are not used, because SQLite could not serve other queries meanwhile; read in pages",
    );
  }

  async execute(sql: string): Promise<void> {
    await this.#query(sql, []);
  }

  begin(sql: string): void {
    this.#beginning = sql;
  }

  async commit(): Promise<void> {
    if (this.#beginning === null) await this.execute("commit");
    this.#beginning = null;
  }

  async rollback(): Promise<void> {
    // A lost connection has rolled back already; a second error would hide the first.
    if (this.#failure === undefined && this.#beginning === null) await this.execute("rollback");
    this.#beginning = null;
  }

  release(): void {
    this.#client.off("error", this.#onError);
    // A connection that failed is closed, not handed to the next query.
    this.#client.release(this.#failure ?? this.#prepared.isWornOut(this.#client));
  }

  async #query(sql: string, parameters: readonly unknown[]): Promise<PostgresResult> {
    try {
      return await this.#send(sql, parameters);
    } catch (error) {
      if (isConnectionLost(error)) this.#failure = error as Error;
      if (isOutdatedPlan(error)) {
        this.#prepared.wearOutAll();
        // Nothing of it was done. A transaction is run again as a whole.
        if (this.#client.getTransactionStatus() === "I") return this.#query(sql, parameters);
      }
      throw queryError(this.#where, error);
    }
  }

  async #send(sql: string, parameters: readonly unknown[]): Promise<PostgresResult> {
    const beginning = this.#beginning;
    this.#beginning = null;
    if (parameters.length === 0) {
      return lastOf(await this.#client.query(beginning === null ? sql : `${beginning}; ${sql}`));
    }
    if (beginning !== null) await this.#client.query(beginning);
    const name = this.#prepared.nameFor(this.#client, sql);
    const values = [...parameters];
    return this.#client.query(name === null ? { text: sql, values } : { name, text: sql, values });
  }
}

/** Several statements in one text give one result each. */
function lastOf(results: PostgresResult | readonly PostgresResult[]): PostgresResult {
  const result = [results].flat().at(-1);
  assert(result !== undefined);
  return result;
}
