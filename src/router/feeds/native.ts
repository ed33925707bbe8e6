/**
 * The native feed: the routing API's numbered route table, applied as it comes.
 *
 *   subscribe ──► image ──► event n+1 ──► event n+2 ──► …        acknowledged once per turn of the event loop
 *       ▲                      │ gap
 *       └── after the last number; after a second gap there, from an image
 *
 * Reservations and endpoints of isolation segments that are not this router's are left out, and acknowledged all the
 * same: it has done with them what it will.
 *
 * An image is loaded in slices, and is in force from the last one on, all at once; events wait for that. What was
 * applied stays in force while the feed is lost: an old table serves better than none.
 */
import type {
  RouteTableHandler,
  RouteTableReader,
  RouteTableSubscription,
  SequencedEvent,
} from "../../contracts/index.ts";
import { type Clock, keepAliveWhile, type Logger, type Part, systemClock } from "../../kernel/index.ts";
import type { Cursor, Table, TableEvent, TableImage } from "../../table/index.ts";
import type { FeedCounts } from "./feed-counts.ts";
import { createShard, type Sharding } from "./sharding.ts";
import { createSteps } from "./slices.ts";

/** How long a starting router waits for its first table before it serves without. */
const FIRST_IMAGE_WAIT_MS = 5_000;

const EVERYTHING: Sharding = { routingTableShardingMode: "all", isolationSegments: [] };

export interface NativeFeed extends Part {
  /** The last change in force; null before the first image. */
  readonly cursor: Cursor | null;
}

export function createNativeFeed(given: {
  readonly reader: RouteTableReader;
  /** Name in acknowledgements, unique in the deployment: `router/0`. */
  readonly readerName: string;
  readonly table: Table;
  /** Everything is taken without it. */
  readonly sharding?: Sharding;
  readonly counts?: FeedCounts;
  readonly log: Logger;
  readonly clock?: Clock;
}): NativeFeed {
  const { reader, readerName, table, sharding = EVERYTHING, counts, log, clock = systemClock } = given;
  const isInShard = createShard(sharding);
  const firstImage = Promise.withResolvers<void>();
  let cursor: Cursor | null = null;
  let subscription: RouteTableSubscription | null = null;
  let acknowledging: NodeJS.Immediate | null = null;
  let isLost = false;
  const steps = createSteps(clock);
  /** What comes while an image is loaded. */
  let waiting: SequencedEvent[] | null = null;
  /** The number after which events were missing last time. */
  let gapAfter: Cursor | null = null;

  const advance = (to: Cursor) => {
    cursor = to;
    acknowledging ??= setImmediate(() => {
      acknowledging = null;
      if (cursor !== null) subscription?.acknowledge(cursor);
    });
  };

  const ours = (image: TableImage): TableImage =>
    sharding.routingTableShardingMode === "all"
      ? image
      : {
          cursor: image.cursor,
          reservations: image.reservations.filter(({ isolationSegment }) => isInShard(isolationSegment)),
          endpoints: image.endpoints.filter(({ isolationSegment }) => isInShard(isolationSegment)),
        };

  /** What moves to another segment leaves this router. */
  const apply = (event: TableEvent) => {
    counts?.heard(clock.nowMs());
    if (event.kind === "route-upsert" && !isInShard(event.reservation.isolationSegment)) {
      table.apply({ kind: "route-delete", guid: event.reservation.guid });
    } else if (event.kind === "endpoint-upsert" && !isInShard(event.endpoint.isolationSegment)) {
      const { processGuid, host, port } = event.endpoint;
      table.apply({ kind: "endpoint-delete", processGuid, host, port });
    } else {
      table.apply(event);
      // Heartbeats are no events, so this endpoint is new, or was changed just now.
      if (event.kind === "endpoint-upsert") counts?.countLatency(event.endpoint.updatedAtNs, clock.nowMs());
    }
  };

  const subscribe = (after: Cursor | null) => {
    // A closed subscription may still deliver what was on its way; only the newest one counts.
    let isCurrent = true;
    const resubscribe = () => {
      isCurrent = false;
      const isRepeated = cursor !== null && gapAfter !== null && isSame(cursor, gapAfter);
      gapAfter = cursor;
      // Later, because a reader may deliver while it is still inside `subscribe`; and a whole turn later, so that one
      // which delivers nothing but gaps cannot hold up traffic.
      setImmediate(() => {
        if (subscription === null) return;
        subscription.close();
        subscribe(isRepeated ? null : cursor);
      });
    };
    function* load(image: TableImage): Generator<undefined, void> {
      const startedAtMs = clock.monotonicMs();
      yield* table.loadInSteps(ours(image));
      log.info(
        {
          ...image.cursor,
          reservations: image.reservations.length,
          endpoints: image.endpoints.length,
          tookMs: Math.round(clock.monotonicMs() - startedAtMs),
        },
        "native-feed-loaded",
      );
      gapAfter = null;
      counts?.heard(clock.nowMs());
      advance(image.cursor);
      firstImage.resolve();
      const events = waiting ?? [];
      waiting = null;
      for (const event of events) handler.onEvent(event);
    }
    const handler: RouteTableHandler = {
      onImage(image) {
        if (!isCurrent) return;
        waiting = [];
        steps.begin(load(image));
      },
      onEvent(event) {
        if (!isCurrent) return;
        if (waiting !== null) {
          waiting.push(event);
          return;
        }
        const next = event.cursor;
        if (cursor === null || next.epoch !== cursor.epoch || next.sequence > cursor.sequence + 1) {
          log.error({ have: cursor, got: next }, "native-feed-gap");
          resubscribe();
          return;
        }
        // Seen before: a stream that was resumed may begin a little early.
        if (next.sequence <= cursor.sequence) return;
        apply(event.event);
        advance(next);
      },
      onStatus(status) {
        if (!isCurrent || isLost === (status === "lost")) return;
        isLost = status === "lost";
        if (isLost) log.warn({ cursor }, "native-feed-lost: the last table stays in force");
        else log.info({ cursor }, "native-feed-live");
      },
    };
    subscription =
      after === null ? reader.subscribe(readerName, handler) : reader.subscribe(readerName, handler, after);
  };

  return {
    name: "native-feed",
    get cursor() {
      return cursor;
    },
    async start() {
      subscribe(null);
      const timer = clock.setTimeout(() => {
        log.warn({ waitedMs: FIRST_IMAGE_WAIT_MS }, "native-feed-not-yet: starting without its routes");
        firstImage.resolve();
      }, FIRST_IMAGE_WAIT_MS);
      await keepAliveWhile(firstImage.promise);
      timer.clear();
    },
    async stop() {
      if (acknowledging !== null) clearImmediate(acknowledging);
      steps.stop();
      subscription?.close();
      subscription = null;
      firstImage.resolve();
    },
  };
}

function isSame(a: Cursor, b: Cursor): boolean {
  return a.epoch === b.epoch && a.sequence === b.sequence;
}
