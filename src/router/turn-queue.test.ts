import assert from "node:assert/strict";
import test from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { PIECES_PER_TURN, TurnCount, waitForTurn } from "./turn-queue.ts";

test("so much work is done in a turn, in the order it came, whoever has more of it", async () => {
  const done: string[] = [];
  const wait = (name: string, times: number) =>
    waitForTurn({
      takeTurn() {
        done.push(name);
        if (times > 1) wait(name, times - 1);
      },
    });
  wait("busy", 3);
  for (let i = 1; i < 2 * PIECES_PER_TURN; i++) wait(`other ${i}`, 1);
  assert.deepEqual(done, [], "nothing is done at once");

  const turns: string[][] = [];
  while (done.length < 2 * PIECES_PER_TURN + 2) {
    const before = done.length;
    await nextTurn();
    turns.push(done.slice(before));
  }
  const others = Array.from({ length: 2 * PIECES_PER_TURN - 1 }, (_, i) => `other ${i + 1}`);
  assert.deepEqual(turns, [
    ["busy", ...others.slice(0, PIECES_PER_TURN - 1)],
    others.slice(PIECES_PER_TURN - 1),
    ["busy"],
    ["busy"],
  ]);
});

test("who waits already keeps its place, and gets one turn", async () => {
  const done: string[] = [];
  const [one, other] = ["one", "other"].map((name) => ({ takeTurn: () => void done.push(name) }));
  for (const waiting of [one, other, one]) if (waiting !== undefined) waitForTurn(waiting);
  await nextTurn();
  assert.deepEqual(done, ["one", "other"]);
  await nextTurn();
  assert.deepEqual(done, ["one", "other"]);
});

test("what is counted in a turn begins anew with the next one", async () => {
  const count = new TurnCount();
  assert.equal(count.add(3), 3);
  assert.equal(count.add(4), 7);
  assert.equal(count.count, 7);
  await nextTurn();
  assert.equal(count.count, 0);
  assert.equal(count.add(1), 1);
});
