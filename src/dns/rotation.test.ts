import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createRandom, createRotation } from "./rotation.ts";

test("every item comes first equally often, exactly", () => {
  const rotation = createRotation(["a", "b", "c"], createRandom(1));
  const firsts = { a: 0, b: 0, c: 0 };
  for (let n = 0; n < 300; n++) firsts[rotation.next(0)[0] as "a"]++;
  assert.deepEqual(firsts, { a: 100, b: 100, c: 100 });
});

test("any order holds every item once; a limited one holds different items of the same list", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(), { maxLength: 20 }), fc.nat(25), fc.nat(), (items, limit, seed) => {
      const rotation = createRotation(items, createRandom(seed));
      for (let n = 0; n < 5; n++) {
        const order = rotation.next(limit);
        assert.equal(order.length, limit === 0 ? items.length : Math.min(limit, items.length));
        assert.equal(new Set(order).size, order.length);
        assert(order.every((item) => items.includes(item)));
      }
    }),
  );
});

test("the same seed gives the same orders, another seed others", () => {
  const items = Array.from({ length: 8 }, (_, i) => i);
  const orders = (seed: number) => {
    const rotation = createRotation(items, createRandom(seed));
    return Array.from({ length: 5 }, () => rotation.next(0).join());
  };
  assert.deepEqual(orders(7), orders(7));
  assert.notDeepEqual(orders(7), orders(8));
});

/** Sum of (observed − expected)² ÷ expected. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

test("what follows the first, and what a limit leaves, is uniform over ten thousand answers", () => {
  const items = Array.from({ length: 10 }, (_, i) => i);
  const rotation = createRotation(items, createRandom(42));
  const second = Array<number>(10).fill(0);
  const last = Array<number>(10).fill(0);
  const successorOfZero = Array<number>(9).fill(0);
  for (let n = 0; n < 10_000; n++) {
    const order = rotation.next(4);
    second[order[1] ?? 0]!++;
    last[order[3] ?? 0]!++;
    if (order[0] === 0) successorOfZero[(order[1] ?? 1) - 1]!++;
  }
  // 27.9 and 26.1 are passed by one in a thousand fair series with 9 and 8 degrees of freedom; the seed is fixed.
  assert(chiSquare(second) < 27.9);
  assert(chiSquare(last) < 27.9);
  assert(chiSquare(successorOfZero) < 26.1);
});

test("a rotation that is made anew does not always begin with the same item", () => {
  const random = createRandom(3);
  const firsts = new Set(
    Array.from({ length: 50 }, () => createRotation(["a", "b", "c"], random).next(0)[0]),
  );
  assert.equal(firsts.size, 3);
});
