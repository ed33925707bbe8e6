import { Type } from "typebox";
import { defineOption, RETRY_CONDITIONS, type RetryCondition } from "./define.ts";

const CONDITION = `(?:${RETRY_CONDITIONS.join("|")})`;

/** Which failures of an instance make the router ask another one. */
export default defineOption({
  name: "retry-on",
  summary: "Which failures of an instance make the router ask another one.",
  details:
    "One or more, with commas between: `connect-failure` (no connection, or its TLS failed), `reset` (the connection ended " +
    "before the answer), `response-timeout`, and the answers `502`, `503`, `504`. Without the option the first two are. " +
    "An answer that no other instance is left for is passed on as it is. Whether a request may be repeated at all is said " +
    "under `retries`. An idle connection that turns out dead is always replaced, at the same instance.",
  schema: Type.Union(
    [
      Type.String({ pattern: `^${CONDITION}(?:,${CONDITION})*$` }),
      // A single status, as YAML reads it.
      Type.Literal(502),
      Type.Literal(503),
      Type.Literal(504),
    ],
    { description: `one or more of ${RETRY_CONDITIONS.map((one) => `\`${one}\``).join(", ")}` },
  ),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    {
      value: "connect-failure,reset,503",
      effect: "an instance that answers 503 is passed over too, as long as another one is left",
    },
    { value: "connect-failure", effect: "what an instance may have begun to work on is not repeated" },
  ],
  refusal: `Retry on must be one or more of '${RETRY_CONDITIONS.join(", ")}', with commas between`,
  stored: String,
  explain: (text) => `another endpoint is asked after ${String(text).split(",").join(" or ")}`,
  // The schema took nothing else.
  hooks: (text) => ({ retry: { on: new Set(String(text).split(",") as RetryCondition[]) } }),
});
