import assert from "node:assert/strict";
import test from "node:test";
import {
  ACK,
  CLIENT_PREFACE,
  COMPRESSION_ERROR,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HAS_PRIORITY,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  PADDED,
  PING,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  STREAM_CLOSED,
  WINDOW_UPDATE,
} from "./codes.ts";
import { Http2Connection } from "./connection.ts";
import {
  block,
  frame,
  framesOf,
  GET,
  goawayCode,
  headers,
  type Peer,
  POST,
  Recorder,
  resetsOf,
  settings,
  startPeer,
  uint32,
} from "./testing.ts";
import { DEFAULT_HTTP2_LIMITS } from "./types.ts";

const OK = [":status", "200"];
const TRAILERS = ["grpc-status", "0"];

/** `type:stream:flags:length`, what a table of frames is read by. */
const shapesOf = (peer: Peer) =>
  peer.sent().map((each) => `${each.type}:${each.streamId}:${each.flags}:${each.payload.length}`);

// === the start ===

test("a server begins with its SETTINGS, and acknowledges the client's", () => {
  const connection = new Http2Connection("server", new Recorder(), DEFAULT_HTTP2_LIMITS);
  const first = framesOf(connection.takeOutput() as Buffer);
  assert.deepEqual(
    first.map((each) => each.type),
    [SETTINGS, WINDOW_UPDATE],
  );
  const hello = Buffer.concat([Buffer.from(CLIENT_PREFACE), settings()]);
  connection.receive(hello, hello.length, 0);
  assert.deepEqual(connection.takeOutput(), frame(SETTINGS, ACK, 0));
  assert.equal(connection.takeOutput(), null);
});

test("a client begins with the preface and SETTINGS that turn push off", () => {
  const connection = new Http2Connection("client", new Recorder(), DEFAULT_HTTP2_LIMITS);
  const bytes = connection.takeOutput() as Buffer;
  assert.equal(bytes.toString("latin1", 0, 24), CLIENT_PREFACE);
  assert.equal(framesOf(bytes.subarray(24))[0]?.payload.toString("hex", 0, 6), "000200000000");
});

const BAD_STARTS: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  { name: "HTTP/1.1", bytes: Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n") },
  { name: "a preface with one letter changed", bytes: Buffer.from(CLIENT_PREFACE.replace("SM", "SN")) },
  { name: "a PING", bytes: Buffer.concat([Buffer.from(CLIENT_PREFACE), frame(PING, 0, 0, "12345678")]) },
  { name: "DATA", bytes: Buffer.concat([Buffer.from(CLIENT_PREFACE), frame(DATA, 0, 1, "x")]) },
  {
    name: "an acknowledgement",
    bytes: Buffer.concat([Buffer.from(CLIENT_PREFACE), frame(SETTINGS, ACK, 0)]),
  },
];

for (const { name, bytes } of BAD_STARTS) {
  test(`a connection that begins with ${name} is refused once, and what follows is not read`, () => {
    const recorder = new Recorder();
    const connection = new Http2Connection("server", recorder, DEFAULT_HTTP2_LIMITS);
    connection.takeOutput();
    connection.receive(bytes, bytes.length, 0);
    connection.receive(bytes, bytes.length, 0);
    assert.deepEqual(recorder.events, ["failed http2_preface_invalid"]);
    assert.equal(goawayCode(framesOf(connection.takeOutput() as Buffer)), PROTOCOL_ERROR);
  });
}

// === connection errors ===

