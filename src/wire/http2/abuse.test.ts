/** What a peer can make us keep or do for nothing is bounded: one test for each bound, which fails without it. */
import assert from "node:assert/strict";
import test from "node:test";
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  PING,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from "./codes.ts";
import {
  block,
  frame,
  GET,
  goawayCode,
  headers,
  type Peer,
  POST,
  resetsOf,
  settings,
  startPeer,
  uint32,
} from "./testing.ts";

/** Sends until the connection fails, at most so often. @returns how often it took. */
function sendUntilFailure(peer: Peer, most: number, next: (i: number) => readonly Buffer[]): number {
  for (let i = 0; i < most; i++) {
    peer.send(...next(i));
    peer.connection.takeOutput();
    if (peer.events.at(-1)?.startsWith("failed")) return i + 1;
  }
  return Number.POSITIVE_INFINITY;
}

const failedByFlood = (peer: Peer) => assert.equal(peer.events.at(-1), "failed http2_flood");

// === heads ===

test("a head above the limit is refused with 431, and the tables stay in step", () => {
  const peer = startPeer("server", { maxHeaderListBytes: 1_000 });
  // Indexed on the way: `x: y`, behind the field that is too much.
  const kept = Buffer.from([0x40, 1, 0x78, 1, 0x79]);
  peer.send(
    frame(HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([block(...GET, "a", "v".repeat(900)), kept])),
    frame(HEADERS, END_HEADERS | END_STREAM, 3, Buffer.concat([block(...GET), Buffer.from([0xbe])])),
  );
  assert.equal(peer.events[0], "refused 1 head_too_large");
  assert.equal(peer.recorder.errors[0]?.status, 431);
  assert.equal(peer.events[1], `head 3 ${JSON.stringify([...GET, "x", "y"])} end`);
});

test("a small block that becomes a large head (an HPACK bomb) is refused while it is decoded", () => {
  const peer = startPeer("server", { maxHeaderListBytes: 100_000 });
  // One field of 4,000 bytes in the table, and 16,000 references to it: 64 MB if they were put together.
  const bomb = Buffer.concat([
    block(...GET),
    Buffer.from([0x40, 1, 0x78, 0x7f, 0xa1, 0x1e]),
    Buffer.from("v".repeat(4_000)),
  ]);
  peer.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, bomb));
  peer.send(
    frame(HEADERS, END_HEADERS | END_STREAM, 3, Buffer.concat([block(...GET), Buffer.alloc(16_000, 0xbe)])),
  );
  assert.equal(peer.events.at(-1), "refused 3 head_too_large");
});

test("fields without content are counted too", () => {
  const peer = startPeer("server", { maxFields: 10 });
  const fill = (count: number) => Array.from({ length: count }, (_, i) => [`x${i}`, ""]).flat();
  peer.send(headers(1, END_STREAM, ...GET, ...fill(6)), headers(3, END_STREAM, ...GET, ...fill(7)));
  assert.match(peer.events[0] as string, /^head 1 /);
  assert.equal(peer.events[1], "refused 3 too_many_headers");
});

test("cookie crumbs count as the fields they are", () => {
  const peer = startPeer("server", { maxFields: 10 });
  peer.send(headers(1, END_STREAM, ...GET, ...Array.from({ length: 7 }, () => ["cookie", "a"]).flat()));
  assert.deepEqual(peer.events, ["refused 1 too_many_headers"]);
});

test("a header block without an end is cut off by its bytes (CVE-2024-27316)", () => {
  const peer = startPeer("server", { maxHeaderListBytes: 100_000 });
  peer.send(frame(HEADERS, END_STREAM, 1, block(...GET)));
  const piece = frame(CONTINUATION, 0, 1, Buffer.alloc(16_000));
  assert.equal(
    sendUntilFailure(peer, 100, () => [piece]),
    13,
    "200,000 bytes, and not a frame more",
  );
  failedByFlood(peer);
});

test("a header block in too many frames is cut off by their number (CVE-2023-45288)", () => {
  for (const size of [0, 1]) {
    const peer = startPeer("server", { maxHeaderListBytes: 16_384 });
    peer.send(frame(HEADERS, END_STREAM, 1));
    const piece = frame(CONTINUATION, 0, 1, Buffer.alloc(size));
    assert.ok(sendUntilFailure(peer, 1_000, () => [piece]) < 20);
    failedByFlood(peer);
  }
});

// === streams ===

