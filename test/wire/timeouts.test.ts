import assert from "node:assert/strict";
import { script, startEndpoint, startRouter } from "./support.ts";

const HOST = "Host: shop.example.com\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

script("a head that comes byte by byte is cut off after read_header_timeout", async (t) => {
  const router = await startRouter(t, { config: { readHeaderTimeoutMs: 5_000 } });
  const client = await router.connect();
  // Behind a whole request, so that its answer tells that the piece has arrived.
  client.send(`${GET}GET / HT`);
  await client.message();
  for (let i = 0; i < 4; i++) {
    router.clock.advance(1_000);
    client.send("T");
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(router.router.counters.activeConnections, 1);
  router.clock.advance(1_100);
  assert.equal(await client.rest(), "");
});

script("an idle client connection is closed after frontend_idle_timeout", async (t) => {
  const router = await startRouter(t, { config: { frontendIdleTimeoutMs: 10_000 } });
  const client = await router.connect();
  await router.eventually(() => router.router.counters.activeConnections === 1);
  router.clock.advance(9_000);
  assert.equal(router.router.counters.activeConnections, 1);
  router.clock.advance(1_100);
  assert.equal(await client.rest(), "");
  client.end();
  await router.eventually(() => router.router.counters.activeConnections === 0);
});

script("a request body that stops coming ends the exchange, and the endpoint is not blamed", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { frontendIdleTimeoutMs: 10_000, endpointTimeoutMs: 0 },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await router.connect();
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nxyz`);
  const upstream = await endpoint.accept();
  await upstream.until("xyz");
  router.clock.advance(10_100);
  assert.match(await client.rest(), /^HTTP\/1\.1 408 [^]*\r\nConnection: close\r\n/);
  assert.equal(await upstream.rest(), "");
  assert.equal(
    router.log.some(({ message }) => message === "backend-endpoint-failed"),
    false,
  );
});

script("an endpoint that does not answer within endpoint_timeout is 502, and is not marked", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { endpointTimeoutMs: 5_000 },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  router.clock.advance(5_100);
  assert.match(
    await client.message(),
    /^HTTP\/1\.1 502 [^]*X-Cf-RouterError: endpoint_failure \(context deadline exceeded\)\r\n/,
  );
  assert.equal(await upstream.rest(), "");
  assert.ok(router.log.some(({ message }) => message === "backend-request-timeout"));
  client.send(GET);
  await (await endpoint.accept()).message();
});

script("endpoint_timeout holds for the body too: the client is cut off", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { endpointTimeoutMs: 5_000 },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxyz");
  await client.until("xyz");
  router.clock.advance(5_100);
  assert.equal(await client.rest(), "");
});

script("an idle connection to an endpoint is closed after 90 seconds", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send(OK);
  await client.message();
  router.clock.advance(89_000);
  assert.equal(router.router.counters.idleUpstreamConnections, 1);
  router.clock.advance(1_100);
  assert.equal(await upstream.rest(), "");
  assert.equal(router.router.counters.idleUpstreamConnections, 0);
});

script("a dial that nobody answers becomes 502 after endpoint_dial_timeout", async (t) => {
  // TEST-NET-1 (RFC 5737): nobody answers there, or the system says at once that there is no way.
  const router = await startRouter(t, {
    config: { endpointDialTimeoutMs: 2_000 },
    routes: [{ uri: "shop.example.com", ports: [80], endpoint: { host: "192.0.2.1" } }],
  });
  const client = await router.connect();
  client.send(GET);
  await router.eventually(() => router.router.counters.attempts === 1);
  router.clock.advance(2_100);
  assert.match(await client.message(), /^HTTP\/1\.1 502 [^]*endpoint_failure \(dial tcp 192\.0\.2\.1:80: /);
});
