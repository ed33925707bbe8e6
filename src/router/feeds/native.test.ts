import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { RouteTableHandler, RouteTableReader } from "../../contracts/index.ts";
import { type Clock, createLogger, createManualClock, systemClock } from "../../kernel/index.ts";
import { createTable, type Cursor, type Reservation } from "../../table/index.ts";
import { endpoint } from "../../table/samples.ts";
import { FeedCounts } from "./feed-counts.ts";
import { createNativeFeed } from "./native.ts";
import type { Sharding } from "./sharding.ts";

const reservation = (route: string): Reservation => ({
  guid: `guid-of-${route}`,
  protocol: "http",
  route,
  routerGroup: "",
  destinations: [],
  options: {},
  routeServiceUrl: null,
  isolationSegment: "",
  tags: {},
});

const at = (sequence: number, epoch = "e1"): Cursor => ({ epoch, sequence });

/** A reader whose stream the test plays by hand. */
function createFakeReader() {
  const subscriptions: {
    reader: string;
    handler: RouteTableHandler;
    after: Cursor | undefined;
    acknowledged: Cursor[];
    isClosed: boolean;
  }[] = [];
  const reader: RouteTableReader = {
    subscribe(name, handler, after) {
      const subscription = {
        reader: name,
        handler,
        after,
        acknowledged: [] as Cursor[],
        isClosed: false,
      };
      subscriptions.push(subscription);
      return {
        acknowledge: (cursor) => void subscription.acknowledged.push(cursor),
        close: () => void (subscription.isClosed = true),
      };
    },
  };
  return {
    reader,
    subscriptions,
    get newest() {
      const last = subscriptions.at(-1);
      assert.ok(last !== undefined);
      return last;
    },
    image(cursor: Cursor, ...routes: string[]) {
      this.newest.handler.onImage({ cursor, reservations: routes.map(reservation), endpoints: [] });
    },
    upsert(cursor: Cursor, route: string) {
      this.newest.handler.onEvent({
        cursor,
        event: { kind: "route-upsert", reservation: reservation(route) },
      });
    },
  };
}

/** Each look at it takes three milliseconds, so that a slice of loading is over after a few steps. Rests end by themselves. */
function createRunningClock(): Clock {
  let nowMs = 0;
  return { ...systemClock, monotonicMs: () => (nowMs += 3) };
}