const OPEN = headers(1, 0, ...POST);
const CLOSED = headers(1, END_STREAM, ...GET);
const FAILURES: readonly {
  readonly name: string;
  readonly send: readonly Buffer[];
  readonly code: number;
  readonly role?: "client";
}[] = [
  { name: "a frame above 16 KiB", send: [frame(DATA, 0, 1, Buffer.alloc(16_385))], code: FRAME_SIZE_ERROR },
  { name: "DATA on stream 0", send: [frame(DATA, 0, 0, "x")], code: PROTOCOL_ERROR },
  { name: "DATA on an idle stream", send: [frame(DATA, 0, 1, "x")], code: PROTOCOL_ERROR },
  {
    name: "DATA with more padding than room",
    send: [OPEN, frame(DATA, PADDED, 1, "\x05abc")],
    code: PROTOCOL_ERROR,
  },
  { name: "padded DATA without a length", send: [OPEN, frame(DATA, PADDED, 1)], code: FRAME_SIZE_ERROR },
  { name: "HEADERS on stream 0", send: [headers(0, 0, ...GET)], code: PROTOCOL_ERROR },
  { name: "HEADERS on an even stream", send: [headers(2, 0, ...GET)], code: PROTOCOL_ERROR },
  {
    name: "HEADERS on a stream that was skipped",
    send: [headers(5, END_STREAM, ...GET), CLOSED],
    code: STREAM_CLOSED,
  },
  {
    name: "HEADERS with too much padding",
    send: [frame(HEADERS, PADDED | 4, 1, "\x05abc")],
    code: PROTOCOL_ERROR,
  },
  {
    name: "HEADERS too short for priority",
    send: [frame(HEADERS, HAS_PRIORITY | 4, 1, "abc")],
    code: PROTOCOL_ERROR,
  },
  { name: "padded HEADERS without a length", send: [frame(HEADERS, PADDED | 4, 1)], code: FRAME_SIZE_ERROR },
  { name: "a block that cannot be read", send: [frame(HEADERS, 4, 1, "\x80")], code: COMPRESSION_ERROR },
  {
    name: "a block interrupted by DATA",
    send: [OPEN, frame(HEADERS, 0, 3), frame(DATA, 0, 1, "x")],
    code: PROTOCOL_ERROR,
  },
  {
    name: "a block interrupted by PING",
    send: [frame(HEADERS, 0, 1), frame(PING, 0, 0, "12345678")],
    code: PROTOCOL_ERROR,
  },
  {
    name: "a block interrupted by an unknown frame",
    send: [frame(HEADERS, 0, 1), frame(99, 0, 0)],
    code: PROTOCOL_ERROR,
  },
  {
    name: "a block continued on another stream",
    send: [frame(HEADERS, 0, 1), frame(CONTINUATION, 4, 3)],
    code: PROTOCOL_ERROR,
  },
  { name: "CONTINUATION of nothing", send: [OPEN, frame(CONTINUATION, 4, 1)], code: PROTOCOL_ERROR },
  { name: "PRIORITY on stream 0", send: [frame(PRIORITY, 0, 0, "12345")], code: PROTOCOL_ERROR },
  { name: "PRIORITY of four bytes", send: [frame(PRIORITY, 0, 1, "1234")], code: FRAME_SIZE_ERROR },
  { name: "RST_STREAM on stream 0", send: [frame(RST_STREAM, 0, 0, uint32(8))], code: PROTOCOL_ERROR },
  { name: "RST_STREAM on an idle stream", send: [frame(RST_STREAM, 0, 1, uint32(8))], code: PROTOCOL_ERROR },
  { name: "RST_STREAM of three bytes", send: [OPEN, frame(RST_STREAM, 0, 1, "abc")], code: FRAME_SIZE_ERROR },
  { name: "SETTINGS on a stream", send: [frame(SETTINGS, 0, 1)], code: PROTOCOL_ERROR },
  { name: "SETTINGS of five bytes", send: [frame(SETTINGS, 0, 0, "12345")], code: FRAME_SIZE_ERROR },
  {
    name: "an acknowledgement with SETTINGS",
    send: [frame(SETTINGS, ACK, 0, "123456")],
    code: FRAME_SIZE_ERROR,
  },
  { name: "ENABLE_PUSH 2", send: [settings([2, 2])], code: PROTOCOL_ERROR },
  { name: "INITIAL_WINDOW_SIZE above 2^31-1", send: [settings([4, 0x8000_0000])], code: FLOW_CONTROL_ERROR },
  { name: "MAX_FRAME_SIZE below 16 KiB", send: [settings([5, 16_383])], code: PROTOCOL_ERROR },
  { name: "MAX_FRAME_SIZE above 2^24-1", send: [settings([5, 0x100_0000])], code: PROTOCOL_ERROR },
  {
    name: "a new window that overflows a stream's",
    send: [OPEN, frame(WINDOW_UPDATE, 0, 1, uint32(0x7fff_0000)), settings([4, 0x7fff_ffff])],
    code: FLOW_CONTROL_ERROR,
  },
  { name: "PUSH_PROMISE", send: [OPEN, frame(PUSH_PROMISE, 4, 1, uint32(2))], code: PROTOCOL_ERROR },
  { name: "PING on a stream", send: [frame(PING, 0, 1, "12345678")], code: PROTOCOL_ERROR },
  { name: "PING of seven bytes", send: [frame(PING, 0, 0, "1234567")], code: FRAME_SIZE_ERROR },
  { name: "GOAWAY on a stream", send: [frame(GOAWAY, 0, 1, "12345678")], code: PROTOCOL_ERROR },
  { name: "GOAWAY of seven bytes", send: [frame(GOAWAY, 0, 0, "1234567")], code: FRAME_SIZE_ERROR },
  { name: "WINDOW_UPDATE of three bytes", send: [frame(WINDOW_UPDATE, 0, 0, "123")], code: FRAME_SIZE_ERROR },
  {
    name: "WINDOW_UPDATE on an idle stream",
    send: [frame(WINDOW_UPDATE, 0, 1, uint32(1))],
    code: PROTOCOL_ERROR,
  },
  {
    name: "WINDOW_UPDATE of the connection by nothing",
    send: [frame(WINDOW_UPDATE, 0, 0, uint32(0))],
    code: PROTOCOL_ERROR,
  },
  {
    name: "a connection's window above 2^31-1",
    send: [frame(WINDOW_UPDATE, 0, 0, uint32(0x7fff_ffff))],
    code: FLOW_CONTROL_ERROR,
  },
  { name: "a server that allows push", send: [settings([2, 1])], code: PROTOCOL_ERROR, role: "client" },
  {
    name: "a server that pushes",
    send: [frame(PUSH_PROMISE, 4, 1, uint32(2))],
    code: PROTOCOL_ERROR,
    role: "client",
  },
  { name: "a response nobody asked for", send: [headers(1, 0, ...OK)], code: PROTOCOL_ERROR, role: "client" },
  {
    name: "a response on an even stream",
    send: [headers(2, 0, ...OK)],
    code: PROTOCOL_ERROR,
    role: "client",
  },
];

