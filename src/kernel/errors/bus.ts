import { defineError } from "./define.ts";

export const busNoAnswer = defineError<{ subject: string; timeoutMs: number }>({
  code: "bus_no_answer",
  source: "control-plane",
  retry: "never",
  status: 0,
  explain: (d) => `nobody answered on the bus subject ${d.subject} within ${d.timeoutMs} ms`,
});

export const busUnreachable = defineError<{
  servers: readonly string[];
  tries: number;
  reason: string;
  /** What to do about it. */
  remedy: string;
}>({
  code: "bus_unreachable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `no connection to NATS at ${d.servers.join(", ")} after ${d.tries} tries: ${d.reason}; ${d.remedy}`,
});

export const busDisconnected = defineError<{ operation: string }>({
  code: "bus_disconnected",
  source: "control-plane",
  retry: "safe",
  status: 0,
  explain: (d) => `the bus is not connected, so ${d.operation} cannot complete; it reconnects by itself`,
});

export const busPayloadTooLarge = defineError<{ subject: string; bytes: number; maxBytes: number }>({
  code: "bus_payload_too_large",
  source: "control-plane",
  retry: "never",
  status: 0,
  explain: (d) =>
    `a message of ${d.bytes} bytes for ${d.subject} exceeds the bus limit of ${d.maxBytes}; send it in parts`,
});
