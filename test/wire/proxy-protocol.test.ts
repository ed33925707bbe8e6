/** Connections that a load balancer hands on: whose they are, and what a header that is none does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { connect as connectTls } from "node:tls";
import type { RouterConfig } from "../../src/router/index.ts";
import { createAuthority } from "../support/authority.ts";
import { Peer, script, startEndpoint, startRouter, tlsListener } from "./support.ts";

const HOST = "Host: shop.example.com\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TEXT = "PROXY TCP4 203.0.113.9 10.0.0.1 51842 443\r\n";
const SIGNATURE = "\r\n\r\n\0\r\nQUIT\n";
/** 2001:db8::9, port 51842, to ::1, port 443. */
const BINARY = `${SIGNATURE}\x21\x21\x00\x24\x20\x01\x0d\xb8${"\0".repeat(11)}\x09${"\0".repeat(15)}\x01\xca\x82\x01\xbb`;

async function start(t: TestContext, config: Partial<RouterConfig> = {}) {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { acceptsProxyHeader: true, ...config },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  return { endpoint, router };
}

for (const { name, header, address, peer } of [
  { name: "of version 1", header: TEXT, address: "203.0.113.9", peer: "203.0.113.9:51842" },
  { name: "of version 2", header: BINARY, address: "2001:db8::9", peer: "[2001:db8::9]:51842" },
]) {
  script(`with a header ${name}, apps and the access log see the client`, async (t) => {
    const { endpoint, router } = await start(t);
    const client = await router.connect();
    client.send(header + GET);
    const upstream = await endpoint.accept();
    assert.match(await upstream.message(), new RegExp(`\r\nX-Forwarded-For: ${address}\r\n`));
    upstream.send(OK);
    await client.message();
    client.send(GET);
    assert.match(
      await upstream.message(),
      new RegExp(`\r\nX-Forwarded-For: ${address}\r\n`),
      "and on its next request",
    );
    upstream.send(OK);
    await client.message();
    assert.ok(router.accessLog().join("\n").includes(` "${peer}" `), router.accessLog().join("\n"));
  });
}

for (const { name, pieces } of [
  { name: "without a header", pieces: [GET] },
  { name: "with a header of the load balancer's own", pieces: ["PROXY UNKNOWN\r\n", GET] },
  { name: "whose method begins like a header", pieces: ["P", `ROPFIND / HTTP/1.1\r\n${HOST}\r\n`] },
]) {
  script(`a connection ${name} is its other end's`, async (t) => {
    const { endpoint, router } = await start(t);
    const client = await router.connect();
    for (const piece of pieces) client.send(piece);
    const upstream = await endpoint.accept();
    assert.match(await upstream.message(), /\r\nX-Forwarded-For: 127\.0\.0\.1\r\n/);
    upstream.send(OK);
    assert.match(await client.message(), /ok$/);
  });
}

script("a header in pieces counts when it is whole", async (t) => {
  const { endpoint, router } = await start(t);
  const client = await router.connect();
  for (const byte of TEXT + GET) client.send(byte);
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /\r\nX-Forwarded-For: 203\.0\.113\.9\r\n/);
});

script("a body behind a header is the request's, to the last byte", async (t) => {
  const { endpoint, router } = await start(t);
  const body = "x".repeat(100_000);
  const client = await router.connect();
  client.send(`${BINARY}PUT / HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`);
  const upstream = await endpoint.accept();
  assert.ok((await upstream.message()).endsWith(`\r\n\r\n${body}`));
});

script("what begins like a header and is none is closed without an answer", async (t) => {
  const { router, endpoint } = await start(t);
  const client = await router.connect();
  client.send("PROXY TCP4 203.0.113.9 10.0.0.1 51842\r\n" + GET);
  assert.equal(await client.rest(), "");
  const refused = router.log.find(({ message }) => message === "client-connection-refused");
  assert.match(String(refused?.["error"]), /the PROXY protocol header is refused: its ports/);
  assert.equal(endpoint.connections.length, 0);
});

script("a header that is not whole 100 ms after its first byte is closed (CVE-2021-23409)", async (t) => {
  const { router } = await start(t);
  const [slow, other] = [await router.connect(), await router.connect()];
  slow.send("PROXY TCP4 203.0");
  // Its bytes have been read when those of a connection that came later are answered.
  other.send(`GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n`);
  await other.message();
  router.clock.advance(200);
  assert.equal(await slow.rest(), "");
});

script("a client that says nothing may be slow, as long as any idle one", async (t) => {
  const { router, endpoint } = await start(t, { frontendIdleTimeoutMs: 5_000 });
  const [late, silent] = [await router.connect(), await router.connect()];
  const other = await router.connect();
  other.send(`GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n`);
  await other.message();
  router.clock.advance(4_000);
  late.send(TEXT + GET);
  assert.match(await (await endpoint.accept()).message(), /203\.0\.113\.9/);
  router.clock.advance(1_100);
  assert.equal(await silent.rest(), "");
});

script("a client that has gone before its header leaves nothing behind", async (t) => {
  const { router } = await start(t);
  const client = await router.connect();
  client.send("PROXY ");
  client.end();
  assert.equal(await client.rest(), "");
  await router.router.stop();
});

script("without enable_proxy nobody can say that he is another", async (t) => {
  const { router } = await start(t, { acceptsProxyHeader: false });
  const client = await router.connect();
  client.send(TEXT + GET);
  assert.match(await client.message(), /^HTTP\/1\.[01] 400 /);
});

for (const header of [TEXT, BINARY]) {
  for (const together of [true, false]) {
    const how = together ? "in one piece with the handshake" : "alone";
    script(`before TLS, a header of version ${header === TEXT ? 1 : 2} counts, ${how}`, async (t) => {
      const authority = createAuthority(t);
      if (authority === null) return;
      const { endpoint, router } = await start(t, {
        tls: tlsListener([authority.issue({ subject: "/CN=shop" })]),
      });
      const raw = await router.connect(router.router.tlsPort);
      // Corked, the header leaves in one write with the client's first handshake message.
      if (together) raw.socket.cork();
      raw.send(header);
      raw.socket.removeAllListeners("data");
      const socket = connectTls({ socket: raw.socket, rejectUnauthorized: false });
      if (together) raw.socket.uncork();
      await once(socket, "secureConnect");
      const client = new Peer(socket);
      client.send(GET);
      const upstream = await endpoint.accept();
      const request = await upstream.message();
      assert.match(
        request,
        /\r\nX-Forwarded-For: (203\.0\.113\.9|2001:db8::9)\r\nX-Forwarded-Proto: https\r\n/,
      );
      upstream.send(OK);
      assert.match(await client.message(), /ok$/);
    });
  }
}