test("requests that are reset at once use up the budget, answered or not by then (CVE-2023-44487)", () => {
  const peer = startPeer("server", { resetBurst: 50 });
  const took = sendUntilFailure(peer, 200, (i) => [
    headers(2 * i + 1, END_STREAM, ...GET),
    frame(RST_STREAM, 0, 2 * i + 1, uint32(8)),
  ]);
  assert.equal(took, 51);
  failedByFlood(peer);
  assert.match(peer.recorder.errors[0]?.message ?? "", /more than 50 requests/);
});

test("a connection that ends for a flood says ENHANCE_YOUR_CALM", () => {
  const peer = startPeer("server", { resetBurst: 0 });
  peer.send(headers(1, END_STREAM, ...GET), frame(RST_STREAM, 0, 1, uint32(8)));
  const sent = peer.sent();
  assert.equal(goawayCode(sent), ENHANCE_YOUR_CALM);
  assert.equal(sent.at(-1)?.payload.toString("latin1", 8), "http2_flood");
});

test("requests that make us reset them use up the same budget (CVE-2025-8671)", () => {
  for (const provoke of [
    (id: number) => frame(WINDOW_UPDATE, 0, id, uint32(0)),
    (id: number) => frame(WINDOW_UPDATE, 0, id, uint32(0x7fff_ffff)),
    (id: number) => headers(id, 0, "x", "y"),
    (id: number) => headers(id, END_STREAM, ":x", "y"),
  ]) {
    const peer = startPeer("server", { resetBurst: 50, controlFrameBurst: 100_000 });
    const took = sendUntilFailure(peer, 200, (i) => [headers(2 * i + 1, 0, ...POST), provoke(2 * i + 1)]);
    assert.equal(took, 51);
    failedByFlood(peer);
  }
});

test("malformed requests use up the same budget", () => {
  const peer = startPeer("server", { resetBurst: 50 });
  assert.equal(
    sendUntilFailure(peer, 200, (i) => [headers(2 * i + 1, END_STREAM, ...GET, "X", "y")]),
    51,
  );
  failedByFlood(peer);
});

test("answered requests give the budget back, and so does time", () => {
  const peer = startPeer("server", { resetBurst: 10, resetsPerSecond: 10 });
  let id = -1;
  const resetOne = () => [headers((id += 2), END_STREAM, ...GET), frame(RST_STREAM, 0, id, uint32(8))];
  for (let i = 0; i < 10; i++) peer.send(...resetOne());
  peer.recorder.onHead = (streamId) => peer.connection.sendHead(streamId, [":status", "204"], true);
  for (let i = 0; i < 5; i++) peer.send(headers((id += 2), END_STREAM, ...GET));
  peer.recorder.onHead = () => {};
  for (let i = 0; i < 5; i++) peer.send(...resetOne());
  for (let i = 0; i < 10; i++) peer.sendAt(1_000, ...resetOne());
  assert.ok(!peer.events.some((each) => each.startsWith("failed")));
  peer.sendAt(1_000, ...resetOne());
  failedByFlood(peer);
});

test("a reset of a stream that has been answered costs nothing", () => {
  const peer = startPeer("server", { resetBurst: 1 });
  peer.recorder.onHead = (streamId) => peer.connection.sendHead(streamId, [":status", "204"], true);
  const took = sendUntilFailure(peer, 100, (i) => [
    headers(2 * i + 1, END_STREAM, ...GET),
    frame(RST_STREAM, 0, 2 * i + 1, uint32(8)),
  ]);
  assert.equal(took, Number.POSITIVE_INFINITY);
});

test("so many requests are handed on at once, refused ones too, and the rest is left for another call", () => {
  const peer = startPeer("server", { maxHeadsAtOnce: 3 });
  const bytes = Buffer.concat(
    Array.from({ length: 8 }, (_, i) =>
      headers(1 + 2 * i, END_STREAM, ...(i % 2 === 0 ? GET : [...GET, "Bad", "x"])),
    ),
  );
  const counts: number[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const before = peer.events.length;
    rest = rest.subarray(peer.connection.receive(rest, rest.length, 0));
    counts.push(peer.events.length - before);
  }
  assert.deepEqual(counts, [3, 3, 2]);
  assert.deepEqual(
    peer.events.map((event) => event.split(" ", 2).join(" ")),
    ["head 1", "refused 3", "head 5", "refused 7", "head 9", "refused 11", "head 13", "refused 15"],
  );
});

/** Calls of `receive` until all is read. @returns the events of each */
function receiveInTurns(peer: Peer, bytes: Buffer): string[][] {
  const turns: string[][] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const before = peer.events.length;
    rest = rest.subarray(peer.connection.receive(rest, rest.length, 0));
    turns.push(peer.events.slice(before));
  }
  return turns;
}

