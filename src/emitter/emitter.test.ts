import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import * as fc from "fast-check";
import { createMemoryBus, decodeRegister, encodeRouterStart, SUBJECTS } from "../bus/index.ts";
import type { ActualLrp, DesiredLrp, LrpEvent, RouteTableWriter } from "../contracts/index.ts";
import { createManualClock, silentLogger } from "../kernel/index.ts";
import { type Endpoint, endpointAddress } from "../table/index.ts";
import type { EmitterConfig } from "./config.ts";
import { createEmitter } from "./emitter.ts";

const PROCESS = "11111111-1111-4111-8111-111111111111";
const VERSION_1 = `${PROCESS}-aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa`;
const VERSION_2 = `${PROCESS}-bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb`;
const CONFIG: EmitterConfig = {
  syncIntervalMs: 30_000,
  heartbeatMs: 20_000,
  endpointTtlMs: 120_000,
  classic: false,
  registerIntervalMs: 20_000,
};

function desiredLrp(processGuid: string, changes: Partial<DesiredLrp> = {}): DesiredLrp {
  return {
    processGuid,
    domain: "cf-apps",
    instances: 2,
    command: "run",
    directory: "/",
    environment: {},
    ports: [8080],
    routes: {},
    logGuid: "app-guid",
    metricTags: { app_name: "shop" },
    memoryMb: 0,
    diskMb: 0,
    healthCheck: { type: "port", endpoint: "" },
    startTimeoutMs: 0,
    annotation: "",
    ...changes,
  };
}

function actualLrp(
  processGuid: string,
  index: number,
  hostPort: number,
  changes: Partial<ActualLrp> = {},
): ActualLrp {
  return {
    processGuid,
    index,
    domain: "cf-apps",
    instanceGuid: `instance-${hostPort}`,
    cellId: "cell",
    state: "RUNNING",
    address: "10.0.0.5",
    instanceAddress: `10.255.0.${index}`,
    ports: [{ containerPort: 8080, hostPort, hostTlsPort: 0 }],
    crashCount: 0,
    crashReason: "",
    placementError: "",
    sinceNs: "1000",
    routable: true,
    availabilityZone: "z1",
    ...changes,
  };
}

/** A BBS that holds what the test says and sends what the test sends. */
function createFakeBbs() {
  const handlers = new Set<(event: LrpEvent) => void>();
  const bbs = {
    desired: [] as DesiredLrp[],
    actuals: [] as ActualLrp[],
    failure: null as Error | null,
    desiredLrps: async () => {
      if (bbs.failure !== null) throw bbs.failure;
      return bbs.desired;
    },
    actualLrps: async () => bbs.actuals,
    subscribe(handler: (event: LrpEvent) => void) {
      handlers.add(handler);
      return () => void handlers.delete(handler);
    },
    send(event: LrpEvent) {
      for (const handler of handlers) handler(event);
    },
  };
  return bbs;
}

/** A route table that keeps endpoints without expiry, and can refuse. */
function createFakeTable() {
  const endpoints = new Map<string, Endpoint>();
  const keyOf = (item: { processGuid: string; host: string; port: number }) =>
    `${item.processGuid} ${endpointAddress(item)}`;
  const refuse = async (): Promise<never> => assert.fail("the emitter makes no reservations");
  const table = {
    failure: null as Error | null,
    calls: [] as string[],
    endpoints: () => [...endpoints.keys()].sort(),
    endpoint: (port: number) => [...endpoints.values()].find((item) => item.port === port),
    putReservation: refuse,
    deleteReservation: refuse,
    replaceReservations: refuse,
    async putEndpoints(items, ttlMs) {
      table.calls.push(`put ${items.map((item) => item.port).join(" ")} for ${ttlMs}`);
      if (table.failure !== null) throw table.failure;
      for (const item of items) endpoints.set(keyOf(item), item);
    },
    async deleteEndpoints(items) {
      table.calls.push(`delete ${items.map((item) => item.port).join(" ")}`);
      if (table.failure !== null) throw table.failure;
      for (const item of items) endpoints.delete(keyOf(item));
    },
  } satisfies RouteTableWriter & Record<string, unknown>;
  return table;
}

