/**
 * PROXY protocol v1 and v2, bytes → values, without sockets: {@link readProxyHeader} says whose a connection is that
 * a load balancer hands on.
 */
export { MAX_PROXY_HEADER_BYTES, readProxyHeader } from "./reader.ts";
export type { ProxyHeaderResult, ProxySource } from "./reader.ts";
