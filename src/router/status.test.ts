import assert from "node:assert/strict";
import { once } from "node:events";
import { get as httpsGet } from "node:https";
import type { IncomingMessage } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { test, type TestContext } from "node:test";
import { createManualClock, silentLogger } from "../kernel/index.ts";
import { createTable, type Endpoint } from "../table/index.ts";
import { endpoint } from "../table/samples.ts";
import { selfSigned } from "../../test/support/certificate.ts";
import { createCounters } from "./counters.ts";
import type { StatusConfig } from "./gorouter-config.ts";
import { ExchangeMetrics } from "./exchange-metrics.ts";
import { FeedCounts } from "./feeds/feed-counts.ts";
import { createHealth } from "./health.ts";
import { createHistogram } from "./histogram.ts";
import { createMetricsPage } from "./metrics.ts";
import { createRoutesPage, createStatusServer } from "./status.ts";

const CONFIG: StatusConfig = {
  host: "127.0.0.1",
  port: 0,
  tls: null,
  routesPort: 0,
  user: "router-status",
  pass: "se:cret",
  isOldComponent: false,
  metricsPort: 0,
  metricsTls: null,
};

const plainEndpoint = endpoint({ host: "10.0.1.5", port: 61_001 });

function createCounts(nowMs: number): FeedCounts {
  const counts = new FeedCounts(nowMs);
  for (const [outcome, times] of [
    ["new", 1],
    ["updated", 2],
    ["unchanged", 3],
  ] as const) {
    for (let i = 0; i < times; i++) counts.countRegistered('a"b', outcome);
  }
  for (let i = 0; i < 4; i++) counts.countUnregistered("");
  counts.pruned = 5;
  counts.lastUpdateAtMs = nowMs - 250;
  return counts;
}

async function startStatus(t: TestContext, changes: Partial<StatusConfig> = {}) {
  const health = createHealth();
  const table = createTable({ attach: () => null });
  const clock = createManualClock();
  const counters = createCounters();
  const status = createStatusServer({
    config: { ...CONFIG, ...changes },
    health,
    routes: createRoutesPage(table, 120_000),
    metrics: createMetricsPage({
      counters,
      exchanges: new ExchangeMetrics(),
      table,
      clock,
      feeds: createCounts(clock.nowMs()),
    }),
    varz: async () => ({ type: "Router" }),
    log: silentLogger,
  });
  await status.start();
  t.after(() => status.stop());
  const get = (port: number, path: string, authorization?: string) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      headers: authorization === undefined ? {} : { authorization },
    });
  const basic = (credentials: string) => `Basic ${Buffer.from(credentials).toString("base64")}`;
  return { status, health, table, counters, get, basic };
}

test("health is 503 until the router is healthy, 200 until it drains, and 503 for ever after", async (t) => {
  const { status, health, get } = await startStatus(t);
  const ask = async () => {
    const answer = await get(status.ports.health, "/health");
    assert.equal(answer.headers.get("cache-control"), "private, max-age=0");
    assert.equal(answer.headers.get("expires"), "0");
    assert.equal(answer.headers.get("connection"), "close");
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await ask(), [503, ""]);
  health.set("healthy");
  assert.deepEqual(await ask(), [200, "ok\n"]);
  health.set("degraded");
  assert.deepEqual(await ask(), [503, ""]);
  health.set("healthy");
  assert.deepEqual(await ask(), [503, ""]);
});

test("being alive is not being healthy", async (t) => {
  const { status, get } = await startStatus(t);
  const answer = await get(status.ports.health, "/is-process-alive-do-not-use-for-loadbalancing");
  assert.deepEqual([answer.status, await answer.text()], [200, "ok\n"]);
});

test("the health listener answers nothing else", async (t) => {
  const { status, get } = await startStatus(t);
  for (const path of ["/", "/routes", "/metrics", "/healthz"]) {
    assert.equal((await get(status.ports.health, path)).status, 404);
  }
});