async function startEmitter(
  t: Pick<TestContext, "after">,
  {
    desired = [],
    actuals = [],
    config = {},
    bus = null,
  }: {
    desired?: DesiredLrp[];
    actuals?: ActualLrp[];
    config?: Partial<EmitterConfig>;
    bus?: ReturnType<typeof createMemoryBus> | null;
  } = {},
) {
  const clock = createManualClock();
  const bbs = createFakeBbs();
  const table = createFakeTable();
  bbs.desired = desired;
  bbs.actuals = actuals;
  const emitter = createEmitter({
    bbs,
    routeTable: table,
    bus,
    config: { ...CONFIG, ...config },
    clock,
    log: silentLogger,
    random: () => 0.5,
  });
  await emitter.start();
  t.after(() => emitter.stop());
  await nextTurn();
  return { emitter, bbs, table, clock };
}

const at = (port: number) => `${PROCESS} 10.0.0.5:${port}`;

test("an endpoint carries what the instance and its LRP say, under the stable process GUID", async (t) => {
  const { table } = await startEmitter(t, {
    desired: [
      desiredLrp(VERSION_1, {
        routes: {
          "cf-router": [{ hostnames: ["a"], port: 8080, protocol: "http2", isolation_segment: "apart" }],
        },
      }),
    ],
    actuals: [actualLrp(VERSION_1, 1, 61_000)],
  });
  assert.deepEqual(table.endpoint(61_000), {
    processGuid: PROCESS,
    instanceId: "instance-61000",
    instanceIndex: "1",
    appGuid: "app-guid",
    host: "10.0.0.5",
    port: 61_000,
    tls: false,
    serverCertDomainSan: "",
    appPort: 8080,
    instanceAddress: "10.255.0.1",
    protocol: "http2",
    availabilityZone: "z1",
    isolationSegment: "apart",
    tags: { app_name: "shop" },
    updatedAtNs: "1000",
  });
});

test("an instance behind a TLS proxy is reached at the proxy, by its own name", async (t) => {
  const ports = [{ containerPort: 8080, hostPort: 61_000, hostTlsPort: 61_443 }];
  const { table } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1)],
    actuals: [actualLrp(VERSION_1, 0, 61_000, { ports })],
  });
  const { tls, serverCertDomainSan } = table.endpoint(61_443) ?? assert.fail("no endpoint");
  assert.deepEqual({ tls, serverCertDomainSan }, { tls: true, serverCertDomainSan: "instance-61000" });
});

test("ports that the process does not listen on are not endpoints", async (t) => {
  const ports = [
    { containerPort: 2222, hostPort: 61_002, hostTlsPort: 0 },
    { containerPort: 9090, hostPort: 61_001, hostTlsPort: 0 },
    { containerPort: 8080, hostPort: 61_000, hostTlsPort: 0 },
  ];
  const { table } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1, { ports: [8080, 9090] })],
    actuals: [actualLrp(VERSION_1, 0, 61_000, { ports })],
  });
  assert.deepEqual(table.calls, ["put 61000 61001 for 120000"]);
});

test("metric tags say the process GUID when an LRP's own GUID has another form", async (t) => {
  const { table } = await startEmitter(t, {
    desired: [desiredLrp("task-7", { metricTags: { process_id: "stable" } }), desiredLrp("plain")],
    actuals: [actualLrp("task-7", 0, 61_000), actualLrp("plain", 0, 61_001)],
  });
  assert.deepEqual(table.endpoints(), ["plain 10.0.0.5:61001", "stable 10.0.0.5:61000"]);
});