for (const { name, send, code, role = "server" } of FAILURES) {
  test(`${name} ends the connection with the code that RFC 9113 gives it`, () => {
    const peer = startPeer(role);
    peer.send(...send);
    assert.match(peer.events.at(-1) as string, /^failed http2_/);
    assert.equal(goawayCode(peer.sent()), code);
    const { length } = peer.events;
    peer.send(headers(101, END_STREAM, ...GET));
    assert.equal(peer.events.length, length, "nothing more is read");
  });
}

// === stream errors ===

const BREAKS: readonly { readonly name: string; readonly send: readonly Buffer[]; readonly code: number }[] =
  [
    { name: "DATA behind its end", send: [CLOSED, frame(DATA, 0, 1, "x")], code: STREAM_CLOSED },
    { name: "HEADERS behind its end", send: [CLOSED, headers(1, END_STREAM, "x", "y")], code: STREAM_CLOSED },
    {
      name: "WINDOW_UPDATE by nothing",
      send: [OPEN, frame(WINDOW_UPDATE, 0, 1, uint32(0))],
      code: PROTOCOL_ERROR,
    },
    {
      name: "a window above 2^31-1",
      send: [OPEN, frame(WINDOW_UPDATE, 0, 1, uint32(0x7fff_ffff))],
      code: FLOW_CONTROL_ERROR,
    },
  ];

for (const { name, send, code } of BREAKS) {
  test(`${name} breaks its stream and no other`, () => {
    const peer = startPeer("server");
    peer.send(...send, headers(3, END_STREAM, ...GET));
    assert.match(peer.events.at(-2) as string, new RegExp(`^reset 1 ${code} http2_`));
    assert.match(peer.events.at(-1) as string, /^head 3 /);
    assert.deepEqual(resetsOf(peer.sent()), [`1:${code}`]);
  });
}

