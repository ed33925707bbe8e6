import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { type RouteFields, startRoutingApiV1 } from "../../../test/support/routing-api-v1.ts";
import { createLogger, createManualClock } from "../../kernel/index.ts";
import { createTable, endpointAddress } from "../../table/index.ts";
import { FeedCounts } from "./feed-counts.ts";
import { createRoutingApiFeed, type RoutingApiFeedConfig } from "./routing-api.ts";
import { decodeApiRoute, succeeds } from "./routing-api-route.ts";

const api: RouteFields = {
  route: "api.example.com/routing",
  ip: "10.0.0.5",
  port: 3_000,
  log_guid: "routing-api",
};
const PRUNE_MS = 30_000;

async function prepare(t: TestContext, changes: Partial<RoutingApiFeedConfig> = {}) {
  const server = await startRoutingApiV1(t);
  const wakers = new Set<() => void>();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: "debug",
    sink: {
      write(line) {
        lines.push(JSON.parse(line) as Record<string, unknown>);
        for (const wake of wakers) wake();
      },
    },
  });
  const clock = createManualClock();
  const table = createTable({ attach: () => null });
  const counts = new FeedCounts(clock.nowMs());
  const config: RoutingApiFeedConfig = {
    url: `http://127.0.0.1:${server.port}`,
    tls: {},
    oauth: null,
    dropletStaleThresholdMs: 120_000,
    pruneStaleDropletsIntervalMs: PRUNE_MS,
    routingTableShardingMode: "all",
    isolationSegments: [],
    ...changes,
  };
  const feed = createRoutingApiFeed({ config, table, counts, prunes: true, log, clock });
  t.after(() => feed.stop());
  const said = (message: string) =>
    lines.filter((line) => line["msg"] === message || line["message"] === message);
  return {
    server,
    feed,
    clock,
    table,
    counts,
    said,
    /** Resolves when it has been said so often. */
    async line(message: string, times = 1) {
      while (said(message).length < times) {
        await new Promise<void>((resolve) => {
          wakers.add(resolve);
        });
      }
      return said(message)[times - 1] ?? {};
    },
    endpoints: (host: string, path = "/") =>
      table.lookup(host, path)?.endpoints.map((endpoint) => endpointAddress(endpoint)) ?? null,
  };
}

/** Up to the list that follows on the subscription: from there on events are applied as they come. */
async function started(
  t: TestContext,
  given: readonly RouteFields[] = [],
  changes?: Partial<RoutingApiFeedConfig>,
) {
  const router = await prepare(t, changes);
  for (const route of given) router.server.upsert(route);
  await router.feed.start();
  await router.server.listed(2);
  return router;
}

test("it starts with all routes, each an endpoint with the guid for its app and its name", async (t) => {
  const router = await prepare(t);
  router.server.upsert({ ...api, route_service_url: "https://service.example.com" });
  router.server.upsert({ ...api, port: 3_001 });
  await router.feed.start();
  assert.deepEqual(router.endpoints("api.example.com", "/routing/v1"), ["10.0.0.5:3000", "10.0.0.5:3001"]);
  const [endpoint] = router.table.lookup("api.example.com", "/routing")?.endpoints ?? [];
  assert.equal(endpoint?.appGuid, "routing-api");
  assert.equal(endpoint?.serverCertDomainSan, "routing-api");
  assert.equal(endpoint?.tls, false);
  assert.equal(endpoint?.protocol, "http1");
});

test("a route service is the route's", async (t) => {
  const url = "https://service.example.com";
  const router = await started(t, [{ ...api, route_service_url: url }]);
  assert.equal(router.table.lookup("api.example.com", "/routing")?.routeServiceUrl, url);
});

test("events are applied as they come", async (t) => {
  const router = await started(t);
  router.server.upsert(api);
  const line = await router.line("endpoint-registered");
  assert.equal(line["uri"], "api.example.com/routing");
  assert.equal(line["backend"], "10.0.0.5:3000");
  assert.deepEqual(router.endpoints("api.example.com", "/routing"), ["10.0.0.5:3000"]);
  router.server.delete(api);
  await router.line("route-unregistered");
  assert.equal(router.endpoints("api.example.com", "/routing"), null);
  assert.equal(router.counts.registered.get("")?.new, 1);
  assert.equal(router.counts.unregistered.get(""), 1);
});

