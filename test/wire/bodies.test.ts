import assert from "node:assert/strict";
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

async function start(t: Parameters<typeof startRouter>[0]) {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  return { endpoint, router, client: await router.connect() };
}

script(
  "chunked bodies pass both ways with their trailers, without extensions, small chunks together",
  async (t) => {
    const { endpoint, router, client } = await start(t);
    client.send(
      `POST /up HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\nTE: trailers\r\n\r\n` +
        "5;name=value\r\nhello\r\n00b\r\n, wonderful\r\n0\r\nX-Sum: 16\r\n\r\n",
    );
    const upstream = await endpoint.accept();
    assert.equal(
      withoutVariables(await upstream.until("X-Sum: 16\r\n\r\n")),
      `${requestToEndpoint("POST /up HTTP/1.1", ["Host: shop.example.com", "Trailer: X-Sum"], ["Transfer-Encoding: chunked", "TE: trailers"])}` +
        "10\r\nhello, wonderful\r\n0\r\nX-Sum: 16\r\n\r\n",
    );
    upstream.send(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Len\r\n\r\n3;x\r\nabc\r\n0\r\nX-Len: 3\r\n\r\n",
    );
    assert.equal(
      withoutVariables(await client.until("X-Len: 3\r\n\r\n")),
      `HTTP/1.1 200 OK\r\nTrailer: X-Len\r\n${OWN_RESPONSE_LINES}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Len: 3\r\n\r\n`,
    );
    assert.match(router.accessLog()[0] ?? "", /"POST \/up HTTP\/1\.1" 200 16 3 /);
  },
);

/** Around all lengths from which on a body goes another way. */
const LENGTHS = [1, 1_023, 1_025, 2_000, 4_100, 9_000, 16_300, 16_385, 40_000];
const bytesOfLength = (length: number) =>
  Array.from({ length }, (_, i) => String.fromCharCode((i * 7 + length) % 256)).join("");

script(
  "bodies of any length pass both ways byte for byte, and what is behind them stays behind them",
  async (t) => {
    const { endpoint, client } = await start(t);
    let upstream: Peer | null = null;
    for (const length of LENGTHS) {
      const body = bytesOfLength(length);
      client.send(`PUT /${length} HTTP/1.1\r\n${HOST}Content-Length: ${length}\r\n\r\n${body}`);
      client.send(`GET /next HTTP/1.1\r\n${HOST}\r\n`);
      upstream ??= await endpoint.accept();
      assert.ok((await upstream.message()).endsWith(`\r\n\r\n${body}`), `${length} up`);
      upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n${body}`);
      assert.ok((await client.message()).endsWith(`\r\n\r\n${body}`), `${length} down`);
      assert.match(await upstream.message(), /^GET \/next /);
      upstream.send("HTTP/1.1 204 No Content\r\n\r\n");
      assert.match(await client.message(), /^HTTP\/1\.1 204 /);
    }
  },
);

script(
  "a chunk that is malformed behind good ones of the same read is still answered as an error",
  async (t) => {
    const { endpoint, client } = await start(t);
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
    const upstream = await endpoint.accept();
    await upstream.message();
    const good = bytesOfLength(2_000);
    upstream.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n${good}\r\nno size\r\n`);
    assert.match(await client.message(), /^HTTP\/1\.1 502 /);
  },
);

script("a chunk is relayed when it arrives, not when the body is complete", async (t) => {
  const { endpoint, client } = await start(t);
  client.send(`GET /events HTTP/1.1\r\n${HOST}\r\n`);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  await client.until("\r\n\r\n");
  for (const event of ["data: 1\n\n", "data: 2\n\n"]) {
    upstream.send(`9\r\n${event}\r\n`);
    assert.equal(await client.until("\n\n\r\n"), `9\r\n${event}\r\n`);
  }
});