test("frames for a stream that we reset are ignored, those for one that ended are not", () => {
  const peer = startPeer("server");
  peer.send(OPEN);
  peer.connection.reset(1, 8);
  peer.send(frame(DATA, 0, 1, "x"), frame(WINDOW_UPDATE, 0, 1, uint32(1)), headers(1, END_STREAM, "x", "y"));
  assert.equal(peer.events.length, 1);
  peer.send(headers(3, END_STREAM, ...GET));
  peer.connection.sendHead(3, [...OK], true);
  peer.send(frame(WINDOW_UPDATE, 0, 3, uint32(1)), frame(RST_STREAM, 0, 3, uint32(0)));
  assert.equal(peer.events.length, 2);
  peer.send(frame(DATA, END_STREAM, 3, "x"));
  assert.equal(peer.events.at(-1), "failed http2_stream_closed");
});

test("a stream that the peer reset is gone, and what we say about it does nothing", () => {
  const peer = startPeer("server");
  peer.send(OPEN, frame(RST_STREAM, 0, 1, uint32(8)));
  assert.equal(peer.events.at(-1), "reset 1 8");
  assert.equal(peer.connection.activeStreams, 0);
  peer.connection.sendHead(1, [...OK], false);
  assert.equal(peer.connection.sendText(1, "x", true), true);
  peer.connection.sendTrailers(1, [...TRAILERS]);
  peer.connection.reset(1, 8);
  peer.connection.consumed(1, 5);
  assert.deepEqual(shapesOf(peer), []);
});

// === what is ignored, and what is answered ===

test("PING is answered with what it held", () => {
  const peer = startPeer("server");
  peer.send(frame(PING, 0, 0, "12345678"), frame(PING, ACK, 0, "87654321"));
  assert.deepEqual(peer.connection.takeOutput(), frame(PING, ACK, 0, "12345678"));
});

test("priorities, unknown frames, settings and flags are read over", () => {
  const peer = startPeer("server");
  const withPriority = Buffer.concat([
    Buffer.from([2]),
    uint32(3),
    Buffer.from([9]),
    block(...GET),
    Buffer.alloc(2),
  ]);
  peer.send(
    frame(PRIORITY, 0xff, 7, "12345"),
    frame(250, 0xff, 9, "whatever"),
    settings([99, 1]),
    frame(HEADERS, HAS_PRIORITY | PADDED | END_HEADERS | END_STREAM | 0xc2, 1, withPriority),
  );
  assert.deepEqual(peer.events, [`head 1 ${JSON.stringify(GET)} end`]);
});

test("a stream that depends on itself, which RFC 7540 §5.3.1 forbids, ends the connection", () => {
  const onItself = Buffer.concat([uint32(1), Buffer.from([9])]);
  for (const bytes of [
    frame(PRIORITY, 0, 1, onItself),
    frame(HEADERS, HAS_PRIORITY | END_HEADERS | END_STREAM, 1, Buffer.concat([onItself, block(...GET)])),
  ]) {
    const peer = startPeer("server");
    peer.send(bytes);
    assert.deepEqual(peer.events, ["failed http2_frame_invalid"]);
  }
});

test("the reserved bit of a stream's id is ignored", () => {
  const peer = startPeer("server");
  const bytes = headers(1, END_STREAM, ...GET);
  bytes[5] = 0x80;
  peer.send(bytes);
  assert.match(peer.events[0] as string, /^head 1 /);
});

test("a block in several frames is one head", () => {
  const peer = startPeer("server");
  const bytes = block(...GET);
  peer.send(
    frame(HEADERS, END_STREAM, 1, bytes.subarray(0, 5)),
    frame(CONTINUATION, 0, 1, bytes.subarray(5, 6)),
    frame(CONTINUATION, END_HEADERS, 1, bytes.subarray(6)),
  );
  assert.deepEqual(peer.events, [`head 1 ${JSON.stringify(GET)} end`]);
});

// === messages ===

