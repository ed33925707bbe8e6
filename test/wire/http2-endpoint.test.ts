/** Endpoints that are registered for HTTP/2, behind clients of either protocol. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServerHttp2Stream } from "node:http2";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import type { RouterConfig } from "../../src/router/index.ts";
import { ask, HOST, openSession, startHttp2Endpoint, startHttp2Router } from "./http2-support.ts";
import { script, startEndpoint, startRouter } from "./support.ts";

const GET = `GET /a?b HTTP/1.1\r\nHost: ${HOST}\r\n`;
const HTTP2 = { protocol: "http2" } as const;

/** A router with an h2c endpoint, and a client of HTTP/1.1. */
async function start(
  t: TestContext,
  onStream: Parameters<typeof startHttp2Endpoint>[1],
  config: Partial<RouterConfig> = {},
) {
  const endpoint = await startHttp2Endpoint(t, onStream);
  const router = await startRouter(t, {
    config,
    routes: [{ uri: HOST, ports: [endpoint.port], endpoint: HTTP2 }],
  });
  return { endpoint, router, client: await router.connect() };
}

const answerOk = (stream: ServerHttp2Stream) => {
  stream.respond({ ":status": 200, "content-length": "2" });
  stream.end("ok");
};

script(
  "a plain endpoint is spoken to with prior knowledge, and sees what one of HTTP/1.1 would",
  async (t) => {
    let seen: Record<string, unknown> = {};
    const { client, router } = await start(t, (stream, headers) => {
      seen = headers;
      answerOk(stream);
    });
    client.send(
      `${GET}Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers, gzip\r\nX-Own: yes\r\n\r\n`,
    );
    assert.match(await client.message(), /^HTTP\/1\.1 200 OK\r\n[^]*content-length: 2\r\n[^]*ok$/);
    assert.deepEqual(
      [
        ":method",
        ":path",
        ":scheme",
        ":authority",
        "x-own",
        "te",
        "x-hop",
        "connection",
        "host",
        "x-cf-instanceid",
      ].map((name) => seen[name]),
      ["GET", "/a?b", "http", HOST, "yes", "trailers", undefined, undefined, undefined, "instance-0"],
    );
    assert.match(router.accessLog()[0] ?? "", /"GET \/a\?b HTTP\/1\.1" 200 0 2 /);
  },
);

script("many exchanges share one session", async (t) => {
  const waiting: ServerHttp2Stream[] = [];
  const { endpoint, router } = await start(t, (stream) => void waiting.push(stream));
  const clients = await Promise.all(Array.from({ length: 20 }, () => router.connect()));
  for (const client of clients) client.send(`${GET}\r\n`);
  await router.eventually(() => waiting.length === 20);
  assert.equal(endpoint.sessions.length, 1);
  for (const stream of waiting) answerOk(stream);
  for (const client of clients) assert.match(await client.message(), /ok$/);
  assert.equal(router.router.counters.idleUpstreamConnections, 1);
});

script("an endpoint that takes few streams at once gets more sessions, and no request is lost", async (t) => {
  const waiting: ServerHttp2Stream[] = [];
  const { endpoint, router } = await start(t, (stream) => void waiting.push(stream));
  endpoint.server.updateSettings({ maxConcurrentStreams: 5 });
  const clients = await Promise.all(Array.from({ length: 23 }, () => router.connect()));
  for (const client of clients) client.send(`${GET}\r\n`);
  await router.eventually(() => waiting.length === 23);
  assert.equal(endpoint.sessions.length, 5);
  for (const stream of waiting) answerOk(stream);
  for (const client of clients) assert.match(await client.message(), /^HTTP\/1\.1 200 [^]*ok$/);
});

