/**
 * Calls from one part to another over HTTP: an answer, a stream of events, and the tokens that both need.
 * Not here: what an API answers (its own room), traffic of apps (`router/` has its own sockets).
 */
export { call, callForList, openStreamCall, StreamRefused } from "./call.ts";
export type { Call, CallAnswer, StreamCall, TlsFiles } from "./call.ts";
export { createClientTokens } from "./client-tokens.ts";
export type { ClientTokens, ClientTokensOptions } from "./client-tokens.ts";
export { inTurns } from "./in-turns.ts";
export { pause } from "./pause.ts";
