/**
 * Clients of HTTP/2 that mean harm, in numbers: their session ends, the router's memory stays within fixed bounds, and
 * others are served meanwhile. The bounds are generous; without the limit that a test is about it needs several times
 * as much, or for ever.
 */
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test, { type TestContext } from "node:test";
import { selfSigned } from "../support/certificate.ts";
import {
  ACK,
  ask,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  fields,
  frame,
  GOAWAY,
  HEADERS,
  HOST,
  openRaw,
  openSession,
  PING,
  type RawClient,
  requestOf,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "../wire/http2-support.ts";
import type { Report } from "./router-child.ts";

const MIB = 1024 * 1024;
const BIG = Buffer.alloc(16 * MIB, "x");
const ENHANCE_YOUR_CALM = 11;
const CANCEL = Buffer.from([0, 0, 0, 8]);
const OTHERS = 20;
const limited = { timeout: 60_000 };

interface AbusedRouter {
  readonly router: { readonly tlsPort: number };
  /** Requests that reached the endpoint. */
  seen(): number;
  report(): Promise<Report>;
  servesOthers(): Promise<void>;
}

/** Null after the test was skipped. */
async function start(t: TestContext): Promise<AbusedRouter | null> {
  const pair = selfSigned(t, `DNS:${HOST}`);
  if (pair === null) return null;
  let seen = 0;
  const endpoint = createServer((request, response) => {
    seen++;
    request.resume();
    const answer = () => response.end(request.url === "/big" ? BIG : "ok");
    if (request.url === "/whole") request.once("end", answer);
    else answer();
  });
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  const { port } = endpoint.address() as AddressInfo;
  const child = fork(
    join(import.meta.dirname, "router-child.ts"),
    [String(port), pair.certificatePath, pair.keyPath],
    { execArgv: ["--expose-gc"] },
  );
  t.after(async () => {
    child.disconnect();
    await once(child, "exit");
    endpoint.closeAllConnections();
    endpoint.close();
  });
  const next = async () => ((await once(child, "message")) as [Report])[0];
  const router = await next();
  return {
    router,
    seen: () => seen,
    report() {
      const report = next();
      child.send("report");
      return report;
    },
    async servesOthers() {
      const session = openSession(t, { router });
      for (let i = 0; i < OTHERS; i++) assert.equal((await ask(session)).body, "ok");
      session.destroy();
    },
  };
}

const grown = (before: Report, after: Report) =>
  `grew by ${Math.round((after.heldBytes - before.heldBytes) / MIB)} MiB`;

/** Sends until the router has ended the session, or all has been said. */
async function sendAll(client: RawClient, pieces: Iterable<Buffer>): Promise<void> {
  for (const piece of pieces) {
    if (client.isClosed || client.socket.destroyed) return;
    if (client.socket.write(piece)) continue;
    const { promise, resolve } = Promise.withResolvers<void>();
    const done = () => resolve();
    client.socket.once("drain", done).once("close", done);
    await promise;
    client.socket.off("drain", done).off("close", done);
  }
  if (!client.isClosed && !client.socket.destroyed) await once(client.socket, "close");
}

function* repeated(count: number, make: (i: number) => Buffer): Iterable<Buffer> {
  for (let i = 0; i < count; i++) yield make(i);
}

// CVE-2023-44487
test(
  "rapid resets end their session, and reach the endpoint a bounded number of times",
  limited,
  async (t) => {
    const abused = await start(t);
    if (abused === null) return;
    const before = await abused.report();
    const clients = await Promise.all(Array.from({ length: 5 }, () => openRaw(t, abused)));
    const flood = (_: number, i: number) => {
      const id = 2 * i + 1;
      return Buffer.concat([
        frame(HEADERS, END_STREAM | END_HEADERS, id, requestOf("/")),
        frame(RST_STREAM, 0, id, CANCEL),
      ]);
    };
    const floods = clients.map((client, n) =>
      sendAll(
        client,
        repeated(50_000, (i) => flood(n, i)),
      ),
    );
    await abused.servesOthers();
    await Promise.all(floods);
    for (const client of clients)
      assert.equal(client.of(GOAWAY).at(-1)?.payload.readUInt32BE(4), ENHANCE_YOUR_CALM);
    assert.ok(abused.seen() < 10_000, `${abused.seen()} requests reached the endpoint`);
    const after = await abused.report();
    assert.equal(after.activeExchanges, 0);
    assert.ok(after.heldBytes - before.heldBytes < 16 * MIB, grown(before, after));
    await abused.servesOthers();
  },
);

/** What is sent after the preface, for ever; each ends its session. */
const FLOODS: readonly {
  readonly name: string;
  readonly first?: Buffer;
  readonly piece: (i: number) => Buffer;
}[] = [
  {
    // CVE-2024-27316, CVE-2023-45288
    name: "a header block that never ends",
    first: frame(HEADERS, END_STREAM, 1, requestOf("/")),
    piece: (i) => frame(CONTINUATION, 0, 1, fields([`x-${i}`, "y".repeat(10_000)])),
  },
  {
    name: "a header block of empty frames",
    first: frame(HEADERS, END_STREAM, 1, requestOf("/")),
    piece: () => Buffer.concat(Array.from({ length: 1_000 }, () => frame(CONTINUATION, 0, 1))),
  },
  {
    name: "pings",
    piece: () => Buffer.concat(Array.from({ length: 500 }, () => frame(PING, 0, 0, "12345678"))),
  },
  { name: "settings", piece: () => Buffer.concat(Array.from({ length: 500 }, () => frame(SETTINGS, 0, 0))) },
  {
    name: "empty pieces of a body",
    first: frame(HEADERS, END_HEADERS, 1, requestOf("/")),
    piece: () => Buffer.concat(Array.from({ length: 500 }, () => frame(DATA, 0, 1))),
  },
  {
    name: "windows that open by one byte",
    first: frame(HEADERS, END_HEADERS, 1, requestOf("/")),
    piece: () =>
      Buffer.concat(Array.from({ length: 500 }, () => frame(WINDOW_UPDATE, 0, 0, Buffer.from([0, 0, 0, 1])))),
  },
];

for (const { name, first, piece } of FLOODS) {
  test(`a session that sends ${name} is ended, and others are served meanwhile`, limited, async (t) => {
    const abused = await start(t);
    if (abused === null) return;
    const before = await abused.report();
    const clients = await Promise.all(Array.from({ length: 4 }, () => openRaw(t, abused)));
    for (const client of clients) if (first !== undefined) client.send(first);
    const floods = clients.map((client) => sendAll(client, repeated(2_000, piece)));
    await abused.servesOthers();
    await Promise.all(floods);
    for (const client of clients) client.socket.destroy();
    let after = await abused.report();
    while (after.activeConnections > 0) {
      t.signal.throwIfAborted();
      after = await abused.report();
    }
    assert.ok(after.heldBytes - before.heldBytes < 16 * MIB, grown(before, after));
  });
}

test("a small block that unpacks into a huge head is refused, and costs no memory", limited, async (t) => {
  const abused = await start(t);
  if (abused === null) return;
  const before = await abused.report();
  const session = await openRaw(t, abused);
  // One entry of nearly the table's size, then references to it, a byte each.
  const entry = Buffer.concat([
    Buffer.from([0x40, 1]),
    Buffer.from("x"),
    Buffer.from([0x7f, 0xa0, 0x1e]),
    Buffer.alloc(3_999, "y"),
  ]);
  const references = Buffer.alloc(10_000, 0x80 | 62);
  for (let i = 0; i < 20; i++) {
    const block = Buffer.concat([requestOf("/"), i === 0 ? entry : Buffer.alloc(0), references]);
    session.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, block));
  }
  await abused.servesOthers();
  const after = await abused.report();
  assert.ok(after.heldBytes - before.heldBytes < 16 * MIB, grown(before, after));
  assert.equal(abused.seen(), OTHERS, "none of them reached the endpoint");
});

