/**
 * One suite for the route table in process and over HTTP: whoever reads or writes through either contract must not
 * be able to tell them apart.
 */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import * as fc from "fast-check";
import type { RouteLiveness, RouteTableReader, RouteTableWriter } from "../../src/contracts/index.ts";
import { listen } from "../../src/http/index.ts";
import { routeReserved } from "../../src/kernel/errors/routing-api.ts";
import { createManualClock, type ManualClock, silentLogger } from "../../src/kernel/index.ts";
import {
  buildRoutingApi,
  createRouteTable,
  createRouteTableClient,
  type RouteTable,
  SCOPES,
} from "../../src/routing-api/index.ts";
import {
  contentsOf,
  endpoint,
  type Follower,
  follow,
  memoryStore,
  reservation,
} from "../support/route-table.ts";

const TTL_MS = 60_000;
interface Fixture {
  /** What is tested. */
  readonly feed: RouteTableReader & RouteTableWriter & RouteLiveness;
  /** What is behind it now. */
  readonly table: RouteTable;
  /** The table's clock: heartbeats. */
  readonly clock: ManualClock;
  /** Cuts every connection; nothing to cut in process. */
  cut(): void;
  /** A new process over the same database, at the same address. In process, readers subscribe to the new one. */
  restart(): Promise<void>;
  /** Lets time pass for readers that wait to connect again, until this is done. */
  settle<T>(done: Promise<T>): Promise<T>;
}

interface TableSettings {
  readonly replayedChanges?: number;
  readonly warmUpMs?: number;
}

async function inProcess(t: TestContext, settings: TableSettings = {}): Promise<Fixture> {
  const clock = createManualClock();
  const store = await memoryStore(t, clock);
  const open = () => createRouteTable({ store, clock, log: silentLogger, ...settings });
  let table = open();
  await table.start();
  t.after(() => table.stop());
  return {
    clock,
    get feed() {
      return table;
    },
    get table() {
      return table;
    },
    cut() {},
    async restart() {
      await table.stop();
      table = open();
      await table.start();
    },
    settle: (done) => done,
  };
}

async function overHttp(t: TestContext, settings: TableSettings = {}): Promise<Fixture> {
  const clock = createManualClock();
  const clientClock = createManualClock();
  const store = await memoryStore(t, clock);
  const verifyToken = async () => ({
    scope: [SCOPES.read, SCOPES.write],
    exp: clock.nowMs() / 1_000 + 1e6,
  });
  let port = 0;
  const open = async () => {
    const table = createRouteTable({ store, clock, log: silentLogger, ...settings });
    const api = buildRoutingApi({ store, table, verifyToken, clock, log: silentLogger, maxTtlSeconds: 120 });
    await table.start();
    const listener = await listen(api, { role: "routing-api", host: "127.0.0.1", port, setting: "port" });
    port = listener.port;
    return { table, api, listener };
  };
  let server = await open();
  t.after(async () => {
    await server.listener.close();
    await server.table.stop();
  });
  const feed = createRouteTableClient({
    url: `http://127.0.0.1:${port}`,
    token: async () => "token",
    clock: clientClock,
    log: silentLogger,
  });
  return {
    feed,
    clock,
    get table() {
      return server.table;
    },
    cut: () => server.api.server.closeAllConnections(),
    async restart() {
      await server.listener.close();
      await server.table.stop();
      server = await open();
    },
    async settle(done) {
      const settled = done.then(
        () => true,
        () => true,
      );
      while (!(await Promise.race([settled, nextTurn(false)]))) clientClock.advance(50);
      return done;
    },
  };
}

/** Told by both ends in the same words, whatever the timing of the connection. */
const eventsOf = (reader: Follower) => reader.told.filter((line) => line !== "live" && line !== "lost");

const isReserved = (error: unknown) => routeReserved.is(error) && error.status === 409;

