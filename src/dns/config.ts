import { type ConfigOf, configSection, setting } from "../kernel/index.ts";

export const dnsSection = configSection("dns", {
  host: setting.string({
    key: "host",
    default: "127.0.0.1",
    describe: "Address the DNS server listens on, over UDP and TCP; never open to strangers.",
  }),
  port: setting.port({ key: "port", default: 8053, describe: "UDP and TCP port of the DNS server." }),
  zones: setting.list({
    key: "zones",
    default: ["apps.internal"],
    describe: "Domains of internal routes this server is the authority for.",
  }),
  ttlSeconds: setting.integer({
    key: "ttl",
    default: 0,
    maximum: 86_400,
    describe: "How long resolvers may keep the addresses of a route, in seconds.",
  }),
  negativeTtlSeconds: setting.integer({
    key: "negative_ttl",
    default: 1,
    maximum: 86_400,
    describe:
      "How long resolvers may believe that a name does not exist, in seconds; a long time hides apps that just started.",
  }),
  maxAnswers: setting.integer({
    key: "max_answers",
    default: 0,
    maximum: 4_000,
    describe: "At most so many addresses per answer, another choice each time; 0 sends all.",
  }),
  udpMaxBytes: setting.integer({
    key: "udp_max_size",
    default: 1_232,
    minimum: 512,
    maximum: 4_096,
    describe: "Longest answer over UDP, in bytes, to clients that say they take it.",
  }),
  truncate: setting.oneOf({
    key: "truncate",
    default: "partial",
    values: ["partial", "empty"],
    describe:
      "What an answer that is too long for UDP still holds: as many addresses as fit, or none so that clients must use TCP.",
  }),
  idleTimeoutMs: setting.duration({
    key: "idle_timeout",
    default: "10s",
    minimum: "100ms",
    describe: "Closes TCP clients that send no whole query for this long.",
  }),
  maxConnections: setting.integer({
    key: "max_connections",
    default: 1_000,
    minimum: 1,
    describe: "TCP connections at the same time.",
  }),
  maxConnectionsPerClient: setting.integer({
    key: "max_connections_per_client",
    default: 100,
    minimum: 1,
    describe: "TCP connections at the same time from one address.",
  }),
});
export type DnsConfig = ConfigOf<typeof dnsSection>;
