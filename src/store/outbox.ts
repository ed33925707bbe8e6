/**
 * The outbox: a change and the news of it are one transaction, so neither exists without the other. An entry says
 * only *what* changed (`{ topic: "route", key: guid }`); whoever delivers it reads the newest rows.
 *
 *   transaction { rows + outbox entry } ──commit──► entry ──relay──► handle(batch) ──► cursor ──► pruned
 */
import { type Kysely, sql, type Transaction } from "kysely";
import type { Clock } from "../kernel/index.ts";
import type { Engine } from "./engine.ts";
import type { RowOf, Tables } from "./tables.ts";
import { toTimestamp } from "./values.ts";

/** Rows per insert: stays below the parameter limits of both engines. */
const INSERT_CHUNK = 500;

export interface OutboxNews {
  readonly topic: string;
  /** What changed, usually a GUID. */
  readonly key: string;
}

export type OutboxEntry = Pick<RowOf<"outbox">, "id" | "topic" | "key">;

/** In an object, so that nobody waits for it by accident. */
export interface AddedNews {
  /** Of the last entry; null when there was nothing to add. */
  readonly lastId: Promise<number | null>;
}

export interface Outbox {
  /**
   * Adds news to the transaction that makes it true, and returns the id of the last entry as {@link addLast} does.
   */
  add(trx: Transaction<Tables>, news: OutboxNews | readonly OutboxNews[]): Promise<number | null>;
  /**
   * Adds news as the last statement of the transaction that makes it true, with which it travels. Last, because on
   * PostgreSQL transactions with news commit one after the other from here on, which is what makes the order of ids
   * the order of commits. Ask for the id when the transaction has ended.
   */
  addLast(trx: Transaction<Tables>, news: OutboxNews | readonly OutboxNews[]): Promise<AddedNews>;
  /** Forgets a consumer that will not come back, so that entries it never saw can be pruned. */
  forget(consumer: string): Promise<void>;
}

/** What relays need; not for other rooms. */
export interface OutboxReader extends Outbox {
  /** True when {@link add} was called in this transaction. */
  hasNews(trx: Transaction<Tables>): boolean;
  /** Wakes every listener of this process. */
  wake(): void;
  /** Calls `wake` after commits of this process and changes by others. Returns how to stop. */
  onChange(wake: () => void): () => void;
  lead(consumer: string): Promise<boolean>;
  resign(consumer: string): Promise<void>;
  /** Makes the consumer known: from now on nothing is pruned before it was handled. */
  register(consumer: string): Promise<void>;
  read(consumer: string, limit: number): Promise<readonly OutboxEntry[]>;
  advance(consumer: string, lastId: number): Promise<void>;
  cursor(consumer: string): Promise<number>;
  /** Of the newest entry that is committed; 0 when there is none. */
  lastId(): Promise<number>;
  /** Deletes what every consumer has handled; says how many entries. */
  prune(): Promise<number>;
}

export function createOutbox(db: Kysely<Tables>, engine: Engine, clock: Clock): OutboxReader {
  const withNews = new WeakSet<object>();
  const listeners = new Set<() => void>();
  const now = () => toTimestamp(clock.nowMs());
  const cursorOf = (consumer: string) =>
    db.selectFrom("outbox_cursors").select("last_id").where("consumer", "=", consumer);

  const addLast: Outbox["addLast"] = async (trx, news) => {
    const rows = [news].flat().map(({ topic, key }) => ({ topic, key, created_at: now() }));
    let added: AddedNews = { lastId: Promise.resolve(null) };
    for (let i = 0; i < rows.length; i += INSERT_CHUNK) {
      added = await engine.addNews(trx, rows.slice(i, i + INSERT_CHUNK));
      // The transaction fails with it, and whether anybody asks for the id then is theirs to say.
      added.lastId.catch(() => {});
    }
    if (rows.length > 0) withNews.add(trx);
    return added;
  };

  return {
    add: async (trx, news) => (await addLast(trx, news)).lastId,
    addLast,
    async forget(consumer) {
      await db.deleteFrom("outbox_cursors").where("consumer", "=", consumer).execute();
    },
    hasNews: (trx) => withNews.has(trx),
    wake() {
      for (const listener of listeners) listener();
    },
    onChange(wake) {
      listeners.add(wake);
      const stopWatching = engine.watchOutbox(wake);
      return () => {
        listeners.delete(wake);
        stopWatching();
      };
    },
    lead: (consumer) => engine.lead(consumer),
    resign: (consumer) => engine.resign(consumer),
    async register(consumer) {
      await db
        .insertInto("outbox_cursors")
        .values({ consumer, last_id: 0, updated_at: now() })
        .onConflict((conflict) => conflict.column("consumer").doNothing())
        .execute();
    },
    read: (consumer, limit) =>
      db
        .selectFrom("outbox")
        .select(["id", "topic", "key"])
        .where("id", ">", cursorOf(consumer))
        .orderBy("id")
        .limit(limit)
        .execute(),
    advance: (consumer, lastId) => engine.moveCursor(db, { consumer, lastId, now: now() }),
    async cursor(consumer) {
      return (await cursorOf(consumer).executeTakeFirst())?.last_id ?? 0;
    },
    async lastId() {
      const newest = await db
        .selectFrom("outbox")
        .select("id")
        .orderBy("id", "desc")
        .limit(1)
        .executeTakeFirst();
      return newest?.id ?? 0;
    },
    async prune() {
      const handled = sql<number>`(select min(last_id) from outbox_cursors)`;
      const result = await engine.relaxed(db, (trx) =>
        trx.deleteFrom("outbox").where("id", "<=", handled).executeTakeFirst(),
      );
      return Number(result.numDeletedRows);
    },
  };
}
