import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { sseEventTooLarge } from "../../kernel/errors/wire.ts";
import { createSseDecoder, encodeComment, encodeEvent, encodeRetry, type SseEvent } from "./index.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const decodeAll = (text: string): readonly SseEvent[] => createSseDecoder().push(bytes(text));

const cases: readonly { name: string; input: string; want: readonly SseEvent[] }[] = [
  { name: "a block without data is no event", input: "event: x\nid: 1\n\n", want: [] },
  { name: "an event that the stream's end cuts off is not given out", input: "data: x\n", want: [] },
  {
    name: "only one space after the colon belongs to the grammar",
    input: "data:  x\n\n",
    want: [{ id: null, event: "message", data: " x" }],
  },
  {
    name: "a field without a colon has an empty value",
    input: "data\n\n",
    want: [{ id: null, event: "message", data: "" }],
  },
  {
    name: "comments and unknown fields are skipped",
    input: ": hello\nfoo: bar\ndata: x\n\n",
    want: [{ id: null, event: "message", data: "x" }],
  },
  {
    name: "several data fields are lines of one value",
    input: "data: a\ndata: b\n\n",
    want: [{ id: null, event: "message", data: "a\nb" }],
  },
  {
    name: "an id with NUL is ignored",
    input: "id: a\0b\ndata: x\n\n",
    want: [{ id: null, event: "message", data: "x" }],
  },
  {
    name: "a byte order mark at the start is dropped",
    input: "\uFEFFdata: x\n\n",
    want: [{ id: null, event: "message", data: "x" }],
  },
  {
    name: "CR, LF and CRLF all end lines",
    input: "id: 7\revent: E\r\ndata: x\n\r\n",
    want: [{ id: "7", event: "E", data: "x" }],
  },
];
for (const { name, input, want } of cases) test(name, () => assert.deepEqual(decodeAll(input), want));

test("an event's exact bytes are id, event, data and a blank line", () => {
  assert.equal(
    encodeEvent({ id: "e-1", event: "RouteDelete", data: "{}" }),
    "id: e-1\nevent: RouteDelete\ndata: {}\n\n",
  );
  assert.equal(encodeComment("keep-alive"), ": keep-alive\n\n");
  assert.equal(encodeRetry(1000), "retry: 1000\n\n");
});

test("a line break in a name cannot start a new field", () => {
  assert.deepEqual(decodeAll(encodeEvent({ id: "1\ndata: evil", event: "a\r\nb", data: "x" })), [
    { id: "1data: evil", event: "ab", data: "x" },
  ]);
});

test("the place to resume survives events that have no id", () => {
  const decoder = createSseDecoder();
  decoder.push(bytes("id: 5\ndata: a\n\ndata: b\n\nid: 9\ndata: unfinished\n"));
  assert.equal(decoder.lastEventId, "5");
});

test("retry is taken when it is digits only", () => {
  const decoder = createSseDecoder();
  decoder.push(bytes("retry: soon\n\n"));
  assert.equal(decoder.retryMs, null);
  decoder.push(bytes(encodeRetry(1500)));
  assert.equal(decoder.retryMs, 1500);
});

test("a peer that never ends its event is refused instead of filling memory", () => {
  const decoder = createSseDecoder(100);
  assert.throws(() => decoder.push(bytes(`data: ${"x".repeat(200)}`)), sseEventTooLarge.is);
  const byFields = createSseDecoder(100);
  assert.throws(() => {
    for (let i = 0; i < 50; i++) byFields.push(bytes("data: 12345\n"));
  }, sseEventTooLarge.is);
});

const word = fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => text.replaceAll(/[\r\n\0]/g, ""));
const events = fc.array(
  fc.record({ id: word, event: word.filter((text) => text !== ""), data: fc.string({ unit: "grapheme" }) }),
  { maxLength: 5 },
);

test("what was encoded is decoded again, in whatever pieces it arrives", () => {
  fc.assert(
    fc.property(events, fc.array(fc.integer({ min: 1, max: 7 })), (sent, sizes) => {
      const wire = bytes(sent.map(encodeEvent).join(encodeComment("x")));
      const decoder = createSseDecoder();
      const got: SseEvent[] = [];
      for (let at = 0, piece = 0; at < wire.length; piece++) {
        const size = sizes[piece % Math.max(sizes.length, 1)] ?? 3;
        got.push(...decoder.push(wire.subarray(at, at + size)));
        at += size;
      }
      const lines = (text: string) => text.split(/\r\n|\r|\n/).join("\n");
      assert.deepEqual(
        got,
        sent.map(({ id, event, data }) => ({ id, event, data: lines(data) })),
      );
    }),
  );
});

test("no input makes the decoder throw anything outside the catalogue", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }), (pieces) => {
      const decoder = createSseDecoder(64);
      try {
        for (const piece of pieces) decoder.push(piece);
      } catch (error) {
        assert.ok(sseEventTooLarge.is(error));
      }
    }),
  );
});
