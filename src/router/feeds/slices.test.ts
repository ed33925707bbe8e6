import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { createManualClock } from "../../kernel/index.ts";
import { createSlices, SLICE_MS } from "./slices.ts";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Every piece of work takes a millisecond. */
function startSlices(t: TestContext) {
  const clock = createManualClock();
  const done: number[] = [];
  const run = (work: number) => {
    done.push(work);
    clock.advance(1);
  };
  const slices = createSlices<number>(clock, run);
  t.after(() => slices.stop());
  const come = (work: number) => {
    if (slices.mayRun()) run(work);
    else slices.add(work);
  };
  return { slices, done, come };
}

test("what fits in a slice is done at once, the rest in order in the turns after it", async (t) => {
  const { done, come } = startSlices(t);
  const all = Array.from({ length: 3_000 }, (_, n) => n);
  for (const work of all) come(work);
  assert.deepEqual(done, all.slice(0, SLICE_MS));
  await nextTurn();
  assert.deepEqual(done, all.slice(0, 2 * SLICE_MS));
  come(3_000);
  assert.equal(done.length, 2 * SLICE_MS, "what comes later does not overtake");
  while (done.length < all.length + 1) await nextTurn();
  assert.deepEqual(done, [...all, 3_000]);
});

test("a turn later there is a whole slice again", async (t) => {
  const { done, come } = startSlices(t);
  for (let turn = 0; turn < 3; turn++) {
    for (let work = 0; work < SLICE_MS; work++) come(work);
    assert.equal(done.length, (turn + 1) * SLICE_MS);
    await nextTurn();
  }
});

test("after stop nothing that waited is done", async (t) => {
  const { slices, done, come } = startSlices(t);
  for (let work = 0; work < 20; work++) come(work);
  slices.stop();
  await nextTurn();
  await nextTurn();
  assert.equal(done.length, SLICE_MS);
});
