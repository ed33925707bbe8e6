import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MIN_RETRY_BUDGET } from "../options/index.ts";
import { RetryBudget } from "./retry-budget.ts";

function budgetOf(percent: number, exchanges: number) {
  const budget = new RetryBudget();
  budget.percent = percent;
  const leave = Array.from({ length: exchanges }, () => budget.enter());
  return { budget, leave };
}

/** How many there is room for. */
function room(budget: RetryBudget, most: number): number {
  let spent = 0;
  while (budget.hasRoom && spent < most) {
    budget.spend();
    spent++;
  }
  return spent;
}

for (const { percent, exchanges, want } of [
  { percent: 0, exchanges: 1_000, want: MIN_RETRY_BUDGET },
  { percent: 20, exchanges: 1, want: MIN_RETRY_BUDGET },
  { percent: 20, exchanges: 19, want: MIN_RETRY_BUDGET },
  { percent: 20, exchanges: 20, want: 4 },
  { percent: 20, exchanges: 1_000, want: 200 },
  { percent: 100, exchanges: 50, want: 50 },
]) {
  test(`${percent} percent of ${exchanges} in flight are ${want} repeated ones`, () =>
    assert.equal(room(budgetOf(percent, exchanges).budget, 10_000), want));
}

test("whatever comes and goes, what is given back makes room again and nothing is left over", () => {
  fc.assert(
    fc.property(fc.nat(100), fc.nat(60), (percent, exchanges) => {
      const { budget, leave } = budgetOf(percent, exchanges);
      const before = room(budgetOf(percent, exchanges).budget, 1_000);
      const spent: (() => void)[] = [];
      while (budget.hasRoom) spent.push(budget.spend());
      assert.equal(spent.length, before);
      for (const giveBack of spent) giveBack();
      assert.equal(room(budget, 1_000), before);
      for (const one of leave) one();
    }),
  );
});
