import assert from "node:assert/strict";
import { Socket } from "node:net";
import { MAX_ANSWERED_AT_ONCE } from "../../src/router/client-connection.ts";
import { DIALS_PER_TURN } from "../../src/router/connect.ts";
import {
  OWN_RESPONSE_LINES,
  type Peer,
  requestToEndpoint,
  script,
  startEndpoint,
  startRouter,
  withoutVariables,
} from "./support.ts";

const HOST = "Host: shop.example.com\r\n";
const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

script("two requests on one client connection share one connection to the endpoint", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();

  client.send(`GET /a?b=c HTTP/1.1\r\n${HOST}Accept: */*\r\n\r\n`);
  const upstream = await endpoint.accept();
  assert.equal(
    withoutVariables(await upstream.message()),
    requestToEndpoint("GET /a?b=c HTTP/1.1", ["Host: shop.example.com", "Accept: */*"]),
  );
  upstream.send(ANSWER);
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 200 OK\r\nContent-Length: 5\r\n${OWN_RESPONSE_LINES}\r\nhello`,
  );

  client.send(`GET /second HTTP/1.1\r\n${HOST}\r\n`);
  assert.match(await upstream.message(), /^GET \/second HTTP\/1\.1\r\n/);
  upstream.send(ANSWER);
  await client.message();
  assert.equal(endpoint.connections.length, 1);
  assert.deepEqual(router.accessLog(), [
    `shop.example.com - [2026-01-01T00:00:00.000000000Z] "GET /a?b=c HTTP/1.1" 200 0 5 "-" "-" "<address>" "<address>" x_forwarded_for:"127.0.0.1" x_forwarded_proto:"http" vcap_request_id:"<id>" response_time:<s> gorouter_time:<s> app_id:"11111111-2222-3333-4444-555555555555" app_index:"0" instance_id:"instance-0" x_cf_routererror:"-"`,
    `shop.example.com - [2026-01-01T00:00:00.000000000Z] "GET /second HTTP/1.1" 200 0 5 "-" "-" "<address>" "<address>" x_forwarded_for:"127.0.0.1" x_forwarded_proto:"http" vcap_request_id:"<id>" response_time:<s> gorouter_time:<s> app_id:"11111111-2222-3333-4444-555555555555" app_index:"0" instance_id:"instance-0" x_cf_routererror:"-"`,
  ]);
});

script("pipelined requests are answered in order, errors among them", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(
    `GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n` +
      `POST /3 HTTP/1.1\r\n${HOST}Content-Length: 3\r\n\r\nabcGET /4 HTTP/1.1\r\n${HOST}\r\n`,
  );
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /^GET \/1 /);
  assert.equal(upstream.waiting, "", "the next request waits for the answer to the one before it");
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
  assert.match(await upstream.message(), /^POST \/3 [^]*\r\n\r\nabc$/);
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3");
  assert.match(await upstream.message(), /^GET \/4 /);
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n4");
  assert.match(await client.message(), /\r\n\r\n1$/);
  assert.match(await client.message(), /^HTTP\/1\.1 404 Not Found\r\n/);
  assert.match(await client.message(), /\r\n\r\n3$/);
  assert.match(await client.message(), /\r\n\r\n4$/);
});

script("a thousand pipelined errors neither overflow the stack nor change order", async (t) => {
  const router = await startRouter(t);
  const client = await router.connect();
  const count = 1_000;
  client.send(
    Array.from({ length: count }, (_, i) => `GET / HTTP/1.1\r\nHost: h${i}.example.com\r\n\r\n`).join(""),
  );
  for (let i = 0; i < count; i++) assert.ok((await client.message()).includes(`('h${i}.example.com')`));
});

script(
  "of a thousand pipelined errors few are answered in a turn, and others are served between",
  async (t) => {
    const router = await startRouter(t);
    const [flood, other] = [await router.connect(), await router.connect()];
    const { counters } = router.router;
    flood.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000));
    await router.eventually(() => counters.requests > 0);
    other.send("GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n");
    let most = 0;
    let last = counters.requests;
    await router.eventually(() => {
      most = Math.max(most, counters.requests - last);
      last = counters.requests;
      return other.waiting !== "";
    });
    assert.ok(last < 1_001, "the other one's answer came before the flood was over");
    assert.ok(most <= MAX_ANSWERED_AT_ONCE + 1, `${most} in one turn`);
    await router.eventually(() => counters.requests === 1_001);
  },
);

script("a client that ends its side behind many pipelined errors gets all their answers", async (t) => {
  const router = await startRouter(t);
  const client = await router.connect();
  client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000));
  client.end();
  assert.equal((await client.rest()).match(/HTTP\/1\.1 404 /g)?.length, 1_000);
});

script("a client of HTTP/1.0 is answered in HTTP/1.0 and the connection is closed", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(`GET / HTTP/1.0\r\n${HOST}\r\n`);
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /^GET \/ HTTP\/1\.1\r\n/);
  // Chunked framing is unknown in HTTP/1.0: the client gets the bare data, ended by the close.
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  assert.equal(withoutVariables(await client.rest()), `HTTP/1.0 200 OK\r\n${OWN_RESPONSE_LINES}\r\nhello`);
});

script("a client of HTTP/1.0 that asks for keep-alive gets it", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  for (const path of ["/1", "/2"]) {
    client.send(`GET ${path} HTTP/1.0\r\n${HOST}Connection: keep-alive\r\n\r\n`);
    const upstream = endpoint.connections[0] ?? (await endpoint.accept());
    await upstream.message();
    upstream.send(ANSWER);
    assert.equal(
      withoutVariables(await client.message()),
      `HTTP/1.0 200 OK\r\nContent-Length: 5\r\n${OWN_RESPONSE_LINES}Connection: keep-alive\r\n\r\nhello`,
    );
  }
});

script("Connection: close from the client ends the client side only", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(`GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
  const upstream = await endpoint.accept();
  assert.doesNotMatch(await upstream.message(), /connection/i);
  upstream.send(ANSWER);
  assert.match(await client.rest(), /\r\nConnection: close\r\n\r\nhello$/);
  assert.equal(router.router.counters.idleUpstreamConnections, 1);
});

