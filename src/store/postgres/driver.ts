/** Kysely over `pg`: connections from a pool, values and errors as the rest of the store expects them. */
import assert from "node:assert/strict";
import type { CompiledQuery, Driver, QueryResult, TransactionSettings } from "kysely";
import type { Pool, PoolClient, QueryResult as PostgresResult } from "pg";
import type { TransactionScope } from "../transaction-scope.ts";
import { storeClosed } from "../../kernel/errors/store.ts";
import type { Posted, StoreConnection } from "../together.ts";
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
    await connection.rollbackTo(name);
  }
  async releaseSavepoint(connection: PostgresConnection, name: string): Promise<void> {
    await connection.execute(`release "${name}"`);
  }

  async destroy(): Promise<void> {
    if (!this.#pool.ending) await this.#pool.end();
  }
}

interface Asked {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  readonly answer: (error: Error | undefined, result: PostgresResult) => void;
}

/**
 * What is asked for in one step travels together and is answered in its order:
 *
 *   begin · insert · insert · commit ──next tick──► one write ──► four answers
 *
 * In a transaction the first that fails makes all that follow it fail with its error; their own say nothing.
 */
class PostgresConnection implements StoreConnection {
  readonly #client: PoolClient;
  readonly #prepared: PreparedStatements;
  readonly #where: string;
  #failure: Error | undefined;
  #asked: Asked[] = [];
  #isInTransaction = false;
  /** Not asked yet: it goes with the first statement, and never for a transaction that has none. */
  #beginning: string | null = null;
  #transactionFailure: { readonly error: unknown } | null = null;
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

  async post<R>(query: CompiledQuery<R>): Promise<Posted<R>> {
    const answer = this.executeQuery<R>(query);
    // Thrown where the next one is waited for, the commit at the latest.
    answer.catch(() => {});
    return { answer };
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
    this.#isInTransaction = true;
    this.#transactionFailure = null;
  }

  async commit(): Promise<void> {
    if (this.#hasBegun()) await this.#end("commit");
    // The server answers a commit after a failure by rolling back, which is no error to it.
    if (this.#transactionFailure !== null) throw this.#transactionFailure.error;
  }

  async rollback(): Promise<void> {
    // A lost connection has rolled back already; a second error would hide the first.
    if (this.#failure === undefined && this.#hasBegun()) await this.#end("rollback");
  }

  async rollbackTo(savepoint: string): Promise<void> {
    await this.execute(`rollback to "${savepoint}"`);
    this.#transactionFailure = null;
  }

  release(): void {
    this.#client.off("error", this.#onError);
    // A connection that failed is closed, not handed to the next query.
    this.#client.release(this.#failure ?? this.#prepared.isWornOut(this.#client));
  }

  /** False also when the end is on its way already. */
  #hasBegun(): boolean {
    return this.#isInTransaction && this.#beginning === null;
  }

  async #end(sql: "commit" | "rollback"): Promise<void> {
    const ended = this.execute(sql);
    this.#isInTransaction = false;
    await ended;
  }

  async #query(sql: string, parameters: readonly unknown[]): Promise<PostgresResult> {
    const isInTransaction = this.#isInTransaction;
    try {
      return await this.#ask(sql, parameters);
    } catch (error) {
      // A transaction is run again as a whole; of a statement by itself nothing was done.
      if (isOutdatedPlan(error) && !isInTransaction) return this.#query(sql, parameters);
      throw isInTransaction ? this.#transactionFailure?.error : queryError(this.#where, error);
    }
  }

  #ask(sql: string, parameters: readonly unknown[]): Promise<PostgresResult> {
    const beginning = this.#beginning;
    this.#beginning = null;
    if (beginning !== null && parameters.length === 0) return this.#ask(`${beginning}; ${sql}`, []);
    if (beginning !== null) void this.#ask(beginning, []).catch(() => {});
    const isInTransaction = this.#isInTransaction;
    const { promise, resolve, reject } = Promise.withResolvers<PostgresResult>();
    const answer: Asked["answer"] = (error, result) => {
      if (error === undefined || error === null) return resolve(lastOf(result));
      this.#noteFailure(error, isInTransaction);
      reject(error);
    };
    if (this.#asked.push({ sql, parameters, answer }) === 1) process.nextTick(() => this.#sendAsked());
    return promise;
  }

  #sendAsked(): void {
    const { stream } = this.#client.connection;
    stream.cork();
    for (const { sql, parameters, answer } of this.#asked) {
      const name = parameters.length === 0 ? null : this.#prepared.nameFor(this.#client, sql);
      this.#client.query({ ...(name !== null && { name }), text: sql, values: [...parameters] }, answer);
    }
    this.#asked = [];
    stream.uncork();
  }

  /** Called in the order of the statements, before anybody hears of it. */
  #noteFailure(error: Error, isInTransaction: boolean): void {
    if (isConnectionLost(error)) this.#failure = error;
    if (isOutdatedPlan(error)) this.#prepared.wearOutAll();
    if (isInTransaction) this.#transactionFailure ??= { error: queryError(this.#where, error) };
  }
}

/** Several statements in one text give one result each. */
function lastOf(results: PostgresResult | readonly PostgresResult[]): PostgresResult {
  const result = [results].flat().at(-1);
  assert(result !== undefined);
  return result;
}