test("a request with body and trailers, and a response with both, cross in the order they were sent", () => {
  const peer = startPeer("server");
  peer.send(OPEN, frame(DATA, 0, 1, "hel"), frame(DATA, 0, 1, "lo"), headers(1, END_STREAM, ...TRAILERS));
  assert.deepEqual(peer.events, [
    `head 1 ${JSON.stringify(POST)}`,
    "data 1 hello",
    `trailers 1 ${JSON.stringify(TRAILERS)}`,
  ]);
  const { connection } = peer;
  connection.sendHead(1, [":status", "103", "link", "</a>"], false);
  connection.sendHead(1, [...OK], false);
  connection.sendText(1, "ab", false);
  connection.sendData(1, Buffer.from("xcdx"), 1, 3, false);
  connection.sendTrailers(1, [...TRAILERS]);
  const sent = peer.sent();
  assert.deepEqual(
    sent.map((each) => `${each.type}:${each.flags}`),
    ["1:4", "1:4", "0:0", "0:0", "1:5"],
  );
  assert.equal(
    Buffer.concat([sent[2], sent[3]].map((each) => each?.payload ?? Buffer.alloc(0))).toString(),
    "abcd",
  );
  assert.equal(connection.activeStreams, 0);
});

test("a client's request and its response, interim heads first", () => {
  const peer = startPeer("client");
  const id = peer.connection.openStream([...POST], false);
  peer.connection.sendText(id, "hello", true);
  assert.deepEqual(
    peer.sent().map((each) => `${each.type}:${each.flags}`),
    ["1:4", "0:1"],
  );
  peer.send(
    headers(1, 0, ":status", "100"),
    headers(1, 0, ...OK),
    frame(DATA, 0, 1, "bye"),
    headers(1, END_STREAM, ...TRAILERS),
  );
  assert.deepEqual(peer.events, [
    'head 1 [":status","100"]',
    'head 1 [":status","200"]',
    "data 1 bye",
    `trailers 1 ${JSON.stringify(TRAILERS)}`,
  ]);
  assert.equal(peer.connection.openStream([...GET], true), 3);
});

test("a head that is longer than a frame is continued", () => {
  const peer = startPeer("server");
  peer.send(CLOSED);
  peer.connection.sendHead(1, [...OK, "x", "v".repeat(40_000)], true);
  assert.deepEqual(shapesOf(peer), ["1:1:1:16384", "9:1:0:16384", "9:1:4:7240"]);
});

test("an answer before the request's end refuses the rest of it, after all of the answer", () => {
  const peer = startPeer("server");
  peer.send(OPEN);
  peer.connection.sendHead(1, [":status", "413"], false);
  peer.connection.sendText(1, "too much", true);
  assert.deepEqual(shapesOf(peer), ["1:1:4:5", "0:1:1:8", "3:1:0:4"]);
  peer.send(frame(DATA, END_STREAM, 1, "on its way"));
  assert.equal(peer.events.length, 1);
  assert.equal(peer.connection.activeStreams, 0);
});

// === windows ===

test("what the windows do not allow waits, and goes out in frames when they open", () => {
  const peer = startPeer("server");
  peer.send(settings([INITIAL_WINDOW_SIZE, 10]), CLOSED);
  peer.sent();
  const { connection } = peer;
  connection.sendHead(1, [...OK], false);
  assert.equal(connection.sendData(1, Buffer.from("0123456789abcdef"), 0, 16, false), false);
  assert.equal(connection.sendText(1, "ghi", false), false);
  assert.deepEqual(shapesOf(peer), ["1:1:4:1", "0:1:0:10"]);
  peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(7)));
  assert.deepEqual(shapesOf(peer), ["0:1:0:6", "0:1:0:1"]);
  assert.equal(peer.events.length, 1);
  peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(100)));
  assert.deepEqual(shapesOf(peer), ["0:1:0:2"]);
  assert.equal(peer.events.at(-1), "writable 1");
  assert.equal(connection.sendText(1, "the end", true), true);
});

