import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestName, parseBytes, parseDurationMs } from "./units.ts";

const durations: readonly (readonly [string, number | null])[] = [
  ["", null],
  ["30", null],
  ["s", null],
  ["1s2", null],
  ["-1s", null],
  ["0", 0],
  ["0s", 0],
  ["500ms", 500],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  ["250us", 0.25],
];
for (const [text, want] of durations) {
  test(`the duration ${JSON.stringify(text)} is ${want === null ? "refused" : `${want} ms`}`, () => {
    assert.equal(parseDurationMs(text), want);
  });
}

const sizes: readonly (readonly [string, number | null])[] = [
  ["", null],
  ["16", null],
  ["KiB", null],
  ["1.5 KiB", null],
  ["16 KiB", 16_384],
  ["1MB", 1_000_000],
  ["512 B", 512],
  ["2gib", 2 ** 31],
];
for (const [text, want] of sizes) {
  test(`the size ${JSON.stringify(text)} is ${want === null ? "refused" : `${want} bytes`}`, () => {
    assert.equal(parseBytes(text), want);
  });
}

test("the nearest name is offered for a typing mistake, and nothing for a different word", () => {
  assert.equal(nearestName("loadbalncing", ["loadbalancing", "trim-path"]), "loadbalancing");
  assert.equal(nearestName("banana", ["loadbalancing", "trim-path"]), null);
});
