import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { createManualClock } from "../../kernel/index.ts";
import { createSlices, createSteps, MOST_RESTS, REST_MS, SLICE_MS } from "./slices.ts";

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Every piece of work takes a millisecond. */
function startSlices(t: TestContext) {
  const clock = createManualClock();
  const done: number[] = [];
  const run = (work: number) => {
    done.push(work);
    clock.advance(1);
  };
  const collector = { isMarking: false };
  const slices = createSlices<number>(clock, run, () => collector.isMarking);
  t.after(() => slices.stop());
  const come = (work: number) => {
    if (slices.mayRun()) run(work);
    else slices.add(work);
  };
  return { clock, collector, slices, done, come };
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

test("while the collector marks a slice is short, and nothing is done in the rest after it", async (t) => {
  const { clock, collector, done, come } = startSlices(t);
  const all = Array.from({ length: 2 * SLICE_MS }, (_, n) => n);
  collector.isMarking = true;
  for (const work of all.slice(1)) come(work - 1);
  await nextTurn();
  clock.advance(REST_MS - 1);
  await nextTurn();
  come(all.length - 1);
  assert.deepEqual(done, [0], "what comes in a rest waits too");
  clock.advance(1);
  assert.deepEqual(done, [0, 1]);
  collector.isMarking = false;
  clock.advance(REST_MS + 1);
  assert.deepEqual(done, all.slice(0, 2 + SLICE_MS), "a whole slice once it is over");
  while (done.length < all.length) await nextTurn();
  assert.deepEqual(done, all);
});

test("a collector that does not stop marking does not hold up work for ever", async (t) => {
  const { clock, collector, done, come } = startSlices(t);
  collector.isMarking = true;
  for (let work = 0; work < MOST_RESTS + 2 * SLICE_MS; work++) come(work);
  for (let rest = 0; rest < MOST_RESTS; rest++) clock.advance(REST_MS + 1);
  assert.equal(done.length, MOST_RESTS + SLICE_MS, "whole slices from now on");
  await nextTurn();
  assert.equal(done.length, MOST_RESTS + 2 * SLICE_MS);
});

test("what needs no more than a short slice does not ask what the collector does", async (t) => {
  let asked = 0;
  const clock = createManualClock();
  const slices = createSlices<number>(
    clock,
    () => {},
    () => asked++ > 0,
  );
  t.after(() => slices.stop());
  for (let work = 0; work < 100; work++) assert.ok(slices.mayRun());
  assert.equal(asked, 0);
});

test("after stop in a rest nothing that waited is done", async (t) => {
  const { clock, collector, slices, done, come } = startSlices(t);
  collector.isMarking = true;
  for (let work = 0; work < SLICE_MS; work++) come(work);
  slices.stop();
  clock.advance(REST_MS);
  await nextTurn();
  assert.deepEqual(done, [0]);
});

/** Every step takes a millisecond. */
function startSteps(t: TestContext) {
  const clock = createManualClock();
  const collector = { isMarking: false };
  const steps = createSteps(clock, () => collector.isMarking);
  t.after(() => steps.stop());
  const done: string[] = [];
  function* work(name: string, length: number) {
    for (let step = 1; step <= length; step++) {
      done.push(`${name}${step}`);
      clock.advance(1);
      yield;
    }
    done.push(`${name} is over`);
  }
  return { clock, collector, steps, done, work };
}

test("of a long piece of work what fits in a slice is done at once, the rest in the turns after it", async (t) => {
  const { steps, done, work } = startSteps(t);
  steps.begin(work("a", 2 * SLICE_MS));
  assert.equal(done.length, SLICE_MS);
  await nextTurn();
  assert.equal(done.length, 2 * SLICE_MS);
  await nextTurn();
  assert.equal(done.at(-1), "a is over");
});

test("a long piece of work rests while the collector marks", async (t) => {
  const { clock, collector, steps, done, work } = startSteps(t);
  collector.isMarking = true;
  steps.begin(work("a", 2 * SLICE_MS));
  await nextTurn();
  assert.deepEqual(done, ["a1"]);
  collector.isMarking = false;
  clock.advance(REST_MS);
  assert.equal(done.length, 1 + SLICE_MS);
});

test("a piece of work takes the place of one that is not over", async (t) => {
  const { steps, done, work } = startSteps(t);
  steps.begin(work("a", 2 * SLICE_MS));
  steps.begin(work("b", 1));
  await nextTurn();
  await nextTurn();
  assert.deepEqual(done.slice(SLICE_MS), ["b1", "b is over"]);
});