for (const { name, event } of [
  { name: "leaves RUNNING", event: { kind: "actual-changed", after: { state: "CLAIMED", address: "" } } },
  { name: "stops being routable", event: { kind: "actual-changed", after: { routable: false } } },
  { name: "crashes", event: { kind: "actual-crashed" } },
  { name: "is removed", event: { kind: "actual-removed" } },
] as const) {
  test(`an endpoint leaves the moment its instance ${name}`, async (t) => {
    const before = actualLrp(VERSION_1, 0, 61_000);
    const { table, bbs } = await startEmitter(t, { desired: [desiredLrp(VERSION_1)], actuals: [before] });
    assert.deepEqual(table.endpoints(), [at(61_000)]);
    bbs.send(
      event.kind === "actual-changed"
        ? { kind: event.kind, before, after: { ...before, sinceNs: "2000", ...event.after } }
        : { kind: event.kind, actual: before, reason: "" },
    );
    await nextTurn();
    assert.deepEqual(table.endpoints(), []);
  });
}

test("all endpoints leave when their LRP is removed, before any instance has stopped", async (t) => {
  const lrp = desiredLrp(VERSION_1);
  const { table, bbs } = await startEmitter(t, {
    desired: [lrp],
    actuals: [actualLrp(VERSION_1, 0, 61_000), actualLrp(VERSION_1, 1, 61_001)],
  });
  bbs.send({ kind: "desired-removed", desired: lrp });
  await nextTurn();
  assert.deepEqual(table.endpoints(), []);
});

test("scaling down takes the highest instances out at once", async (t) => {
  const before = desiredLrp(VERSION_1);
  const { table, bbs } = await startEmitter(t, {
    desired: [before],
    actuals: [actualLrp(VERSION_1, 0, 61_000), actualLrp(VERSION_1, 1, 61_001)],
  });
  bbs.send({ kind: "desired-changed", before, after: { ...before, instances: 1 } });
  await nextTurn();
  assert.deepEqual(table.endpoints(), [at(61_000)]);
});

test("two versions of a process serve together while one replaces the other", async (t) => {
  const { table, bbs } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1), desiredLrp(VERSION_2)],
    actuals: [actualLrp(VERSION_1, 0, 61_000), actualLrp(VERSION_2, 0, 61_001)],
  });
  assert.deepEqual(table.endpoints(), [at(61_000), at(61_001)]);
  bbs.send({ kind: "desired-removed", desired: desiredLrp(VERSION_1) });
  await nextTurn();
  assert.deepEqual(table.endpoints(), [at(61_001)]);
});

test("a new version that takes over an old one's address keeps it when the old one goes", async (t) => {
  const old = actualLrp(VERSION_1, 0, 61_000);
  const { table, bbs } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1), desiredLrp(VERSION_2)],
    actuals: [old],
  });
  bbs.send({ kind: "actual-created", actual: actualLrp(VERSION_2, 0, 61_000, { instanceGuid: "new" }) });
  bbs.send({ kind: "actual-removed", actual: old });
  await nextTurn();
  assert.deepEqual(table.endpoints(), [at(61_000)]);
  assert.equal(table.endpoint(61_000)?.instanceId, "new");
});

test("an event that is older than what is known changes nothing", async (t) => {
  const running = actualLrp(VERSION_1, 0, 61_000, { sinceNs: "2000" });
  const { table, bbs } = await startEmitter(t, { desired: [desiredLrp(VERSION_1)], actuals: [running] });
  const claimed = { ...running, state: "CLAIMED" as const, address: "", sinceNs: "1000" };
  bbs.send({ kind: "actual-changed", before: claimed, after: claimed });
  await nextTurn();
  assert.deepEqual(table.endpoints(), [at(61_000)]);
});

test("an instance that is gone is not brought back by a late event or by a list that still has it", async (t) => {
  const running = actualLrp(VERSION_1, 0, 61_000);
  const { table, bbs, clock } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1)],
    actuals: [running],
  });
  bbs.send({ kind: "actual-removed", actual: running });
  bbs.send({ kind: "actual-changed", before: running, after: running });
  clock.advance(CONFIG.syncIntervalMs);
  await nextTurn();
  assert.deepEqual(table.endpoints(), []);
});