test("as an old component the health listener has /varz, /routes, /healthz, and health at any other path", async (t) => {
  const { status, health, get, basic } = await startStatus(t, { isOldComponent: true });
  const { health: port } = status.ports;
  const ask = async (path: string, credentials?: string) => {
    const answer = await get(port, path, credentials === undefined ? undefined : basic(credentials));
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await ask("/health"), [503, ""]);
  assert.deepEqual(await ask("/anything"), [503, ""]);
  assert.deepEqual(await ask("/healthz"), [200, "ok"]);
  assert.deepEqual(await ask("/is-process-alive-do-not-use-for-loadbalancing"), [200, "ok\n"]);
  health.set("healthy");
  for (const path of ["/health", "/", "/anything"]) assert.deepEqual(await ask(path), [200, "ok\n"], path);
  const login = "router-status:se:cret";
  assert.deepEqual(await ask("/varz", login), [200, '{"type":"Router"}\n']);
  assert.deepEqual(await ask("/routes", login), [200, "{}\n"]);
  for (const path of ["/varz", "/routes"]) {
    assert.deepEqual(await ask(path), [401, "Unauthorized\n"], path);
    assert.deepEqual(await ask(path, "router-status:wrong"), [401, "Unauthorized\n"], path);
  }
  const varz = await get(port, "/varz", basic(login));
  assert.equal(varz.headers.get("content-type"), "application/json");
  assert.equal(varz.headers.get("connection"), "close");
});

test("routes are shown with the endpoint's fields, the empty ones left out", async (t) => {
  const { status, table, get, basic } = await startStatus(t);
  const register = (uri: string, changes: Partial<Endpoint>, more: object = {}) =>
    table.register(
      {
        uri,
        endpoint: { ...plainEndpoint, ...changes },
        options: {},
        routeServiceUrl: null,
        staleAfterMs: 120_000,
        ...more,
      },
      0,
    );
  register("a.example.com", {});
  register(
    "b.example.com/v1",
    {
      tls: true,
      port: 61_443,
      instanceId: "9a2f",
      serverCertDomainSan: "9a2f",
      availabilityZone: "z1",
      isolationSegment: "blue",
      protocol: "http2",
      tags: { component: "route-emitter" },
    },
    { options: { loadbalancing: "least-connection" }, routeServiceUrl: "https://rs.example.com" },
  );
  const hashed = { loadbalancing: "hash", hash_header: "X-User", hash_balance: "1.5" };
  register("c.example.com/", {}, { options: hashed, staleAfterMs: 60_000 });
  const answer = await get(status.ports.routes, "/routes", basic("router-status:se:cret"));
  assert.equal(answer.headers.get("content-type"), "application/json");
  assert.equal(answer.headers.get("connection"), "close");
  assert.deepEqual(await answer.json(), {
    "a.example.com": [
      {
        address: "10.0.1.5:61001",
        availability_zone: "",
        protocol: "http1",
        tls: false,
        ttl: 120,
        tags: {},
      },
    ],
    "b.example.com/v1": [
      {
        address: "10.0.1.5:61443",
        availability_zone: "z1",
        protocol: "http2",
        tls: true,
        ttl: 120,
        route_service_url: "https://rs.example.com",
        tags: { component: "route-emitter" },
        isolation_segment: "blue",
        private_instance_id: "9a2f",
        server_cert_domain_san: "9a2f",
        load_balancing_algorithm: "least-connection",
      },
    ],
    "c.example.com": [
      {
        address: "10.0.1.5:61001",
        availability_zone: "",
        protocol: "http1",
        tls: false,
        ttl: 60,
        tags: {},
        load_balancing_algorithm: "hash",
        hash_header: "X-User",
        hash_balance: 1.5,
      },
    ],
  });
});

test("a table of many pieces is one JSON object, and so is an empty one", async (t) => {
  const { status, table, get, basic } = await startStatus(t);
  const read = async () =>
    (await (await get(status.ports.routes, "/routes", basic("router-status:se:cret"))).json()) as object;
  assert.deepEqual(await read(), {});
  for (let n = 0; n < 1_001; n++) {
    table.register(
      {
        uri: `r${n}.example.com`,
        endpoint: plainEndpoint,
        options: {},
        routeServiceUrl: null,
        staleAfterMs: 1,
      },
      0,
    );
  }
  assert.equal(Object.keys(await read()).length, 1_001);
});