for (const [where, open] of [
  ["in process", inProcess],
  ["over HTTP", overHttp],
] as const) {
  test(`${where}: a reader gets an image first and then every change, in order`, async (t) => {
    const { feed } = await open(t);
    const first = await feed.putReservation(reservation("a"));
    const reader = follow(t, feed);
    await reader.reached(first);
    await feed.putReservation(reservation("b"));
    await feed.putEndpoints([endpoint("process-a", 1000), endpoint("process-a", 1001)], TTL_MS);
    await feed.deleteEndpoints([{ processGuid: "process-a", host: "10.0.0.5", port: 1000 }]);
    await reader.reached(await feed.deleteReservation("a"));
    assert.deepEqual(reader.told, [
      "image@1",
      "live",
      "route-upsert b@2",
      "endpoint-upsert process-a 10.0.0.5:1000@3",
      "endpoint-upsert process-a 10.0.0.5:1001@4",
      "endpoint-delete process-a 10.0.0.5:1000@5",
      "route-delete a@6",
    ]);
  });

  test(`${where}: every field of reservations and endpoints arrives as it was put`, async (t) => {
    const { feed } = await open(t);
    const full = reservation("full", {
      route: "shop.example.com/v2",
      destinations: [
        { processGuid: "p", appPort: 8081, weight: 30, protocol: "http2" },
        { processGuid: "q", appPort: null, weight: 70, protocol: "http1" },
      ],
      options: { loadbalancing: "hash", hash_header: "X-User", hash_balance: 1.25, "trim-path": true },
      routeServiceUrl: "https://rs.example.com/hook?x=1",
      isolationSegment: "segment",
      tags: { space: "s" },
    });
    const secure = endpoint("p", 61_001, { tls: true, serverCertDomainSan: "san", protocol: "http2" });
    const tcp = reservation("tcp", { protocol: "tcp", route: "1100", routerGroup: "group" });
    const internal = reservation("internal", { protocol: "internal", route: "shop.apps.internal" });
    await feed.putReservation(full);
    await feed.putReservation(tcp);
    await feed.putEndpoints([secure], TTL_MS);
    const reader = follow(t, feed);
    await reader.reached(await feed.putReservation(internal));
    assert.deepEqual(
      reader.contents(),
      contentsOf({
        cursor: { epoch: "", sequence: 0 },
        reservations: [full, tcp, internal],
        endpoints: [secure],
      }),
    );
  });

  test(`${where}: putting an equal reservation or renewing an endpoint is no change`, async (t) => {
    const { feed } = await open(t);
    const first = await feed.putReservation(reservation("a"));
    assert.deepEqual(await feed.putReservation(reservation("a")), first);
    await feed.putEndpoints([endpoint("process-a", 1000)], TTL_MS);
    await feed.putEndpoints([endpoint("process-a", 1000, { updatedAtNs: "2" })], TTL_MS);
    const last = await feed.putReservation(reservation("a"));
    assert.equal(last.sequence, first.sequence + 1);
    assert.deepEqual(await feed.deleteReservation("unknown"), last);
  });

  test(`${where}: an address that somebody holds is refused to everybody else`, async (t) => {
    const { feed } = await open(t);
    await feed.putReservation(reservation("a", { route: "shop.example.com/v2" }));
    await assert.rejects(
      feed.putReservation(reservation("b", { route: "shop.example.com/V2" })),
      (error) => isReserved(error) && String(error).includes("shop.example.com/V2"),
    );
    await feed.deleteReservation("a");
    await feed.putReservation(reservation("b", { route: "shop.example.com/v2" }));
  });

  test(`${where}: a port is held once in each router group`, async (t) => {
    const { feed } = await open(t);
    const port = (guid: string, routerGroup: string) =>
      reservation(guid, { protocol: "tcp", route: "1100", routerGroup });
    await feed.putReservation(port("a", "east"));
    await feed.putReservation(port("b", "west"));
    await assert.rejects(feed.putReservation(port("c", "west")), isReserved);
    await assert.rejects(feed.putReservation(port("b", "east")), isReserved);
    await feed.deleteReservation("a");
    const reader = follow(t, feed);
    await reader.reached(await feed.putReservation(port("b", "east")));
    assert.deepEqual(
      reader.contents(),
      contentsOf({ cursor: { epoch: "", sequence: 0 }, reservations: [port("b", "east")], endpoints: [] }),
    );
  });

  test(`${where}: a replacement is the difference only, and no address is ever held twice`, async (t) => {
    const { feed } = await open(t);
    await feed.putReservation(reservation("same"));
    await feed.putReservation(reservation("gone"));
    await feed.putReservation(reservation("swaps", { route: "x.example.com" }));
    const before = await feed.putReservation(reservation("back", { route: "y.example.com" }));
    const reader = follow(t, feed);
    await reader.reached(before);
    const next = [
      reservation("same"),
      reservation("new"),
      reservation("swaps", { route: "y.example.com" }),
      reservation("back", { route: "x.example.com" }),
    ];
    await reader.reached(await feed.replaceReservations(next));
    assert.deepEqual(eventsOf(reader).slice(1), [
      "route-delete gone@5",
      "route-delete swaps@6",
      "route-delete back@7",
      "route-upsert new@8",
      "route-upsert swaps@9",
      "route-upsert back@10",
    ]);
    const twice = [
      reservation("a", { route: "z.example.com" }),
      reservation("b", { route: "z.example.com" }),
    ];
    await assert.rejects(feed.replaceReservations(twice), routeReserved.is);
    assert.deepEqual(reader.contents(), contentsOf({ cursor: before, reservations: next, endpoints: [] }));
  });

  test(`${where}: an endpoint lives as long as its heartbeats`, async (t) => {
    const { feed, clock } = await open(t);
    await feed.putEndpoints([endpoint("p", 1000), endpoint("p", 1001)], TTL_MS);
    const reader = follow(t, feed);
    await reader.until((line) => line === "live");
    clock.advance(TTL_MS - 1_000);
    await feed.putEndpoints([endpoint("p", 1001)], TTL_MS);
    const gone = reader.until((line) => line.startsWith("endpoint-delete"));
    clock.advance(1_000);
    await gone;
    assert.deepEqual(eventsOf(reader), ["image@2", "endpoint-delete p 10.0.0.5:1000@3"]);
  });

  test(`${where}: a reader that was away goes on where it was`, async (t) => {
    const { feed } = await open(t);
    const reader = follow(t, feed);
    await reader.reached(await feed.putReservation(reservation("a")));
    reader.subscription.close();
    await feed.putReservation(reservation("b"));
    const last = await feed.deleteReservation("a");
    const again = follow(t, feed, { after: reader.cursor ?? assert.fail("it has read nothing") });
    await again.reached(last);
    assert.deepEqual(eventsOf(again), ["route-upsert b@2", "route-delete a@3"]);
  });

  test(`${where}: a reader that was away for too long gets an image`, async (t) => {
    const { feed } = await open(t, { replayedChanges: 4 });
    const reader = follow(t, feed);
    await reader.reached(await feed.putReservation(reservation("a")));
    reader.subscription.close();
    for (const guid of ["b", "c", "d", "e"]) await feed.putReservation(reservation(guid));
    const last = await feed.deleteReservation("a");
    const again = follow(t, feed, { after: reader.cursor ?? assert.fail("it has read nothing") });
    await again.reached(last);
    assert.deepEqual(eventsOf(again), ["image@6"]);
  });

  test(`${where}: after a restart reservations are there and old positions mean nothing`, async (t) => {
    const fixture = await open(t);
    const before = follow(t, fixture.feed);
    await fixture.feed.putEndpoints([endpoint("process-a", 1000)], TTL_MS);
    await before.reached(await fixture.feed.putReservation(reservation("a")));
    before.subscription.close();
    await fixture.restart();
    const after = follow(t, fixture.feed, { after: before.cursor ?? assert.fail("it has read nothing") });
    await after.reached(fixture.table.cursor);
    assert.notEqual(fixture.table.cursor.epoch, before.cursor?.epoch);
    assert.deepEqual(eventsOf(after), ["image@0"]);
    assert.deepEqual(
      after.contents(),
      contentsOf({ cursor: fixture.table.cursor, reservations: [reservation("a")], endpoints: [] }),
    );
  });

  test(`${where}: while the table warms up, a reader that has one keeps it`, async (t) => {
    const fixture = await open(t, { warmUpMs: 30_000 });
    const before = follow(t, fixture.feed);
    await before.reached(await fixture.feed.putReservation(reservation("a")));
    before.subscription.close();
    await fixture.restart();
    const keeps = follow(t, fixture.feed, { after: before.cursor ?? assert.fail("it has read nothing") });
    const fresh = follow(t, fixture.feed, { reader: "router/1" });
    await fresh.until((line) => line === "live");
    await fixture.feed.putEndpoints([endpoint("process-a", 1000)], TTL_MS);
    await fresh.reached(fixture.table.cursor);
    assert.deepEqual(keeps.told, []);
    const caughtUp = keeps.reached(fixture.table.cursor);
    fixture.clock.advance(30_000);
    await caughtUp;
    assert.deepEqual(eventsOf(keeps), ["image@1"]);
  });

  test(`${where}: a change is live when every router that reads has acknowledged it`, async (t) => {
    const { feed } = await open(t);
    assert.equal(await feed.liveOn("a"), null);
    const cursor = await feed.putReservation(reservation("a"));
    assert.deepEqual(await feed.liveOn("a"), { live: 0, of: 0, isLive: false });

    const quick = follow(t, feed);
    await quick.reached(cursor);
    assert.deepEqual(await feed.whenLive("a", 10_000), { live: 1, of: 1, isLive: true });
    const slow = follow(t, feed, { reader: "router/1", acknowledges: false });
    const page = follow(t, feed, { reader: "dashboard/0", acknowledges: false });
    await Promise.all([slow.reached(cursor), page.reached(cursor)]);
    assert.deepEqual(await feed.whenLive("a", 0), { live: 1, of: 2, isLive: false });

    const live = feed.whenLive("a", 10_000);
    slow.subscription.acknowledge(cursor);
    assert.deepEqual(await live, { live: 2, of: 2, isLive: true });
    const { readers } = await feed.acknowledgements();
    assert.deepEqual(readers.map((one) => `${one.reader} ${one.sequence} ${one.isCurrent}`).sort(), [
      "dashboard/0 -1 false",
      "router/0 1 true",
      "router/1 1 true",
    ]);
  });

  test(`${where}: each kind of route waits for the readers that serve it`, async (t) => {
    const { feed } = await open(t);
    await feed.putReservation(reservation("web"));
    await feed.putReservation(reservation("name", { protocol: "internal", route: "shop.apps.internal" }));
    const cursor = await feed.putReservation(reservation("port", { protocol: "tcp", route: "1100" }));
    const readers = ["router/0", "dns/0", "tcp-router/0"].map((reader) => follow(t, feed, { reader }));
    await Promise.all(readers.map((reader) => reader.reached(cursor)));
    const of = async (guid: string) => (await feed.whenLive(guid, 10_000))?.of;
    assert.deepEqual([await of("web"), await of("name"), await of("port")], [1, 2, 1]);
  });

  test(`${where}: the end of a reservation can be waited for too`, async (t) => {
    const { feed } = await open(t);
    const reader = follow(t, feed, { acknowledges: false });
    await feed.putReservation(reservation("a"));
    const cursor = await feed.deleteReservation("a");
    await reader.reached(cursor);
    const live = feed.whenLive("a", 10_000);
    reader.subscription.acknowledge(cursor);
    assert.equal((await live)?.isLive, true);
  });
}