test("a sync repairs what events missed, both ways", async (t) => {
  const { table, bbs, clock } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1)],
    actuals: [actualLrp(VERSION_1, 0, 61_000)],
  });
  bbs.actuals = [actualLrp(VERSION_1, 1, 61_001)];
  clock.advance(CONFIG.syncIntervalMs);
  await nextTurn();
  assert.deepEqual(table.endpoints(), [at(61_001)]);
  bbs.desired = [];
  clock.advance(CONFIG.syncIntervalMs);
  await nextTurn();
  assert.deepEqual(table.endpoints(), []);
});

test("a change that happens while a list is fetched wins over the list", async (t) => {
  const running = actualLrp(VERSION_1, 0, 61_000);
  const { table, bbs, clock } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1)],
    actuals: [running],
  });
  const listed = Promise.withResolvers<ActualLrp[]>();
  bbs.actualLrps = () => listed.promise;
  clock.advance(CONFIG.syncIntervalMs);
  bbs.send({ kind: "actual-created", actual: actualLrp(VERSION_1, 1, 61_001) });
  bbs.send({ kind: "desired-removed", desired: desiredLrp(VERSION_2) });
  listed.resolve([running]);
  await nextTurn();
  assert.deepEqual(table.endpoints(), [at(61_000), at(61_001)]);
});

test("while Diego does not answer, what is known stays, and the sync is tried again soon", async (t) => {
  const { table, bbs, clock } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1)],
    actuals: [actualLrp(VERSION_1, 0, 61_000)],
  });
  bbs.failure = new Error("away");
  clock.advance(CONFIG.syncIntervalMs);
  await nextTurn();
  assert.deepEqual(table.endpoints(), [at(61_000)]);
  bbs.failure = null;
  bbs.actuals = [];
  clock.advance(1_000);
  await nextTurn();
  assert.deepEqual(table.endpoints(), []);
});

test("every endpoint is reported again at each heartbeat", async (t) => {
  const { table, clock } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1)],
    actuals: [actualLrp(VERSION_1, 0, 61_000), actualLrp(VERSION_1, 1, 61_001)],
  });
  table.calls.length = 0;
  clock.advance(CONFIG.heartbeatMs);
  await nextTurn();
  assert.deepEqual(table.calls, ["put 61000 61001 for 120000"]);
});

test("what the routing API did not take is reported until it does, and only what is still true", async (t) => {
  const first = actualLrp(VERSION_1, 0, 61_000);
  const { table, bbs, clock } = await startEmitter(t, { desired: [desiredLrp(VERSION_1)], actuals: [first] });
  table.failure = new Error("away");
  const second = actualLrp(VERSION_1, 1, 61_001);
  bbs.send({ kind: "actual-created", actual: second });
  await nextTurn();
  bbs.send({ kind: "actual-removed", actual: first });
  bbs.send({ kind: "actual-removed", actual: second });
  bbs.send({ kind: "actual-created", actual: actualLrp(VERSION_1, 1, 61_002) });
  clock.advance(250);
  await nextTurn();
  assert.deepEqual(table.endpoints(), [at(61_000)]);
  table.failure = null;
  clock.advance(500);
  await nextTurn();
  assert.deepEqual(table.endpoints(), [at(61_002)]);
});

test("heartbeats that come later than endpoints live are a configuration error", async (t) => {
  const config = { heartbeatMs: 120_000, endpointTtlMs: 120_000 };
  await assert.rejects(
    startEmitter(t, { config }),
    /emitter\.heartbeat_interval: 120s is not below emitter\.endpoint_ttl, 120s/,
  );
});

