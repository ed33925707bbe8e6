import { setting } from "../kernel/index.ts";
import { defineOption } from "./define.ts";
import { checkDuration, durationMs, durationOf } from "./duration.ts";

/** Longest wait for a connection to an instance. */
export default defineOption({
  name: "connect-timeout",
  summary: "How long a connection to an instance may take to be made.",
  details:
    "Counts from the dial to the end of the TLS handshake, where there is one. After it another instance is asked; when none " +
    "is left the router answers 502. Takes the place of the router's `endpoint_dial_timeout` and, for upgrades, " +
    "`websocket_dial_timeout`. Connections that are kept alive cost no wait. Instances that speak " +
    "HTTP/2 share theirs: for them it can only be shorter than the router's.",
  ...durationOf("Connect timeout"),
  protocols: ["http1", "http2"],
  since: "0.1",
  examples: [
    { value: "500ms", effect: "an instance that does not accept within half a second is passed over" },
  ],
  operator: {
    maxConnectTimeoutMs: setting.duration({
      key: "max_connect_timeout",
      default: "30s",
      describe: "Longest `connect-timeout` a route may have.",
    }),
  },
  check: (text, { operator }) => checkDuration(text, operator.maxConnectTimeoutMs),
  replaces: ["endpoint_dial_timeout"],
  explain: (text) => `another endpoint is asked when one has not accepted within ${text}`,
  hooks: (text) => ({ connectTimeoutMs: durationMs(text) }),
});