test("over HTTP: a cut connection resumes without a new image and without a gap", async (t) => {
  const fixture = await overHttp(t);
  const reader = follow(t, fixture.feed);
  await reader.reached(await fixture.feed.putReservation(reservation("a")));
  const lost = reader.until((line) => line === "lost");
  fixture.cut();
  await lost;
  const last = await fixture.table.putReservation(reservation("b"));
  await fixture.settle(reader.reached(last));
  assert.deepEqual(eventsOf(reader).slice(-1), ["route-upsert b@2"]);
  assert.equal(reader.told.filter((line) => line.startsWith("image")).length, 1);
  const live = reader.told.includes("live", reader.told.indexOf("lost"));
  if (!live) await fixture.settle(reader.until((line) => line === "live"));
});

test("over HTTP: a reader survives a restart of the server, and its acknowledgements count again", async (t) => {
  const fixture = await overHttp(t);
  const reader = follow(t, fixture.feed);
  await reader.reached(await fixture.feed.putReservation(reservation("a")));
  await fixture.restart();
  await fixture.settle(reader.reached(fixture.table.cursor));
  assert.deepEqual(await fixture.feed.whenLive("a", 10_000), { live: 1, of: 1, isLive: true });
});

test("over HTTP: an acknowledgement given before a cut counts after it", async (t) => {
  const fixture = await overHttp(t);
  const reader = follow(t, fixture.feed);
  await reader.reached(await fixture.feed.putReservation(reservation("a")));
  const lost = reader.until((line) => line === "lost");
  fixture.cut();
  await lost;
  await fixture.settle(reader.until((line) => line === "live"));
  assert.equal((await fixture.feed.whenLive("a", 10_000))?.isLive, true);
});