async function startFeed(t: TestContext, sharding?: Sharding) {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: "debug",
    sink: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const fake = createFakeReader();
  const table = createTable({ attach: () => null });
  const clock = createManualClock();
  const counts = new FeedCounts(clock.nowMs());
  const feed = createNativeFeed({
    reader: fake.reader,
    readerName: "router/0",
    table,
    counts,
    ...(sharding !== undefined && { sharding }),
    log,
    clock,
  });
  const started = feed.start();
  t.after(() => feed.stop());
  return {
    fake,
    table,
    clock,
    counts,
    feed,
    started,
    has: (host: string) => table.lookup(host, "/") !== null,
    said: (beginning: string) => lines.filter((line) => String(line["message"]).startsWith(beginning)).length,
  };
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("it starts with the image and goes on with events", async (t) => {
  const { fake, has, started, feed } = await startFeed(t);
  assert.equal(fake.newest.reader, "router/0");
  assert.equal(fake.newest.after, undefined);
  fake.image(at(7), "a.example.com");
  await started;
  fake.upsert(at(8), "b.example.com");
  fake.newest.handler.onEvent({
    cursor: at(9),
    event: { kind: "route-delete", guid: "guid-of-a.example.com" },
  });
  assert.ok(has("b.example.com"));
  assert.ok(!has("a.example.com"));
  assert.deepEqual(feed.cursor, at(9));
});

test("what is in force is acknowledged once per turn, with the newest number", async (t) => {
  const { fake } = await startFeed(t);
  fake.image(at(7));
  fake.upsert(at(8), "a.example.com");
  fake.upsert(at(9), "b.example.com");
  assert.deepEqual(fake.newest.acknowledged, []);
  await nextTurn();
  assert.deepEqual(fake.newest.acknowledged, [at(9)]);
  fake.upsert(at(10), "c.example.com");
  await nextTurn();
  assert.deepEqual(fake.newest.acknowledged, [at(9), at(10)]);
});

test("a gap is never applied: it asks again from its last number", async (t) => {
  const { fake, has, said } = await startFeed(t);
  fake.image(at(7));
  fake.upsert(at(9), "b.example.com");
  await nextTurn();
  assert.ok(!has("b.example.com"));
  assert.equal(said("native-feed-gap"), 1);
  assert.equal(fake.subscriptions.length, 2);
  assert.equal(fake.subscriptions[0]?.isClosed, true);
  assert.deepEqual(fake.newest.after, at(7));
  fake.upsert(at(8), "a.example.com");
  fake.upsert(at(9), "b.example.com");
  assert.ok(has("a.example.com") && has("b.example.com"));
});

test("a second gap at the same place asks for a whole image", async (t) => {
  const { fake, has } = await startFeed(t);
  fake.image(at(7));
  fake.upsert(at(9), "b.example.com");
  await nextTurn();
  fake.upsert(at(9), "b.example.com");
  await nextTurn();
  assert.equal(fake.subscriptions.length, 3);
  assert.equal(fake.newest.after, undefined);
  fake.image(at(9), "b.example.com");
  assert.ok(has("b.example.com"));
});

test("an event of another epoch is a gap", async (t) => {
  const { fake, has } = await startFeed(t);
  fake.image(at(7));
  fake.upsert(at(8, "e2"), "a.example.com");
  await nextTurn();
  assert.ok(!has("a.example.com"));
  assert.equal(fake.subscriptions.length, 2);
});

test("an event before any image is a gap", async (t) => {
  const { fake } = await startFeed(t);
  fake.upsert(at(1), "a.example.com");
  await nextTurn();
  assert.equal(fake.subscriptions.length, 2);
  assert.equal(fake.newest.after, undefined);
});

test("an event that was applied before is skipped", async (t) => {
  const { fake, has, feed } = await startFeed(t);
  fake.image(at(7));
  fake.upsert(at(7), "a.example.com");
  assert.ok(!has("a.example.com"));
  assert.deepEqual(feed.cursor, at(7));
  assert.equal(fake.subscriptions.length, 1);
});

test("a closed subscription that still delivers is not heard", async (t) => {
  const { fake, has } = await startFeed(t);
  fake.image(at(7));
  const old = fake.newest.handler;
  fake.upsert(at(9), "b.example.com");
  await nextTurn();
  old.onImage({ cursor: at(99), reservations: [reservation("old.example.com")], endpoints: [] });
  assert.ok(!has("old.example.com"));
});

test("a reader that delivers while it subscribes is followed", async (t) => {
  const table = createTable({ attach: () => null });
  let subscribed = 0;
  const feed = createNativeFeed({
    reader: {
      subscribe(_name, handler) {
        subscribed++;
        if (subscribed === 1) {
          handler.onEvent({ cursor: at(5), event: { kind: "route-delete", guid: "x" } });
        } else {
          handler.onImage({ cursor: at(5), reservations: [reservation("a.example.com")], endpoints: [] });
        }
        return { acknowledge() {}, close() {} };
      },
    },
    readerName: "router/0",
    table,
    log: createLogger({ level: "silent" }),
    clock: createManualClock(),
  });
  t.after(() => feed.stop());
  await feed.start();
  assert.notEqual(table.lookup("a.example.com", "/"), null);
});

test("a lost feed leaves the table in force and is said once, and so is its return", async (t) => {
  const { fake, has, said } = await startFeed(t);
  fake.image(at(7), "a.example.com");
  const { onStatus } = fake.newest.handler;
  onStatus?.("live");
  onStatus?.("lost");
  onStatus?.("lost");
  assert.ok(has("a.example.com"));
  assert.equal(said("native-feed-lost"), 1);
  onStatus?.("live");
  onStatus?.("live");
  assert.equal(said("native-feed-live"), 1);
});

test("a router whose routing API does not answer starts after a while and says so", async (t) => {
  const { clock, started, said, fake, has } = await startFeed(t);
  clock.advance(5_000);
  await started;
  assert.equal(said("native-feed-not-yet"), 1);
  fake.image(at(1), "a.example.com");
  assert.ok(has("a.example.com"));
});

test("after stop nothing is acknowledged and no gap is followed up", async (t) => {
  const { fake, feed } = await startFeed(t);
  fake.image(at(7));
  fake.upsert(at(9), "b.example.com");
  await feed.stop();
  await nextTurn();
  assert.equal(fake.subscriptions.length, 1);
  assert.equal(fake.newest.isClosed, true);
  assert.deepEqual(fake.newest.acknowledged, []);
});

test("a big image is loaded in slices: the old table serves until the last one, and events wait for it", async (t) => {
  const fake = createFakeReader();
  const table = createTable({ attach: () => null });
  const feed = createNativeFeed({
    reader: fake.reader,
    readerName: "router/0",
    table,
    log: createLogger({ level: "silent" }),
    clock: createRunningClock(),
  });
  const started = feed.start();
  t.after(() => feed.stop());
  fake.image(at(7), "old.example.com");
  await started;
  const hosts = Array.from({ length: 2_000 }, (_, n) => `host${n}.example.com`);
  fake.image(at(8), ...hosts);
  fake.upsert(at(9), "event.example.com");
  let turns = 0;
  while (feed.cursor?.sequence !== 9) {
    assert.notEqual(table.lookup("old.example.com", "/"), null);
    assert.equal(table.lookup("host0.example.com", "/"), null);
    assert.equal(table.lookup("event.example.com", "/"), null);
    turns++;
    await nextTurn();
  }
  assert.ok(turns > 10, String(turns));
  assert.equal(table.lookup("old.example.com", "/"), null);
  for (const host of [...hosts, "event.example.com"]) assert.notEqual(table.lookup(host, "/"), null);
});

test("an image that comes while another one is loaded takes its place, and so do the events after it", async (t) => {
  const fake = createFakeReader();
  const table = createTable({ attach: () => null });
  const feed = createNativeFeed({
    reader: fake.reader,
    readerName: "router/0",
    table,
    log: createLogger({ level: "silent" }),
    clock: createRunningClock(),
  });
  const started = feed.start();
  t.after(() => feed.stop());
  fake.image(at(7), ...Array.from({ length: 2_000 }, (_, n) => `host${n}.example.com`));
  fake.upsert(at(8), "of-the-first.example.com");
  fake.image(at(20), "second.example.com");
  fake.upsert(at(21), "of-the-second.example.com");
  await started;
  assert.deepEqual(feed.cursor, at(21));
  assert.deepEqual(
    [...table.routes()].map(({ key }) => key),
    ["second.example.com", "of-the-second.example.com"],
  );
});

const inSegment = (route: string, isolationSegment: string): Reservation => ({
  ...reservation(route),
  destinations: [{ processGuid: "p", appPort: null, weight: null, protocol: "http1" }],
  isolationSegment,
});
const modes: { sharding: Sharding; taken: readonly string[] }[] = [
  { sharding: { routingTableShardingMode: "all", isolationSegments: [] }, taken: ["", "blue", "red"] },
  { sharding: { routingTableShardingMode: "segments", isolationSegments: ["blue"] }, taken: ["blue"] },
  {
    sharding: { routingTableShardingMode: "shared-and-segments", isolationSegments: ["blue"] },
    taken: ["", "blue"],
  },
];
for (const { sharding, taken } of modes) {
  const mode = sharding.routingTableShardingMode;
  for (const way of ["an image", "events"] as const) {
    test(`of ${way}, mode ${mode} takes routes and endpoints of: ${taken.join(", ") || "all"}`, async (t) => {
      const { fake, feed, table, started } = await startFeed(t, sharding);
      const segments = ["", "blue", "red"];
      const reservations = segments.map((segment) =>
        inSegment(`${segment || "shared"}.example.com`, segment),
      );
      const endpoints = segments.map((isolationSegment, i) =>
        endpoint({ processGuid: "p", host: "10.0.0.1", port: i + 1, isolationSegment }),
      );
      if (way === "an image") {
        fake.newest.handler.onImage({ cursor: at(6), reservations, endpoints });
      } else {
        fake.newest.handler.onImage({ cursor: at(0), reservations: [], endpoints: [] });
        const events = [
          ...reservations.map((item) => ({ kind: "route-upsert", reservation: item }) as const),
          ...endpoints.map((item) => ({ kind: "endpoint-upsert", endpoint: item }) as const),
        ];
        for (const [i, event] of events.entries()) {
          fake.newest.handler.onEvent({ cursor: at(i + 1), event });
        }
      }
      await started;
      assert.deepEqual(
        [...table.routes()].map(({ key }) => key).sort(),
        taken.map((segment) => `${segment || "shared"}.example.com`).sort(),
      );
      for (const route of table.routes()) {
        assert.deepEqual(
          route.endpoints.map(({ isolationSegment }) => isolationSegment),
          taken,
        );
      }
      await nextTurn();
      assert.deepEqual(feed.cursor, at(6));
      assert.deepEqual(fake.newest.acknowledged.at(-1), at(6));
    });
  }
}

test("a route or endpoint that moves to another segment leaves this router", async (t) => {
  const { fake, table, started } = await startFeed(t, {
    routingTableShardingMode: "shared-and-segments",
    isolationSegments: [],
  });
  const moving = endpoint({ processGuid: "p", host: "10.0.0.1", port: 1 });
  fake.newest.handler.onImage({
    cursor: at(1),
    reservations: [inSegment("a.example.com", ""), inSegment("b.example.com", "")],
    endpoints: [moving],
  });
  await started;
  assert.equal(table.lookup("a.example.com", "/")?.endpoints.length, 1);
  fake.newest.handler.onEvent({
    cursor: at(2),
    event: { kind: "endpoint-upsert", endpoint: { ...moving, isolationSegment: "red" } },
  });
  assert.equal(table.lookup("a.example.com", "/")?.endpoints.length, 0);
  fake.newest.handler.onEvent({
    cursor: at(3),
    event: { kind: "route-upsert", reservation: inSegment("a.example.com", "red") },
  });
  assert.equal(table.lookup("a.example.com", "/"), null);
  assert.notEqual(table.lookup("b.example.com", "/"), null);
});

test("an endpoint's way here is timed when it comes as an event, not when it was there before", async (t) => {
  const { fake, clock, counts, started } = await startFeed(t);
  clock.advance(20_000);
  const runningSince = (ms: number) => (BigInt(clock.nowMs() - ms) * 1_000_000n).toString();
  const old = endpoint({ processGuid: "p", host: "10.0.0.1", port: 1, updatedAtNs: runningSince(900_000) });
  fake.newest.handler.onImage({ cursor: at(1), reservations: [], endpoints: [old] });
  await started;
  const count = () => counts.registrationLatency.lines("l").at(-1);
  assert.equal(count(), "l_count 0");
  fake.newest.handler.onEvent({
    cursor: at(2),
    event: {
      kind: "endpoint-upsert",
      endpoint: { ...old, port: 2, updatedAtNs: runningSince(2) },
    },
  });
  assert.equal(count(), "l_count 1");
  assert.ok(counts.registrationLatency.lines("l").includes('l_bucket{le="2.5"} 1'));
  assert.equal(counts.lastUpdateAtMs, clock.nowMs());
});
