/**
 * HTTP/2 can say what HTTP/1.1 cannot: each of these would be another message, another host or another framing for the
 * endpoint behind us. Nothing of them reaches it; what may pass arrives as exactly one message.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  fields,
  frame,
  HEADERS,
  HOST,
  type Http2RouterUnderTest,
  openRaw,
  type RawClient,
  RST_STREAM,
  startHttp2Router,
} from "../wire/http2-support.ts";
import { script } from "../wire/support.ts";

type Field = readonly [string, string];
const METHOD: Field = [":method", "GET"];
const SCHEME: Field = [":scheme", "https"];
const AUTHORITY: Field = [":authority", HOST];
const PATH: Field = [":path", "/smuggled"];
const GOOD = [METHOD, SCHEME, AUTHORITY, PATH];
const EVIL = "GET /smuggled HTTP/1.1\r\nHost: shop.example.com\r\n\r\n";

/** Heads that must not pass. */
const REFUSED: readonly { readonly name: string; readonly head: readonly Field[] }[] = [
  { name: "CRLF in a value", head: [...GOOD, ["x-a", "b\r\nX-Evil: 1"]] },
  { name: "a whole request in a value", head: [...GOOD, ["x-a", `b\r\n\r\n${EVIL}`]] },
  { name: "LF in a value", head: [...GOOD, ["x-a", "b\nX-Evil: 1"]] },
  { name: "CR in a value", head: [...GOOD, ["x-a", "b\rX-Evil: 1"]] },
  { name: "NUL in a value", head: [...GOOD, ["x-a", "b\0c"]] },
  { name: "space before a value", head: [...GOOD, ["x-a", " b"]] },
  { name: "space behind a value", head: [...GOOD, ["x-a", "b "]] },
  { name: "CRLF in a name", head: [...GOOD, ["x-a: b\r\nx-evil", "1"]] },
  { name: "a colon in a name", head: [...GOOD, ["x-a:b", "c"]] },
  { name: "a space in a name", head: [...GOOD, ["x a", "b"]] },
  { name: "upper case in a name", head: [...GOOD, ["X-A", "b"]] },
  { name: "an empty name", head: [...GOOD, ["", "b"]] },
  { name: "transfer-encoding", head: [...GOOD, ["transfer-encoding", "chunked"]] },
  {
    name: "transfer-encoding with a length",
    head: [...GOOD, ["transfer-encoding", "chunked"], ["content-length", "4"]],
  },
  { name: "connection", head: [...GOOD, ["connection", "close"]] },
  { name: "keep-alive", head: [...GOOD, ["keep-alive", "1"]] },
  { name: "proxy-connection", head: [...GOOD, ["proxy-connection", "keep-alive"]] },
  { name: "upgrade", head: [...GOOD, ["upgrade", "websocket"]] },
  { name: "te: chunked", head: [...GOOD, ["te", "chunked"]] },
  { name: "two lengths", head: [...GOOD, ["content-length", "0"], ["content-length", "40"]] },
  { name: "a list of lengths", head: [...GOOD, ["content-length", "0, 40"]] },
  { name: "a length with a sign", head: [...GOOD, ["content-length", "+0"]] },
  { name: "a length of no body", head: [...GOOD, ["content-length", "40"]] },
  { name: "another host beside the authority", head: [...GOOD, ["host", "evil.example.com"]] },
  { name: "two hosts", head: [METHOD, SCHEME, PATH, ["host", HOST], ["host", "evil.example.com"]] },
  { name: "two authorities", head: [METHOD, SCHEME, AUTHORITY, [":authority", "evil.example.com"], PATH] },
  { name: "a user in the authority", head: [METHOD, SCHEME, [":authority", `a@${HOST}`], PATH] },
  { name: "a path in the authority", head: [METHOD, SCHEME, [":authority", `${HOST}/x`], PATH] },
  { name: "CRLF in the authority", head: [METHOD, SCHEME, [":authority", `${HOST}\r\nX-Evil: 1`], PATH] },
  { name: "no host at all", head: [METHOD, SCHEME, PATH] },
  { name: "two paths", head: [...GOOD.slice(0, 3), PATH, [":path", "/other"]] },
  { name: "no path", head: [METHOD, SCHEME, AUTHORITY] },
  { name: "an empty path", head: [METHOD, SCHEME, AUTHORITY, [":path", ""]] },
  { name: "a path that is none", head: [METHOD, SCHEME, AUTHORITY, [":path", "smuggled"]] },
  {
    name: "a path of another origin",
    head: [METHOD, SCHEME, AUTHORITY, [":path", "http://evil.example.com/"]],
  },
  { name: "a space in the path", head: [METHOD, SCHEME, AUTHORITY, [":path", "/a b"]] },
  { name: "a version in the path", head: [METHOD, SCHEME, AUTHORITY, [":path", "/smuggled HTTP/1.1"]] },
  {
    name: "a request in the path",
    head: [METHOD, SCHEME, AUTHORITY, [":path", `/ HTTP/1.1\r\n\r\n${EVIL}`]],
  },
  { name: "a fragment in the path", head: [METHOD, SCHEME, AUTHORITY, [":path", "/a#b"]] },
  { name: "a star that is no OPTIONS", head: [METHOD, SCHEME, AUTHORITY, [":path", "*"]] },
  {
    name: "a space in the method",
    head: [[":method", "GET /smuggled HTTP/1.1\r\n"], SCHEME, AUTHORITY, PATH],
  },
  { name: "an empty method", head: [[":method", ""], SCHEME, AUTHORITY, PATH] },
  { name: "two methods", head: [METHOD, [":method", "POST"], SCHEME, AUTHORITY, PATH] },
  { name: "CONNECT", head: [[":method", "CONNECT"], AUTHORITY] },
  {
    name: "extended CONNECT",
    head: [[":method", "CONNECT"], [":protocol", "websocket"], SCHEME, AUTHORITY, PATH],
  },
  { name: "another scheme", head: [METHOD, [":scheme", "ftp"], AUTHORITY, PATH] },
  {
    name: "a scheme that is a request",
    head: [METHOD, [":scheme", `https://evil/ HTTP/1.1\r\n`], AUTHORITY, PATH],
  },
  { name: "an unknown pseudo-header", head: [METHOD, SCHEME, AUTHORITY, PATH, [":evil", "1"]] },
  { name: "a status in a request", head: [METHOD, SCHEME, AUTHORITY, PATH, [":status", "200"]] },
  { name: "a pseudo-header behind a field", head: [METHOD, SCHEME, AUTHORITY, ["x-a", "b"], PATH] },
];

