/**
 * Delivers the outbox to one consumer: in order, at least once, one process at a time.
 *
 *   ┌──► lead? ──no──► wait ─┐            wait ends by: a commit here, news from another process, the poll
 *   │      │yes              │
 *   │      ▼                 │
 *   │    read ──none──► wait ┤
 *   │      ▼                 │
 *   │    handle ──throws──► pause (grows), then the same entries again
 *   │      ▼                 │
 *   └── move cursor ◄────────┘            a crash before this line delivers again
 */
import type { Clock, Logger, Part } from "../kernel/index.ts";
import { storeClosed } from "../kernel/errors/store.ts";
import type { OutboxEntry } from "./outbox.ts";
import type { Store, StoreInternals } from "./store.ts";

const DEFAULT_BATCH_SIZE = 500;
/** How late news from another process may be seen at worst. */
const DEFAULT_POLL_MS = 1_000;
const PRUNE_EVERY_MS = 60_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;

export interface OutboxRelayOptions {
  readonly store: Store;
  /** Names the cursor in the database; two relays of one name take turns, in different processes. */
  readonly consumer: string;
  /** Entries of other topics are passed over. */
  readonly topics: readonly string[];
  /**
   * Gets entries in commit order, each (topic, key) once per batch at its first place. Must bear to see an entry
   * again. When it throws, the same entries come again later; nothing overtakes them.
   */
  readonly handle: (batch: readonly OutboxEntry[]) => Promise<void>;
  readonly log: Logger;
  readonly clock: Clock;
  readonly batchSize?: number;
  readonly pollMs?: number;
}

/** Its stop waits for the handler that runs. */
export interface OutboxRelay extends Part {
  /**
   * Resolves when everything committed before the call is handled, here or by the process that delivers.
   * @param lastId  Waits for this entry only, and for those before it.
   * @throws storeClosed when the relay is stopped first.
   */
  drained(lastId?: number): Promise<void>;
}

export function createOutboxRelay(options: OutboxRelayOptions): OutboxRelay {
  const { consumer, handle, clock } = options;
  const { outbox } = options.store as StoreInternals;
  const log = options.log.child({ consumer });
  const topics = new Set(options.topics);
  const batchSize = options.batchSize ?? DEFAULT_BATCH_SIZE;
  const pollMs = options.pollMs ?? DEFAULT_POLL_MS;

  const waiters = new Set<{ lastId: number; resolve: () => void; reject: (error: unknown) => void }>();
  const alarm = createAlarm(clock);
  let running: Promise<void> = Promise.resolve();
  let stopWatching = () => {};
  let handledId = 0;
  let prunedAtMs = 0;

  const handledUpTo = (id: number) => {
    handledId = Math.max(handledId, id);
    for (const waiter of waiters) {
      if (waiter.lastId > handledId) continue;
      waiters.delete(waiter);
      waiter.resolve();
    }
  };

  /** True when there may be more at once. */
  const deliver = async (): Promise<boolean> => {
    if (!(await outbox.lead(consumer))) {
      handledUpTo(await outbox.cursor(consumer));
      return false;
    }
    const entries = await outbox.read(consumer, batchSize);
    const last = entries.at(-1);
    if (last === undefined) {
      // Another process may have led until now.
      if (waiters.size > 0) handledUpTo(await outbox.cursor(consumer));
      return false;
    }
    const batch = coalesce(entries.filter((entry) => topics.has(entry.topic)));
    if (batch.length > 0) await handle(batch);
    // Whoever waits need not wait for the cursor: should it be lost, what is handled is handled again.
    handledUpTo(last.id);
    await outbox.advance(consumer, last.id);
    return entries.length === batchSize;
  };

  const run = async () => {
    let failures = 0;
    while (!alarm.isStopped()) {
      try {
        alarm.reset();
        const isMore = await deliver();
        failures = 0;
        if (isMore) continue;
        if (clock.monotonicMs() - prunedAtMs >= PRUNE_EVERY_MS) {
          prunedAtMs = clock.monotonicMs();
          await outbox.prune();
        }
        await alarm.wait(pollMs);
      } catch (error) {
        const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
        failures += 1;
        log.warn({ err: error, failures, pauseMs }, "outbox entries were not delivered; they come again");
        await alarm.pause(pauseMs);
      }
    }
  };

  return {
    name: `outbox relay ${consumer}`,
    async start() {
      await outbox.register(consumer);
      handledId = await outbox.cursor(consumer);
      prunedAtMs = clock.monotonicMs();
      stopWatching = outbox.onChange(() => alarm.ring());
      running = run();
    },
    async stop() {
      stopWatching();
      alarm.stop();
      await running;
      await outbox.resign(consumer).catch((error: unknown) => log.debug({ err: error }, "resigning failed"));
      for (const waiter of waiters) waiter.reject(storeClosed({ where: `outbox of ${consumer}` }));
      waiters.clear();
    },
    async drained(given) {
      const lastId = given ?? (await outbox.lastId());
      if (lastId <= handledId) return;
      if (alarm.isStopped()) throw storeClosed({ where: `outbox of ${consumer}` });
      const done = Promise.withResolvers<void>();
      waiters.add({ lastId, ...done });
      // Whoever was given an id has had its transaction acknowledged here, which has rung already.
      if (given === undefined) alarm.ring();
      await done.promise;
    },
  };
}

/** Each (topic, key) once, at its first place: what was created first is still handled first. */
function coalesce(entries: readonly OutboxEntry[]): OutboxEntry[] {
  const seen = new Map<string, OutboxEntry>();
  for (const entry of entries) {
    const identity = JSON.stringify([entry.topic, entry.key]);
    if (!seen.has(identity)) seen.set(identity, entry);
  }
  return [...seen.values()];
}

/** Waiting that ends early when something happens; what rings while nobody waits is not lost. */
interface Alarm {
  reset(): void;
  ring(): void;
  /** Ends at a ring, one since the last reset included. */
  wait(ms: number): Promise<void>;
  /** Ends only by time or stop: a failing consumer is not asked more often because there is more to do. */
  pause(ms: number): Promise<void>;
  stop(): void;
  isStopped(): boolean;
}

function createAlarm(clock: Clock): Alarm {
  let hasRung = false;
  let isStopped = false;
  let onRing = () => {};
  let onStop = () => {};
  const sleep = (ms: number, endsAtRing: boolean) =>
    new Promise<void>((resolve) => {
      if (isStopped || (endsAtRing && hasRung)) return resolve();
      const end = () => {
        timer.clear();
        onRing = onStop = () => {};
        resolve();
      };
      const timer = clock.setTimeout(end, ms);
      onStop = end;
      if (endsAtRing) onRing = end;
    });
  return {
    reset: () => void (hasRung = false),
    ring() {
      hasRung = true;
      onRing();
    },
    wait: (ms) => sleep(ms, true),
    pause: (ms) => sleep(ms, false),
    stop() {
      isStopped = true;
      onStop();
    },
    isStopped: () => isStopped,
  };
}
