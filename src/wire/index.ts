/**
 * Bytes ⇄ values: one folder per protocol, no sockets, no clock.
 */
export * as http1 from "./http1/index.ts";