/** An endpoint that remembers what it was asked, as Node's own parser reads it. */
async function startOrigin(t: TestContext): Promise<{ server: Server; port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString("latin1")));
    request.on("end", () => {
      seen.push(`${request.method} ${request.headers.host} ${request.url} ${body}`);
      response.end("ok");
    });
    request.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, port: (server.address() as AddressInfo).port, seen };
}

async function start(t: TestContext) {
  const origin = await startOrigin(t);
  const router = await startHttp2Router(t, { routes: [{ uri: HOST, ports: [origin.port] }] });
  return router === null ? null : { origin, router };
}

/** The stream was reset, or got its whole answer. */
const isOver = (client: RawClient, id: number) =>
  client.received.some(
    ({ type, flags, streamId }) => streamId === id && (type === RST_STREAM || (flags & END_STREAM) !== 0),
  );

/** What comes last reaches the endpoint, and alone. */
async function probe(t: TestContext, router: Http2RouterUnderTest, seen: readonly string[]): Promise<void> {
  const client = await openRaw(t, router);
  client.send(
    frame(HEADERS, END_STREAM | END_HEADERS, 1, fields(METHOD, SCHEME, AUTHORITY, [":path", "/probe"])),
  );
  await router.eventually(() => isOver(client, 1));
  assert.equal(seen.at(-1), `GET ${HOST} /probe `);
}

