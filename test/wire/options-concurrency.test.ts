/** A route that takes so many requests at a time: who waits, who is refused, and what gives a place back. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { RouterConfig } from "../../src/router/index.ts";
import { ask, openSession, startHttp2Endpoint, startHttp2Router } from "./http2-support.ts";
import { type Peer, type RouterUnderTest, script, startEndpoint, startRouter } from "./support.ts";

const URI = "shop.example.com";
const HOST = `Host: ${URI}\r\n`;
const get = (path: string) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async function start(t: TestContext, limit: string, config: Partial<RouterConfig> = {}) {
  const endpoint = await startEndpoint(t);
  const options = { "concurrency-limit": limit };
  const router = await startRouter(t, { config, routes: [{ uri: URI, ports: [endpoint.port], options }] });
  return { endpoint, router, options };
}

/** A client whose request has come as far as it comes by itself. */
async function send(router: RouterUnderTest, request: string): Promise<Peer> {
  const { counters } = router.router;
  const before = counters.requests;
  const client = await router.connect();
  client.send(request);
  await router.eventually(() => counters.requests === before + 1);
  return client;
}

const routerError = (answer: string) =>
  /^HTTP\/1\.1 503 [^]*\r\nX-Cf-RouterError: (.*)\r\n/.exec(answer)?.[1];

script("the limit is the route's, over all its instances and while they change", async (t) => {
  const [one, two, three] = [await startEndpoint(t), await startEndpoint(t), await startEndpoint(t)];
  const options = { "concurrency-limit": "2" };
  const router = await startRouter(t, { routes: [{ uri: URI, ports: [one.port, two.port], options }] });
  const inside = [await send(router, get("/1")), await send(router, get("/2"))];
  const upstreams = [await one.accept(), await two.accept()];
  // Another instance changes the route, and not what is in flight on it.
  router.map({ uri: URI, ports: [three.port], options });
  const refused = await (await send(router, get("/3"))).message();
  assert.equal(routerError(refused), "concurrency_limit_reached");
  assert.match(
    refused,
    /\r\n\r\n503 Service Unavailable: Requested route \('shop\.example\.com'\) has reached/,
  );
  for (const upstream of upstreams) {
    await upstream.message();
    upstream.send(OK);
  }
  for (const client of inside) await client.message();
  await send(router, get("/4"));
  assert.equal(router.router.counters.activeExchanges, 1);
  assert.equal(router.router.metrics.failures.get("concurrency_limit_reached"), 1);
});

script("who waits has a turn, by client and not by request, and a queue that is full refuses", async (t) => {
  const { endpoint, router } = await start(t, "1, queue 3, wait 10s", { acceptsProxyHeader: true });
  const from = (address: string, path: string) =>
    send(router, `PROXY TCP4 ${address} 10.0.0.1 51842 80\r\n${get(path)}`);
  const first = await from("192.0.2.1", "/first");
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  const greedy = [
    await from("192.0.2.1", "/a1"),
    await from("192.0.2.1", "/a2"),
    await from("192.0.2.1", "/a3"),
  ];
  assert.equal(routerError(await (await from("192.0.2.1", "/a4")).message()), "concurrency_limit_reached");
  // The queue is full, and gives another client the place of the youngest of who has most.
  const other = await from("192.0.2.9", "/b1");
  assert.equal(routerError((await greedy[2]?.message()) ?? ""), "concurrency_limit_reached");
  const served: string[] = [];
  for (const client of [first, greedy[0], other, greedy[1]]) {
    upstream.send(OK);
    assert.match((await client?.message()) ?? "", /^HTTP\/1\.1 200 /);
    if (client !== greedy[1]) served.push(/^GET (\S+) /.exec(await upstream.until("\r\n\r\n"))?.[1] ?? "");
  }
  assert.deepEqual(served, ["/a1", "/b1", "/a2"]);
  assert.equal(router.router.counters.activeExchanges, 0);
});

