import assert from "node:assert/strict";
import { test } from "node:test";
import { createManualClock, systemClock } from "./clock.ts";

test("timers run in the order in which they are due, each at its own moment", () => {
  const clock = createManualClock(0);
  const ran: string[] = [];
  clock.setTimeout(() => ran.push(`late at ${clock.nowMs()}`), 20);
  clock.setTimeout(() => ran.push(`early at ${clock.nowMs()}`), 10);
  clock.advance(25);
  assert.deepEqual(ran, ["early at 10", "late at 20"]);
  assert.equal(clock.monotonicMs(), 25);
});

test("an interval repeats until it is cleared, also from within", () => {
  const clock = createManualClock(0);
  let count = 0;
  const timer = clock.setInterval(() => {
    count++;
    if (count === 3) timer.clear();
  }, 10);
  clock.advance(100);
  assert.equal(count, 3);
});

test("a timer that a timer sets runs in the same step when it is due", () => {
  const clock = createManualClock(0);
  const ran: number[] = [];
  clock.setTimeout(() => clock.setTimeout(() => ran.push(clock.nowMs()), 5), 5);
  clock.advance(10);
  assert.deepEqual(ran, [10]);
});

test("a time that is longer than the platform's timers take does not come at once", (t) => {
  const longest = 2 ** 31 - 1;
  for (const name of ["setTimeout", "setInterval"] as const) {
    const { mock } = t.mock.method(globalThis, name);
    for (const ms of [longest + 1, Number.POSITIVE_INFINITY, longest, 5])
      systemClock[name](() => {}, ms).clear();
    assert.deepEqual(
      mock.calls.map((call) => call.arguments[1]),
      [longest, longest, longest, 5],
    );
  }
});
