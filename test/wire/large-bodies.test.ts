/** Bodies of some MiB, which pass piece by piece: none may be lost, doubled or overtaken, whoever is slow or goes. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type Peer, script, startEndpoint, startRouter } from "./support.ts";

const HOST = "Host: shop.example.com\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/** Every eight bytes are another number, so that no piece is like another one. */
const BODY = Buffer.from(Array.from({ length: 300_000 }, (_, i) => String(i).padStart(8, "0")).join(""));
const LENGTH = `Content-Length: ${BODY.length}\r\n\r\n`;
const CHUNKED = "Transfer-Encoding: chunked\r\n\r\n";

async function start(t: Parameters<typeof startRouter>[0]) {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  return { endpoint, router, client: await router.connect() };
}

/** In chunks as they come from many servers. */
function chunked(): Buffer {
  const pieces: (Buffer | string)[] = [];
  for (let at = 0; at < BODY.length; at += 150_000) {
    const piece = BODY.subarray(at, at + 150_000);
    pieces.push(`${piece.length.toString(16)}\r\n`, piece, "\r\n");
  }
  return Buffer.concat([...pieces, "0\r\n\r\n"].map((piece) => Buffer.from(piece)));
}

/** Reads a little, and then nothing for some turns, again and again. */
function readInFits({ socket }: Peer): void {
  socket.on("data", () => {
    socket.pause();
    let turns = 0;
    const wait = () => {
      if (++turns < 5) setImmediate(wait);
      else socket.resume();
    };
    setImmediate(wait);
  });
}

/** What chunks hold, as far as they are complete. */
function dataOf(text: string): string {
  let data = "";
  for (let at = 0; ; ) {
    const end = text.indexOf("\r\n", at);
    const size = Number.parseInt(text.slice(at, end), 16);
    if (size === 0) return data;
    data += text.slice(end + 2, end + 2 + size);
    at = end + size + 4;
  }
}

for (const isSlow of [false, true]) {
  const who = isSlow ? "who reads in fits" : "who reads at once";

  script(`a large answer arrives as it is at a client ${who}, and the next one behind it`, async (t) => {
    const { endpoint, router, client } = await start(t);
    if (isSlow) readInFits(client);
    client.send(GET);
    const upstream = await endpoint.accept();
    for (let round = 1; round <= 2; round++) {
      await upstream.message();
      upstream.send("HTTP/1.1 200 OK\r\n" + LENGTH);
      upstream.send(BODY);
      await client.until("\r\n\r\n");
      const body = await client.bytes(BODY.length);
      assert.ok(body === BODY.toString(), "not the same bytes");
      client.send(GET);
    }
    await upstream.message();
    upstream.send(OK);
    assert.match(await client.message(), /ok$/);
    assert.match(router.accessLog()[0] ?? "", new RegExp(` 200 0 ${BODY.length} `));
  });

  script(`a large answer in chunks arrives as it is at a client ${who}`, async (t) => {
    const { endpoint, client } = await start(t);
    if (isSlow) readInFits(client);
    client.send(GET);
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send("HTTP/1.1 200 OK\r\n" + CHUNKED);
    upstream.send(chunked());
    await client.until("\r\n\r\n");
    const body = await client.until("\r\n0\r\n\r\n");
    assert.ok(dataOf(body) === BODY.toString(), "not the same bytes");
  });

  for (const [framing, body] of [
    [LENGTH, BODY],
    [CHUNKED, chunked()],
  ] as const) {
    const form = framing === LENGTH ? "" : " in chunks";
    script(`a large request body${form} arrives as it is at an endpoint ${who}`, async (t) => {
      const { endpoint, router, client } = await start(t);
      client.send(`PUT / HTTP/1.1\r\n${HOST}${framing}`);
      client.send(body);
      const upstream = await endpoint.accept();
      if (isSlow) readInFits(upstream);
      await upstream.until("\r\n\r\n");
      const arrived =
        framing === LENGTH
          ? await upstream.bytes(BODY.length)
          : dataOf(await upstream.until("\r\n0\r\n\r\n"));
      assert.ok(arrived === BODY.toString(), "not the same bytes");
      upstream.send(OK);
      assert.match(await client.message(), /ok$/);
      client.send(GET);
      await upstream.message();
      upstream.send(OK);
      assert.match(await client.message(), /ok$/);
      assert.match(router.accessLog()[0] ?? "", new RegExp(` 200 ${BODY.length} 2 `));
    });
  }
}

script("a client that breaks off a large answer ends it at the endpoint, which is not blamed", async (t) => {
  const { endpoint, router, client } = await start(t);
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${100 * BODY.length}\r\n\r\n`);
  sendForEver(upstream.socket);
  await client.bytes(1024 * 1024);
  client.reset();
  await upstream.rest();
  assert.equal(router.router.lastVerdicts()[0]?.errorCode, "request_cancelled");
  assert.equal(router.router.counters.activeExchanges, 0);
  assert.equal(
    router.log.some(({ message }) => message === "backend-endpoint-failed"),
    false,
  );
});

script("an endpoint that breaks off a large answer has it cut for the client", async (t) => {
  const { endpoint, router, client } = await start(t);
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length + 1}\r\n\r\n`);
  upstream.send(BODY);
  upstream.end();
  const answer = await client.rest();
  assert.ok(answer.endsWith(BODY.toString()), "all that came before");
  assert.equal(router.router.lastVerdicts()[0]?.errorCode, "endpoint_closed");
});

script("a client that breaks off a large request body ends it at the endpoint", async (t) => {
  const { endpoint, router, client } = await start(t);
  client.send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: ${100 * BODY.length}\r\n\r\n`);
  sendForEver(client.socket);
  const upstream = await endpoint.accept();
  await upstream.bytes(1024 * 1024);
  client.reset();
  await upstream.rest();
  assert.equal(router.router.lastVerdicts()[0]?.errorCode, "request_cancelled");
});

function sendForEver(socket: Socket): void {
  const more = () => {
    while (!socket.destroyed && socket.write(BODY));
  };
  socket.on("drain", more);
  more();
}
