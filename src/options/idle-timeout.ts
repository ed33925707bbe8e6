import { setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";
import { checkDuration, durationMs, durationOf } from "./duration.ts";

/** Ends an exchange, or a WebSocket, in which no byte has moved for so long. */
export default defineOption({
  name: "idle-timeout",
  summary: "How long a request or a WebSocket may go on without a byte moving, in either direction.",
  details:
    "Every byte of a body or of a WebSocket begins the wait again, so a stream lives as long as it is used; apps that keep " +
    "silent for longer send a comment or a ping. Before the answer has begun the router answers 504, or 408 when it waits " +
    "for the client; after that it closes both connections. Takes the place of the router's `endpoint_timeout`, which " +
    "counts the whole answer. A client that stands still is never waited for longer than the router's `frontend_idle_timeout`.",
  ...durationOf("Idle timeout"),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "5m", effect: "an event stream may last for days, with an event every five minutes at least" },
  ],
  operator: {
    maxIdleTimeoutMs: setting.duration({
      key: "max_idle_timeout",
      default: "1h",
      describe: "Longest `idle-timeout` a route may have.",
    }),
  },
  check: (text, { operator }) => checkDuration(text, operator.maxIdleTimeoutMs),
  replaces: ["endpoint_timeout"],
  explain: (text) => `ended when no byte has moved for ${text}`,
  hooks: (text) => ({ idleTimeoutMs: durationMs(text) }),
});
