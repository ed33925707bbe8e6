/**
 * What a peer can get wrong in HTTP/2. All but `http2_message_malformed` end the connection: its two sides no longer
 * agree about what was said. The texts never repeat what the peer sent.
 */
import { defineError } from "./define.ts";

const broken = (code: string, what: string) =>
  defineError<{ reason: string }>({
    code,
    source: "client",
    retry: "never",
    status: 0,
    explain: (d) => `${what}: ${d.reason}`,
  });

export const http2PrefaceInvalid = broken("http2_preface_invalid", "the peer does not begin as HTTP/2 does");
export const http2FrameInvalid = broken("http2_frame_invalid", "an HTTP/2 frame breaks the protocol");
export const http2FrameSizeInvalid = broken(
  "http2_frame_size_invalid",
  "an HTTP/2 frame does not have the size of its type",
);
export const http2FlowControlViolated = broken(
  "http2_flow_control_violated",
  "the peer does not keep to a flow-control window",
);
export const http2StreamClosed = broken(
  "http2_stream_closed",
  "an HTTP/2 frame is for a stream that has ended",
);
export const http2CompressionFailed = broken(
  "http2_compression_failed",
  "a compressed HTTP/2 header block cannot be read",
);

/** Work without an end to it: more of something cheap to send than any honest peer has a use for. */
export const http2Flood = defineError<{ what: string; limit: number }>({
  code: "http2_flood",
  source: "client",
  retry: "never",
  status: 0,
  explain: (d) => `the peer sent more than ${d.limit} ${d.what}`,
});

/** One message is refused, the connection goes on. */
export const http2MessageMalformed = defineError<{ reason: string }>({
  code: "http2_message_malformed",
  source: "client",
  retry: "never",
  status: 400,
  explain: (d) => `the HTTP/2 message is malformed: ${d.reason}`,
});
