import assert from "node:assert/strict";
import { test } from "node:test";
import { createManualClock } from "../kernel/index.ts";
import { createTable } from "../table/index.ts";
import { endpoint } from "../table/samples.ts";
import { createCounters } from "./counters.ts";
import type { EndedExchange } from "./ended-exchange.ts";
import { ExchangeMetrics } from "./exchange-metrics.ts";
import { FeedCounts } from "./feeds/feed-counts.ts";
import { createMetricsPage } from "./metrics.ts";
import { createVarz } from "./varz.ts";
import { createVarzPage } from "./varz-page.ts";

async function startVarz() {
  const manual = createManualClock();
  let wallOffsetMs = 0;
  const clock = { ...manual, nowMs: () => manual.nowMs() + wallOffsetMs };
  const table = createTable({ attach: () => null });
  const logCounts = { debug: 0, info: 3, error: 1, fatal: 0 };
  const varz = createVarz({ table, clock, logCounts });
  await varz.start();
  const counters = createCounters();
  const exchanges = new ExchangeMetrics();
  const feeds = new FeedCounts(clock.nowMs());
  const metrics = createMetricsPage({ counters, exchanges, table, feeds, clock, varz });
  const page = createVarzPage({
    index: 2,
    status: { host: "10.0.0.1", port: 8_080, user: "ops", pass: "s3cret" },
    clock,
    metrics: async () => {
      await varz.refresh();
      return metrics();
    },
  });
  /** An exchange with an instance of an app that took so long. */
  const serve = (app: string, component: string, status: number, tookMs: number) => {
    const endedAtMs = clock.monotonicMs();
    const tags: Record<string, string> = component === "" ? {} : { component };
    const exchange = {
      candidate: { endpoint: endpoint({ host: "10.0.1.5", port: 1, appGuid: app, tags }) },
      status,
      errorCode: "",
      startedAtMs: endedAtMs - tookMs,
      handedOverAtMs: endedAtMs - tookMs,
      answeredAtMs: endedAtMs,
      endedAtMs,
      isTunnel: false,
    };
    varz.observe(exchange as unknown as EndedExchange);
    exchanges.ended(exchange as unknown as Parameters<ExchangeMetrics["ended"]>[0]);
  };
  const setWallClock = (byMs: number) => {
    wallOffsetMs += byMs;
  };
  return { clock, setWallClock, table, counters, feeds, page: page as () => Promise<Varz>, serve };
}

interface HttpFacts {
  readonly requests: number;
  readonly rate: readonly number[];
  readonly responses_2xx: number;
  readonly responses_5xx: number;
  readonly responses_xxx: number;
  readonly latency: Readonly<Record<string, number>>;
}

interface Varz extends HttpFacts {
  readonly all: HttpFacts;
  readonly tags: { readonly component: Readonly<Record<string, HttpFacts>> };
  readonly requests_per_sec: number;
  readonly top10_app_requests: readonly object[];
  readonly [more: string]: unknown;
}

test("a router that has done nothing has every field of gorouter's page", async () => {
  const { page } = await startVarz();
  const { uuid, start, uptime, num_cores: cores, mem, cpu, ...rest } = await page();
  assert.match(String(uuid), /^2-[0-9a-f-]{36}$/);
  assert.equal(start, "2026-01-01 00:00:00 +0000");
  assert.equal(uptime, "0d:0h:0m:0s");
  assert.ok(Number(cores) > 0 && Number(mem) > 1_000 && cpu === 0);
  const nothing = {
    requests: 0,
    rate: [0, 0, 0],
    responses_2xx: 0,
    responses_3xx: 0,
    responses_4xx: 0,
    responses_5xx: 0,
    responses_xxx: 0,
    latency: { 50: 0, 75: 0, 90: 0, 95: 0, 99: 0, value: 5e-7, samples: 1 },
  };
  assert.deepEqual(rest, {
    type: "Router",
    index: 2,
    host: "10.0.0.1:8080",
    credentials: ["ops", "s3cret"],
    log_counts: { debug: 0, info: 3, error: 1, fatal: 0 },
    ...nothing,
    all: nothing,
    tags: { component: {} },
    urls: 0,
    droplets: 0,
    bad_requests: 0,
    bad_gateways: 0,
    requests_per_sec: 0,
    top10_app_requests: [],
    ms_since_last_registry_update: -1,
  });
});

