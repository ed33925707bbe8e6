import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { ShardedMap } from "./sharded-map.ts";

/** More than are kept together. */
const MANY = 9_000;
const keyOf = (n: number) => `app-${n}.apps.example.com`;

function filled(count: number) {
  const sharded = new ShardedMap<number>();
  const plain = new Map<string, number>();
  for (let n = 0; n < count; n++) {
    sharded.set(keyOf(n), n);
    plain.set(keyOf(n), n);
  }
  return { sharded, plain };
}

const write = fc.record({ n: fc.nat(MANY), value: fc.option(fc.nat(), { nil: undefined }) });
for (const { when, count } of [
  { when: "there are few", count: 0 },
  { when: "the first map is being emptied", count: 8_200 },
  { when: "there are many", count: 2 * MANY },
]) {
  test(`while ${when} it holds what a map holds after the same writes`, () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 200 }), (writes) => {
        const { sharded, plain } = filled(count);
        for (const { n, value } of writes) {
          const key = keyOf(n);
          if (value === undefined) {
            sharded.delete(key);
            plain.delete(key);
          } else {
            sharded.set(key, value);
            plain.set(key, value);
          }
          assert.equal(sharded.get(key), value);
          assert.equal(sharded.has(key), plain.has(key));
          assert.equal(sharded.size, plain.size);
        }
        assert.deepEqual(new Map(sharded.entries()), plain);
      }),
      { numRuns: 10 },
    );
  });
}

test("each key comes once while nothing is written, and is found, also while the first map is being emptied", () => {
  for (const count of [10, 8_200, 8_500, MANY, 2 * MANY]) {
    const { sharded, plain } = filled(count);
    assert.equal(sharded.size, count);
    assert.deepEqual([...sharded.keys()].toSorted(), [...plain.keys()].toSorted());
    for (const [key, value] of plain) assert.equal(sharded.get(key), value);
    assert.equal(sharded.get("unknown"), undefined);
    assert.ok(!sharded.has("unknown"));
  }
});

test("whoever iterates sees all that stays, whatever is written meanwhile", () => {
  const { sharded } = filled(8_000);
  const seen = new Set<number>();
  let next = 8_000;
  for (const [, value] of sharded.entries()) {
    seen.add(value);
    if (next < 2 * MANY) sharded.set(keyOf(next), next++);
    if (value % 2 === 1) sharded.delete(keyOf(value));
  }
  for (let n = 0; n < 8_000; n++) assert.ok(seen.has(n), String(n));
});

test("a value of undefined is one that it has", () => {
  const map = new ShardedMap<undefined>();
  map.set("a", undefined);
  assert.ok(map.has("a"));
  assert.ok(!map.has("b"));
  assert.equal(map.size, 1);
});
