/** The waits that a route may set: for a connection, for the head of an answer, for anything to move. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { RouterConfig } from "../../src/router/index.ts";
import type { RouteOptions } from "../../src/table/index.ts";
import { type RouterUnderTest, script, startEndpoint, startRouter } from "./support.ts";

const URI = "shop.example.com";
const HOST = `Host: ${URI}\r\n`;
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const UPGRADE = `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
const SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/** A request that its endpoint has got, up to and with `mark`. */
async function ask(
  t: TestContext,
  options: RouteOptions,
  {
    config = {},
    request = GET,
    mark = "\r\n\r\n",
  }: { readonly config?: Partial<RouterConfig>; readonly request?: string; readonly mark?: string } = {},
) {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { config, routes: [{ uri: URI, ports: [endpoint.port], options }] });
  const client = await router.connect();
  client.send(request);
  const upstream = await endpoint.accept();
  await upstream.until(mark);
  return { endpoint, router, client, upstream };
}

const routerError = (answer: string) => /X-Cf-RouterError: (.*)\r\n/.exec(answer)?.[1];

/** One tick after another, so that what moves between two of them is seen. */
async function pass(router: RouterUnderTest, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 100) {
    router.clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

// === response-timeout ===

script("an answer that has not begun in time is 504, and the endpoint is not blamed", async (t) => {
  const { endpoint, router, client, upstream } = await ask(t, { "response-timeout": "2s" });
  router.clock.advance(1_900);
  assert.equal(client.waiting, "");
  router.clock.advance(200);
  const answer = await client.message();
  assert.match(answer, /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
  assert.match(
    routerError(answer) ?? "",
    /^endpoint_failure \(127\.0\.0\.1:\d+ did not begin its answer within the 2000 ms that the route allows\)$/,
  );
  assert.equal(await upstream.rest(), "");
  assert.equal(router.router.metrics.failures.get("response_timeout"), 1);
  assert.match(router.accessLog()[0] ?? "", / 504 /);
  // The connection is good for another request, and the endpoint for another try.
  client.send(GET);
  (await endpoint.accept()).send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert.match(await client.message(), /^HTTP\/1\.1 200 /);
});

script("a request that is still being sent does not use up the wait for its answer", async (t) => {
  const { router, client, upstream } = await ask(
    t,
    { "response-timeout": "2s" },
    { request: `POST / HTTP/1.1\r\n${HOST}Content-Length: 6\r\n\r\nxyz`, mark: "xyz" },
  );
  router.clock.advance(10_000);
  client.send("uvw");
  await upstream.until("uvw");
  router.clock.advance(1_900);
  assert.equal(client.waiting, "");
  router.clock.advance(200);
  assert.match(await client.message(), /^HTTP\/1\.1 504 /);
});

script("an answer that has begun may take as long as it likes within the router's own limit", async (t) => {
  const { router, client, upstream } = await ask(
    t,
    { "response-timeout": "2s" },
    { config: { endpointTimeoutMs: 10_000 } },
  );
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ntuv");
  await client.until("tuv");
  router.clock.advance(11_000);
  upstream.send("wxyz...");
  await client.until("wxyz...");
});

script("response-timeout may be longer than endpoint_timeout", async (t) => {
  const { router, client, upstream } = await ask(
    t,
    { "response-timeout": "5s" },
    { config: { endpointTimeoutMs: 1_000 } },
  );
  router.clock.advance(4_000);
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert.match(await client.message(), /^HTTP\/1\.1 200 /);
});

script("a value above the operator's ceiling is as if it had not been set, and is logged", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { endpointTimeoutMs: 3_000, optionLimits: { maxResponseTimeoutMs: 1_000 } },
    routes: [{ uri: URI, ports: [endpoint.port], options: { "response-timeout": "2s", "trim-path": false } }],
  });
  assert.deepEqual(
    router.log.filter(({ message }) => message === "route options ignored"),
    [
      {
        level: "warn",
        message: "route options ignored",
        route: URI,
        problems: [
          {
            key: "response-timeout",
            value: "2s",
            text: "response-timeout: 2s is longer than the 1s that the operator allows",
          },
        ],
        inForce: { "trim-path": false },
      },
    ],
  );
  const client = await router.connect();
  client.send(GET);
  await (await endpoint.accept()).message();
  router.clock.advance(2_500);
  assert.equal(client.waiting, "");
  router.clock.advance(600);
  assert.match(await client.message(), /^HTTP\/1\.1 502 /);
});

