import assert from "node:assert/strict";
import { test } from "node:test";
import retries from "./retries.ts";
import { problemsOf, ROUTE } from "./samples.ts";

const REFUSAL = "Options Retries must be a whole number between 0 and 10";

for (const { value, want } of [
  { value: "", want: [REFUSAL] },
  { value: "many", want: [REFUSAL] },
  { value: -1, want: [REFUSAL] },
  { value: 1.5, want: [REFUSAL] },
  { value: 11, want: [REFUSAL] },
  { value: 6, want: ["Options retries: 6 are more than the 5 that the operator allows"] },
  { value: "5", want: [] },
  { value: 0, want: [] },
]) {
  test(`says of retries=${value}: ${want[0] ?? "fine"}`, () =>
    assert.deepEqual(problemsOf(retries, value), want));
}

test("the operator may allow more, or none", () => {
  assert.deepEqual(problemsOf(retries, 10, { maxRetries: 10 }), []);
  assert.deepEqual(problemsOf(retries, 1, { maxRetries: 0 }), [
    "Options retries: 1 are more than the 0 that the operator allows",
  ]);
});

test("counts what comes after the first attempt", () => {
  assert.deepEqual(retries.hooks(2, ROUTE), { retry: { retries: 2 } });
  assert.equal(retries.explain(2), "up to 3 endpoints are asked");
  assert.equal(retries.explain(0), "one endpoint is asked");
});
