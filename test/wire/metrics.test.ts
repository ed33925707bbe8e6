/** What the metrics page says after exchanges of each kind. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { createServer } from "node:tls";
import { systemClock } from "../../src/kernel/index.ts";
import { createMetricsPage, FeedCounts, HISTOGRAM_BUCKETS } from "../../src/router/index.ts";
import { createAuthority } from "../support/authority.ts";
import { deadPort, type RouterUnderTest, script, startEndpoint, startRouter } from "./support.ts";

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

/** Answers every request with two bytes. */
async function startTlsServer(t: TestContext, pair: { readonly certificate: string; readonly key: string }) {
  const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) => {
    t.after(() => socket.destroy());
    socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const SAN = "instance-guid";

script("each way in which an endpoint's TLS fails has its own number", async (t) => {
  const authority = createAuthority(t);
  const stranger = authority === null ? null : createAuthority(t, "/CN=Stranger");
  if (authority === null || stranger === null) return;
  const ofEndpoint = { subject: "/CN=endpoint", alternativeNames: `DNS:${SAN}` };
  const other = { subject: "/CN=endpoint", alternativeNames: "DNS:other" };
  for (const { metric, port } of [
    { metric: "backend_invalid_id", port: await startTlsServer(t, authority.issue(other)) },
    { metric: "backend_invalid_tls_cert", port: await startTlsServer(t, stranger.issue(ofEndpoint)) },
    { metric: "backend_tls_handshake_failed", port: (await plainPort(t)).port },
  ]) {
    const under = await startRouter(t, {
      config: { endpointCaCertificates: [authority.certificate] },
      routes: [{ uri: "shop.example.com", ports: [port], endpoint: { tls: true, serverCertDomainSan: SAN } }],
    });
    const client = await under.connect();
    client.send(GET);
    assert.match(await client.message(), /^HTTP\/1\.1 (503|52[56]) /);
    const counted = pageOf(under).filter((line) => /^backend_\w+ 1$/.test(line));
    assert.deepEqual(counted, [`${metric} 1`]);
  }
});

/** Says what a server says to a request that it cannot read. */
async function plainPort(t: TestContext) {
  const endpoint = await startEndpoint(t);
  void endpoint.accept().then(async (peer) => {
    await peer.bytes(5);
    peer.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  });
  return endpoint;
}

script("what the router refuses, fails at and upgrades is counted", async (t) => {
  const endpoint = await startEndpoint(t);
  const under = await startRouter(t, {
    routes: [
      { uri: "shop.example.com", ports: [endpoint.port] },
      { uri: "dead.example.com", ports: [await deadPort()] },
    ],
  });
  const ask = async (request: string) => {
    const client = await under.connect();
    client.send(request);
    return client;
  };
  const upgrade = GET.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  assert.match(await (await ask(GET.replace("shop", "unknown"))).message(), /^HTTP\/1\.1 404 /);
  assert.match(await (await ask(GET.replace("shop", "dead"))).message(), /^HTTP\/1\.1 502 /);
  const refused = await ask(upgrade);
  const app = await endpoint.accept();
  await app.message();
  app.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  await refused.message();
  const upgraded = await ask(upgrade);
  const other = await endpoint.accept();
  await other.message();
  other.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  await upgraded.until("\r\n\r\n");
  const page = pageOf(under);
  for (const line of [
    "rejected_requests 1",
    "bad_gateways 1",
    "websocket_upgrades 1",
    "websocket_failures 1",
    'responses{status_group="2xx"} 1',
    'responses{status_group="4xx"} 1',
    'responses{status_group="5xx"} 1',
  ]) {
    assert.ok(page.includes(line), `${line}\n${page.join("\n")}`);
  }
});

script("an answer of a route service is counted as such, too", async (t) => {
  const authority = createAuthority(t);
  if (authority === null) return;
  const pair = authority.issue({ subject: "/CN=service", alternativeNames: "DNS:localhost" });
  const port = await startTlsServer(t, pair);
  const endpoint = await startEndpoint(t);
  const under = await startRouter(t, {
    config: {
      routeServicesSecret: "secret",
      routeServicesAllowedNetworks: ["127.0.0.0/8"],
      endpointCaCertificates: [authority.certificate],
    },
    routes: [
      { uri: "shop.example.com", ports: [endpoint.port], routeServiceUrl: `https://localhost:${port}/` },
    ],
  });
  const client = await under.connect();
  client.send(GET);
  assert.match(await client.message(), /^HTTP\/1\.1 200 OK/);
  assert.ok(pageOf(under).includes('responses_route_services{status_group="2xx"} 1'));
});

/** gorouter's list. */
const NAMES = `
  registry_message unregistry_message routes_pruned total_routes ms_since_last_registry_update route_lookup_time
  gorouter_time route_registration_latency total_requests rejected_requests bad_gateways empty_content_length_header
  backend_invalid_id backend_invalid_tls_cert backend_tls_handshake_failed backend_exhausted_conns websocket_upgrades
  websocket_failures responses responses_route_services latency file_descriptors buffered_messages
  total_dropped_messages http_latency_seconds
`
  .trim()
  .split(/\s+/);

script("every metric of gorouter's list is on the page, under its name", async (t) => {
  const under = await startRouter(t, { config: { countsLatencyPerApp: true } });
  const named = pageOf(under).flatMap((line) => /^# TYPE (\w+) /.exec(line)?.[1] ?? []);
  assert.deepEqual(
    NAMES.filter((name) => !named.includes(name)),
    [],
  );
});
