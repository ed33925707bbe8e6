/**
 * What this room asks of a database engine. `sqlite/` and `postgres/` answer it with files of the same names:
 * `connection.ts` opens it, `driver.ts` runs queries, `errors.ts` names its failures, `engine.ts` is the answer.
 */
import type { Dialect, Insertable, Kysely, Transaction } from "kysely";
import type { ColumnTypes } from "./migrations/define.ts";
import type { Tables, Timestamp } from "./tables.ts";

export type EngineName = "sqlite" | "postgres";

/** How far a consumer of the outbox is. */
export interface CursorMove {
  readonly consumer: string;
  readonly lastId: number;
  readonly now: Timestamp;
}

export interface Engine {
  readonly name: EngineName;
  /** The path, or the URL without its password: for messages. */
  readonly where: string;
  readonly types: ColumnTypes;
  readonly dialect: Dialect;
  /** One durable transaction; `run` may be called again from the start when it met another transaction. */
  transaction<T>(db: Kysely<Tables>, run: (trx: Transaction<Tables>) => Promise<T>): Promise<T>;
  /**
   * Like a transaction, but a power cut may undo it (nothing durable is lost with it): for bookkeeping that can be
   * repeated, so that it does not wait for the disk.
   */
  relaxed<T>(db: Kysely<Tables>, run: (trx: Kysely<Tables>) => Promise<T>): Promise<T>;
  /** Until the transaction ends, no other process migrates. */
  lockMigrations(trx: Transaction<Tables>): Promise<void>;
  /**
   * Writes entries of the outbox, whose ids grow in commit order, and tells other processes at commit. Need not have
   * the answer when it resolves.
   */
  addNews(
    trx: Transaction<Tables>,
    entries: readonly Insertable<Tables["outbox"]>[],
  ): Promise<{ readonly lastId: Promise<number> }>;
  /** Moves a cursor forward, never back, and tells other processes. {@link relaxed}. */
  moveCursor(db: Kysely<Tables>, move: CursorMove): Promise<void>;
  /** Calls `wake` when another process changed the outbox, or may have. Returns how to stop. */
  watchOutbox(wake: () => void): () => void;
  /** True when no other process delivers for this consumer; true stays true until {@link resign} or a lost session. */
  lead(consumer: string): Promise<boolean>;
  resign(consumer: string): Promise<void>;
  /** Waits for queries that run; later ones are refused with `storeClosed`. Harmless when closed already. */
  close(): Promise<void>;
}
