/**
 * What a peer can get wrong in HTTP/1.1 framing. Every one is refused, never repaired: two parsers that repair
 * differently disagree about where a message ends, and that is how requests are smuggled.
 * The texts never repeat what the peer sent.
 */
import { defineError } from "./define.ts";

const malformed = (code: string, explain: string, status = 400) =>
  defineError({ code, source: "client", retry: "never", status, explain: () => explain });

export const requestLineInvalid = malformed(
  "request_line_invalid",
  "the request line is not 'method SP target SP version'",
);
export const methodInvalid = malformed("method_invalid", "the method is not a token");
export const connectUnsupported = malformed(
  "connect_unsupported",
  "CONNECT is not offered; this is no forward proxy",
  501,
);
export const targetInvalid = malformed(
  "target_invalid",
  "the request target holds a forbidden character or form",
);
export const versionUnsupported = malformed(
  "version_unsupported",
  "the protocol version is neither HTTP/1.1 nor HTTP/1.0",
);
export const statusLineInvalid = malformed(
  "status_line_invalid",
  "the status line is not 'version SP three digits SP reason'",
);
export const bareLineFeed = malformed("bare_line_feed", "a line ends without CRLF");
export const headerNameInvalid = malformed(
  "header_name_invalid",
  "a header name is empty, is not a token, or is not followed by a colon at once",
);
export const headerValueInvalid = malformed(
  "header_value_invalid",
  "a header value holds a control character",
);
export const headerFolded = malformed(
  "header_folded",
  "a header line is folded onto the next; write it on one line",
);
export const hostRepeated = malformed("host_repeated", "there is more than one Host header");
export const hostInvalid = malformed("host_invalid", "the Host header is not 'host' or 'host:port'");
export const contentLengthEmpty = malformed("content_length_empty", "Content-Length has no value");
export const contentLengthInvalid = malformed(
  "content_length_invalid",
  "Content-Length is not one decimal number below 10^15",
);
export const contentLengthConflict = malformed(
  "content_length_conflict",
  "there are several Content-Length headers that differ",
);
export const transferEncodingUnsupported = malformed(
  "transfer_encoding_unsupported",
  "the only transfer coding offered is chunked, alone and once, in HTTP/1.1",
  501,
);
export const framingAmbiguous = malformed(
  "framing_ambiguous",
  "the message has both Content-Length and Transfer-Encoding; send one of them",
);
export const chunkSizeInvalid = malformed(
  "chunk_size_invalid",
  "a chunk size is not 1 to 13 hexadecimal digits followed by CRLF or an extension",
);
export const chunkExtensionInvalid = malformed(
  "chunk_extension_invalid",
  "a chunk extension is too long or holds a control character",
);
export const chunkEndInvalid = malformed("chunk_end_invalid", "the data of a chunk is not followed by CRLF");
export const trailerForbidden = malformed(
  "trailer_forbidden",
  "a trailer names a field that decides framing or routing",
);

export const headTooLarge = defineError<{ limitBytes: number }>({
  code: "head_too_large",
  source: "client",
  retry: "never",
  status: 431,
  explain: (d) => `the head is longer than ${d.limitBytes} bytes`,
});
export const tooManyHeaders = defineError<{ limit: number }>({
  code: "too_many_headers",
  source: "client",
  retry: "never",
  status: 431,
  explain: (d) => `the head has more than ${d.limit} header lines`,
});
export const connectionNamesTooMany = defineError<{ limit: number }>({
  code: "connection_names_too_many",
  source: "client",
  retry: "never",
  status: 431,
  explain: (d) => `a Connection header has more than ${d.limit} names`,
});
export const trailersTooLarge = defineError<{ limitBytes: number }>({
  code: "trailers_too_large",
  source: "client",
  retry: "never",
  status: 431,
  explain: (d) => `the trailers are longer than ${d.limitBytes} bytes`,
});

export const proxyHeaderInvalid = defineError<{ reason: string }>({
  code: "proxy_header_invalid",
  source: "client",
  retry: "never",
  status: 0,
  explain: (d) => `the PROXY protocol header is refused: ${d.reason}`,
});

export const sseEventTooLarge = defineError<{ limit: number }>({
  code: "sse_event_too_large",
  source: "control-plane",
  retry: "never",
  status: 0,
  explain: (d) => `an event of the stream is longer than ${d.limit} characters`,
});
