import { Type } from "typebox";
import { setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";

const MOST = 10;

/** How many further instances are asked when one fails. */
export default defineOption({
  name: "retries",
  summary: "How many further instances are asked when one fails.",
  details:
    "Takes the place of the router's `max_attempts`, which counts the first attempt too. Never the same instance twice for " +
    "one request. A request is repeated only when that cannot have a double effect: nothing of it was sent, or it has no " +
    "body and its method is GET, HEAD, OPTIONS or TRACE, or it brings an `Idempotency-Key`; and never once the client has " +
    "seen a byte of an answer. What counts as a failure is said by `retry-on`; `retry-budget` bounds the load.",
  schema: Type.Integer({ minimum: 0, maximum: MOST }),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: 2, effect: "up to three instances are asked" },
    { value: 0, effect: "the first failure is what the client gets" },
  ],
  refusal: `Retries must be a whole number between 0 and ${MOST}`,
  operator: {
    maxRetries: setting.integer({
      key: "max_retries",
      default: 5,
      maximum: MOST,
      describe: "Most `retries` a route may have.",
    }),
  },
  check: (retries, { operator }) =>
    retries <= operator.maxRetries ||
    `${retries} are more than the ${operator.maxRetries} that the operator allows`,
  replaces: ["max_attempts"],
  explain: (retries) =>
    retries === 0 ? "one endpoint is asked" : `up to ${retries + 1} endpoints are asked`,
  hooks: (retries) => ({ retry: { retries } }),
});