test("an end and trailers wait behind the data, and need no window", () => {
  const peer = startPeer("server");
  peer.send(
    settings([INITIAL_WINDOW_SIZE, 0]),
    CLOSED,
    headers(3, END_STREAM, ...GET),
    headers(5, END_STREAM, ...GET),
  );
  peer.sent();
  const { connection } = peer;
  for (const id of [1, 3, 5]) connection.sendHead(id, [...OK], false);
  connection.sendText(1, "a", false);
  connection.sendTrailers(1, [...TRAILERS]);
  connection.sendText(3, "b", false);
  connection.sendText(3, "", true);
  assert.equal(connection.sendText(5, "", true), true);
  assert.deepEqual(shapesOf(peer).slice(3), ["0:5:1:0"]);
  peer.send(settings([INITIAL_WINDOW_SIZE, 10]));
  assert.deepEqual(
    shapesOf(peer)
      .slice(1)
      .map((each) => each.slice(0, 5)),
    ["0:1:0", "0:3:1", "1:1:5"],
  );
  assert.deepEqual(peer.events.slice(3), ["writable 1", "writable 3"]);
  assert.equal(connection.activeStreams, 0);
});

test("a stream that is reset while others become writable is not called writable any more", () => {
  const peer = startPeer("server");
  peer.send(settings([INITIAL_WINDOW_SIZE, 0]), CLOSED, headers(3, END_STREAM, ...GET));
  for (const id of [1, 3]) {
    peer.connection.sendHead(id, [...OK], false);
    peer.connection.sendText(id, "a", false);
  }
  peer.recorder.onWritable = () => {
    peer.connection.reset(1, 8);
    peer.connection.reset(3, 8);
  };
  peer.send(settings([INITIAL_WINDOW_SIZE, 10]));
  assert.deepEqual(peer.events.slice(2), ["writable 1"]);
});

test("a window that shrinks below what was sent opens only when the debt is paid", () => {
  const peer = startPeer("server");
  peer.send(CLOSED);
  const { connection } = peer;
  connection.sendHead(1, [...OK], false);
  connection.sendText(1, "x".repeat(1_000), false);
  peer.send(settings([INITIAL_WINDOW_SIZE, 400]));
  peer.sent();
  assert.equal(connection.sendText(1, "y", false), false);
  peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(600)));
  assert.deepEqual(shapesOf(peer), []);
  peer.send(frame(WINDOW_UPDATE, 0, 1, uint32(1)));
  assert.deepEqual(shapesOf(peer), ["0:1:0:1"]);
});

test("a debt does not hold up an end without data", () => {
  const peer = startPeer("server");
  peer.send(CLOSED);
  peer.connection.sendHead(1, [...OK], false);
  peer.connection.sendText(1, "x".repeat(1_000), false);
  peer.send(settings([INITIAL_WINDOW_SIZE, 0]));
  peer.sent();
  assert.equal(peer.connection.sendData(1, Buffer.alloc(0), 0, 0, true), true);
  assert.deepEqual(shapesOf(peer), ["0:1:1:0"]);
});

test("streams that wait for the connection's window take turns", () => {
  const peer = startPeer("server");
  peer.send(
    settings([INITIAL_WINDOW_SIZE, 1_000_000]),
    ...[1, 3, 5].map((id) => headers(id, END_STREAM, ...GET)),
  );
  const { connection } = peer;
  for (const id of [1, 3, 5]) {
    connection.sendHead(id, [...OK], false);
    connection.sendData(id, Buffer.alloc(100_000), 0, 100_000, true);
  }
  peer.sent();
  const order: number[] = [];
  for (let i = 0; i < 9; i++) {
    peer.send(frame(WINDOW_UPDATE, 0, 0, uint32(5_000)));
    order.push(...peer.sent().map((each) => each.streamId));
  }
  assert.deepEqual(order, [1, 3, 5, 1, 3, 5, 1, 3, 5]);
});

test("consumed bytes come back in half windows, not one by one", () => {
  const peer = startPeer("server", { streamWindowBytes: 100_000, connectionWindowBytes: 200_000 });
  peer.recorder.onData = (id, size) => peer.connection.consumed(id, size);
  peer.send(OPEN);
  const piece = frame(DATA, 0, 1, Buffer.alloc(10_000));
  for (let i = 0; i < 4; i++) peer.send(piece);
  assert.deepEqual(shapesOf(peer), []);
  for (let i = 0; i < 6; i++) peer.send(piece);
  const updates = peer.sent().map((each) => `${each.streamId}:${each.payload.readUInt32BE(0)}`);
  assert.deepEqual(updates, ["1:50000", "0:100000", "1:50000"]);
});

