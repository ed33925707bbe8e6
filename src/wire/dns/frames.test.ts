import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FrameReader, frameMessage } from "./frames.ts";

function readAll(reader: FrameReader): (number[] | "invalid")[] {
  const found: (number[] | "invalid")[] = [];
  for (let next = reader.next(); next !== null; next = reader.next()) {
    found.push(next === "invalid" ? next : [...next]);
    if (next === "invalid") break;
  }
  return found;
}

test("however the stream is cut, the same messages come out", () => {
  const message = fc.uint8Array({ minLength: 12, maxLength: 40 });
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.integer({ min: 1, max: 9 })), (messages, sizes) => {
      const stream = Buffer.concat(messages.map(frameMessage));
      const reader = new FrameReader();
      const found: (number[] | "invalid")[] = [];
      let from = 0;
      for (const size of [...sizes, stream.length]) {
        reader.push(stream.subarray(from, from + size));
        from += size;
        found.push(...readAll(reader));
      }
      assert.deepEqual(
        found,
        messages.map((bytes) => [...bytes]),
      );
      assert.equal(reader.isEmpty, true);
    }),
  );
});

for (const length of [0, 1, 11]) {
  test(`a message of ${length} bytes cannot be one`, () => {
    const reader = new FrameReader();
    reader.push(Uint8Array.of(0));
    assert.deepEqual(readAll(reader), []);
    reader.push(Uint8Array.of(length));
    assert.deepEqual(readAll(reader), ["invalid"]);
  });
}

test("the largest message has a frame, a larger one has none", () => {
  assert.deepEqual([...frameMessage(new Uint8Array(65_535)).subarray(0, 2)], [255, 255]);
  assert.throws(() => frameMessage(new Uint8Array(65_536)), RangeError);
});

test("the longest message in single bytes is put together without copying each time", () => {
  const frame = frameMessage(new Uint8Array(65_535).fill(1));
  const reader = new FrameReader();
  let found = 0;
  for (const byte of frame) {
    reader.push(Uint8Array.of(byte));
    found += readAll(reader).length;
  }
  assert.equal(found, 1);
});
