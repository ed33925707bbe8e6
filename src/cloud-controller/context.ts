/**
 * What every endpoint may use. One per API; nothing in it belongs to a single request.
 */
import type { Kysely, Transaction } from "kysely";
import type { Bbs, RouteLiveness } from "../contracts/index.ts";
import type { Clock, Logger } from "../kernel/index.ts";
import type { OperatorLimits } from "../options/index.ts";
import { type Store, type Tables, toTimestamp } from "../store/index.ts";
import { type AccessLines, type AppLog, createAppLog } from "./app-log.ts";
import type { Bits } from "./bits/store.ts";
import type { CloudControllerConfig } from "./config.ts";
import { createNews, type News } from "./news.ts";

/** For queries: the store's `db`, or the transaction one is in. */
export type Database = Kysely<Tables>;
export type Writer = Transaction<Tables>;

export interface ContextOptions {
  readonly config: CloudControllerConfig;
  readonly store: Store;
  readonly bbs: Bbs;
  readonly operator: OperatorLimits;
  readonly log: Logger;
  readonly clock: Clock;
  /** Base of every link, without a slash at the end: `http://localhost:8080`. Known once the API listens. */
  readonly externalUrl: () => string;
  /** Where uploads are kept; absent where no folder is configured for them. */
  readonly bits?: Bits | undefined;
  /** The newest lines of the access log that are about an app; absent where the router is another process. */
  readonly accessLines?: AccessLines | undefined;
  /** Absent where nobody counts acknowledgements. */
  readonly liveness?: RouteLiveness | undefined;
  /** Resolves when the entry of the outbox has reached the route table and Diego. */
  readonly handOver: (lastId: number) => Promise<void>;
}

export interface Context extends ContextOptions {
  /** What apps, the platform and the routers say about an app. */
  readonly appLog: AppLog;
  /** A link: `url("/v3/routes")`. */
  url(path: string): string;
  /**
   * For new rows: never the same twice, so that rows sort in the order they were made. And later than `after`, which
   * another replica may have written whose clock is ahead.
   */
  now(after?: string): string;
  /**
   * One transaction for rows and their news; answers after the change has been handed over, or after
   * {@link HAND_OVER_LIMIT_MS}: it is durable then and arrives on its own.
   */
  write<T>(run: (db: Writer, news: News) => Promise<T>): Promise<T>;
}

/** Longer than any healthy hand-over, short enough for a person who waits at a prompt. */
const HAND_OVER_LIMIT_MS = 2_000;

export function createContext(options: ContextOptions): Context {
  const { store, clock, log } = options;
  let newestMs = 0;
  return {
    ...options,
    appLog: createAppLog(options),
    url: (path) => `${options.externalUrl()}${path}`,
    now(after) {
      const afterMs = after === undefined ? 0 : Date.parse(after);
      newestMs = Math.max(Math.floor(clock.nowMs()), newestMs + 1, afterMs + 1);
      return toTimestamp(newestMs);
    },
    async write(run) {
      const { value, added } = await store.transaction(async (db) => {
        const news = createNews();
        const value = await run(db, news);
        return { value, added: await store.outbox.addLast(db, news.entries) };
      });
      const lastId = await added.lastId;
      if (lastId !== null) {
        const isLate = await endsWithin(options.handOver(lastId), HAND_OVER_LIMIT_MS, clock);
        if (isLate) log.warn({ afterMs: HAND_OVER_LIMIT_MS }, "a change is stored and not handed over yet");
      }
      return value;
    },
  };
}

/** True when the limit came first. A hand-over that fails is the relay's business; it tries again. */
export async function endsWithin(work: Promise<void>, limitMs: number, clock: Clock): Promise<boolean> {
  const limit = Promise.withResolvers<boolean>();
  const timer = clock.setTimeout(() => limit.resolve(true), limitMs);
  try {
    return await Promise.race([
      work.then(
        () => false,
        () => true,
      ),
      limit.promise,
    ]);
  } finally {
    timer.clear();
  }
}
