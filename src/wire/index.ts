/**
 * Bytes ⇄ values, no sockets, no clock. Each protocol is a room of its own with its own front door
 * (`http1/index.ts`, `dns/index.ts` …); import that one, so that nobody loads what he does not speak.
 */
export type * as dns from "./dns/index.ts";
export type * as http1 from "./http1/index.ts";
export type * as http2 from "./http2/index.ts";
export type * as proxyProtocol from "./proxy-protocol/index.ts";
export type * as sse from "./sse/index.ts";
export type * as zip from "./zip/index.ts";