for (const { name, send, want } of [
  {
    name: "an answer without a length is chunked, with its trailers",
    send: (stream: ServerHttp2Stream) => {
      stream.respond({ ":status": 200, trailer: "x-sum" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1" }));
      stream.end("abc");
    },
    want: /^HTTP\/1\.1 200 OK\r\n[^]*trailer: x-sum\r\n[^]*Transfer-Encoding: chunked\r\n[^]*3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n$/,
  },
  {
    name: "an answer that is only a head has an empty body",
    send: (stream: ServerHttp2Stream) => stream.respond({ ":status": 404 }, { endStream: true }),
    want: /^HTTP\/1\.1 404 Not Found\r\n[^]*content-length: 0\r\n[^]*\r\n\r\n$/,
  },
  {
    name: "a 204 has no body and no length",
    send: (stream: ServerHttp2Stream) => stream.respond({ ":status": 204 }, { endStream: true }),
    want: /^HTTP\/1\.1 204 No Content\r\n(?![^]*length)[^]*\r\n\r\n$/,
  },
  {
    name: "an interim answer comes first",
    send: (stream: ServerHttp2Stream) => {
      stream.additionalHeaders({ ":status": 103, link: "</a>" });
      answerOk(stream);
    },
    want: /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a>\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*ok$/,
  },
] as const) {
  script(`towards a client of HTTP/1.1 ${name}`, async (t) => {
    const { client } = await start(t, send);
    client.send(`${GET}Connection: close\r\n\r\n`);
    const answer = await client.rest();
    assert.match(answer.replace("Connection: close\r\n", ""), want);
  });
}

script("a body goes on as it is, whether it has a length or chunks and trailers", async (t) => {
  const bodies: string[] = [];
  const { client } = await start(t, (stream, headers) => {
    let body = `${headers["content-length"] ?? "-"} `;
    stream.on("data", (chunk: Buffer) => (body += chunk.toString()));
    stream.on("trailers", (trailers) => (body += ` ${trailers["x-sum"]}`));
    stream.on("end", () => {
      bodies.push(body);
      answerOk(stream);
    });
  });
  client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\n\r\nhello`);
  assert.match(await client.message(), /ok$/);
  client.send(
    `POST / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 9\r\n\r\n`,
  );
  assert.match(await client.message(), /ok$/);
  assert.deepEqual(bodies, ["5 hello", "- abcde 9"]);
});

script("HEAD gets the length of what it does not get", async (t) => {
  const { client } = await start(t, (stream) =>
    stream.respond({ ":status": 200, "content-length": "9" }, { endStream: true }),
  );
  client.send(`HEAD / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  assert.match(await client.rest(), /^HTTP\/1\.1 200 OK\r\n[^]*content-length: 9\r\n[^]*\r\n\r\n$/);
});

script("a client that goes away resets its stream and leaves the session to the others", async (t) => {
  const closed: number[] = [];
  const waiting: ServerHttp2Stream[] = [];
  const { endpoint, router, client } = await start(t, (stream) => {
    waiting.push(stream);
    stream.on("close", () => closed.push(stream.rstCode));
  });
  const other = await router.connect();
  client.send(`${GET}\r\n`);
  await router.eventually(() => waiting.length === 1);
  other.send(`${GET}\r\n`);
  await router.eventually(() => waiting.length === 2);
  client.reset();
  await router.eventually(() => closed.length === 1);
  assert.deepEqual(closed, [8]);
  answerOk(waiting[1] as ServerHttp2Stream);
  assert.match(await other.message(), /ok$/);
  assert.equal(endpoint.sessions.length, 1);
});

for (const { name, code, isRetried } of [
  {
    name: "a stream that the endpoint refused is tried again, whatever its method",
    code: 7,
    isRetried: true,
  },
  { name: "a stream that the endpoint reset is not", code: 2, isRetried: false },
]) {
  script(name, async (t) => {
    let asked = 0;
    const { client, router } = await start(t, (stream) => {
      if (++asked === 1) stream.close(code);
      else answerOk(stream);
    });
    client.send(`DELETE /a HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    const answer = await client.message();
    if (isRetried) assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    else assert.match(answer, /^HTTP\/1\.1 502 [^]*stream error: stream ID 1; error code 2; received from/);
    assert.equal(asked, isRetried ? 2 : 1);
    assert.equal(
      router.log.some(({ marked }) => marked === true),
      false,
    );
  });
}

script("GOAWAY lets streams in flight finish, and the next exchange dials anew", async (t) => {
  const waiting: ServerHttp2Stream[] = [];
  const { endpoint, router, client } = await start(t, (stream) => void waiting.push(stream));
  client.send(`${GET}\r\n`);
  await router.eventually(() => waiting.length === 1);
  endpoint.sessions[0]?.goaway(0, 1);
  const other = await router.connect();
  await router.eventually(() => {
    if (other.socket.bytesWritten === 0) other.send(`${GET}\r\n`);
    return waiting.length === 2;
  });
  for (const stream of waiting) answerOk(stream);
  assert.match(await client.message(), /ok$/);
  assert.match(await other.message(), /ok$/);
});

script("a session that dies between exchanges costs a client nothing", async (t) => {
  const { endpoint, router, client } = await start(t, answerOk);
  client.send(`${GET}\r\n`);
  await client.message();
  endpoint.sessions[0]?.destroy();
  await router.eventually(() => router.router.counters.idleUpstreamConnections === 0);
  client.send(`${GET}\r\n`);
  assert.match(await client.message(), /^HTTP\/1\.1 200 /);
});

script(
  "a session that dies under requests fails those that cannot be repeated, and repeats the others",
  async (t) => {
    const waiting: ServerHttp2Stream[] = [];
    let isAnswering = false;
    const { endpoint, router } = await start(t, (stream) => {
      if (isAnswering) answerOk(stream);
      else waiting.push(stream);
    });
    const warm = await router.connect();
    isAnswering = true;
    warm.send(`${GET}\r\n`);
    await warm.message();
    isAnswering = false;
    const [get, post] = [await router.connect(), await router.connect()];
    get.send(`${GET}\r\n`);
    post.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 2\r\n\r\nhi`);
    await router.eventually(() => waiting.length === 2);
    isAnswering = true;
    endpoint.sessions[0]?.destroy();
    assert.match(await get.message(), /^HTTP\/1\.1 200 /);
    assert.match(await post.message(), /^HTTP\/1\.1 502 /);
    assert.equal(endpoint.sessions.length, 2, "those that are tried again share a session");
  },
);

script("an idle session is closed after idle_timeout, and when its endpoint leaves", async (t) => {
  const { endpoint, router, client } = await start(t, answerOk, { idleConnectionTimeoutMs: 5_000 });
  client.send(`${GET}\r\n`);
  await client.message();
  const [first] = endpoint.sessions;
  assert.ok(first);
  const isClosed = once(first, "close");
  router.clock.advance(5_100);
  await isClosed;
  client.send(`${GET}\r\n`);
  await client.message();
  const [, second] = endpoint.sessions;
  assert.ok(second);
  const isClosedToo = once(second, "close");
  router.unmap({ uri: HOST, ports: [endpoint.port], endpoint: HTTP2 });
  await isClosedToo;
  assert.equal(router.router.counters.idleUpstreamConnections, 0);
});

script("without keep-alive every exchange has a session of its own", async (t) => {
  const { endpoint, router, client } = await start(t, answerOk, { keepAliveToEndpoints: false });
  const other = await router.connect();
  client.send(`${GET}\r\n`);
  other.send(`${GET}\r\n`);
  await client.message();
  await other.message();
  assert.equal(endpoint.sessions.length, 2);
  await router.eventually(() => endpoint.sessions.every((session) => session.closed));
});

script("an endpoint that does not speak HTTP/2 is asked for nothing and is 502", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [{ uri: HOST, ports: [endpoint.port], endpoint: HTTP2 }],
  });
  const client = await router.connect();
  client.send(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 2\r\n\r\nhi`);
  const upstream = await endpoint.accept();
  assert.match(await upstream.until("SM\r\n\r\n"), /^PRI \* HTTP\/2\.0/);
  upstream.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  assert.match(
    await client.message(),
    /^HTTP\/1\.1 502 [^]*endpoint_failure \(127\.0\.0\.1:\d+ is registered for HTTP\/2 but does not speak it/,
  );
  assert.ok(!upstream.waiting.includes("hi"));
});

script("an endpoint that accepts and says nothing is 502 after the dial timeout", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { endpointDialTimeoutMs: 3_000, tlsHandshakeTimeoutMs: 3_000 },
    routes: [{ uri: HOST, ports: [endpoint.port], endpoint: HTTP2 }],
  });
  const client = await router.connect();
  client.send(`${GET}\r\n`);
  const upstream = await endpoint.accept();
  await upstream.until("SM\r\n\r\n");
  router.clock.advance(3_100);
  assert.match(await client.message(), /^HTTP\/1\.1 502 [^]*i\/o timeout/);
});

script("a session on which an unanswered request was given up gets no further ones", async (t) => {
  const waiting: ServerHttp2Stream[] = [];
  const { endpoint, router, client } = await start(t, (stream) => void waiting.push(stream), {
    endpointTimeoutMs: 3_000,
  });
  client.send(`${GET}\r\n`);
  await router.eventually(() => waiting.length === 1);
  router.clock.advance(3_100);
  assert.match(await client.message(), /^HTTP\/1\.1 502 /);
  client.send(`${GET}\r\n`);
  await router.eventually(() => waiting.length === 2);
  assert.equal(endpoint.sessions.length, 2);
  answerOk(waiting[1] as ServerHttp2Stream);
  assert.match(await client.message(), /ok$/);
});

script("a WebSocket is asked for in HTTP/1.1, also at an endpoint of HTTP/2", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [{ uri: HOST, ports: [endpoint.port], endpoint: HTTP2 }],
  });
  const client = await router.connect();
  client.send(`GET /ws HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /^GET \/ws HTTP\/1\.1\r\n/);
});