// === idle-timeout ===

script("an exchange in which nothing moves ends with 504 before the answer has begun", async (t) => {
  const { router, client } = await ask(t, { "idle-timeout": "3s" });
  await pass(router, 2_900);
  assert.equal(client.waiting, "");
  await pass(router, 300);
  const answer = await client.message();
  assert.match(answer, /^HTTP\/1\.1 504 /);
  assert.match(routerError(answer) ?? "", /no byte moved for 3000 ms/);
});

script("a stream lives as long as it is used, and past endpoint_timeout; then it is cut", async (t) => {
  const { router, client, upstream } = await ask(
    t,
    { "idle-timeout": "3s" },
    { config: { endpointTimeoutMs: 4_000 } },
  );
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const event of ["one", "two", "six"]) {
    await pass(router, 2_500);
    upstream.send(`3\r\n${event}\r\n`);
    await client.until(event);
  }
  await pass(router, 3_200);
  assert.equal(await client.rest(), "\r\n");
  assert.equal(await upstream.rest(), "");
});

script("a client that stops sending its body is told with 408", async (t) => {
  const { router, client } = await ask(
    t,
    { "idle-timeout": "3s" },
    { request: `POST / HTTP/1.1\r\n${HOST}Content-Length: 6\r\n\r\nxyz`, mark: "xyz" },
  );
  await pass(router, 3_300);
  assert.match(await client.rest(), /^HTTP\/1\.1 408 [^]*\r\nConnection: close\r\n/);
});

script("a WebSocket in which neither side says anything is closed on both", async (t) => {
  const { router, client, upstream } = await ask(t, { "idle-timeout": "3s" }, { request: UPGRADE });
  upstream.send(SWITCHING);
  await client.until("\r\n\r\n");
  await pass(router, 2_500);
  upstream.send("pong");
  await client.until("pong");
  await pass(router, 2_500);
  client.send("ping");
  await upstream.until("ping");
  await pass(router, 3_300);
  assert.equal(await client.rest(), "");
  assert.equal(await upstream.rest(), "");
  assert.equal(router.router.counters.activeExchanges, 0);
});

script("a quiet WebSocket of a route without the option stays", async (t) => {
  const { router, client, upstream } = await ask(t, {}, { request: UPGRADE });
  upstream.send(SWITCHING);
  await client.until("\r\n\r\n");
  router.clock.advance(3_600_000);
  upstream.send("pong");
  await client.until("pong");
});

// === connect-timeout ===

script("the TLS handshake belongs to the connection, and the router's own limits do not count", async (t) => {
  const silent = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { endpointDialTimeoutMs: 500, tlsHandshakeTimeoutMs: 500 },
    routes: [
      { uri: URI, ports: [silent.port], endpoint: { tls: true }, options: { "connect-timeout": "2s" } },
    ],
  });
  const client = await router.connect();
  client.send(GET);
  // It has been accepted and has got our hello, and will never get an answer to it.
  await (await silent.accept()).bytes(1);
  router.clock.advance(1_900);
  assert.equal(client.waiting, "");
  router.clock.advance(200);
  assert.match(
    await client.message(),
    /^HTTP\/1\.1 502 [^]*endpoint_failure \(dial tcp 127\.0\.0\.1:\d+: i\/o timeout\)/,
  );
});
