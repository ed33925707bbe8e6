/**
 * HTTP/2 connections: whatever frames come, and however they are cut into reads, the handler is told the same and the
 * same is answered; a failure is of the catalogue; and what reaches the handler is fit to be written as HTTP/1.1.
 */
import assert from "node:assert/strict";
import {
  CLIENT_PREFACE,
  DEFAULT_HTTP2_LIMITS,
  type FieldList,
  Http2Connection,
} from "../../../src/wire/http2/index.ts";
import {
  block,
  frame,
  GET,
  headers,
  POST,
  receiveAll,
  Recorder,
  settings,
  uint32,
} from "../../../src/wire/http2/testing.ts";
import type { FuzzTarget } from "./fuzz.ts";
import { cut, mutate, type Random } from "./random.ts";

const LIMITS = {
  ...DEFAULT_HTTP2_LIMITS,
  maxHeaderListBytes: 2_000,
  maxFields: 20,
  maxConcurrentStreams: 5,
  resetBurst: 5,
  controlFrameBurst: 30,
};
/** By name, or from the static table, or from the dynamic one. */
const BLOCKS: readonly Buffer[] = [
  block(...GET),
  block(...POST, "content-length", "5"),
  block(...POST, "cookie", "a=1", "cookie", "b=2", "te", "trailers"),
  block(":status", "200", "content-type", "text/plain"),
  block("grpc-status", "0"),
  Buffer.from("8286844187f1e3c2e5f23a6b40017801798253", "hex"),
  Buffer.from("828784410873686f702e636f6dbe", "hex"),
  Buffer.from("3fe11f8287c0bf4188", "hex"),
];
const FIELDS: readonly (readonly [name: string, value: string])[] = [
  ["x", "a\r\nb"],
  ["Transfer-Encoding", "chunked"],
  ["transfer-encoding", "chunked"],
  ["content-length", "5"],
  ["content-length", "+5"],
  ["host", "shop.example.com"],
  ["host", "other.example.com"],
  [":path", "/ HTTP/1.1\r\n"],
  ["x\r\ny", ""],
  ["connection", "close"],
];
const WORDS: readonly string[] = [
  "\0\0\0",
  "\x01\x05\0\0\0\x01",
  "\0\0\x05\0\x01\0\0\0\x01hello",
  "\xff\xff\xff\xff",
  "\x82\x86\x84",
];

export const HTTP2_TARGET: FuzzTarget = {
  name: "http2",
  run(random, say) {
    const role = random.oneIn(3) ? "client" : "server";
    const start = role === "server" ? CLIENT_PREFACE : "";
    const frames = anyFrames(random).toString("latin1");
    const said = random.oneIn(2) ? frames : mutate(random, frames, WORDS, [frames]);
    const text = start + settings().toString("latin1") + said;
    say({ role, text });
    const whole = outcome(role, [text]);
    assert.deepEqual(outcome(role, cut(random, text)), whole);
    assert.deepEqual(outcome(role, [...text]), whole);
  },
};

/** What a connection says to its owner and to its peer. The owner answers and consumes, now and then. */
function outcome(role: "server" | "client", pieces: readonly string[]): unknown {
  const recorder = new Recorder();
  const connection = new Http2Connection(role, recorder, LIMITS);
  recorder.onHead = (id, fields, ends) => {
    assertFitForHttp1(fields);
    if (role === "server" && id % 4 === 1) connection.sendHead(id, [":status", "200", "x", "y"], ends);
  };
  recorder.onRefused = (id) => connection.sendHead(id, [":status", "400"], true);
  recorder.onData = (id, size, ends) => {
    connection.consumed(id, size);
    if (role === "server" && ends) connection.sendText(id, "answer", true);
  };
  if (role === "client") for (let i = 0; i < 3; i++) connection.openStream([...GET], i > 0);
  const output: Buffer[] = [];
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, "latin1");
    receiveAll(connection, bytes, 0);
    const out = connection.takeOutput();
    if (out !== null) output.push(out);
    // What was lent for the call is the socket's again.
    bytes.fill(0xaa);
  }
  assert.ok(recorder.events.filter((event) => event.startsWith("failed")).length <= 1);
  return { events: recorder.events, output: Buffer.concat(output).toString("latin1") };
}

/** Written as lines and read again, the fields are what they were. */
function assertFitForHttp1(fields: FieldList): void {
  for (let i = 0; i < fields.length; i += 2) {
    assert.match(fields[i] as string, /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/);
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    assert.doesNotMatch(fields[i + 1] as string, /[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$/);
    assert.notEqual(fields[i], "transfer-encoding");
  }
  const names = fields.filter((_, i) => i % 2 === 0);
  for (const name of ["host", "content-length", "cookie", ":path", ":authority", ":status"]) {
    assert.ok(names.filter((each) => each === name).length <= 1, name);
  }
}

function anyFrames(random: Random): Buffer {
  return Buffer.concat(Array.from({ length: 1 + random.below(8) }, () => anyFrame(random)));
}

function anyFrame(random: Random): Buffer {
  const id = random.pick([1, 1, 1, 3, 3, 5, 7, 0, 2]);
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2: {
      const [name, value] = random.pick(FIELDS);
      const fields = random.pick([GET, POST, [":status", "200"], ["x", "y"]]);
      const more = random.oneIn(3) ? [name, value] : [];
      return headers(id, random.below(2), ...fields, ...more);
    }
    case 3:
    case 4:
      return frame(
        0,
        random.pick([0, 0, 1, 8]),
        id,
        random.pick(["hello", "", "\x02a\0\0", "x".repeat(300)]),
      );
    case 5: {
      const bytes = random.pick(BLOCKS);
      const at = random.below(bytes.length);
      return Buffer.concat([
        frame(1, random.below(2), id, bytes.subarray(0, at)),
        frame(9, 4, id, bytes.subarray(at)),
      ]);
    }
    case 6:
      return frame(1, random.pick([4, 5, 0x0d, 0x25]), id, random.pick(BLOCKS));
    case 7:
      return settings([random.below(8), random.pick([0, 1, 10, 100, 16_384, 65_535, 0x7fff_ffff])]);
    case 8:
      return frame(8, 0, id, uint32(random.pick([0, 1, 1_000, 0x7fff_ffff])));
    default:
      return frame(random.below(12), random.below(256), id, random.pick(["", "1234", "12345678", "123456"]));
  }
}