test("endpoints outlive the emitter: the next one takes over their heartbeats", async (t) => {
  const { table, emitter } = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1)],
    actuals: [actualLrp(VERSION_1, 0, 61_000)],
  });
  await emitter.stop();
  assert.deepEqual(table.endpoints(), [at(61_000)]);
});

// --- the classic feed ---

function listenTo(bus: ReturnType<typeof createMemoryBus>) {
  const heard: string[] = [];
  const note = ({ subject, data }: { subject: string; data: Uint8Array }) =>
    heard.push(`${subject} ${Buffer.from(data).toString()}`);
  for (const subject of ["router.register", "router.unregister", "service-discovery.*"])
    bus.subscribe(subject, note);
  return {
    heard,
    /** What came since the last call. */
    async news() {
      // A greeting, its answer and what the answer causes are three turns of the bus.
      for (let turn = 0; turn < 4; turn++) await nextTurn();
      return heard.splice(0).filter((line) => !line.startsWith("service-discovery.greet"));
    },
  };
}

const ROUTES = {
  "cf-router": [
    {
      hostnames: ["shop.example.com", "shop.example.com/v2"],
      port: 8080,
      options: { loadbalancing: "hash" },
    },
    { hostnames: ["admin.example.com"], port: 9090, route_service_url: "https://rs.example.com" },
    "nonsense",
    { hostnames: "nonsense", port: 8080 },
  ],
  "internal-router": [{ hostname: "shop.apps.internal" }, { hostname: 5 }],
};

async function startClassic(t: TestContext) {
  const bus = createMemoryBus({ log: silentLogger, clock: createManualClock() });
  const ear = listenTo(bus);
  const actual = actualLrp(VERSION_1, 0, 61_000);
  const started = await startEmitter(t, {
    desired: [desiredLrp(VERSION_1, { routes: ROUTES })],
    actuals: [actual],
    config: { classic: true },
    bus,
  });
  return { ...started, bus, ear, actual };
}

test("each URI of each instance is registered on the bus, internal names with their instance's own", async (t) => {
  const { ear } = await startClassic(t);
  assert.deepEqual(await ear.news(), [
    'router.register {"host":"10.0.0.5","port":61000,"uris":["shop.example.com"],"app":"app-guid","private_instance_id":"instance-61000","private_instance_index":"0","tags":{"app_name":"shop","component":"route-emitter"},"availability_zone":"z1","options":{"loadbalancing":"hash"},"endpoint_updated_at_ns":1000}',
    'router.register {"host":"10.0.0.5","port":61000,"uris":["shop.example.com/v2"],"app":"app-guid","private_instance_id":"instance-61000","private_instance_index":"0","tags":{"app_name":"shop","component":"route-emitter"},"availability_zone":"z1","options":{"loadbalancing":"hash"},"endpoint_updated_at_ns":1000}',
    'service-discovery.register {"port":0,"host":"10.255.0.0","uris":["shop.apps.internal","0.shop.apps.internal"],"app":"app-guid","private_instance_index":"0","tags":{"component":"route-emitter"},"endpoint_updated_at_ns":1000}',
  ]);
});

test("everything is registered again at each interval, without the time of the change", async (t) => {
  const { ear, clock } = await startClassic(t);
  await ear.news();
  clock.advance(CONFIG.registerIntervalMs);
  const again = await ear.news();
  assert.equal(again.length, 3);
  assert.ok(again.every((line) => line.includes(".register ") && !line.includes("endpoint_updated_at_ns")));
});

