import assert from "node:assert/strict";
import { test } from "node:test";
import retryBudget from "./retry-budget.ts";
import { problemsOf, ROUTE } from "./samples.ts";

const REFUSAL = "Options Retry budget must be a whole number of percent between 0 and 100";

for (const { value, want } of [
  { value: "20%", want: [REFUSAL] },
  { value: 0.2, want: [REFUSAL] },
  { value: -1, want: [REFUSAL] },
  { value: 101, want: [REFUSAL] },
  { value: 0, want: [] },
  { value: "100", want: [] },
]) {
  test(`says of retry-budget=${value}: ${want[0] ?? "fine"}`, () =>
    assert.deepEqual(problemsOf(retryBudget, value), want));
}

test("the operator may allow less", () => {
  assert.deepEqual(problemsOf(retryBudget, 50, { maxRetryBudgetPercent: 30 }), [
    "Options retry-budget: 50 is more than the 30 percent that the operator allows",
  ]);
});

test("is told to the router in percent", () =>
  assert.deepEqual(retryBudget.hooks(10, ROUTE), { retry: { budgetPercent: 10 } }));
