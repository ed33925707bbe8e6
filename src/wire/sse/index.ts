/**
 * Server-sent events, bytes ⇄ values, without sockets: {@link encodeEvent} for servers, {@link createSseDecoder}
 * for clients. Follows the event-stream grammar of the WHATWG HTML standard, §9.2.
 */
export { createSseDecoder } from "./decode.ts";
export type { SseDecoder, SseEvent } from "./decode.ts";
export { encodeComment, encodeEvent, encodeRetry } from "./encode.ts";
export type { SseFields } from "./encode.ts";