test("only news of an instance says since when; a new route of an old one does not", async (t) => {
  const { ear, bbs, actual } = await startClassic(t);
  await ear.news();
  const before = desiredLrp(VERSION_1, { routes: ROUTES });
  const withRoute = desiredLrp(VERSION_1, {
    routes: { "cf-router": [{ hostnames: ["new.example.com"], port: 8080 }] },
  });
  const without = desiredLrp(VERSION_1, { routes: {} });
  bbs.send({ kind: "desired-changed", before, after: without });
  await ear.news();
  bbs.send({ kind: "desired-changed", before: without, after: withRoute });
  const [mapped = "", ...others] = await ear.news();
  assert.deepEqual(others, []);
  assert.match(mapped, /^router\.register .+new\.example\.com/);
  assert.doesNotMatch(mapped, /endpoint_updated_at_ns/);

  const unroutable = { ...actual, routable: false, sinceNs: "2000" };
  bbs.send({ kind: "actual-changed", before: actual, after: unroutable });
  await ear.news();
  bbs.send({ kind: "actual-changed", before: unroutable, after: { ...actual, sinceNs: "3000" } });
  const [back = ""] = await ear.news();
  assert.match(back, /"endpoint_updated_at_ns":3000/);
});

test("an unregister is sent at once and repeated for routers, until the route is back", async (t) => {
  const { ear, clock, bbs, actual } = await startClassic(t);
  await ear.news();
  const unroutable = { ...actual, routable: false, sinceNs: "2000" };
  bbs.send({ kind: "actual-changed", before: actual, after: unroutable });
  const subjects = (lines: readonly string[]) => lines.map((line) => line.split(" ")[0]);
  assert.deepEqual(subjects(await ear.news()), [
    "router.unregister",
    "router.unregister",
    "service-discovery.unregister",
  ]);
  clock.advance(CONFIG.registerIntervalMs);
  assert.deepEqual(subjects(await ear.news()), ["router.unregister", "router.unregister"]);
  bbs.send({ kind: "actual-changed", before: unroutable, after: { ...actual, sinceNs: "3000" } });
  await ear.news();
  clock.advance(CONFIG.registerIntervalMs);
  assert.deepEqual(
    [...new Set(subjects(await ear.news()))],
    ["router.register", "service-discovery.register"],
  );
});

test("a router that starts gets everything after a part of the interval, and sets the interval", async (t) => {
  const { ear, clock, bus } = await startClassic(t);
  await ear.news();
  const start = { id: "0-r", hosts: [], minimumRegisterIntervalInSeconds: 5, pruneThresholdInSeconds: 120 };
  bus.publish(SUBJECTS.routerStart, encodeRouterStart(start));
  await ear.news();
  clock.advance(499);
  assert.deepEqual(await ear.news(), []);
  clock.advance(1); // half of a fifth of 5 s
  assert.equal((await ear.news()).length, 2);
  clock.advance(5_000);
  assert.equal((await ear.news()).length, 2);
});

test("the greeting is repeated until a router answers, and its answer brings everything", async (t) => {
  const { ear, clock, bus } = await startClassic(t);
  let greetings = 0;
  bus.subscribe(SUBJECTS.routerGreet, () => greetings++);
  clock.advance(1_000);
  await ear.news();
  assert.equal(greetings, 1);
  const answer = { id: "0-r", hosts: [], minimumRegisterIntervalInSeconds: 5, pruneThresholdInSeconds: 120 };
  bus.subscribe(SUBJECTS.routerGreet, ({ replyTo }) => bus.publish(replyTo, encodeRouterStart(answer)));
  clock.advance(1_000);
  const first = (await ear.news())[0] ?? assert.fail("nothing was registered");
  assert.ok(decodeRegister(Buffer.from(first.slice(first.indexOf("{")))).ok);
  clock.advance(3_000);
  await ear.news();
  assert.equal(greetings, 2);
});

test("everything is registered again when the bus is back", async (t) => {
  const { ear, bus } = await startClassic(t);
  await ear.news();
  bus.disconnect();
  bus.reconnect();
  assert.equal((await ear.news()).length, 3);
});

