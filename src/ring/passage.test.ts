import assert from "node:assert/strict";
import { test } from "node:test";
import { EAGAIN } from "./abi.ts";
import { Passage } from "./passage.ts";
import type { System } from "./system.ts";

const EPIPE = 32;
const EINTR = 4;

/** A system whose every splice ends as the next one of `results`: negative ones are errnos. */
function passageWith(results: number[]): Passage {
  let errno = 0;
  const splice = () => {
    const result = results.shift() ?? 0;
    errno = Math.max(0, -result);
    return result < 0 ? -1 : result;
  };
  const calls = { pipe2: () => 0, fcntl: () => 0, splice };
  const system = { ffi: { getRawPointer: () => 0n }, calls, errno: () => errno };
  return new Passage(system as unknown as System);
}

const cases = [
  { name: "all of it at once", results: [10], given: 10 },
  { name: "all of it in pieces", results: [4, 6], given: 10 },
  { name: "as much as there is room for", results: [4, -EAGAIN], given: 4 },
  { name: "nothing without room", results: [-EAGAIN], given: 0 },
  { name: "what was taken before the connection broke", results: [4, -EPIPE], given: 4 },
  { name: "the failure of one that had broken before", results: [-EPIPE], given: -EPIPE },
  { name: "all of it, whatever interrupts", results: [-EINTR, 4, -EINTR, 6], given: 10 },
];
for (const { name, results, given } of cases) {
  test(`giving to a connection counts ${name}`, () => {
    const left = [...results];
    assert.equal(passageWith(left).give(1, 10), given);
    assert.deepEqual(left, []);
  });
}

test("taking tells of the end, of a failure, and of nothing there", () => {
  const passage = passageWith([0, -EPIPE, -EAGAIN, -EINTR, 7]);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => passage.take(1, 10)),
    [0, -EPIPE, -EAGAIN, 7],
  );
});