test("requests that are reset at once count for several, because each costs a connection to its endpoint", () => {
  const peer = startPeer("server", { maxHeadsAtOnce: 8 });
  const ids = Array.from({ length: 6 }, (_, i) => 1 + 2 * i);
  const turns = receiveInTurns(
    peer,
    Buffer.concat(
      ids.flatMap((id) => [headers(id, END_STREAM, ...GET), frame(RST_STREAM, 0, id, uint32(8))]),
    ),
  );
  assert.deepEqual(
    turns.map((events) => events.filter((event) => event.startsWith("reset")).length),
    [2, 2, 2],
  );
});

test("so many pieces of data are handed on at once, and the rest is left for another call", () => {
  const peer = startPeer("server", { maxDataPiecesAtOnce: 3 });
  const turns = receiveInTurns(
    peer,
    Buffer.concat([
      headers(1, 0, ...POST),
      ...Array.from({ length: 7 }, (_, i) => frame(DATA, i === 6 ? END_STREAM : 0, 1, `${i}`)),
    ]),
  );
  assert.equal(turns.length, 3);
  assert.ok(peer.events.includes("data 1 0123456"));
});

test("streams above the limit are refused, and the peer may try again later", () => {
  const peer = startPeer("server", { maxConcurrentStreams: 2 });
  peer.send(...[1, 3, 5].map((id) => headers(id, 0, ...POST)));
  assert.equal(peer.connection.activeStreams, 2);
  assert.deepEqual(resetsOf(peer.sent()), ["5:7"]);
  peer.send(frame(DATA, END_STREAM, 5, "sent before it could know"), frame(DATA, END_STREAM, 1, "a"));
  peer.connection.sendHead(1, [":status", "204"], true);
  peer.send(headers(7, END_STREAM, ...GET));
  assert.match(peer.events.at(-1) as string, /^head 7 /);
});

test("a peer that goes on above the limit is cut off", () => {
  const peer = startPeer("server", { maxConcurrentStreams: 1, controlFrameBurst: 100 });
  assert.ok(sendUntilFailure(peer, 300, (i) => [headers(2 * i + 1, 0, ...POST)]) < 120);
  failedByFlood(peer);
});

// === frames that bring nothing forward ===

const FLOODS: readonly { readonly name: string; readonly bytes: Buffer }[] = [
  { name: "PING", bytes: frame(PING, 0, 0, "12345678") },
  { name: "acknowledgements of PING", bytes: frame(PING, ACK, 0, "12345678") },
  { name: "SETTINGS", bytes: settings() },
  { name: "acknowledgements of SETTINGS", bytes: frame(SETTINGS, ACK, 0) },
  { name: "WINDOW_UPDATE of the connection", bytes: frame(WINDOW_UPDATE, 0, 0, uint32(1)) },
  { name: "WINDOW_UPDATE of a stream", bytes: frame(WINDOW_UPDATE, 0, 1, uint32(1)) },
  { name: "PRIORITY", bytes: frame(PRIORITY, 0, 1, "\0\0\0\0\0") },
  { name: "frames of unknown types", bytes: frame(200, 0, 0, "x") },
  { name: "empty DATA", bytes: frame(DATA, 0, 1) },
  { name: "DATA of padding alone", bytes: frame(DATA, 8, 1, "\x02\0\0") },
];

for (const { name, bytes } of FLOODS) {
  test(`a flood of ${name} ends the connection, a few do not`, () => {
    const peer = startPeer("server", { controlFrameBurst: 100, controlFramesPerSecond: 10 });
    peer.send(headers(1, 0, ...POST));
    const took = sendUntilFailure(peer, 1_000, () => [bytes]);
    assert.ok(took > 90 && took <= 110, `after ${took}`);
    failedByFlood(peer);
  });
}

test("one PING a second never ends a connection", () => {
  const peer = startPeer("server", { controlFrameBurst: 10, controlFramesPerSecond: 1 });
  for (let second = 1; second < 1_000; second++) {
    peer.sendAt(second * 1_000, frame(PING, 0, 0, "12345678"));
    peer.sent();
  }
  assert.deepEqual(peer.events, []);
});

test("window updates that come with a download are not a flood", () => {
  const peer = startPeer("server", { controlFrameBurst: 10, controlFramesPerSecond: 0 });
  peer.send(headers(1, END_STREAM, ...GET));
  peer.connection.sendHead(1, [":status", "200"], false);
  for (let i = 0; i < 1_000; i++) {
    peer.connection.sendText(1, "x".repeat(1_000), false);
    peer.send(frame(WINDOW_UPDATE, 0, 0, uint32(1_000)), frame(WINDOW_UPDATE, 0, 1, uint32(1_000)));
    peer.sent();
  }
  assert.equal(peer.events.length, 1);
});

