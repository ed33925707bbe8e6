import assert from "node:assert/strict";
import { test } from "node:test";
import { Meter, METER_MINUTES } from "./meter.ts";

/** The averages at any moment, from all ticks there were: the first is taken whole, each later one by its share. */
function slowly(marks: readonly number[]): readonly number[] {
  return METER_MINUTES.map((minutes) => {
    const kept = Math.exp(-5 / 60 / minutes);
    return marks
      .map((count) => count / 5)
      .reduce((before, rate, i) => (i === 0 ? rate : before * kept + rate * (1 - kept)), 0);
  });
}

test("rates follow what was marked, the shorter average faster", () => {
  const meter = new Meter();
  assert.deepEqual(meter.rates, [0, 0, 0]);
  const marks = [50, 50, 0, 0, 100, ...Array.from({ length: 24 }, () => 0)];
  for (const count of marks) {
    for (let i = 0; i < count; i++) meter.mark();
    meter.tick();
  }
  for (const [i, rate] of slowly(marks).entries()) {
    assert.ok(Math.abs((meter.rates[i] as number) - rate) < 1e-9, `${meter.rates[i]} ≈ ${rate}`);
  }
  const [one = 0, five = 0, fifteen = 0] = meter.rates;
  assert.ok(one < five && five < fifteen, "two silent minutes are in the first most");
});

test("the first tick is all that is known of the rate", () => {
  const meter = new Meter();
  for (let i = 0; i < 10; i++) meter.mark();
  meter.tick();
  assert.deepEqual(meter.rates, [2, 2, 2]);
});