test("a body that is consumed after its stream has ended still opens the connection's window", () => {
  const peer = startPeer("client", { connectionWindowBytes: 65_535 });
  const id = peer.connection.openStream([...GET], true);
  peer.send(headers(id, 0, ...OK));
  for (let i = 0; i < 4; i++) peer.send(frame(DATA, i === 3 ? END_STREAM : 0, id, Buffer.alloc(10_000)));
  peer.sent();
  assert.equal(peer.connection.activeStreams, 0);
  peer.connection.consumed(id, 40_000);
  assert.deepEqual(shapesOf(peer), ["8:0:0:4"]);
});

// === the end ===

test("a server stops in two steps, and settles when the last stream is answered", () => {
  const peer = startPeer("server");
  peer.send(CLOSED);
  peer.connection.shutdown();
  const [goaway, ping] = peer.sent();
  assert.equal(goaway?.payload.readUInt32BE(0), 0x7fff_ffff);
  peer.send(headers(3, END_STREAM, ...GET));
  assert.match(peer.events.at(-1) as string, /^head 3 /, "it was on its way");
  peer.send(frame(PING, ACK, 0, ping?.payload));
  assert.equal(peer.sent()[0]?.payload.readUInt32BE(0), 3);
  peer.send(headers(5, END_STREAM, ...GET));
  assert.deepEqual(resetsOf(peer.sent()), ["5:7"]);
  peer.connection.sendHead(1, [...OK], true);
  peer.sent();
  assert.notEqual(peer.events.at(-1), "settled");
  peer.connection.sendHead(3, [...OK], true);
  assert.equal(peer.events.at(-1), "settled");
});

test("GOAWAY never names a later stream than it did before, also when the connection fails", () => {
  const peer = startPeer("server");
  peer.send(CLOSED);
  peer.connection.shutdown();
  const ping = peer.sent().find((each) => each.type === PING);
  peer.send(frame(PING, ACK, 0, ping?.payload), headers(5, END_STREAM, ...GET), frame(PING, 0, 1));
  const named = peer.sent().filter((each) => each.type === GOAWAY);
  assert.deepEqual(
    named.map((each) => each.payload.readUInt32BE(0)),
    [1, 1],
  );
});

test("a server without streams waits for what may be on its way before it settles", () => {
  const peer = startPeer("server");
  peer.connection.shutdown();
  peer.connection.shutdown();
  assert.deepEqual(peer.events, []);
  const ping = peer.sent().find((each) => each.type === PING);
  peer.send(frame(PING, ACK, 0, ping?.payload));
  assert.deepEqual(peer.events, ["settled"]);
});

test("a client that stops opens no more, and settles after its last response", () => {
  const peer = startPeer("client");
  const id = peer.connection.openStream([...GET], true);
  peer.connection.shutdown();
  assert.equal(peer.connection.canOpenStream, false);
  peer.send(headers(id, END_STREAM, ...OK));
  assert.equal(peer.events.at(-1), "settled");
});

test("a server's GOAWAY names the streams that may be tried elsewhere", () => {
  const peer = startPeer("client");
  for (let i = 0; i < 3; i++) peer.connection.openStream([...GET], true);
  peer.send(frame(GOAWAY, 0, 0, Buffer.concat([uint32(1), uint32(0), Buffer.from("debug")])));
  assert.deepEqual(peer.events, ["goaway 1 0", "reset 3 7", "reset 5 7"]);
  assert.equal(peer.connection.canOpenStream, false);
  peer.send(headers(1, END_STREAM, ...OK));
  assert.deepEqual(peer.events.slice(-1), ["settled"]);
});

test("a client keeps to the number of streams that the server takes", () => {
  const peer = startPeer("client");
  peer.send(settings([3, 1]));
  const id = peer.connection.openStream([...GET], true);
  assert.equal(peer.connection.canOpenStream, false);
  peer.send(headers(id, END_STREAM, ...OK));
  assert.equal(peer.connection.canOpenStream, true);
});

test("a handler's own mistake is not taken for the peer's", () => {
  const peer = startPeer("server");
  const mistake = new TypeError("of ours");
  peer.recorder.onHead = () => {
    throw mistake;
  };
  assert.throws(() => peer.send(CLOSED), mistake);
});
