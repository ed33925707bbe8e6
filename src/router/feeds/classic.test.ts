import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import {
  createMemoryBus,
  decodeRouterStart,
  encodeRegister,
  type RegisterFields,
  type RouterStartMessage,
  SUBJECTS,
} from "../../bus/index.ts";
import { createLogger, createManualClock, silentLogger, systemClock } from "../../kernel/index.ts";
import { createTable, endpointAddress } from "../../table/index.ts";
import { CLASSIC_FEED_DEFAULTS, type ClassicFeedConfig, createClassicFeed } from "./classic.ts";
import { FeedCounts } from "./feed-counts.ts";

const CONFIG: ClassicFeedConfig = { ...CLASSIC_FEED_DEFAULTS, index: 3, localAddress: "10.0.0.1" };

async function startFeed(t: TestContext, changes: Partial<ClassicFeedConfig> = {}) {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: "debug",
    sink: { write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const clock = createManualClock();
  const bus = createMemoryBus({ log, clock });
  const table = createTable({ attach: () => null });
  const starts: RouterStartMessage[] = [];
  bus.subscribe(SUBJECTS.routerStart, ({ data }) => {
    const decoded = decodeRouterStart(data);
    if (decoded.ok) starts.push(decoded.message);
  });
  const feed = createClassicFeed({
    bus,
    table,
    log,
    clock,
    config: { ...CONFIG, ...changes },
  });
  await feed.start();
  t.after(() => feed.stop());
  await bus.flush();

  const said = (message: string) => lines.filter((line) => line["message"] === message);
  return {
    bus,
    clock,
    feed,
    table,
    starts,
    lines,
    said,
    async register(fields: RegisterFields) {
      bus.publish(SUBJECTS.routerRegister, encodeRegister(fields));
      await bus.flush();
    },
    async unregister(fields: RegisterFields) {
      bus.publish(SUBJECTS.routerUnregister, encodeRegister(fields));
      await bus.flush();
    },
    async publish(subject: string, body: string | Uint8Array) {
      bus.publish(subject, body);
      await bus.flush();
    },
    endpoints: (host: string, path = "/") =>
      table.lookup(host, path)?.endpoints.map((endpoint) => endpointAddress(endpoint)) ?? null,
  };
}

const shop = { host: "10.0.1.5", port: 61_001, uris: ["shop.example.com", "example.com/shop"] };

test("every URI of a message becomes a route to its endpoint", async (t) => {
  const router = await startFeed(t);
  await router.register(shop);
  assert.deepEqual(router.endpoints("shop.example.com"), ["10.0.1.5:61001"]);
  assert.deepEqual(router.endpoints("example.com", "/shop/cart"), ["10.0.1.5:61001"]);
  assert.equal(router.endpoints("example.com"), null);
  assert.equal(router.said("route-registered").length, 2);
  assert.equal(router.said("endpoint-registered")[0]?.["level"], 30);
});

test("a message's fields arrive at the endpoint", async (t) => {
  const router = await startFeed(t);
  await router.register({
    ...shop,
    tlsPort: 61_443,
    serverCertDomainSan: "9a2f",
    protocol: "http2",
    app: "c1b0",
    privateInstanceId: "9a2f",
    privateInstanceIndex: "0",
    tags: { process_id: "c1b0-web", component: "route-emitter" },
    isolationSegment: "",
    availabilityZone: "z1",
    endpointUpdatedAtNs: "1700000000123456789",
    routeServiceUrl: "https://rs.example.com",
    options: { loadbalancing: "least-connection" },
  });
  const route = router.table.lookup("shop.example.com", "/");
  assert.deepEqual(route?.endpoints, [
    {
      processGuid: "c1b0-web",
      instanceId: "9a2f",
      instanceIndex: "0",
      appGuid: "c1b0",
      host: "10.0.1.5",
      port: 61_443,
      tls: true,
      serverCertDomainSan: "9a2f",
      appPort: 0,
      instanceAddress: "",
      protocol: "http2",
      availabilityZone: "z1",
      isolationSegment: "",
      tags: { process_id: "c1b0-web", component: "route-emitter" },
      updatedAtNs: "1700000000123456789",
    },
  ]);
  assert.deepEqual(route?.options, { loadbalancing: "least-connection" });
  assert.equal(route?.routeServiceUrl, "https://rs.example.com");
});

test("with HTTP/2 off an http2 endpoint is spoken to by HTTP/1.1", async (t) => {
  const router = await startFeed(t, { enableHttp2: false });
  await router.register({ ...shop, protocol: "http2" });
  assert.equal(router.table.lookup("shop.example.com", "/")?.endpoints[0]?.protocol, "http1");
});

test("renewing is silent at level info and does not change the route", async (t) => {
  const router = await startFeed(t);
  await router.register(shop);
  const before = router.table.lookup("shop.example.com", "/");
  await router.register(shop);
  assert.equal(router.table.lookup("shop.example.com", "/"), before);
  assert.deepEqual(
    router.said("endpoint-registered").map((line) => line["level"]),
    [30, 30, 20, 20],
  );
  assert.deepEqual(router.feed.counts.registered.get(""), { new: 2, updated: 0, unchanged: 2 });
});

test("unregistering removes the endpoint, and with the last one the route", async (t) => {
  const router = await startFeed(t);
  await router.register(shop);
  await router.unregister({ ...shop, port: 61_002 });
  assert.equal(router.said("endpoint-not-unregistered").length, 2);
  assert.deepEqual(router.endpoints("shop.example.com"), ["10.0.1.5:61001"]);
  await router.unregister(shop);
  assert.equal(router.endpoints("shop.example.com"), null);
  assert.equal(router.said("endpoint-unregistered").length, 2);
  assert.equal(router.said("route-unregistered").length, 2);
  assert.equal(router.feed.counts.unregistered.get(""), 4);
});

for (const { mode, listed, accepts } of [
  { mode: "all", listed: [], accepts: ["", "iso-1", "iso-2"] },
  { mode: "segments", listed: ["iso-1"], accepts: ["iso-1"] },
  { mode: "shared-and-segments", listed: ["iso-1"], accepts: ["", "iso-1"] },
] as const) {
  test(`sharding mode ${mode} takes and drops the messages of its segments only`, async (t) => {
    const router = await startFeed(t, { routingTableShardingMode: mode, isolationSegments: listed });
    const logged = router.lines.length;
    for (const isolationSegment of ["", "iso-1", "iso-2"]) {
      const isAccepted = (accepts as readonly string[]).includes(isolationSegment);
      await router.register({ ...shop, uris: ["x.example.com"], isolationSegment });
      assert.equal(router.endpoints("x.example.com") !== null, isAccepted, isolationSegment);
      await router.unregister({ ...shop, uris: ["x.example.com"], isolationSegment });
    }
    // Two lines each for accepted registers and unregisters, none for the others.
    assert.equal(router.lines.length - logged, accepts.length * 4);
  });
}

const malformed: { name: string; body: string | Uint8Array; error: RegExp }[] = [
  { name: "nothing", body: "", error: /^not JSON/ },
  { name: "bytes", body: Uint8Array.of(0, 255, 128), error: /^not JSON/ },
  { name: "a list", body: "[]", error: /^not a JSON object$/ },
  { name: "a text port", body: '{"host":"h","port":"1","uris":["a"]}', error: /^port: "1"/ },
  {
    name: "a plain-text route service",
    body: '{"host":"h","port":1,"uris":["a"],"route_service_url":"http://rs"}',
    error: /^Unable to validate message\. route_service_url must be https$/,
  },
];
for (const { name, body, error } of malformed) {
  test(`a message that is ${name} is logged and dropped, and the next one is served`, async (t) => {
    const router = await startFeed(t);
    await router.publish(SUBJECTS.routerRegister, body);
    const [line, ...others] = router.said("validation-error");
    assert.equal(others.length, 0);
    assert.match(String(line?.["error"]), error);
    assert.equal(line?.["subject"], "router.register");
    assert.equal(line?.["payload"], Buffer.from(body).toString());
    await router.register(shop);
    assert.deepEqual(router.endpoints("shop.example.com"), ["10.0.1.5:61001"]);
  });
}

test("a URI without a host is left out, the others of its message are served", async (t) => {
  const router = await startFeed(t);
  await router.register({ ...shop, uris: ["", "/path", "ok.example.com"] });
  assert.equal(router.table.size, 1);
  assert.deepEqual(router.endpoints("ok.example.com"), ["10.0.1.5:61001"]);
  assert.equal(router.said("validation-error").length, 2);
});

test("other router subjects are ignored, whatever they carry", async (t) => {
  const router = await startFeed(t);
  const logged = router.lines.length;
  await router.publish("router.active_apps", Uint8Array.of(1, 2, 3));
  await router.publish("router.start", "no JSON");
  assert.equal(router.lines.length, logged);
});

test("bad options are left out, said once per route, and never drop the route", async (t) => {
  const router = await startFeed(t);
  for (const _again of [1, 2]) {
    await router.register({ ...shop, uris: ["a.example.com"], options: { loadbalancing: ["x"], other: 1 } });
    await router.register({ ...shop, uris: ["b.example.com"], options: "round-robin" });
  }
  assert.deepEqual(router.table.lookup("a.example.com", "/")?.options, { other: 1 });
  assert.deepEqual(router.table.lookup("b.example.com", "/")?.options, {});
  assert.equal(router.said("route-option-ignored").length, 2);
});

test("a balancer that is not known leaves the pool its own, and is said once", async (t) => {
  const router = await startFeed(t);
  const known = { ...shop, uris: ["shop.example.com/a"], options: { loadbalancing: "least-connection" } };
  await router.register(known);
  const unknown = { ...known, port: 61_002, options: { loadbalancing: "fastest", "connection-limit": 3 } };
  for (let i = 0; i < 2; i++) await router.register({ ...unknown, uris: ["Shop.example.com/A/", "b.c"] });
  assert.deepEqual(router.table.lookup("shop.example.com", "/a")?.options, {
    loadbalancing: "least-connection",
    "connection-limit": 3,
  });
  assert.deepEqual(router.table.lookup("b.c", "/")?.options, { "connection-limit": 3 });
  const said = router.said("invalid-endpoint-load-balancing-algorithm-provided-keeping-pool-lb-algo");
  assert.deepEqual(
    said.map((line) => [line["uri"], line["endpointLBAlgorithm"], line["poolLBAlgorithm"]]),
    [
      ["Shop.example.com/A/", "fastest", "least-connection"],
      ["b.c", "fastest", "round-robin"],
    ],
  );
});

test("an endpoint that is not renewed is pruned, a renewed one and a TLS one are not", async (t) => {
  const router = await startFeed(t);
  const uris = ["shop.example.com"];
  await router.register({ ...shop, uris });
  await router.register({ host: "10.0.1.6", port: 61_001, uris });
  await router.register({ host: "10.0.1.7", tlsPort: 61_443, uris });
  router.clock.advance(100_000);
  await router.register({ host: "10.0.1.6", port: 61_001, uris });
  router.clock.advance(60_000);
  assert.deepEqual(router.endpoints("shop.example.com"), ["10.0.1.6:61001", "10.0.1.7:61443"]);
  const [line] = router.said("pruned-route");
  assert.equal(line?.["uri"], "shop.example.com");
  assert.deepEqual(line?.["endpoints"], ["10.0.1.5:61001"]);
  assert.equal(line?.["isolation_segment"], "-");
  assert.equal(router.feed.counts.pruned, 1);
});

for (const { asked, after } of [
  { asked: 0, after: 120 },
  { asked: 45, after: 45 },
  { asked: 999, after: 120 },
  { asked: -5, after: 120 },
]) {
  test(`an endpoint that asks for a threshold of ${asked} s is pruned after ${after} s`, async (t) => {
    const router = await startFeed(t, { pruneStaleDropletsIntervalMs: 1_000 });
    await router.register({ ...shop, uris: ["a.example.com"], staleThresholdInSeconds: asked });
    router.clock.advance(after * 1_000);
    assert.notEqual(router.endpoints("a.example.com"), null);
    router.clock.advance(1_000);
    assert.equal(router.endpoints("a.example.com"), null);
  });
}

test("pruning waits for the bus when it is told to, and every endpoint has its whole time afterwards", async (t) => {
  const router = await startFeed(t, { suspendPruningIfNatsUnavailable: true });
  await router.register(shop);
  router.bus.disconnect();
  router.clock.advance(600_000);
  assert.equal(router.said("prune-suspended").length, 20);
  router.bus.reconnect();
  router.clock.advance(120_000);
  assert.deepEqual(router.endpoints("shop.example.com"), ["10.0.1.5:61001"]);
  router.clock.advance(30_000);
  assert.equal(router.endpoints("shop.example.com"), null);
});

test("pruning goes on without the bus when it is not told otherwise", async (t) => {
  const router = await startFeed(t);
  await router.register(shop);
  router.bus.disconnect();
  router.clock.advance(150_000);
  assert.equal(router.endpoints("shop.example.com"), null);
});

test("it announces itself at the start and on every reconnect with the same id", async (t) => {
  const router = await startFeed(t);
  router.bus.disconnect();
  router.bus.reconnect();
  await router.bus.flush();
  assert.equal(router.starts.length, 2);
  const [first, second] = router.starts;
  assert.match(first?.id ?? "", /^3-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.deepEqual(first, {
    id: first?.id,
    hosts: ["10.0.0.1"],
    minimumRegisterIntervalInSeconds: 5,
    pruneThresholdInSeconds: 120,
  });
  assert.deepEqual(second, first);
});

test("a greeting is answered with what the start said; one without an inbox is ignored", async (t) => {
  const router = await startFeed(t);
  const answer = await router.bus.request(SUBJECTS.routerGreet, "", 1_000);
  assert.deepEqual(decodeRouterStart(answer), { ok: true, message: router.starts[0] });
  await router.publish(SUBJECTS.routerGreet, "");
});

test("it says when it begins to listen and when it does", async (t) => {
  const router = await startFeed(t);
  assert.deepEqual(
    router.lines.map((line) => line["message"]).filter((message) => String(message).startsWith("subscriber")),
    ["subscriber-starting", "subscriber-started"],
  );
});

test("the registration latency is measured for new endpoints that say since when they run", async (t) => {
  const router = await startFeed(t);
  // Before, everybody is new to this router.
  await router.register({ ...shop, port: 61_009, endpointUpdatedAtNs: "1" });
  router.clock.advance(20_000);
  const endpointUpdatedAtNs = (BigInt(router.clock.nowMs() - 250) * 1_000_000n).toString();
  await router.register({ ...shop, endpointUpdatedAtNs });
  await router.register({ ...shop, endpointUpdatedAtNs });
  await router.register({ ...shop, port: 61_002 });
  // A double holds nanoseconds since 1970 to 256 of them.
  const [sum, count] = router.feed.counts.registrationLatency.lines("l").slice(-2);
  assert.equal(Math.round(Number(sum?.split(" ")[1])), 250);
  assert.equal(count, "l_count 1");
});

test("a registration that changes nothing is heard of too, and none is heard of before the first", async (t) => {
  const router = await startFeed(t);
  const { counts } = router.feed;
  assert.equal(counts.lastUpdateAtMs, null);
  await router.register(shop);
  router.clock.advance(20_000);
  await router.register(shop);
  assert.equal(counts.lastUpdateAtMs, router.clock.nowMs());
  router.clock.advance(20_000);
  await router.unregister({ ...shop, port: 1 });
  assert.equal(counts.lastUpdateAtMs, router.clock.nowMs() - 20_000, "who was not there cannot leave");
  await router.unregister(shop);
  assert.equal(counts.lastUpdateAtMs, router.clock.nowMs());
});

test("components that senders make up share one counter after the first hundred", async (t) => {
  const router = await startFeed(t);
  for (let n = 0; n < 150; n++)
    await router.register({ ...shop, uris: ["a.b"], tags: { component: `c${n}` } });
  assert.equal(router.feed.counts.registered.size, 101);
  assert.equal(router.feed.counts.registered.get("other")?.updated, 50);
});

test("after stop it neither listens nor prunes", async (t) => {
  const router = await startFeed(t);
  await router.register(shop);
  await router.feed.stop();
  await router.register({ ...shop, uris: ["late.example.com"] });
  router.clock.advance(600_000);
  assert.equal(router.endpoints("late.example.com"), null);
  assert.notEqual(router.endpoints("shop.example.com"), null);
});

const oneUri = { ...shop, uris: ["shop.example.com"] };
for (const { limit, message, lost } of [
  { limit: "number", message: encodeRegister(oneUri), lost: 2 },
  {
    limit: "number of bytes",
    message: encodeRegister({ ...oneUri, tags: { long: "x".repeat(1_400) } }),
    lost: 3,
  },
]) {
  test(`messages of a bus that does not wait take turns up to a ${limit}; what comes then is lost and counted`, async (t) => {
    // Each look at it takes longer than a slice, so that only the first message is not to wait. Rests end by themselves.
    let nowMs = 0;
    const clock = { ...systemClock, monotonicMs: () => (nowMs += 10) };
    // One that has no way to wait.
    const bus = { ...createMemoryBus({ log: silentLogger, clock }), pause: () => () => {} };
    const table = createTable({ attach: () => null });
    const counts = new FeedCounts(clock.nowMs());
    const feed = createClassicFeed({
      bus,
      table,
      clock,
      counts,
      log: silentLogger,
      config: CONFIG,
      maxWaitingMessages: 3,
    });
    await feed.start();
    t.after(() => feed.stop());
    for (let i = 0; i < 6; i++) bus.publish(SUBJECTS.routerRegister, message);
    await bus.flush();
    assert.equal(counts.droppedMessages, lost);
    assert.equal(counts.waitingMessages, 5 - lost);
    while (counts.waitingMessages > 0) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(counts.registered.get(""), { new: 1, updated: 0, unchanged: 5 - lost });
  });
}

test("the bus waits while messages do, and is let go on when the feed stops", async (t) => {
  let nowMs = 0;
  // Each look at it takes longer than a slice. Rests end by themselves.
  const clock = { ...systemClock, monotonicMs: () => (nowMs += 10) };
  const bus = createMemoryBus({ log: silentLogger, clock });
  const counts = new FeedCounts(clock.nowMs());
  const table = createTable({ attach: () => null });
  const feed = createClassicFeed({ bus, table, clock, counts, log: silentLogger, config: CONFIG });
  await feed.start();
  t.after(() => feed.stop());
  const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));
  for (let port = 1; port <= 6; port++) {
    bus.publish(SUBJECTS.routerRegister, encodeRegister({ ...oneUri, port }));
  }
  const waited: number[] = [];
  const endpoints = () => table.lookup("shop.example.com", "/")?.endpoints ?? [];
  while (endpoints().length < 6) {
    await nextTurn();
    waited.push(counts.waitingMessages);
  }
  assert.equal(Math.max(...waited), 1, "the others wait at the bus");
  assert.deepEqual(
    endpoints().map(({ port }) => port),
    [1, 2, 3, 4, 5, 6],
  );

  for (let i = 0; i < 6; i++) bus.publish(SUBJECTS.routerRegister, encodeRegister(oneUri));
  while (counts.waitingMessages === 0) await nextTurn();
  await feed.stop();
  assert.equal(counts.waitingMessages, 0);
  await bus.flush();
});