test("the whole list comes again after half of the prune interval, and what it lacks is unregistered", async (t) => {
  const other = { ...api, route: "other.example.com" };
  const router = await started(t, [api, other]);
  router.server.forget(api);
  router.clock.advance(PRUNE_MS / 2);
  await router.line("endpoint-unregistered");
  assert.equal(router.endpoints("api.example.com", "/routing"), null);
  assert.deepEqual(router.endpoints("other.example.com"), ["10.0.0.5:3000"]);
});

test("an event that comes while a list is on its way is not undone by it", async (t) => {
  const router = await started(t, [api]);
  const answer = Promise.withResolvers<void>();
  const [late, gone] = [{ ...api, route: "late.example.com" }, api];
  // As a server whose list was read from the database before the two changes.
  const stale = JSON.stringify([{ ...gone, ttl: 120, modification_tag: { guid: "tag-1", index: 0 } }]);
  router.server.failLists({ status: 200, body: stale });
  router.server.holdLists(answer.promise);
  router.clock.advance(PRUNE_MS / 2);
  router.server.upsert(late);
  router.server.delete(gone);
  answer.resolve();
  await router.line("route-unregistered");
  assert.deepEqual(router.endpoints("late.example.com"), ["10.0.0.5:3000"]);
  assert.equal(router.endpoints("api.example.com", "/routing"), null);
});

test("a route lives for its time to live after its last heartbeat, at most for the stale threshold", async (t) => {
  const [brief, long] = [
    { ...api, route: "brief.example.com", ttl: 20 },
    { ...api, route: "long.example.com", ttl: 900 },
  ];
  const router = await started(t, [brief, long]);
  router.server.failLists({ status: 503, body: "{}" });
  router.clock.advance(PRUNE_MS);
  assert.equal(router.endpoints("brief.example.com"), null);
  assert.equal(router.said("pruned-route")[0]?.["uri"], "brief.example.com");
  router.clock.advance(90_000);
  assert.notEqual(router.endpoints("long.example.com"), null);
  router.clock.advance(PRUNE_MS);
  assert.equal(router.endpoints("long.example.com"), null);
  assert.equal(router.counts.pruned, 2);
});

test("a heartbeat in the list keeps a route", async (t) => {
  const router = await started(t, [{ ...api, ttl: 20 }]);
  for (let i = 0; i < 8; i++) {
    router.clock.advance(PRUNE_MS / 2);
    await router.server.listed(3 + i);
    await router.line("endpoint-registered", 3 + i);
  }
  assert.deepEqual(router.endpoints("api.example.com", "/routing"), ["10.0.0.5:3000"]);
});

const tag = (guid: string, index: number) => ({ guid, index });
const stored = {
  route: "a.b",
  ip: "10.0.0.5",
  port: 1,
  ttl: 60,
  log_guid: "before",
  modification_tag: tag("t", 5),
};
const tagCases: { name: string; action: string; tag: object; want: string | null }[] = [
  { name: "an older upsert changes nothing", action: "Upsert", tag: tag("t", 4), want: "before" },
  { name: "a newer upsert counts", action: "Upsert", tag: tag("t", 6), want: "after" },
  { name: "an upsert of another incarnation counts", action: "Upsert", tag: tag("u", 0), want: "after" },
  { name: "an upsert without a tag counts", action: "Upsert", tag: tag("", 0), want: "after" },
  { name: "an older delete changes nothing", action: "Delete", tag: tag("t", 4), want: "before" },
  { name: "a delete of what is there counts", action: "Delete", tag: tag("t", 5), want: null },
  { name: "a newer delete counts", action: "Delete", tag: tag("t", 9), want: null },
  { name: "a delete of another incarnation counts", action: "Delete", tag: tag("u", 0), want: null },
];
for (const { name, action, tag: given, want } of tagCases) {
  test(`modification tags: ${name}`, async (t) => {
    const router = await started(t);
    router.server.send("Upsert", JSON.stringify(stored));
    router.server.send(action, JSON.stringify({ ...stored, log_guid: "after", modification_tag: given }));
    router.server.send("Upsert", JSON.stringify({ ...stored, route: "last.example.com" }));
    await router.line("route-registered", 2);
    assert.equal(router.table.lookup("a.b", "/")?.endpoints[0]?.appGuid ?? null, want);
  });
}

