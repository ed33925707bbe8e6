/**
 * HTTP/2 (RFC 9113) with HPACK (RFC 7541) as bytes ⇄ values: frames, streams, windows, header compression, and the rules
 * a message must keep to before anybody may turn it into HTTP/1.1. No sockets, no timers, no clock.
 */
export {
  CANCEL,
  CLIENT_PREFACE,
  ENHANCE_YOUR_CALM,
  HTTP_1_1_REQUIRED,
  INTERNAL_ERROR,
  NO_ERROR,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
} from "./codes.ts";
export { Http2Connection } from "./connection.ts";
export {
  DEFAULT_HTTP2_LIMITS,
  type FieldList,
  type Http2Handler,
  type Http2Limits,
  type Http2Role,
} from "./types.ts";
