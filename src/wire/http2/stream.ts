/**
 * One stream of a connection: what has ended, the windows, what waits to be sent (RFC 9113 §5.1).
 *
 *             head                    both ends               all data consumed
 *   (idle) ─────────► open, half-closed ────────► lingering ─────────────────► (gone)
 *                          │ reset by either side                                 ▲
 *                          └──────────────────────────────────────────────────────┘
 */
import { NO_LENGTH } from "./head-rules.ts";
import type { FieldList } from "./types.ts";

export class Stream {
  readonly id: number;
  /** END_STREAM was received. */
  remoteEnded = false;
  /** END_STREAM is in the output; or it is queued, and nothing may be said after it. */
  localEnded = false;
  localEndsLater = false;
  /** Both sides ended, or it was reset; it lingers while data that was handed out is not consumed. */
  closed = false;
  /** Client: the final response head is here, what follows is data and trailers. */
  headReceived = false;
  /** Client: the request was HEAD, the response has no data whatever its length says. */
  isHeadRequest = false;

  /** Bytes that we may send; below 0 when the peer shrank the window (RFC 9113 §6.9.2). */
  sendWindow: number;
  /** Bytes that the peer may send. */
  receiveWindow: number;
  /** Consumed, but not yet given back to the peer. */
  credit = 0;
  /** Handed out and not consumed. */
  unconsumed = 0;
  /** Data still to come by content-length; {@link NO_LENGTH} when nobody said. */
  bodyLeft = NO_LENGTH;

  /** Data that the windows did not allow; null when nothing waits. */
  queue: Buffer[] | null = null;
  /** Of the first buffer, sent already. */
  queueStart = 0;
  queuedTrailers: FieldList | null = null;

  constructor(id: number, sendWindow: number, receiveWindow: number) {
    this.id = id;
    this.sendWindow = sendWindow;
    this.receiveWindow = receiveWindow;
  }
}
