/** Against Node's own HTTP/2 (nghttp2) in both roles, on a pair of sockets in memory. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { duplexPair, type Duplex } from "node:stream";
import test, { type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { CANCEL, REFUSED_STREAM } from "./codes.ts";
import { Http2Connection } from "./connection.ts";
import { receiveAll, Recorder } from "./testing.ts";
import { DEFAULT_HTTP2_LIMITS, type Http2Limits, type Http2Role } from "./types.ts";

/** Our side on a socket, as an owner would run it; `flush` after what was not provoked by a read. */
class Side {
  readonly recorder = new Recorder();
  readonly connection: Http2Connection;
  readonly #socket: Duplex;

  constructor(role: Http2Role, socket: Duplex, limits: Partial<Http2Limits> = {}) {
    this.#socket = socket;
    this.connection = new Http2Connection(role, this.recorder, { ...DEFAULT_HTTP2_LIMITS, ...limits });
    socket.on("data", (bytes: Buffer) => {
      receiveAll(this.connection, bytes, 0);
      this.flush();
    });
    this.flush();
  }
  flush(): void {
    const output = this.connection.takeOutput();
    if (output !== null) this.#socket.write(output);
  }
  get events(): readonly string[] {
    return this.recorder.events;
  }
}

function withNodeClient(t: TestContext, limits: Partial<Http2Limits> = {}) {
  const [ours, theirs] = duplexPair();
  const side = new Side("server", ours, limits);
  const client = http2.connect("http://shop.example.com", { createConnection: () => theirs });
  t.after(() => client.destroy());
  return { side, client };
}

function withNodeServer(
  t: TestContext,
  onStream: (stream: http2.ServerHttp2Stream, head: http2.IncomingHttpHeaders) => void,
) {
  const [ours, theirs] = duplexPair();
  const session = http2.performServerHandshake(theirs);
  session.on("stream", onStream);
  t.after(() => session.destroy());
  return { side: new Side("client", ours), session };
}

interface Answer {
  readonly status: number | undefined;
  readonly head: http2.IncomingHttpHeaders;
  readonly body: Buffer;
  readonly trailers: http2.IncomingHttpHeaders;
}

async function answerOf(stream: http2.ClientHttp2Stream): Promise<Answer> {
  const body: Buffer[] = [];
  let trailers: http2.IncomingHttpHeaders = {};
  stream.on("data", (chunk: Buffer) => body.push(chunk)).on("trailers", (fields) => (trailers = fields));
  const [head] = (await once(stream, "response")) as [
    http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader,
  ];
  if (!stream.readableEnded) await once(stream, "end");
  return { status: head[":status"], head, body: Buffer.concat(body), trailers };
}

test("Node's client gets heads, bodies and trailers of many streams on one connection", async (t) => {
  const { side, client } = withNodeClient(t);
  const { connection, recorder } = side;
  const sizes = new Map<number, number>();
  recorder.onHead = (id, fields, ends) => {
    sizes.set(id, 0);
    connection.sendHead(id, [":status", "103", "link", "</style.css>"], false);
    connection.sendHead(
      id,
      [":status", "200", "Server", "viaduct", "X-Path", fields[fields.indexOf(":path") + 1] as string],
      false,
    );
    if (ends) connection.sendTrailers(id, ["x-size", "0"]);
  };
  recorder.onData = (id, size, ends) => {
    connection.consumed(id, size);
    sizes.set(id, (sizes.get(id) ?? 0) + size);
    if (!ends) return;
    connection.sendData(id, Buffer.alloc(300_000, id), 0, 300_000, false);
    connection.sendTrailers(id, ["x-size", String(sizes.get(id))]);
  };
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const request = client.request(
          { ":path": `/${round}/${i}`, ":method": "POST" },
          { endStream: false },
        );
        request.end(Buffer.alloc(i * 30_000, 1));
        return answerOf(request);
      }),
    );
    for (const [i, { status, head, body, trailers }] of answers.entries()) {
      assert.equal(status, 200);
      assert.equal(head["server"], "viaduct");
      assert.equal(head["x-path"], `/${round}/${i}`);
      assert.equal(Number(trailers["x-size"]), i * 30_000);
      assert.equal(body.length, 300_000);
      assert.ok(body.every((byte) => byte === body[0]));
    }
  }
  assert.equal(connection.activeStreams, 0);
});

