import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ByteQueue } from "./byte-queue.ts";

test("gives every piece back as it was put, in the order in which they came", () => {
  // Some longer than a page, some that fit the rest of one exactly; null takes one.
  const size = fc.oneof(fc.nat(300), fc.integer({ min: 262_100, max: 262_200 }), fc.constant(300_000));
  fc.assert(
    fc.property(fc.array(fc.option(size, { nil: null }), { maxLength: 40 }), (steps) => {
      const queue = new ByteQueue();
      const waiting: Buffer[] = [];
      const takeOne = () => {
        const want = waiting.shift();
        const got = queue.take();
        if (want === undefined) assert.equal(got, null);
        else assert.ok(got !== null && want.equals(got));
      };
      for (const [i, bytes] of steps.entries()) {
        if (bytes === null) {
          takeOne();
          continue;
        }
        const piece = Buffer.alloc(bytes, i + 1);
        waiting.push(Buffer.from(piece));
        queue.put(piece);
        // The giver's again.
        piece.fill(0);
      }
      for (let left = waiting.length; left >= 0; left--) takeOne();
    }),
  );
});

test("what waits behind a page takes a fraction of its bytes, also before the collector has been by", () => {
  const queue = new ByteQueue();
  const piece = Buffer.from(JSON.stringify({ host: "10.0.1.5", port: 61_001, uris: ["shop.example.com"] }));
  const count = 500_000;
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 0; n < count; n++) queue.put(piece);
  const held = process.memoryUsage().arrayBuffers - before;
  assert.ok(held < (count * piece.length) / 4, `${held} bytes`);
  for (let n = 0; n < count; n++) assert.ok(piece.equals(queue.take() ?? Buffer.alloc(0)));
  assert.equal(queue.take(), null);
});

test("has nothing after it has been cleared, and takes new pieces", () => {
  const queue = new ByteQueue();
  queue.put(Buffer.from("old"));
  queue.clear();
  assert.equal(queue.take(), null);
  queue.put(Buffer.from("new"));
  assert.equal(Buffer.from(queue.take() ?? []).toString(), "new");
});
