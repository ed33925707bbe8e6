/**
 * One connection that is kept: it hears of outbox changes in other processes, and holds the locks that let one
 * process at a time deliver for a consumer. When it breaks, the locks are free at once, and it is made again.
 *
 *   closed ──use──► connecting ──► open ──error──► closed (again after a pause while somebody watches)
 */
import type pg from "pg";
import type { Logger } from "../../kernel/index.ts";
import { storeClosed } from "../../kernel/errors/store.ts";
import { connectError } from "./errors.ts";
import { openClient } from "./connection.ts";

export const OUTBOX_CHANNEL = "viaduct_outbox";
/** First key of our session locks; the second is a hash of the consumer. */
const LEADER_LOCK = 0x76_64_63_74; // "vdct"
const RECONNECT_AFTER_MS = 1_000;

export interface Session {
  watch(wake: () => void): () => void;
  lead(consumer: string): Promise<boolean>;
  resign(consumer: string): Promise<void>;
  close(): Promise<void>;
}

/** @param self  What this process signs its own news with; it does not hear of them. */
export function createSession(
  url: string,
  { where, self, log }: { readonly where: string; readonly self: string; readonly log: Logger },
): Session {
  const watchers = new Set<() => void>();
  const leading = new Set<string>();
  let connecting: Promise<pg.Client> | null = null;
  let isClosed = false;
  let retry: NodeJS.Timeout | undefined;

  const connect = async (): Promise<pg.Client> => {
    const client = openClient(url);
    const lose = (error?: Error) => {
      if (connecting === null || isClosed) return;
      connecting = null;
      leading.clear();
      log.warn({ err: error, store: where }, "the database session for the outbox was lost");
      scheduleRetry();
    };
    client.on("error", lose);
    client.on("end", () => lose());
    client.on("notification", ({ payload }) => {
      if (payload === self) return;
      for (const wake of watchers) wake();
    });
    await client.connect();
    await client.query(`listen ${OUTBOX_CHANNEL}`);
    return client;
  };

  const scheduleRetry = () => {
    if (watchers.size === 0 || isClosed) return;
    clearTimeout(retry);
    // Real time, whatever clock the store has: what is waited for is another machine.
    retry = setTimeout(() => {
      void session().then(
        // What was announced while nobody listened is found by looking.
        () => watchers.forEach((wake) => wake()),
        () => scheduleRetry(),
      );
    }, RECONNECT_AFTER_MS).unref();
  };

  const session = async (): Promise<pg.Client> => {
    if (isClosed) throw storeClosed({ where });
    connecting ??= connect();
    const attempt = connecting;
    try {
      return await attempt;
    } catch (error) {
      if (connecting === attempt) connecting = null;
      throw connectError(where, error);
    }
  };

  return {
    watch(wake) {
      watchers.add(wake);
      void session().catch(() => scheduleRetry());
      return () => void watchers.delete(wake);
    },
    async lead(consumer) {
      if (leading.has(consumer)) return true;
      const client = await session();
      const { rows } = await client.query<{ taken: boolean }>(
        "select pg_try_advisory_lock($1, hashtext($2)) as taken",
        [LEADER_LOCK, consumer],
      );
      const taken = rows[0]?.taken === true;
      if (taken) leading.add(consumer);
      return taken;
    },
    async resign(consumer) {
      if (!leading.delete(consumer)) return;
      const client = await session();
      await client.query("select pg_advisory_unlock($1, hashtext($2))", [LEADER_LOCK, consumer]);
    },
    async close() {
      isClosed = true;
      clearTimeout(retry);
      const client = await connecting?.catch(() => null);
      await client?.end();
    },
  };
}
