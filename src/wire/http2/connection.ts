/** One HTTP/2 connection as bytes ⇄ values, in either role. */
import type { FieldList, Http2Handler, Http2Limits, Http2Role } from "./types.ts";

/**
 * Whatever makes output is followed by {@link takeOutput}. What is said about a stream that is gone does nothing.
 * The constructor leaves SETTINGS (and a client's preface) in the output.
 */
export declare class Http2Connection {
  constructor(role: Http2Role, handler: Http2Handler, limits: Http2Limits);
  /** Streams that are open or half-closed. */
  get activeStreams(): number;
  /** Client: the peer takes another stream now. */
  get canOpenStream(): boolean;
  /** Bytes that {@link takeOutput} would return. */
  get pendingOutputBytes(): number;
  /**
   * Reads `bytes[0, size)`; the buffer may be reused afterwards.
   * @param nowMs  a coarse clock that does not go back, for budgets that time refills.
   */
  receive(bytes: Buffer, size: number, nowMs: number): void;
  /**
   * Output not yet taken, for one socket write; null when there is none. The buffer is the caller's. Take it while the
   * socket has room: what the peer provokes without reading is bounded by what nobody took.
   */
  takeOutput(): Buffer | null;
  /** Client, when {@link canOpenStream}. @returns the new stream's id. */
  openStream(fields: FieldList, endsStream: boolean): number;
  /**
   * Server: any number of 1xx, then the response's head. When the response ends before the request has, the rest of
   * the request is refused with RST_STREAM(NO_ERROR) (RFC 9113 §8.1) without a call of the handler.
   */
  sendHead(streamId: number, fields: FieldList, endsStream: boolean): void;
  /**
   * Sends body bytes `bytes[from, to)`, copied before it returns.
   * @returns false when the windows do not allow all of them: the rest is queued, wait for `writable`.
   */
  sendData(streamId: number, bytes: Buffer, from: number, to: number, endsStream: boolean): boolean;
  /** {@link sendData} for latin1 text. */
  sendText(streamId: number, text: string, endsStream: boolean): boolean;
  /** After all that is queued; ends the stream. */
  sendTrailers(streamId: number, fields: FieldList): void;
  /** Ends a stream at once, in both directions; the handler is not called for it again. */
  reset(streamId: number, code: number): void;
  /** So many bytes of `data` are done with: the peer may send as many again. */
  consumed(streamId: number, size: number): void;
  /**
   * No new streams; those in flight finish, then `settled`. A server says so twice: first that it will stop, and when
   * the peer must have seen that, which stream was the last (RFC 9113 §6.8).
   */
  shutdown(): void;
}
