/** What the metrics page says after exchanges of each kind. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/kernel/index.ts";
import { createMetricsPage, FeedCounts, HISTOGRAM_BUCKETS } from "../../src/router/index.ts";
import { type RouterUnderTest, script, startEndpoint, startRouter } from "./support.ts";

function pageOf({ router }: RouterUnderTest): readonly string[] {
  const page = createMetricsPage({
    counters: router.counters,
    exchanges: router.metrics,
    table: { size: 0 },
    feeds: new FeedCounts(0),
    clock: systemClock,
  });
  return page().split("\n");
}

const GET = "GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n";

script("an exchange is counted for its component, with its times", async (t) => {
  const endpoint = await startEndpoint(t);
  const under = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: [endpoint.port], endpoint: { tags: { component: 'sh"op' } } }],
  });
  const client = await under.connect();
  client.send(GET);
  const app = await endpoint.accept();
  await app.message();
  under.clock.advance(30);
  app.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await client.message();
  const page = pageOf(under);
  for (const line of [
    'total_requests{component="sh\\"op"} 1',
    'latency_bucket{component="sh\\"op",le="20"} 0',
    'latency_bucket{component="sh\\"op",le="40"} 1',
    'latency_sum{component="sh\\"op"} 30',
    // All of it was spent waiting for the endpoint.
    'gorouter_time_bucket{le="1"} 1',
    "gorouter_time_count 1",
  ]) {
    assert.ok(page.includes(line), `${line}\n${page.join("\n")}`);
  }
});

script(
  "a request that no endpoint was asked for is a failure of a kind, not a request of a component",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const under = await startRouter(t, {
      routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
      config: { maxInFlightPerEndpoint: 1 },
    });
    const first = await under.connect();
    first.send(GET);
    await (await endpoint.accept()).message();
    const second = await under.connect();
    second.send(GET);
    assert.match(await second.message(), /^HTTP\/1\.1 503 /);
    const page = pageOf(under);
    assert.ok(page.includes("backend_exhausted_conns 1"));
    assert.ok(page.includes('failed_requests{code="connection_limit_reached"} 1'));
    assert.ok(!page.some((line) => line.startsWith("total_requests{")));
  },
);

script("every 64th lookup is timed", async (t) => {
  const under = await startRouter(t);
  const client = await under.connect();
  for (let i = 0; i < 130; i++) {
    client.send(GET);
    await client.message();
  }
  assert.ok(pageOf(under).includes("route_lookup_time_count 2"));
});

script("with the switch on, each app has its latency, and what no app was asked has ours", async (t) => {
  const endpoint = await startEndpoint(t);
  const under = await startRouter(t, {
    routes: [
      { uri: "shop.example.com", ports: [endpoint.port], endpoint: { tags: { source_id: "shop-guid" } } },
    ],
    config: { countsLatencyPerApp: true },
  });
  const client = await under.connect();
  client.send(GET);
  const app = await endpoint.accept();
  await app.message();
  under.clock.advance(300);
  app.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await client.message();
  client.send("GET / HTTP/1.1\r\nHost: unknown.example.com\r\n\r\n");
  await client.message();
  const page = pageOf(under);
  for (const line of [
    'http_latency_seconds_bucket{source_id="shop-guid",le="0.2"} 0',
    'http_latency_seconds_bucket{source_id="shop-guid",le="0.4"} 1',
    'http_latency_seconds_sum{source_id="shop-guid"} 0.3',
    'http_latency_seconds_count{source_id="gorouter"} 1',
  ]) {
    assert.ok(page.includes(line), `${line}\n${page.join("\n")}`);
  }
});

script("without the switch no app has a latency of its own", async (t) => {
  const under = await startRouter(t);
  const client = await under.connect();
  client.send(GET);
  await client.message();
  assert.ok(!pageOf(under).some((line) => line.includes("http_latency_seconds")));
});

script("a Content-Length without a value is refused and counted", async (t) => {
  const under = await startRouter(t);
  const client = await under.connect();
  client.send("POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length:\r\n\r\n");
  assert.match(await client.message(), /^HTTP\/1\.1 400 /);
  assert.ok(pageOf(under).includes("empty_content_length_header 1"));
});

script("buckets are the operator's", async (t) => {
  const under = await startRouter(t, {
    config: { histogramBuckets: { ...HISTOGRAM_BUCKETS, gorouterTime: [3, 7] } },
  });
  const page = pageOf(under).filter((line) => line.startsWith("gorouter_time_bucket"));
  assert.deepEqual(page, [
    'gorouter_time_bucket{le="3"} 0',
    'gorouter_time_bucket{le="7"} 0',
    'gorouter_time_bucket{le="+Inf"} 0',
  ]);
});