test("a message that the bus cannot carry keeps no other route from being announced", async (t) => {
  const { ear, bbs } = await startClassic(t);
  await ear.news();
  const huge = { hostnames: ["huge.example.com"], port: 8080, options: { note: "x".repeat(1024 * 1024) } };
  const small = { hostnames: ["small.example.com"], port: 8080 };
  const before = desiredLrp(VERSION_1, { routes: ROUTES });
  const after = { ...before, routes: { ...ROUTES, "cf-router": [...ROUTES["cf-router"], huge, small] } };
  bbs.send({ kind: "desired-changed", before, after });
  const news = await ear.news();
  assert.equal(news.length, 1);
  assert.match(news[0] ?? "", /small\.example\.com/);
});

test("a malformed start message is ignored", async (t) => {
  const { ear, clock, bus } = await startClassic(t);
  await ear.news();
  bus.publish(SUBJECTS.routerStart, "{");
  clock.advance(4_000);
  assert.deepEqual(await ear.news(), []);
});

// --- property ---

const lrp = fc.constantFrom(VERSION_1, VERSION_2);
const step = fc.record({
  what: fc.constantFrom("desire", "scale", "remove", "run", "flip", "crash", "vanish", "sync"),
  lrp,
  index: fc.nat({ max: 2 }),
  isLost: fc.boolean(),
});

test("whatever happens, and whatever events are lost, a sync ends with exactly desired × running", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const ends: (() => unknown)[] = [];
      const { bbs, table, clock } = await startEmitter({
        after: (end) => void ends.push(end as () => unknown),
      });
      const desired = new Map<string, DesiredLrp>();
      const actuals = new Map<string, ActualLrp>();
      let now = 1_000;
      for (const one of steps) {
        now++;
        const slot = `${one.lrp} ${one.index}`;
        const held = actuals.get(slot);
        const send = (event: LrpEvent) => {
          bbs.desired = [...desired.values()];
          bbs.actuals = [...actuals.values()];
          if (!one.isLost) bbs.send(event);
        };
        switch (one.what) {
          case "desire": {
            const next = desiredLrp(one.lrp);
            if (desired.has(one.lrp)) break;
            desired.set(one.lrp, next);
            send({ kind: "desired-created", desired: next });
            break;
          }
          case "scale": {
            const before = desired.get(one.lrp);
            if (before === undefined) break;
            const after = { ...before, instances: one.index };
            desired.set(one.lrp, after);
            send({ kind: "desired-changed", before, after });
            break;
          }
          case "remove": {
            const before = desired.get(one.lrp);
            if (before === undefined || !desired.delete(one.lrp)) break;
            send({ kind: "desired-removed", desired: before });
            break;
          }
          case "run": {
            const next = actualLrp(one.lrp, one.index, now, { sinceNs: String(now) });
            actuals.set(slot, next);
            if (held !== undefined) send({ kind: "actual-removed", actual: held });
            send({ kind: "actual-created", actual: next });
            break;
          }
          case "flip": {
            if (held === undefined) break;
            const after = { ...held, routable: !held.routable, sinceNs: String(now) };
            actuals.set(slot, after);
            send({ kind: "actual-changed", before: held, after });
            break;
          }
          case "crash": {
            if (held === undefined) break;
            const after = { ...held, state: "CRASHED" as const, address: "", sinceNs: String(now) };
            actuals.set(slot, after);
            send({ kind: "actual-crashed", actual: held, reason: "" });
            send({ kind: "actual-changed", before: held, after });
            break;
          }
          case "vanish":
            if (held === undefined || !actuals.delete(slot)) break;
            send({ kind: "actual-removed", actual: held });
            break;
          default:
            clock.advance(CONFIG.syncIntervalMs);
            await nextTurn();
        }
      }
      clock.advance(CONFIG.syncIntervalMs);
      await nextTurn();
      // The plain meaning of «desired × running», as the judge.
      const want = [...actuals.values()]
        .filter(({ processGuid, index, state, routable }) => {
          return state === "RUNNING" && routable && index < (desired.get(processGuid)?.instances ?? 0);
        })
        .map(({ ports }) => at(ports[0]?.hostPort ?? 0));
      assert.deepEqual(table.endpoints(), want.sort());
      for (const end of ends) await end();
    }),
  );
});