test("routes ask for the operator's password", async (t) => {
  const { status, get, basic } = await startStatus(t);
  for (const authorization of [
    undefined,
    "Bearer x",
    "Basic",
    basic("router-status:wrong"),
    basic("router-status"),
    basic(":"),
  ]) {
    const answer = await get(status.ports.routes, "/routes", authorization);
    assert.equal(answer.status, 401);
    assert.match(answer.headers.get("www-authenticate") ?? "", /^Basic /);
    await answer.body?.cancel();
  }
  assert.equal((await get(status.ports.routes, "/x", basic("router-status:se:cret"))).status, 404);
});

test("metrics have gorouter's names", async (t) => {
  const { status, counters, get } = await startStatus(t);
  counters.responses2xx = 6;
  counters.responsesNone = 1;
  counters.fromRouteServices.responses4xx = 3;
  const answer = await get(status.ports.metrics, "/metrics");
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  const lines = (await answer.text()).split("\n");
  for (const line of [
    "backend_invalid_id 0",
    'gorouter_time_bucket{le="+Inf"} 0',
    'responses{status_group="2xx"} 6',
    'responses{status_group="xxx"} 1',
    'responses_route_services{status_group="4xx"} 3',
    "total_routes 0",
    'registry_message{component="a\\"b",action="endpoint-added"} 1',
    'registry_message{component="a\\"b",action="endpoint-updated"} 5',
    'unregistry_message{component=""} 4',
    "routes_pruned 5",
    "ms_since_last_registry_update 250",
    'route_registration_latency_bucket{le="+Inf"} 0',
  ]) {
    assert.ok(lines.includes(line), `${line}\n\n${lines.join("\n")}`);
  }
  assert.equal((await get(status.ports.metrics, "/")).status, 404);
});

test("every metric has its help and type before it, once", async (t) => {
  const { status, get } = await startStatus(t);
  const lines = (await (await get(status.ports.metrics, "/metrics")).text()).trim().split("\n");
  const types = lines.filter((line) => line.startsWith("# TYPE"));
  assert.equal(new Set(types).size, types.length);
  for (const line of lines) assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{.*\})? -?[\d.e+]+)$/);
});

test("a histogram counts a value into every bucket it fits in", () => {
  const histogram = createHistogram([1, 10]);
  for (const value of [0.5, 1, 5, 50]) histogram.observe(value);
  assert.deepEqual(histogram.lines("h"), [
    'h_bucket{le="1"} 2',
    'h_bucket{le="10"} 3',
    'h_bucket{le="+Inf"} 4',
    "h_sum 56.5",
    "h_count 4",
  ]);
});

test("what is not configured is not listened on", async (t) => {
  const { status } = await startStatus(t, { port: null, metricsPort: null });
  assert.equal(status.ports.health, 0);
  assert.equal(status.ports.metrics, 0);
  assert.notEqual(status.ports.routes, 0);
});

test("health is also answered over TLS", async (t) => {
  const pair = selfSigned(t);
  if (pair === null) return;
  const { certificate, key } = pair;
  const { status, health } = await startStatus(t, { port: null, tls: { port: 0, certificate, key } });
  health.set("healthy");
  const request = httpsGet({ port: status.ports.healthTls, path: "/health", ca: certificate, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  assert.equal(response.statusCode, 200);
  response.destroy();
});

test("with certificates, metrics are only for clients that have one", async (t) => {
  const certificate = selfSigned(t);
  if (certificate === null) return;
  const { certificate: cert, key } = certificate;
  const { status } = await startStatus(t, { metricsTls: { cert, key, ca: cert } });
  const ask = (client: object) =>
    new Promise<number | undefined>((resolve, reject) => {
      const options = {
        host: "127.0.0.1",
        port: status.ports.metrics,
        path: "/metrics",
        ca: cert,
        agent: false,
      };
      httpsGet({ ...options, ...client }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      }).once("error", reject);
    });
  assert.equal(await ask({ cert, key }), 200);
  await assert.rejects(ask({}), /ECONNRESET|certificate required/);
});

test("a port that is taken is named with the setting to change", async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  await assert.rejects(startStatus(t, { port }), {
    code: "port_taken",
    message: `router status cannot listen on 127.0.0.1:${port}: another process has it; stop that process or set status.port to a free port`,
  });
});