test("in process: a change reaches a reader before its writer goes on", async (t) => {
  const { feed } = await inProcess(t);
  const reader = follow(t, feed);
  const cursor = await feed.putReservation(reservation("a"));
  assert.deepEqual(reader.cursor, cursor);
});

test("in process: a reader that throws begins again with an image", async (t) => {
  const { feed, table } = await inProcess(t);
  const told: string[] = [];
  const subscription = feed.subscribe("router/0", {
    onImage: (image) => told.push(`image@${image.cursor.sequence}`),
    onEvent() {
      told.push("event");
      throw new Error("cannot apply");
    },
  });
  t.after(() => subscription.close());
  await nextTurn();
  await feed.putReservation(reservation("a"));
  await nextTurn();
  assert.deepEqual(told, ["image@0", "event", "image@1"]);
  assert.equal(table.cursor.sequence, 1);
});

// --- property ---

const guid = fc.constantFrom("a", "b", "c");
const port = fc.integer({ min: 1000, max: 1002 });
const step = fc.oneof(
  fc.record({
    what: fc.constant("put" as const),
    guid,
    process: guid,
    route: fc.constantFrom("x", "y", "z"),
  }),
  fc.record({ what: fc.constant("delete" as const), guid }),
  fc.record({ what: fc.constant("replace" as const), guids: fc.uniqueArray(guid) }),
  fc.record({
    what: fc.constant("endpoint" as const),
    process: guid,
    port,
    index: fc.constantFrom("0", "1"),
  }),
  fc.record({ what: fc.constant("remove" as const), process: guid, port }),
  fc.record({ what: fc.constant("time" as const), ms: fc.constantFrom(1_000, 30_000) }),
  fc.record({ what: fc.constant("cut" as const) }),
  fc.record({ what: fc.constant("away" as const) }),
  fc.record({ what: fc.constant("back" as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Writes go to the table itself, so that a cut never makes one fail; the readers are what is tested. */
async function converges(t: TestContext, open: typeof overHttp, steps: readonly Step[]): Promise<void> {
  const fixture = await open(t, { replayedChanges: 5 });
  const { table } = fixture;
  const stays = follow(t, fixture.feed, { reader: "router/0" });
  let comesAndGoes = follow(t, fixture.feed, { reader: "router/1" });
  for (const one of steps) {
    switch (one.what) {
      case "put": {
        const destinations = [
          { processGuid: one.process, appPort: null, weight: null, protocol: "http1" as const },
        ];
        const put = table.putReservation(
          reservation(one.guid, { route: `${one.route}.example.com`, destinations }),
        );
        await put.catch((error) => assert.ok(routeReserved.is(error)));
        break;
      }
      case "delete":
        await table.deleteReservation(one.guid);
        break;
      case "replace":
        await table.replaceReservations(one.guids.map((name) => reservation(name)));
        break;
      case "endpoint":
        await table.putEndpoints([endpoint(one.process, one.port, { instanceIndex: one.index })], TTL_MS);
        break;
      case "remove":
        await table.deleteEndpoints([{ processGuid: one.process, host: "10.0.0.5", port: one.port }]);
        break;
      case "time":
        fixture.clock.advance(one.ms);
        break;
      case "cut":
        fixture.cut();
        await nextTurn();
        break;
      case "away":
        comesAndGoes.subscription.close();
        break;
      case "back":
        comesAndGoes.subscription.close();
        comesAndGoes = comesAndGoes.resume();
        break;
      default:
        one satisfies never;
    }
  }
  comesAndGoes.subscription.close();
  comesAndGoes = comesAndGoes.resume();
  for (const reader of [stays, comesAndGoes]) {
    await fixture.settle(reader.reached(table.cursor));
    assert.deepEqual(reader.contents(), contentsOf(table.image()));
  }
}

for (const [where, open, numRuns] of [
  ["in process", inProcess, 100],
  ["over HTTP", overHttp, 15],
] as const) {
  test(`${where}: whatever is written, cut and resumed, readers end with exactly the writer's state`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        // Each run cleans up after itself; hundreds of open databases would not.
        const ends: (() => unknown)[] = [];
        const own = { after: (end: () => unknown) => void ends.push(end) } as unknown as TestContext;
        try {
          await converges(own, open, steps);
        } finally {
          for (const end of ends.reverse()) await end();
        }
      }),
      { numRuns },
    );
  });
}
