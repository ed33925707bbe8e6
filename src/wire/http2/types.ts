/** What a connection tells its owner, and what it may cost. */
import type { ViaductError } from "../../kernel/index.ts";

/**
 * Name and value alternate: `[name, value, name, value, …]`, a character per byte (latin1), pseudo-headers first.
 * As received, but for `cookie`: its crumbs are one field again (RFC 9113 §8.2.3). To send, names may be in any case;
 * they go out in lower case, and the values are trusted.
 */
export type FieldList = string[];

export type Http2Role = "server" | "client";

/**
 * Called from within `receive`; `settled` also from within the send or reset that ends the last stream. A handler may send,
 * reset and shut down at once, but not call `receive`, and it does not throw. Messages that reach it are well-formed
 * (RFC 9113 §8) and fit to be written as HTTP/1.1.
 */
export interface Http2Handler {
  /** A request's head (server), or a response's (client): any number of 1xx, then the one. */
  head(streamId: number, fields: FieldList, endsStream: boolean): void;
  /** They end the stream. */
  trailers(streamId: number, fields: FieldList): void;
  /**
   * Body bytes `bytes[from, to)`, perhaps none when the stream ends here; valid during the call only. Each must be
   * reported by `consumed`, also after the stream's end, or the stream be `reset`.
   */
  data(streamId: number, bytes: Buffer, from: number, to: number, endsStream: boolean): void;
  /**
   * The stream is gone: the peer reset it (`error` is null), its GOAWAY left it out (`REFUSED_STREAM`: nothing was done,
   * another attempt is safe), or it broke a rule (`error` says which) and we reset it.
   * After a complete response, `NO_ERROR` only says that the rest of the request is not wanted.
   */
  reset(streamId: number, code: number, error: ViaductError | null): void;
  /**
   * Server: a request's head was refused, and `head` will not be called. It may be answered within this call; after
   * it the stream is reset.
   */
  refused(streamId: number, error: ViaductError): void;
  /** All that a send had to queue (it returned false) is in the output now; also when that ended the stream. */
  writable(streamId: number): void;
  /** The peer takes no new streams, and has not looked at those above `lastStreamId`. */
  goaway(lastStreamId: number, code: number): void;
  /** After `shutdown`: the last stream is finished, nothing more will come. Flush and close. */
  settled(): void;
  /** Connection error: all streams are gone without further calls, GOAWAY is in the output. Flush and close. */
  failed(error: ViaductError): void;
}

export interface Http2Limits {
  /** Names, values and 32 bytes for each field (RFC 9113 §6.5.2), counted while they are decoded. */
  readonly maxHeaderListBytes: number;
  readonly maxFields: number;
  /**
   * Requests that one call of `receive` hands on; what is behind them waits for the next call. A stream that the peer
   * resets before its answer counts for several of them.
   */
  readonly maxHeadsAtOnce: number;
  /** Server: the same of pieces of data. A frame is one, if it came as a whole. */
  readonly maxDataPiecesAtOnce: number;
  /** Streams that the peer may have open; one more is refused with REFUSED_STREAM. */
  readonly maxConcurrentStreams: number;
  /** Body bytes per stream that were not consumed yet; at least 65,535. */
  readonly streamWindowBytes: number;
  /** The same over all streams of the connection; at least 65,535. */
  readonly connectionWindowBytes: number;
  /** Streams that the peer may reset, or have us reset, before they are answered. Answers give back, and so does time. */
  readonly resetBurst: number;
  readonly resetsPerSecond: number;
  /** Frames that bring nothing forward (PING, SETTINGS, WINDOW_UPDATE, empty DATA …). Messages give back, and so does time. */
  readonly controlFrameBurst: number;
  readonly controlFramesPerSecond: number;
  /** Output that the peer provokes (acknowledgements, resets) while nobody takes any. */
  readonly maxPendingReplyBytes: number;
}

export const DEFAULT_HTTP2_LIMITS: Http2Limits = {
  maxHeaderListBytes: 1024 * 1024,
  maxFields: 10_000,
  maxHeadsAtOnce: 8,
  maxDataPiecesAtOnce: 32,
  maxConcurrentStreams: 250,
  streamWindowBytes: 256 * 1024,
  connectionWindowBytes: 1024 * 1024,
  resetBurst: 500,
  resetsPerSecond: 50,
  controlFrameBurst: 1_000,
  controlFramesPerSecond: 50,
  maxPendingReplyBytes: 64 * 1024,
};