script("a body that comes in pieces is passed on in pieces, before the request is complete", async (t) => {
  const { endpoint, client } = await start(t);
  client.send(`PUT /file HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n`);
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  client.send("01234");
  assert.equal(await upstream.bytes(5), "01234");
  client.send("56789");
  assert.equal(await upstream.bytes(5), "56789");
  upstream.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  assert.match(await client.message(), /^HTTP\/1\.1 201 Created\r\n/);
});

script(
  "an answer that ends with the connection becomes chunked, so that the client side lives on",
  async (t) => {
    const { endpoint, client } = await start(t);
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send("HTTP/1.0 200 OK\r\n\r\nold ");
    upstream.send("server");
    upstream.end();
    assert.match(await client.until("\r\n0\r\n\r\n"), /\r\nTransfer-Encoding: chunked\r\n\r\n[^]*server/);
    client.send(`GET /next HTTP/1.1\r\n${HOST}\r\n`);
    assert.match(await (await endpoint.accept()).message(), /^GET \/next /);
  },
);

script("an answer cut short is cut short for the client too", async (t) => {
  const { endpoint, client, router } = await start(t);
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  await client.until("hello\r\n");
  upstream.end();
  assert.equal(await client.rest(), "", "no last chunk: the body must not look complete");
  assert.equal(router.router.lastVerdicts()[0]?.errorCode, "endpoint_closed");
});

script("Expect: 100-continue is forwarded and the endpoint's interim answer relayed", async (t) => {
  const { endpoint, client } = await start(t);
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`);
  const upstream = await endpoint.accept();
  assert.match(await upstream.until("\r\n\r\n"), /\r\nExpect: 100-continue\r\n[^]*\r\nConnection: close\r\n/);
  upstream.send("HTTP/1.1 100 Continue\r\n\r\n");
  assert.equal(await client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  assert.equal(await upstream.bytes(4), "body");
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert.match(await client.message(), /^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
});

script("an endpoint that says nothing to an Expect lets the client send after a second", async (t) => {
  const { endpoint, client, router } = await start(t);
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`);
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  router.clock.advance(900);
  router.clock.advance(200);
  assert.equal(await client.until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  assert.equal(await upstream.bytes(4), "body");
  upstream.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  assert.match(await client.message(), /^HTTP\/1\.1 200 OK\r\n/, "the late interim answer is not said twice");
});