test(
  "a client that asks for much on many streams and reads nothing does not fill the memory",
  limited,
  async (t) => {
    const abused = await start(t);
    if (abused === null) return;
    const before = await abused.report();
    // Windows as large as can be, and nobody who reads.
    const settings = Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]);
    const clients = await Promise.all(Array.from({ length: 2 }, () => openRaw(t, abused, settings)));
    for (const client of clients) {
      client.socket.pause();
      client.send(frame(SETTINGS, ACK, 0), frame(WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
      for (let i = 0; i < 20; i++) {
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1, requestOf("/big")));
      }
    }
    await abused.servesOthers();
    const after = await abused.report();
    assert.ok(after.heldBytes - before.heldBytes < 64 * MIB, grown(before, after));
  },
);

test(
  "a client that has many small answers made and reads none is not listened to any more",
  limited,
  async (t) => {
    const abused = await start(t);
    if (abused === null) return;
    const before = await abused.report();
    const client = await openRaw(t, abused, Buffer.from([0, 4, 0x7f, 0xff, 0xff, 0xff]));
    client.send(frame(WINDOW_UPDATE, 0, 0, Buffer.from([0x7f, 0, 0, 0])));
    client.socket.pause();
    const request = fields(
      [":method", "GET"],
      [":scheme", "https"],
      [":authority", "no.example.com"],
      [":path", "/"],
    );
    const requests = 300_000;
    for (let i = 0; i < requests; i += 1_000) {
      client.send(
        ...Array.from({ length: 1_000 }, (_, n) =>
          frame(HEADERS, END_STREAM | END_HEADERS, 2 * (i + n) + 1, request),
        ),
      );
    }
    await abused.servesOthers();
    const after = await abused.report();
    assert.ok(after.heldBytes - before.heldBytes < 16 * MIB, grown(before, after));
  },
);

test("more streams than allowed are refused, and those that are open go on", limited, async (t) => {
  const abused = await start(t);
  if (abused === null) return;
  const client = await openRaw(t, abused);
  for (let i = 0; i < 400; i++)
    client.send(frame(HEADERS, END_HEADERS, 2 * i + 1, requestOf("/whole", ["content-length", "1"])));
  while (client.of(RST_STREAM).length < 150) {
    t.signal.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual([...new Set(client.of(RST_STREAM).map(({ payload }) => payload.readUInt32BE(0)))], [7]);
  client.send(frame(DATA, END_STREAM, 1, "x"));
  while (client.of(DATA, 1).length === 0) {
    t.signal.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
});
