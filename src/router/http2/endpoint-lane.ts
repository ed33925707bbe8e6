import {
  endpointAnswerInvalid,
  endpointStreamRefused,
  endpointStreamReset,
} from "../../kernel/errors/router.ts";
import { ViaductError } from "../../kernel/index.ts";
import { BodyReader, RequestHead, ResponseHead } from "../../wire/http1/index.ts";
import { CANCEL, type FieldList, NO_ERROR, REFUSED_STREAM } from "../../wire/http2/index.ts";
import type { Carrier } from "../carrier.ts";
import type { Exchange } from "../exchange.ts";
import { NAMES } from "../header-names.ts";
import { FOREIGN_MEMORY } from "../receive-buffer.ts";
import type { Upstream } from "../upstream.ts";
import { Lane, type LaneOwner } from "./lane.ts";
import { requestFields, responseText, trailerText } from "./messages.ts";

/** The head has been within the client's limits and has grown by our own lines. */
const LIMITS = { maxHeadBytes: Number.MAX_SAFE_INTEGER, maxHeaders: 0 };

/** What a lane asks of the session with its endpoint. */
export interface EndpointLaneOwner extends LaneOwner {
  readonly scheme: "http" | "https";
  readonly dialTimeMs: number;
  readonly dnsTimeMs: number;
  readonly tlsTimeMs: number;
  /** `address:port` of our end. */
  readonly localEnd: string;
  /** Only for a lane that was told it is connected. @returns the stream's id */
  open(lane: EndpointLane, fields: FieldList, endsStream: boolean): number;
  /** The lane is done with its stream, if it has one; what still comes of it is of no interest. */
  left(lane: EndpointLane): void;
}

/** The endpoint's side of a stream: one attempt of one exchange. */
export class EndpointLane extends Lane implements Upstream {
  readonly socket: Carrier = this;
  readonly head = new ResponseHead();
  readonly body = new BodyReader();
  readonly memory = FOREIGN_MEMORY;
  exchange: Exchange | null;
  readonly wasReused: boolean;
  hasAnswered = false;
  isReusable = true;
  isConnected = false;
  /** By the ticker: the request was handed over, or its exchange is over. */
  sinceMs = 0;
  declare protected readonly owner: EndpointLaneOwner;
  readonly #request = new RequestHead();
  #method = "";
  /** The endpoint has said all. */
  #hasEnded = false;

  /** @param wasReused  the session has served before. */
  constructor(owner: EndpointLaneOwner, exchange: Exchange, wasReused: boolean) {
    super(owner);
    this.exchange = exchange;
    this.wasReused = wasReused;
  }

  get dialTimeMs(): number {
    return this.owner.dialTimeMs;
  }
  get dnsTimeMs(): number {
    return this.owner.dnsTimeMs;
  }
  get tlsTimeMs(): number {
    return this.owner.tlsTimeMs;
  }
  override get localAddress(): string {
    return this.owner.localEnd;
  }

  /** The stream is complete, both ways. */
  get isOver(): boolean {
    return this.streamId === 0 || (this.#hasEnded && this.hasWritten);
  }

  close(): void {
    this.#leave(!this.isOver);
  }

  release(): void {
    // An answer of a known length is complete before its stream is: the end comes by itself.
    this.#leave(!this.hasWritten);
  }

  // === what the session says ===

  /** The session takes streams now. */
  connected(): void {
    this.isConnected = true;
    this.exchange?.connected(this);
  }

  receivedHead(fields: FieldList, endsStream: boolean): void {
    this.#hasEnded = endsStream;
    const text = responseText(fields, endsStream, this.#method);
    this.#receive(Buffer.from(text, "latin1"));
    if (endsStream) this.#ended();
  }

  received(bytes: Buffer, from: number, to: number, endsStream: boolean): void {
    this.#hasEnded = endsStream;
    if (to > from) this.#receive(bytes.subarray(from, to));
    this.handedOn(to - from);
    if (endsStream) this.#ended();
  }

  receivedTrailers(fields: FieldList): void {
    this.#hasEnded = true;
    this.body.trailers = trailerText(fields);
    this.#ended();
  }

  /** The stream is gone. */
  wasReset(code: number, error: ViaductError | null): void {
    const { exchange } = this;
    const id = this.streamId;
    this.letGo();
    const endpoint = exchange?.candidate?.address ?? "";
    if (error !== null) exchange?.fail(endpointAnswerInvalid({ endpoint, reason: error.message }, error));
    else if (code === REFUSED_STREAM) exchange?.fail(endpointStreamRefused({ endpoint }));
    // Servers that are ended say it of every stream that they leave. In the middle of an answer it is no proper end.
    else if (code === NO_ERROR && !this.hasAnswered) exchange?.upstreamEnded(this, null);
    else exchange?.fail(endpointStreamReset({ endpoint, id, code }));
  }

  /** The session is gone. */
  lost(error: Error | null): void {
    const { exchange } = this;
    this.letGo();
    if (error instanceof ViaductError) {
      const endpoint = exchange?.candidate?.address ?? "";
      exchange?.fail(endpointAnswerInvalid({ endpoint, reason: error.message }, error));
    } else exchange?.upstreamEnded(this, error);
  }

  #receive(bytes: Buffer): void {
    const { exchange } = this;
    if (exchange === null) return;
    this.hasAnswered = true;
    exchange.upstreamReceived(this, bytes, bytes.length);
  }

  /** A body without a length is complete now; others are already. */
  #ended(): void {
    this.exchange?.upstreamEnded(this, null);
  }

  // === what the exchange says ===

  end(): void {
    this.endBody();
  }

  destroy(): void {
    this.close();
  }

  protected override writeHeads(text: string): number {
    const head = this.#request;
    head.parse(text, 0, NAMES, LIMITS);
    const { end, contentLength, chunked } = head;
    const hasBody = chunked || contentLength > 0;
    this.#method = head.method;
    this.restart(this.owner.open(this, requestFields(head, this.owner.scheme), !hasBody));
    if (hasBody) this.startBody(contentLength, chunked);
    else this.startNoBody();
    return end;
  }

  protected override drained(): void {
    this.exchange?.upstreamDrained();
  }

  protected override messageWritten(): void {}

  #leave(mustReset: boolean): void {
    this.exchange = null;
    if (mustReset && this.streamId !== 0) {
      this.owner.connection.reset(this.streamId, CANCEL);
      this.owner.flushSoon();
      this.letGo();
    } else this.resume();
    this.owner.left(this);
  }
}