test("a window that is opened byte by byte is a flood, however much waits to be sent (CVE-2019-9511)", () => {
  const peer = startPeer("server", { controlFrameBurst: 100, controlFramesPerSecond: 0 });
  peer.send(settings([INITIAL_WINDOW_SIZE, 0]), headers(1, END_STREAM, ...GET));
  peer.connection.sendHead(1, [":status", "200"], false);
  peer.connection.sendText(1, "x".repeat(50_000), true);
  assert.ok(sendUntilFailure(peer, 1_000, () => [frame(WINDOW_UPDATE, 0, 1, uint32(1))]) < 120);
  failedByFlood(peer);
});

test("a server that goes on with interim heads and never answers is cut off", () => {
  const peer = startPeer("client", { controlFrameBurst: 100 });
  const id = peer.connection.openStream([...GET], true);
  assert.ok(sendUntilFailure(peer, 1_000, () => [headers(id, 0, ":status", "103")]) < 120);
  failedByFlood(peer);
});

test("a long body that is on its way when its stream is reset is no flood", () => {
  const peer = startPeer("server", { controlFrameBurst: 20, controlFramesPerSecond: 0 });
  peer.send(headers(1, 0, ...POST));
  peer.connection.sendHead(1, [":status", "413"], true);
  for (let i = 0; i < 500; i++) peer.send(frame(DATA, 0, 1, "x".repeat(500)));
  assert.equal(peer.events.length, 1);
});

test("replies that nobody reads are bounded", () => {
  const peer = startPeer("server", { controlFrameBurst: 1_000_000, maxPendingReplyBytes: 1_700 });
  const ping = frame(PING, 0, 0, "12345678");
  for (let i = 0; i < 100; i++) peer.send(ping);
  peer.sent();
  for (let i = 0; i < 101; i++) peer.send(ping);
  failedByFlood(peer);
  assert.ok(peer.connection.pendingOutputBytes < 2_000);
});

// === bodies ===

test("a stream that nobody consumes stops at its window, and the others go on", () => {
  const peer = startPeer("server", { streamWindowBytes: 65_535, connectionWindowBytes: 200_000 });
  peer.send(headers(1, 0, ...POST), headers(3, 0, ...POST));
  const full = Buffer.alloc(16_000, 0x61);
  for (let i = 0; i < 4; i++) peer.send(frame(DATA, 0, 1, full));
  peer.send(frame(DATA, 0, 1, full));
  assert.equal(peer.events.at(-1), "reset 1 3 http2_flow_control_violated");
  peer.recorder.onData = (id, size) => peer.connection.consumed(id, size);
  for (let i = 0; i < 100; i++) peer.send(frame(DATA, 0, 3, full));
  assert.match(peer.events.at(-1) as string, /^data 3 a+$/);
  assert.equal((peer.events.at(-1) as string).length, "data 3 ".length + 1_600_000);
});

test("the connection's window bounds what all streams hold", () => {
  const peer = startPeer("server", { streamWindowBytes: 65_535, connectionWindowBytes: 70_000 });
  const full = Buffer.alloc(16_000, 0x61);
  for (const id of [1, 3, 5, 7, 9]) peer.send(headers(id, 0, ...POST), frame(DATA, 0, id, full));
  assert.equal(peer.events.at(-1), "failed http2_flow_control_violated");
});

test("data of streams that are gone, and padding, come back to the connection's window", () => {
  const peer = startPeer("server", { connectionWindowBytes: 65_535, resetBurst: 100_000 });
  peer.recorder.onHead = (id) => peer.connection.reset(id, 8);
  const padded = frame(DATA, 8, 1, Buffer.concat([Buffer.from([200]), Buffer.alloc(15_000)]));
  peer.send(headers(1, 0, ...POST));
  for (let i = 0; i < 40; i++) peer.send(padded, headers(3 + 2 * i, 0, ...POST));
  peer.recorder.onHead = () => {};
  peer.send(headers(101, 0, ...POST));
  for (let i = 0; i < 40; i++) {
    peer.send(frame(DATA, 8, 101, Buffer.concat([Buffer.from([255]), Buffer.alloc(255 + 1)])));
    peer.connection.consumed(101, 1);
  }
  assert.ok(!peer.events.some((each) => each.startsWith("failed")));
});
