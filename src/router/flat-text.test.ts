import assert from "node:assert/strict";
import test from "node:test";
import { flatten, rememberCounts, rememberLast } from "./flat-text.ts";

test("a flat copy has every byte of the text", () => {
  const text = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join("");
  assert.equal(flatten(text), text);
});

test("a text is made again when any of its parts differs, and only then", () => {
  const made: string[] = [];
  const join = rememberLast((a, b, c) => {
    made.push(`${a}-${b}-${c}`);
    return `${a}-${b}-${c}`;
  });
  const asked = [
    ["", "", ""],
    ["x", "", ""],
    ["x", "", ""],
    ["x", "", ""],
    ["x", "y", ""],
    ["x", "y", "z"],
    ["x", "y", "z"],
    ["", "", ""],
  ] as const;
  for (const [a, b, c] of asked) assert.equal(join(a, b, c), `${a}-${b}-${c}`);
  assert.deepEqual(made, ["--", "x--", "x-y-", "x-y-z", "--"]);
});

test("a text of numbers is made again when any of them differs, and only then", () => {
  const made: string[] = [];
  const join = rememberCounts((a, b, c) => {
    made.push(`${a}-${b}-${c}`);
    return `${a}-${b}-${c}`;
  });
  const asked = [
    [0, 0, 0],
    [200, 0, 0],
    [200, 0, 0],
    [200, 1, 0],
    [200, 1, 2],
    [200, 1, 2],
    [0, 0, 0],
  ] as const;
  for (const [a, b, c] of asked) assert.equal(join(a, b, c), `${a}-${b}-${c}`);
  assert.deepEqual(made, ["0-0-0", "200-0-0", "200-1-0", "200-1-2", "0-0-0"]);
});