script("enable_http2: false speaks HTTP/1.1 with all endpoints", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { enablesHttp2: false },
    routes: [{ uri: HOST, ports: [endpoint.port], endpoint: HTTP2 }],
  });
  const client = await router.connect();
  client.send(`${GET}\r\n`);
  assert.match(await (await endpoint.accept()).message(), /^GET \/a\?b HTTP\/1\.1\r\n/);
});

// === TLS ===

script(
  "an endpoint on TLS is spoken to in the protocol that it agreed to, under the name it was registered with",
  async (t) => {
    const router = await startHttp2Router(t);
    if (router === null) return;
    const tls = { authority: router.authority, name: "instance-guid" };
    const endpoint = await startHttp2Endpoint(t, answerOk, tls);
    const onTls = { ...HTTP2, tls: true, serverCertDomainSan: "instance-guid" };
    router.map({ uri: HOST, ports: [endpoint.port], endpoint: onTls });
    const session = openSession(t, router);
    assert.equal((await ask(session)).body, "ok");
    assert.equal((await ask(session)).body, "ok");
    assert.equal(endpoint.sessions.length, 1);
    assert.equal(endpoint.sessions[0]?.alpnProtocol, "h2");
    router.map({
      uri: "other.example.com",
      ports: [endpoint.port],
      endpoint: { ...onTls, serverCertDomainSan: "stranger" },
    });
    const answer = await ask(session, { ":authority": "other.example.com" });
    assert.equal(answer.headers[":status"], 503);
  },
);

