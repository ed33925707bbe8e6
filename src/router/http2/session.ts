/** One connection that speaks HTTP/2, in either role: takes bytes between its socket and `wire/http2`. */
import type { ViaductError } from "../../kernel/index.ts";
import {
  type FieldList,
  Http2Connection,
  type Http2Handler,
  type Http2Limits,
  type Http2Role,
} from "../../wire/http2/index.ts";
import type { SocketCarrier } from "../carrier.ts";
import type { RouterContext } from "../context.ts";
import type { LaneOwner } from "./lane.ts";

/**
 * Output of one turn. A socket is read up to 32 times in one, so that without a limit each stream could bring megabytes
 * before the session's own socket was asked once whether it takes them.
 */
const MAX_TURN_BYTES = 256 * 1024;

export abstract class Session implements LaneOwner, Http2Handler {
  readonly router: RouterContext;
  readonly connection: Http2Connection;
  protected abstract readonly socket: SocketCarrier;
  #willFlush = false;
  /** Nothing more goes out after what is in the output. */
  #endsAfterFlush = false;

  constructor(router: RouterContext, role: Http2Role, limits: Http2Limits) {
    this.router = router;
    this.connection = new Http2Connection(role, this, limits);
  }

  get isStalled(): boolean {
    return this.socket.writableNeedDrain || this.connection.pendingOutputBytes > MAX_TURN_BYTES;
  }

  get localAddress(): string | undefined {
    return this.socket.localAddress;
  }

  /**
   * What all streams send in one turn of the event loop goes out in one write: answers to requests that came together
   * leave together, at the cost of one record of TLS.
   */
  flushSoon(): void {
    if (this.#willFlush) return;
    this.#willFlush = true;
    setImmediate(this.#endTurn);
  }

  abstract head(streamId: number, fields: FieldList, endsStream: boolean): void;
  abstract refused(streamId: number, error: ViaductError): void;
  abstract data(streamId: number, bytes: Buffer, from: number, to: number, endsStream: boolean): void;
  abstract trailers(streamId: number, fields: FieldList): void;
  abstract reset(streamId: number, code: number, error: ViaductError | null): void;
  abstract writable(streamId: number): void;
  abstract goaway(lastStreamId: number, code: number): void;
  abstract settled(): void;
  abstract failed(error: ViaductError): void;
  /** Everything that happened in this turn has happened. */
  protected abstract turnEnds(): void;
  /** More can be sent. */
  protected abstract lanesDrained(): void;

  /** @returns up to where; the rest is for another turn. */
  protected read(bytes: Buffer, size: number): number {
    const read = this.connection.receive(bytes, size, this.router.ticker.nowMs);
    this.flushSoon();
    return read;
  }

  protected endSoon(): void {
    this.#endsAfterFlush = true;
    this.flushSoon();
  }

  /** As much as the socket takes; the rest waits for `drain`. */
  protected flush(): void {
    const { socket } = this;
    if (socket.destroyed || socket.writableEnded || socket.writableNeedDrain) return;
    const output = this.connection.takeOutput();
    if (output !== null) socket.write(output);
    if (this.#endsAfterFlush && this.connection.pendingOutputBytes === 0) socket.end();
  }

  readonly #endTurn = () => {
    this.#willFlush = false;
    this.turnEnds();
    const wasFull = this.connection.pendingOutputBytes > MAX_TURN_BYTES;
    this.flush();
    // Otherwise `drain` comes.
    if (wasFull && !this.isStalled) this.lanesDrained();
  };
}
