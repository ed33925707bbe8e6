import { Type } from "typebox";
import { setting } from "../kernel/index.ts";
import { DEFAULT_RETRY_BUDGET_PERCENT, defineOption, MIN_RETRY_BUDGET } from "./define.ts";

/** How many repeated requests there may be among those in flight. */
export default defineOption({
  name: "retry-budget",
  summary: "How many percent of the route's requests in flight may be repeated ones.",
  details:
    "An app that fails under load must not get more of it: beyond the budget the first failure is what the client gets. " +
    `${MIN_RETRY_BUDGET} at a time are always allowed. Counts what instances have worked on (resets, timeouts, answers); a ` +
    "request that reached nobody costs them nothing and is not counted. Each router counts for itself. A route with " +
    `\`retries\` or \`retry-on\` and without this option has ${DEFAULT_RETRY_BUDGET_PERCENT} percent.`,
  schema: Type.Integer({ minimum: 0, maximum: 100 }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [{ value: 10, effect: "with 200 requests in flight at most 20 of them are repeated ones" }],
  refusal: "Retry budget must be a whole number of percent between 0 and 100",
  operator: {
    maxRetryBudgetPercent: setting.integer({
      key: "max_retry_budget",
      default: 100,
      maximum: 100,
      describe: "Largest `retry-budget` a route may have, in percent.",
    }),
  },
  check: (percent, { operator }) =>
    percent <= operator.maxRetryBudgetPercent ||
    `${percent} is more than the ${operator.maxRetryBudgetPercent} percent that the operator allows`,
  explain: (percent) =>
    `at most ${percent} % of the requests in flight, or ${MIN_RETRY_BUDGET}, are repeated ones`,
  hooks: (percent) => ({ retry: { budgetPercent: percent } }),
});
