import { defineError } from "./define.ts";

export const dnsMessageInvalid = defineError<{ reason: string; offset: number }>({
  code: "dns_message_invalid",
  source: "client",
  retry: "never",
  status: 0,
  explain: (d) => `the DNS message is malformed at byte ${d.offset}: ${d.reason}`,
});