script("who waits too long is told so, and its connection and its place in the queue are free", async (t) => {
  const { endpoint, router } = await start(t, "1, queue 1, wait 2s");
  const first = await send(router, get("/first"));
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  const late = await send(router, get("/late"));
  router.clock.advance(1_900);
  assert.equal(late.waiting, "");
  router.clock.advance(100);
  const answer = await late.message();
  assert.equal(routerError(answer), "queue_wait_too_long");
  assert.match(answer, /had no room for this request within 2000 ms\.\n$/);
  late.send(get("/again"));
  await router.eventually(() => router.router.counters.activeExchanges === 2);
  upstream.send(OK);
  await first.message();
  assert.match(await upstream.until("\r\n\r\n"), /^GET \/again /);
  // What it had waited before counts no more.
  router.clock.advance(5_000);
  upstream.send(OK);
  assert.match(await late.message(), /^HTTP\/1\.1 200 /);
});

script("a client that leaves gives its place back, in the queue and inside", async (t) => {
  const { endpoint, router } = await start(t, "1, queue 1, wait 10s");
  const { counters } = router.router;
  const first = await send(router, get("/first"));
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  const leaving = await send(router, get("/leaving"));
  leaving.reset();
  await router.eventually(() => counters.activeExchanges === 1);
  const waiting = await send(router, get("/waiting"));
  assert.equal(waiting.waiting, "");
  first.reset();
  const next = await endpoint.accept();
  assert.match(await next.until("\r\n\r\n"), /^GET \/waiting /);
  next.send(OK);
  await waiting.message();
  assert.deepEqual([counters.activeExchanges, counters.attempts], [0, 2]);
});

script("a WebSocket has its place as long as it is open", async (t) => {
  const { endpoint, router } = await start(t, "1");
  const client = await send(
    router,
    `GET /ws HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  );
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  upstream.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  await client.until("\r\n\r\n");
  assert.equal(routerError(await (await send(router, get("/"))).message()), "concurrency_limit_reached");
  client.end();
  upstream.end();
  await client.rest();
  await router.eventually(() => router.router.counters.activeExchanges === 0);
  await send(router, get("/"));
  assert.match(await (await endpoint.accept()).until("\r\n\r\n"), /^GET \/ /);
});

script("many that wait for an app that is gone are refused one after the other", async (t) => {
  const { endpoint, router, options } = await start(t, "1, queue 200, wait 10s");
  const first = await send(router, get("/first"));
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  const waiting: Peer[] = [];
  for (let i = 0; i < 50; i++) waiting.push(await send(router, get(`/${i}`)));
  router.map({ uri: URI, ports: [], options });
  router.unmap({ uri: URI, ports: [endpoint.port] });
  upstream.send(OK);
  await first.message();
  for (const client of waiting) assert.match(await client.message(), /^HTTP\/1\.1 50[23] /);
  assert.equal(router.router.counters.activeExchanges, 0);
});

script("streams of one session wait like connections do", async (t) => {
  const streams: (() => void)[] = [];
  const endpoint = await startHttp2Endpoint(t, (stream) => {
    streams.push(() => {
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
  });
  const router = await startHttp2Router(t, {
    routes: [
      {
        uri: URI,
        ports: [endpoint.port],
        endpoint: { protocol: "http2" },
        options: { "concurrency-limit": "1, queue 1, wait 10s" },
      },
    ],
  });
  if (router === null) return;
  const session = openSession(t, router);
  const first = ask(session);
  await router.eventually(() => streams.length === 1);
  const second = ask(session);
  await router.eventually(() => router.router.counters.activeExchanges === 2);
  const third = await ask(session);
  assert.deepEqual(
    [third.headers[":status"], third.headers["x-cf-routererror"]],
    [503, "concurrency_limit_reached"],
  );
  assert.equal(streams.length, 1);
  streams[0]?.();
  assert.equal((await first).body, "ok");
  await router.eventually(() => streams.length === 2);
  streams[1]?.();
  assert.equal((await second).body, "ok");
});