script(
  "a final answer to an Expect ends the connection, because nobody knows whether the body follows",
  async (t) => {
    const { endpoint, client } = await start(t);
    client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nExpect: 100-continue\r\n\r\n`);
    const upstream = await endpoint.accept();
    await upstream.until("\r\n\r\n");
    upstream.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    assert.match(await client.rest(), /^HTTP\/1\.1 401 Unauthorized\r\n[^]*\r\nConnection: close\r\n\r\n$/);
  },
);

script("other interim answers are relayed, but never to a client of HTTP/1.0", async (t) => {
  const { endpoint, router } = await start(t);
  for (const { version, want } of [
    { version: "1.1", want: /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\n\r\nHTTP\/1\.1 200 OK/ },
    { version: "1.0", want: /^HTTP\/1\.0 200 OK/ },
  ]) {
    const client = await router.connect();
    client.send(`GET / HTTP/${version}\r\n${HOST}Connection: close\r\n\r\n`);
    const upstream = endpoint.connections[0] ?? (await endpoint.accept());
    await upstream.message();
    upstream.send(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    );
    assert.match(await client.rest(), want);
  }
});

script("a client that reads slowly stops the endpoint instead of filling our memory", async (t) => {
  const { endpoint, client, router } = await start(t);
  const total = 64 * 1024 * 1024;
  client.send(`GET /big HTTP/1.1\r\n${HOST}\r\n`);
  const upstream = await endpoint.accept();
  await upstream.message();
  client.socket.pause();
  upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
  const block = Buffer.alloc(1024 * 1024, "x");
  // Until the pipe is full: both kernels' buffers and ours, and then nothing moves.
  let written = 0;
  const writeMore = () => {
    while (written < total) {
      written += block.length;
      if (!upstream.socket.write(block)) return;
    }
  };
  upstream.socket.on("drain", writeMore);
  writeMore();
  const before = process.memoryUsage().arrayBuffers;
  let quiet = 0;
  for (let last = -1; quiet < 200; ) {
    quiet = upstream.socket.bytesWritten - upstream.socket.writableLength === last ? quiet + 1 : 0;
    last = upstream.socket.bytesWritten - upstream.socket.writableLength;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(
    upstream.socket.bytesWritten < total / 2,
    `${upstream.socket.bytesWritten} bytes went into the void`,
  );
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 * 1024 * 1024);
  let received = 0;
  client.socket.removeAllListeners("data");
  client.socket.on("data", (chunk: Buffer) => void (received += chunk.length));
  client.socket.resume();
  await router.eventually(() => received >= total);
  assert.equal(router.router.counters.responses2xx, 1);
});

script("an endpoint that reads slowly stops the client", async (t) => {
  const { endpoint, client, router } = await start(t);
  const total = 64 * 1024 * 1024;
  client.send(`PUT /big HTTP/1.1\r\n${HOST}Content-Length: ${total}\r\n\r\n`);
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  upstream.socket.pause();
  const block = Buffer.alloc(1024 * 1024, "x");
  let written = 0;
  const writeMore = () => {
    while (written < total) {
      written += block.length;
      if (!client.socket.write(block)) return;
    }
  };
  client.socket.on("drain", writeMore);
  writeMore();
  for (let last = -1, quiet = 0; quiet < 200; ) {
    quiet = client.socket.bytesWritten - client.socket.writableLength === last ? quiet + 1 : 0;
    last = client.socket.bytesWritten - client.socket.writableLength;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(client.socket.bytesWritten < total / 2, `${client.socket.bytesWritten} bytes went into the void`);
  let received = 0;
  upstream.socket.removeAllListeners("data");
  upstream.socket.on("data", (chunk: Buffer) => void (received += chunk.length));
  upstream.socket.resume();
  await router.eventually(() => received >= total);
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  assert.match(await client.message(), /^HTTP\/1\.1 200 OK/);
});

script("a short body after an early answer is skipped, and the connection lives on", async (t) => {
  const { client } = await start(t);
  client.send("POST / HTTP/1.1\r\nHost: nobody.example.com\r\nContent-Length: 10\r\n\r\n01234");
  assert.match(await client.message(), /^HTTP\/1\.1 404 /);
  client.send(`56789GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n`);
  assert.match(await client.message(), /^HTTP\/1\.1 404 /);
});

script("a long body after an early answer ends the connection, and the answer still arrives", async (t) => {
  const { client } = await start(t);
  client.send("POST / HTTP/1.1\r\nHost: nobody.example.com\r\nContent-Length: 100000000\r\n\r\n");
  client.send(Buffer.alloc(200_000));
  assert.match(await client.rest(), /^HTTP\/1\.1 404 [^]*\r\nConnection: close\r\n/);
});

script("an answer before the request is complete reaches the client at once", async (t) => {
  const { endpoint, client } = await start(t);
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nvwxyz`);
  const upstream = await endpoint.accept();
  await upstream.until("vwxyz");
  upstream.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
  assert.match(await client.message(), /^HTTP\/1\.1 413 [^]*no$/);
  // Our side of that connection is in the middle of a body: it must not carry another request.
  assert.equal(await upstream.rest(), "");
});

script("an endless row of interim answers is a malformed answer", async (t) => {
  const { endpoint, client } = await start(t);
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100));
  assert.match(
    await client.until("failed to handle the request.\n"),
    /HTTP\/1\.1 502 [^]*too many interim answers/,
  );
});

script(
  "an answer that only the close would have ended is reset when it breaks, for a client of HTTP/1.0",
  async (t) => {
    const { endpoint, client } = await start(t);
    client.send(`GET / HTTP/1.0\r\n${HOST}\r\n`);
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    await client.until("hello");
    const failed = new Promise<NodeJS.ErrnoException>((resolve) => client.socket.once("error", resolve));
    upstream.end();
    assert.equal((await failed).code, "ECONNRESET");
  },
);