for (const { answer, method, what } of [
  { method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", what: "an answer to HEAD" },
  { method: "GET", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n", what: "a 304" },
  { method: "GET", answer: "HTTP/1.1 204 No Content\r\n\r\n", what: "a 204" },
]) {
  script(`${what} has no body, and the connections live on`, async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
    const client = await router.connect();
    for (let i = 0; i < 2; i++) {
      client.send(`${method} / HTTP/1.1\r\n${HOST}\r\n`);
      const upstream = endpoint.connections[0] ?? (await endpoint.accept());
      await upstream.until("\r\n\r\n");
      upstream.send(answer);
      assert.equal(
        withoutVariables(await client.until("\r\n\r\n")),
        `${answer.slice(0, -2)}${OWN_RESPONSE_LINES}\r\n`,
      );
    }
    assert.equal(endpoint.connections.length, 1);
  });
}

script("bytes behind an answer never become the answer to the next request", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(`GET /1 HTTP/1.1\r\n${HOST}\r\n`);
  const first = await endpoint.accept();
  await first.message();
  first.send(`${ANSWER}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`);
  assert.match(await client.message(), /hello$/);
  await first.rest();
  client.send(`GET /2 HTTP/1.1\r\n${HOST}\r\n`);
  const second = await endpoint.accept();
  await second.message();
  second.send(ANSWER);
  assert.match(await client.message(), /hello$/);
});

script("a client that pipelines and does not read is not answered into our memory", async (t) => {
  const router = await startRouter(t);
  const client = await router.connect();
  client.socket.pause();
  const block = "GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n".repeat(1_000);
  const blocks = 100;
  let sent = 0;
  const sendMore = () => {
    while (sent < blocks) {
      sent++;
      if (!client.socket.write(block)) return;
    }
  };
  client.socket.on("drain", sendMore);
  sendMore();
  let quiet = 0;
  for (let last = -1; quiet < 200; ) {
    quiet = router.router.counters.requests === last ? quiet + 1 : 0;
    last = router.router.counters.requests;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(router.router.counters.requests < (blocks * 1_000) / 2, String(router.router.counters.requests));
  client.socket.resume();
  await router.eventually(() => router.router.counters.requests === blocks * 1_000);
});

script("pipelined requests of a client that ended its side are all answered", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(`GET /1 HTTP/1.1\r\n${HOST}\r\nGET /2 HTTP/1.1\r\n${HOST}\r\n`);
  client.end();
  const upstream = await endpoint.accept();
  for (const path of ["/1", "/2"]) {
    assert.ok((await upstream.message()).startsWith(`GET ${path} `));
    upstream.send(ANSWER);
  }
  assert.equal((await client.rest()).match(/hello/g)?.length, 2);
});

script("of many requests that need a new connection at the same moment few get one in a turn", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const clients = await Promise.all(Array.from({ length: 60 }, () => router.connect()));
  await router.eventually(() => router.router.counters.activeConnections === clients.length);
  const dialed: number[] = [];
  let inTurn = 0;
  // Of those here only the router connects from now on.
  const { connect } = Socket.prototype;
  t.mock.method(Socket.prototype, "connect", function (this: Socket, ...given: Parameters<typeof connect>) {
    if (inTurn++ === 0) {
      setImmediate(() => {
        dialed.push(inTurn);
        inTurn = 0;
      });
    }
    return connect.apply(this, given);
  });
  for (const client of clients) client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  // Without an answer none of them becomes free for another request.
  const upstreams: Peer[] = [];
  while (upstreams.length < clients.length) upstreams.push(await endpoint.accept());
  for (const upstream of upstreams) upstream.send(ANSWER);
  for (const client of clients) assert.match(await client.message(), /hello$/);
  // As many as come first, and as many whose turn it is.
  assert.ok(Math.max(...dialed) <= 2 * DIALS_PER_TURN, dialed.join(" "));
});
