/**
 * Statements that do not wait for each other's answers, which spares PostgreSQL's way there and back for all but one.
 *
 *   together:    select · select · select ──────────► three answers         reads that need nothing of each other
 *   writeLater:  insert · insert · … · commit ──────► acknowledged          writes that nobody asks anything of
 *
 * SQLite is in this process and answers at once; there it is one after the other.
 */
import type { CompiledQuery, DatabaseConnection, Kysely, QueryResult, Transaction } from "kysely";
import type { Tables } from "./tables.ts";

/** A query of Kysely's builder, or one written as `sql`. */
export interface Statement<R> {
  compile(db: Kysely<Tables>): CompiledQuery<R>;
}

/** A statement on its way. */
export interface Posted<R> {
  readonly answer: Promise<QueryResult<R>>;
}

/** What both drivers' connections can besides what Kysely asks of them. */
export interface StoreConnection extends DatabaseConnection {
  /**
   * Resolves when the statement will be carried out before any that is asked for later. Should it fail, whatever is
   * waited for next in the transaction fails with its error, the commit at the latest.
   */
  post<R>(query: CompiledQuery<R>): Promise<Posted<R>>;
}

type RowsOf<S extends readonly Statement<unknown>[]> = {
  [I in keyof S]: S[I] extends Statement<infer R> ? R[] : never;
};

/**
 * The rows of each, in one step: `const [spaces, domains] = await together(db, [spacesQuery, domainsQuery])`.
 * Outside of a transaction each sees what is there when its turn comes.
 */
export async function together<const S extends readonly Statement<unknown>[]>(
  db: Kysely<Tables>,
  statements: S,
): Promise<RowsOf<S>> {
  const queries = statements.map((statement) => statement.compile(db));
  const answers = await db
    .getExecutor()
    .provideConnection((connection) =>
      Promise.allSettled(queries.map((query) => connection.executeQuery(query))),
    );
  return answers.map((answer) => {
    if (answer.status === "rejected") throw answer.reason;
    return answer.value.rows;
  }) as RowsOf<S>;
}

/** A write that travels with the next statement somebody waits for; what it fails with is thrown there. */
export async function writeLater(trx: Transaction<Tables>, statement: Statement<unknown>): Promise<void> {
  await post(trx, statement);
}

export function post<R>(trx: Transaction<Tables>, statement: Statement<R>): Promise<Posted<R>> {
  const query = statement.compile(trx);
  return trx.getExecutor().provideConnection((connection) => (connection as StoreConnection).post(query));
}