for (const protocols of [["http/1.1"], []]) {
  script(
    `an endpoint on TLS that offers ${protocols[0] ?? "no protocol"} is a failed handshake`,
    async (t) => {
      const router = await startHttp2Router(t);
      if (router === null) return;
      const pair = router.authority.issue({ subject: "/CN=instance", alternativeNames: "DNS:instance-guid" });
      const accepted: TLSSocket[] = [];
      const server = createTlsServer(
        {
          cert: pair.certificate,
          key: pair.key,
          ...(protocols.length === 0 ? {} : { ALPNProtocols: protocols }),
        },
        (socket) => accepted.push(socket.on("error", () => {})),
      );
      server.on("tlsClientError", () => {});
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      t.after(() => {
        server.close();
        for (const socket of accepted) socket.destroy();
      });
      const { port } = server.address() as AddressInfo;
      router.map({
        uri: HOST,
        ports: [port],
        endpoint: { ...HTTP2, tls: true, serverCertDomainSan: "instance-guid" },
      });
      const answer = await ask(openSession(t, router));
      assert.equal(answer.headers[":status"], 525);
      assert.equal(answer.body, "525 SSL Handshake Failed\n");
    },
  );
}

script("HTTP/2 on both sides: large bodies, a slow client, and bounded memory", async (t) => {
  const router = await startHttp2Router(t);
  if (router === null) return;
  const total = 32 * 1024 * 1024;
  let written = 0;
  const endpoint = await startHttp2Endpoint(t, (stream, headers) => {
    if (headers[":path"] !== "/large") {
      stream.respond({ ":status": 200 });
      stream.pipe(stream);
      return;
    }
    // Node ends a stream without END_STREAM at times, by a reset that says there was no error.
    stream.respond({ ":status": 200, "content-length": String(total) });
    const piece = Buffer.alloc(64 * 1024);
    const more = () => {
      while (written < total) {
        written += piece.length;
        if (!stream.write(piece)) return void stream.once("drain", more);
      }
      stream.end();
    };
    more();
  });
  router.map({ uri: HOST, ports: [endpoint.port], endpoint: HTTP2 });
  const session = openSession(t, router);
  const slow = session.request({ ":authority": HOST, ":path": "/large" });
  slow.pause();
  await once(slow, "response");
  // Meanwhile others come and go.
  const body = Buffer.alloc(1024 * 1024, "0123456789abcdef").toString("latin1");
  for (let i = 0; i < 3; i++) {
    assert.ok((await ask(session, { ":method": "POST" }, body)).body === body);
  }
  assert.ok(written < 8 * 1024 * 1024, `${written} bytes were taken for a client that reads none`);
  let received = 0;
  slow.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
  await once(slow, "close");
  assert.equal(received, total);
});