test("every byte that Node's client may put into a value arrives as it was, by Huffman or not", async (t) => {
  const { side, client } = withNodeClient(t);
  side.recorder.onHead = (id) => side.connection.sendHead(id, [":status", "204"], true);
  const codes = Array.from({ length: 256 }, (_, code) => code).filter((code) => code > 0x20 && code !== 0x7f);
  for (const code of codes) {
    const char = String.fromCharCode(code);
    // In front of cheap letters, so that the whole is worth coding for the sender.
    const sent = `${char}${"aeiost012".repeat(12)}${char}`;
    const answer = await answerOf(client.request({ "x-value": sent }));
    assert.equal(answer.status, 204);
    const fields = JSON.parse(
      (side.events.at(-1) as string).replace(/^head \d+ (.*) end$/, "$1"),
    ) as string[];
    assert.equal(fields[fields.indexOf("x-value") + 1], sent, `byte ${code}`);
  }
});

test("Node's server gets our requests, and we get its answers", async (t) => {
  const { side } = withNodeServer(t, (stream, head) => {
    stream.additionalHeaders({ ":status": 103, link: "</a>" });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("end", () => {
      stream.respond(
        { ":status": 200, "x-path": head[":path"], "x-seen": head["x-repeats"] },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () =>
        stream.sendTrailers({ "x-size": String(Buffer.concat(chunks).length) }),
      );
      stream.end(Buffer.alloc(200_000, 7));
    });
  });
  const { connection, recorder } = side;
  recorder.onData = (id, size) => connection.consumed(id, size);
  for (let i = 0; i < 8; i++) {
    const id = connection.openStream(
      [":method", "POST", ":scheme", "http", ":authority", "app", ":path", `/${i}`, "X-Repeats", "always"],
      false,
    );
    connection.sendData(id, Buffer.alloc(100_000), 0, 100_000, true);
    side.flush();
    while (connection.activeStreams > 0) await nextTurn();
    const events = side.events.filter((each) => !each.startsWith("writable")).slice(-4);
    assert.match(events[0] as string, /^head \d+ \[":status","103","link","<\/a>"/);
    assert.match(events[1] as string, new RegExp(`":status","200".*"x-path","/${i}".*"x-seen","always"`));
    assert.equal((events[2] as string).length, `data ${id} `.length + 200_000);
    assert.equal(events[3], `trailers ${id} ["x-size","100000"]`);
  }
});

test("a client of Node's that is told to stop finishes, and opens no more", async (t) => {
  const { side, client } = withNodeClient(t);
  const answered = answerOf(client.request({}));
  while (side.connection.activeStreams === 0) await nextTurn();
  side.connection.shutdown();
  side.flush();
  await once(client, "goaway");
  side.connection.sendHead(1, [":status", "200"], true);
  side.flush();
  assert.equal((await answered).status, 200);
  while (side.events.at(-1) !== "settled") await nextTurn();
});

test("Node's client takes a reset for what it is, and goes on with the next request", async (t) => {
  const { side, client } = withNodeClient(t);
  side.recorder.onHead = (id) => {
    if (id === 1) side.connection.reset(id, CANCEL);
    else side.connection.sendHead(id, [":status", "204"], true);
  };
  const first = client.request({});
  await once(first, "close");
  assert.equal(first.rstCode, CANCEL);
  assert.equal((await answerOf(client.request({}))).status, 204);
});

test("Node's server may reset a request, and we learn it", async (t) => {
  const { side } = withNodeServer(t, (stream) => stream.on("error", () => {}).close(REFUSED_STREAM));
  side.connection.openStream([":method", "GET", ":scheme", "http", ":authority", "app", ":path", "/"], true);
  side.flush();
  while (side.connection.activeStreams > 0) await nextTurn();
  assert.equal(side.events.at(-1), `reset 1 ${REFUSED_STREAM}`);
});

test("Node's client that pauses stops our body at its window, and gets all of it when it reads on", async (t) => {
  const { side, client } = withNodeClient(t);
  const { connection, recorder } = side;
  const size = 2_000_000;
  let sent = 0;
  const sendMore = (id: number) => {
    while (sent < size) {
      sent += 50_000;
      if (!connection.sendData(id, Buffer.alloc(50_000), 0, 50_000, sent === size)) return;
    }
  };
  recorder.onHead = (id) => {
    connection.sendHead(id, [":status", "200"], false);
    sendMore(id);
  };
  recorder.onWritable = sendMore;
  const request = client.request({});
  await once(request, "response");
  assert.ok(sent < 200_000, `${sent} bytes were asked for before anybody read`);
  let received = 0;
  for await (const chunk of request) received += (chunk as Buffer).length;
  assert.equal(received, size);
});
