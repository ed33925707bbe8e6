import { setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";
import { checkDuration, durationMs, durationOf } from "./duration.ts";

/** Longest wait of a request that has been sent for the head of its answer. */
export default defineOption({
  name: "response-timeout",
  summary: "How long the app may take to begin its answer.",
  details:
    "Starts when the whole request has been sent, again with each attempt, and ends with the head of the answer; a " +
    "stream may then go on as long as it likes, see `idle-timeout`. After it the router answers 504. Takes the place of " +
    "the router's `endpoint_timeout` for this wait; the rest of the answer has the `endpoint_timeout` on top.",
  ...durationOf("Response timeout"),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "30s", effect: "an answer that has not begun 30 s after the request was sent becomes a 504" },
    { value: "1m30s", effect: "a slow report may take a minute and a half to begin" },
  ],
  operator: {
    maxResponseTimeoutMs: setting.duration({
      key: "max_response_timeout",
      default: "15m",
      describe: "Longest `response-timeout` a route may have.",
    }),
  },
  check: (text, { operator }) => checkDuration(text, operator.maxResponseTimeoutMs),
  explain: (text) => `504 when the answer has not begun ${text} after the request was sent`,
  hooks: (text) => ({ responseTimeoutMs: durationMs(text) }),
});