script(
  "what HTTP/1.1 could not say is refused, stream by stream, and nothing of it reaches the endpoint",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { router, origin } = started;
    const client = await openRaw(t, router);
    for (const [i, { name, head }] of REFUSED.entries()) {
      const id = 2 * i + 1;
      client.send(frame(HEADERS, END_STREAM | END_HEADERS, id, fields(...head)));
      await router.eventually(() => client.isClosed || isOver(client, id));
      assert.equal(client.isClosed, false, `${name} ended the session`);
      const [verdict] = router.router.lastVerdicts();
      assert.equal(router.router.counters.requests, i + 1, name);
      assert.deepEqual([verdict?.status, verdict?.attempts], [name === "CONNECT" ? 501 : 400, 0], name);
    }
    assert.deepEqual(origin.seen, []);
    await probe(t, router, origin.seen);
    assert.equal(origin.seen.length, 1);
  },
);

for (const { name, head, data, want } of [
  {
    name: "a request inside a body without a length",
    head: [],
    data: [`0\r\n\r\n${EVIL}`],
    want: `POST ${HOST} /smuggled 0\r\n\r\n${EVIL}`,
  },
  {
    name: "a request inside a body of a length",
    head: [["content-length", String(EVIL.length)]],
    data: [EVIL.slice(0, 7), EVIL.slice(7)],
    want: `POST ${HOST} /smuggled ${EVIL}`,
  },
] as const) {
  script(`${name} stays inside of it`, async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { router, origin } = started;
    const client = await openRaw(t, router);
    client.send(
      frame(HEADERS, END_HEADERS, 1, fields([":method", "POST"], SCHEME, AUTHORITY, PATH, ...head)),
    );
    for (const [i, piece] of data.entries()) {
      client.send(frame(DATA, i === data.length - 1 ? END_STREAM : 0, 1, piece));
    }
    await router.eventually(() => isOver(client, 1));
    await probe(t, router, origin.seen);
    assert.deepEqual(origin.seen, [want, `GET ${HOST} /probe `]);
  });
}

for (const { name, length, data } of [
  { name: "more than its length", length: 4, data: `1234${EVIL}` },
  { name: "less than its length", length: 400, data: "1234" },
]) {
  script(`a body of ${name} makes no message, and leaves no connection behind that could`, async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { router, origin } = started;
    const client = await openRaw(t, router);
    const head = fields([":method", "POST"], SCHEME, AUTHORITY, PATH, ["content-length", String(length)]);
    client.send(frame(HEADERS, END_HEADERS, 1, head), frame(DATA, END_STREAM, 1, data));
    await router.eventually(() => isOver(client, 1));
    assert.equal(client.of(RST_STREAM, 1)[0]?.payload.readUInt32BE(0), 1);
    await probe(t, router, origin.seen);
    assert.equal(origin.seen.length, 1);
  });
}

script("trailers cannot speak for the router", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { router, origin } = started;
  const client = await openRaw(t, router);
  for (const [i, name] of [
    "content-length",
    "transfer-encoding",
    "host",
    "x-forwarded-for",
    "x-cf-instanceid",
  ].entries()) {
    const id = 2 * i + 1;
    client.send(
      frame(HEADERS, END_HEADERS, id, fields([":method", "POST"], SCHEME, AUTHORITY, PATH)),
      frame(DATA, 0, id, "abc"),
      frame(HEADERS, END_STREAM | END_HEADERS, id, fields([name, "1"])),
    );
    await router.eventually(() => isOver(client, id));
    assert.equal(client.of(RST_STREAM, id).length, 1, name);
  }
  await probe(t, router, origin.seen);
  assert.equal(origin.seen.length, 1);
});
