import { Type } from "typebox";
import { defineOption } from "./define.ts";

const MAX_CHARACTERS = 16;

/** How uneven `loadbalancing=hash` may make the load. */
export default defineOption({
  name: "hash_balance",
  summary: "How far above the average an instance may be loaded before its requests go to the next one.",
  details:
    "A factor of the average number of requests in flight per instance. What is too much for an instance goes to " +
    "the same next one. `0`, and leaving it out, means that load is ignored. Rounded to one decimal, and kept as text.",
  schema: Type.Union([Type.Literal(0), Type.Number({ minimum: 1.1, maximum: 10 })]),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: 1.5, effect: "no instance has more than one and a half times the average in flight" },
    { value: 0, effect: "each value has its instance, however busy that is" },
  ],
  namesValue: false,
  refusal(given) {
    if (String(given).length > MAX_CHARACTERS)
      return `Hash balance must be at most ${MAX_CHARACTERS} characters`;
    const isNumeric =
      typeof given === "number" || (typeof given === "string" && /^-?\d+(?:\.\d+)?$/.test(given));
    return isNumeric
      ? "Hash balance must be either 0 or between 1.1 and 10.0"
      : "Hash balance must be a numeric value";
  },
  bond: {
    option: "loadbalancing",
    value: "hash",
    refusal: "Hash balance can only be set when loadbalancing is hash",
    missing: null,
  },
  stored: (factor) => String(Math.round(factor * 10) / 10),
  hooks: (factor) => ({ balancing: { hashBalance: factor } }),
});