test("requests are counted for all and for each component, with rates and recent latencies", async () => {
  const { page, serve, clock } = await startVarz();
  for (let i = 0; i < 9; i++) serve("shop", "dea-0", 200, 10);
  serve("shop", "dea-0", 502, 1_000);
  for (let i = 0; i < 4; i++) serve("", 'u"a\\a', 200, 1);
  serve("blog", "", 499, 1);
  clock.advance(5_000);
  const varz = await page();
  assert.deepEqual(varz.all.rate, [3, 3, 3]);
  assert.equal(varz.requests_per_sec, 3);
  assert.deepEqual(
    [varz.requests, varz.responses_2xx, varz.responses_5xx, varz.responses_xxx],
    [15, 13, 1, 1],
  );
  assert.deepEqual(Object.keys(varz.tags.component), ["dea-0", 'u"a\\a']);
  const dea = varz.tags.component["dea-0"] as HttpFacts;
  assert.deepEqual([dea.requests, dea.responses_2xx, dea.responses_5xx, dea.rate], [10, 9, 1, [2, 2, 2]]);
  const isNear = (seconds = 0, want = 0) => assert.ok(Math.abs(seconds / want - 1) < 0.0101, `${seconds}`);
  isNear(dea.latency["50"], 0.01);
  isNear(dea.latency["90"], 0.01);
  isNear(dea.latency["99"], 1);
  isNear(varz.latency["50"], 0.01);
});

test("a wall clock that is set back makes no age negative, and one that is set at all does not change the uptime", async () => {
  const { page, clock, setWallClock, feeds } = await startVarz();
  feeds.heard(clock.nowMs());
  clock.advance(5_000);
  setWallClock(-3_600_000);
  const varz = await page();
  assert.deepEqual([varz["uptime"], varz["ms_since_last_registry_update"]], ["0d:0h:0m:5s", 0]);
  setWallClock(7_200_000);
  assert.equal((await page())["uptime"], "0d:0h:0m:5s");
});

test("the ten busiest apps of the last minute are listed, those of nobody are not", async () => {
  const { page, serve, clock } = await startVarz();
  for (let app = 1; app <= 12; app++) for (let i = 0; i < app * 10; i++) serve(`app-${app}`, "", 200, 1);
  for (let i = 0; i < 500; i++) serve("", "", 200, 1);
  const top = (await page()).top10_app_requests;
  assert.deepEqual(top[0], { application_id: "app-12", rps: 2, rpm: 120 });
  assert.deepEqual(top[9], { application_id: "app-3", rps: 0, rpm: 30 });
  assert.equal(top.length, 10);
  clock.advance(65_000);
  assert.deepEqual((await page()).top10_app_requests, []);
  assert.equal((await page())["uptime"], "0d:0h:1m:5s");
});

test("urls are routes, and droplets are addresses however many routes they serve", async () => {
  const { page, table, feeds, clock, counters } = await startVarz();
  for (const [uri, port] of [
    ["a.example.com", 1],
    ["a.example.com", 2],
    ["b.example.com", 1],
  ] as const) {
    const registration = { options: {}, routeServiceUrl: null, staleAfterMs: 0 };
    table.register({ uri, endpoint: endpoint({ host: "10.0.1.5", port }), ...registration }, 0);
  }
  feeds.heard(clock.nowMs());
  clock.advance(1_500);
  counters.rejectedRequests = 7;
  counters.badGateways = 8;
  const varz = await page();
  assert.deepEqual(
    ["urls", "droplets", "ms_since_last_registry_update", "bad_requests", "bad_gateways"].map(
      (name) => varz[name],
    ),
    [2, 2, 1_500, 7, 8],
  );
});