test("a stream that ends is followed by another after a second, and by a list for what was missed", async (t) => {
  const router = await started(t);
  router.server.upsert(api);
  await router.line("endpoint-registered");
  router.server.endStreams();
  router.server.upsert({ ...api, route: "missed.example.com" });
  // The second begins in the turn in which the reader sees the end.
  while (router.server.subscriptions.length < 2) {
    router.clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await router.server.listed(3);
  await router.line("route-registered", 2);
  assert.deepEqual(router.endpoints("missed.example.com"), ["10.0.0.5:3000"]);
  assert.deepEqual(router.server.subscriptions, ["", "0"]);
  assert.equal(router.counts.subscribeErrors, 0);
});

test("a stream that breaks is counted, said and never the end", async (t) => {
  const router = await started(t);
  router.server.endStreams(true);
  const line = await router.line("failed-to-subscribe-to-routing-api-event-stream");
  assert.match(JSON.stringify(line), /the routing API at http:\/\/127\.0\.0\.1:\d+ did not answer/);
  assert.equal(router.counts.subscribeErrors, 1);
  router.clock.advance(1_000);
  await router.server.subscribed(2);
});

test("a list that fails is said, and the routes stay", async (t) => {
  const router = await started(t, [api]);
  router.server.failLists({
    status: 503,
    body: '{"name":"DBCommunicationError","message":"no database"}',
  });
  router.clock.advance(PRUNE_MS / 2);
  const line = await router.line("failed-to-fetch-routes");
  assert.match(JSON.stringify(line), /answered 503 DBCommunicationError: no database/);
  assert.deepEqual(router.endpoints("api.example.com", "/routing"), ["10.0.0.5:3000"]);
});

test("at the start a list that fails is fatal", async (t) => {
  const router = await prepare(t);
  router.server.failLists({ status: 200, body: '{"routes":[]}' });
  await assert.rejects(router.feed.start(), { code: "routing_api_refused" });
});

test("what is no route is left out and said, the others are served; unknown events are ignored", async (t) => {
  const router = await started(t);
  router.server.send("Upsert", "{");
  router.server.send("Upsert", JSON.stringify({ ...stored, port: 0 }));
  router.server.send("Moved", JSON.stringify(stored));
  router.server.upsert(api);
  await router.line("endpoint-registered");
  assert.equal(router.said("validation-error").length, 2);
  assert.match(
    JSON.stringify(router.said("failed-to-get-next-routing-api-event")),
    /unknown-event-action:Moved/,
  );
  assert.equal(router.endpoints("a.b"), null);
});

test("in a mode without the shared segment its routes are not taken, and that is said", async (t) => {
  const router = await prepare(t, { routingTableShardingMode: "segments", isolationSegments: ["blue"] });
  router.server.upsert(api);
  await router.feed.start();
  assert.equal(router.server.lists, 0);
  assert.equal(router.table.size, 0);
});

test("after stop nothing is asked any more", async (t) => {
  const router = await started(t);
  await router.feed.stop();
  router.clock.advance(10 * PRUNE_MS);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(router.server.lists, 2);
  assert.equal(router.server.subscriptions.length, 1);
});

for (const { json, problem } of [
  { json: null, problem: /^null is not a route/ },
  { json: [], problem: /^\[\] is not a route/ },
  { json: {}, problem: /^route nothing is no/ },
  { json: { ...stored, route: "" }, problem: /^route "" is no/ },
  { json: { ...stored, route: "/path" }, problem: /^route "\/path" is no/ },
  { json: { ...stored, route: "a b" }, problem: /^route "a b" is no/ },
  { json: { ...stored, ip: 7 }, problem: /^ip 7 of a\.b is no address/ },
  { json: { ...stored, port: 65_536 }, problem: /^port 65536 of a\.b is not 1–65535/ },
  { json: { ...stored, ttl: "60" }, problem: /^ttl "60" of a\.b is no number of seconds/ },
  { json: { ...stored, log_guid: {} }, problem: /^log_guid \{\} of a\.b is no text/ },
  { json: { ...stored, route_service_url: "http://x" }, problem: /does not begin with https/ },
  { json: { ...stored, modification_tag: { index: "1" } }, problem: /^modification_tag .* is none/ },
]) {
  test(`what is no route is refused: ${JSON.stringify(json)}`, () => {
    assert.match(String(decodeApiRoute(json)), problem);
  });
}

test("a tag succeeds another when either is unknown, they are of two incarnations, or it is newer", () => {
  assert.equal(succeeds(tag("a", 1), tag("", 7)), true);
  assert.equal(succeeds(tag("", 1), tag("a", 7)), true);
  assert.equal(succeeds(tag("b", 1), tag("a", 7)), true);
  assert.equal(succeeds(tag("a", 8), tag("a", 7)), true);
  assert.equal(succeeds(tag("a", 7), tag("a", 7)), false);
  assert.equal(succeeds(tag("a", 6), tag("a", 7)), false);
});
