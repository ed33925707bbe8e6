import { ResponseHead } from "../../wire/http1/index.ts";
import { type FieldList, INTERNAL_ERROR } from "../../wire/http2/index.ts";
import type { Carrier, CarrierListener } from "../carrier.ts";
import { ClientConnection } from "../client-connection.ts";
import type { ClientTransport } from "../client-transport.ts";
import type { RouterContext } from "../context.ts";
import { NAMES } from "../header-names.ts";
import { FOREIGN_MEMORY } from "../receive-buffer.ts";
import type { ClientTls } from "../tls/tls-handshakes.ts";
import { Lane, type LaneOwner } from "./lane.ts";
import { requestText, responseFields, trailerText } from "./messages.ts";

/** Our own heads, and an endpoint's that has been within its limits; they may have grown by a few lines of ours. */
const LIMITS = { maxHeadBytes: Number.MAX_SAFE_INTEGER, maxHeaders: 0 };

/** What a lane asks of the session with its client. */
export interface ClientLaneOwner extends LaneOwner {
  readonly router: RouterContext;
  readonly address: string;
  readonly port: number;
  readonly tls: ClientTls;
  /** The lane is done with its stream. It is settled when the turn ends, and not before: its exchange still acts. */
  finished(lane: ClientLane): void;
}

/**
 * The client's side of a stream, with the {@link ClientConnection} that reads it: a connection that always carries one
 * exchange at a time, and the next one on another stream.
 */
export class ClientLane extends Lane implements ClientTransport {
  readonly isHttp2 = true;
  readonly client: ClientConnection;
  declare protected readonly owner: ClientLaneOwner;
  readonly #head = new ResponseHead();
  #listener!: CarrierListener;
  #isChunked = false;
  #asksHead = false;
  /** Its connection has ended it: no further stream. */
  #isLeaving = false;
  /** Its connection has been told so. */
  #isOver = false;

  constructor(owner: ClientLaneOwner) {
    super(owner);
    this.client = new ClientConnection(owner.router, this);
  }

  get address(): string {
    return this.owner.address;
  }
  get port(): number {
    return this.owner.port;
  }
  get tls(): ClientTls {
    return this.owner.tls;
  }

  open(listener: CarrierListener): Carrier {
    this.#listener = listener;
    return this;
  }

  // === what the client sends ===

  begin(streamId: number, fields: FieldList, endsStream: boolean): void {
    this.restart(streamId);
    const { text, lineCount, isChunked } = requestText(fields, endsStream);
    this.#isChunked = isChunked;
    this.#asksHead = text.startsWith("HEAD ");
    this.client.receiveHead(text, lineCount);
  }

  /** A head that is none; the answer has to be given within the call. */
  refuse(streamId: number, error: unknown): void {
    this.restart(streamId);
    this.#asksHead = false;
    this.client.refuse(error);
  }

  received(bytes: Buffer, from: number, to: number, endsStream: boolean): void {
    const size = to - from;
    if (size > 0) {
      const data = bytes.subarray(from, to);
      if (this.#isChunked) {
        this.#receive(
          Buffer.concat([
            Buffer.from(`${size.toString(16)}\r\n`),
            data,
            Buffer.from(endsStream ? "\r\n0\r\n\r\n" : "\r\n"),
          ]),
        );
      } else this.#receive(data);
      this.handedOn(size);
    } else if (endsStream && this.#isChunked) this.#receive(Buffer.from("0\r\n\r\n"));
  }

  receivedTrailers(fields: FieldList): void {
    // A body of a length has no trailers in HTTP/1.1.
    if (this.#isChunked) this.#receive(Buffer.from(`0\r\n${trailerText(fields)}\r\n`, "latin1"));
  }

  /** The stream is gone, or the session: nothing can be sent any more. */
  gone(): void {
    this.letGo();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.closed();
  }

  /** It takes a stream. */
  get isFree(): boolean {
    return !this.#isLeaving && !this.#isOver && this.client.isIdle;
  }

  /** After it has finished a stream. @returns whether it takes another one */
  settle(): boolean {
    this.letGo();
    // A body that nobody waited for leaves its connection in the middle of it.
    if (this.isFree) return true;
    this.gone();
    return false;
  }

  #receive(bytes: Buffer): void {
    if (!this.#isOver) this.#listener.received(bytes, bytes.length, FOREIGN_MEMORY);
  }

  // === what the exchange says ===

  end(): void {
    this.#isLeaving = true;
    this.endBody();
    // What waits for the client's window has the time that the connection gives it.
    if (!this.isBlocked) this.owner.finished(this);
  }

  destroy(): void {
    this.#isLeaving = true;
    if (this.streamId !== 0 && (!this.hasWritten || this.isBlocked)) {
      this.owner.connection.reset(this.streamId, INTERNAL_ERROR);
      this.owner.flushSoon();
    }
    this.owner.finished(this);
  }

  protected override writeHeads(text: string): number {
    const head = this.#head;
    const { connection } = this.owner;
    for (let at = 0; at < text.length; at = head.end) {
      head.parse(text, at, NAMES, LIMITS);
      const fields = responseFields(head);
      if (head.status < 200) {
        connection.sendHead(this.streamId, fields, false);
        continue;
      }
      const hasNone =
        this.#asksHead || head.status === 204 || head.status === 304 || head.contentLength === 0;
      connection.sendHead(this.streamId, fields, hasNone);
      const { end, contentLength, chunked } = head;
      if (hasNone) this.startNoBody();
      else this.startBody(contentLength, chunked);
      head.release();
      return end;
    }
    return text.length;
  }

  protected override drained(): void {
    this.#listener.drained();
  }

  protected override messageWritten(): void {
    this.owner.finished(this);
  }
}
