/**
 * HTTP/1.1 messages as bytes: strict readers of heads and bodies. No sockets, no clock, no buffers of their own:
 * a caller hands in what it received and is told what it means and where it ends.
 */
export { BodyReader, isForbiddenTrailer } from "./body.ts";
export { CLASS, DIGIT, HOST, HTAB, SP, TARGET, TOKEN, VALUE } from "./chars.ts";
export {
  absoluteForm,
  type HeadLimits,
  RequestHead,
  ResponseHead,
  SAID_CLOSE,
  SAID_KEEP_ALIVE,
  SAID_OTHERS,
  SAID_UPGRADE,
} from "./head.ts";
export {
  CONNECTION,
  CONTENT_LENGTH,
  equalsIgnoringCase,
  EXPECT,
  HeaderNames,
  HOST_NAME,
  KEEP_ALIVE,
  OTHER,
  PROXY_CONNECTION,
  TE,
  TRAILER,
  TRANSFER_ENCODING,
  UPGRADE,
} from "./header-names.ts";
