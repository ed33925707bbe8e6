/**
 * The DNS server for internal routes: authoritative answers from the route table, over UDP and TCP, with the addresses
 * of the running instances. Nothing is cached and nothing is forwarded.
 */
export { dnsSection } from "./config.ts";
export type { DnsConfig } from "./config.ts";
export type { DnsMetrics } from "./metrics.ts";
export type { InternalRoutes } from "./responder.ts";
export { createRandom } from "./rotation.ts";
export { createDnsServer } from "./server.ts";
export type { DnsServer, DnsServerOptions } from "./server.ts";
