import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DecayingHistogram, percentile } from "./decaying-histogram.ts";

test("a percentile is the value at its rank, within 1 %", () => {
  const durations = fc.array(fc.double({ min: 0.01, max: 900_000, noNaN: true }), { minLength: 1 });
  fc.assert(
    fc.property(durations, fc.constantFrom(0.5, 0.75, 0.9, 0.95, 0.99), (values, share) => {
      const histogram = new DecayingHistogram();
      for (const value of values) histogram.observe(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = sorted[Math.ceil(share * sorted.length - 1e-9) - 1] as number;
      const found = percentile(histogram.weights, share);
      assert.ok(Math.abs(found / exact - 1) < 0.0101, `${found} is not ${exact}`);
    }),
  );
});

test("old durations weigh less than new ones, and are forgotten", () => {
  const histogram = new DecayingHistogram();
  for (let i = 0; i < 100; i++) histogram.observe(1_000);
  // Five minutes.
  for (let i = 0; i < 60; i++) histogram.tick();
  for (let i = 0; i < 10; i++) histogram.observe(1);
  assert.ok(percentile(histogram.weights, 0.5) < 2, "a hundred of then are as one of now");
  for (let i = 0; i < 300; i++) histogram.tick();
  assert.equal(histogram.weights.size, 0);
  assert.equal(percentile(histogram.weights, 0.5), 0);
});

test("no time at all, and a day, have buckets too", () => {
  const histogram = new DecayingHistogram();
  histogram.observe(0);
  histogram.observe(86_400_000);
  assert.ok(percentile(histogram.weights, 0.5) <= 0.001);
  assert.ok(Math.abs(percentile(histogram.weights, 1) / 86_400_000 - 1) < 0.0101);
});
