/**
 * A stream of an HTTP/2 session that reads and writes as a connection of HTTP/1.1: what both sides share.
 *
 *   exchange ──text of HTTP/1.1──► lane ──HEADERS, DATA, HEADERS──► session
 *            ◄──text and bytes────      ◄──fields, bytes──────────
 *
 * What is written is read by the same strict parsers as what comes over a socket. Reading stops by not telling the
 * peer that its bytes were used, so that its window closes; writing stops when the peer's window is closed, or when the
 * session's socket is full.
 */
import { BodyReader } from "../../wire/http1/index.ts";
import type { Http2Connection } from "../../wire/http2/index.ts";
import type { Carrier } from "../carrier.ts";
import { trailerFields } from "./messages.ts";

/** What a lane asks of its session. */
export interface LaneOwner {
  readonly connection: Http2Connection;
  /** What is sent waits for the socket. */
  readonly isStalled: boolean;
  readonly localAddress: string | undefined;
  /** There is output, before the turn of the event loop ends. */
  flushSoon(): void;
}

/** A body that is in chunks, or that the end of the stream ends. */
const NO_LENGTH = -1;
const NO_BYTES = Buffer.alloc(0);

export abstract class Lane implements Carrier {
  /** 0 while it has no stream. */
  streamId = 0;
  protected readonly owner: LaneOwner;
  #writes: "head" | "body" | "nothing" = "head";
  /** Bytes of the body to be written still; {@link NO_LENGTH}. */
  #remaining = 0;
  readonly #chunks = new BodyReader();
  /** The peer's windows do not allow all that was written. */
  #isBlocked = false;
  #isPaused = false;
  /** Handed on, but the peer has not been told. */
  #unconsumed = 0;

  constructor(owner: LaneOwner) {
    this.owner = owner;
  }

  /** All that may ever be written has been. */
  get hasWritten(): boolean {
    return this.#writes === "nothing";
  }

  /** What was written waits for the peer's windows. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  // === Carrier ===

  get localAddress(): string | undefined {
    return this.owner.localAddress;
  }

  get writableNeedDrain(): boolean {
    return this.#isBlocked || this.owner.isStalled;
  }

  /** What waits has been copied. */
  get writableLength(): number {
    return 0;
  }

  write(chunk: Buffer | string): boolean {
    if (this.#writes === "head") {
      const text = chunk as string;
      const end = this.writeHeads(text);
      // Nothing but interim answers.
      if (this.#writes !== "head" && end < text.length) this.#writeBody(text.slice(end));
    } else if (this.#writes === "body") this.#writeBody(chunk);
    this.owner.flushSoon();
    return !this.writableNeedDrain;
  }

  /** As it is: what waits is copied. */
  writeCopy(memory: Buffer, from: number, to: number): boolean {
    return this.write(memory.subarray(from, to));
  }

  /** What is written in one turn leaves together anyway. */
  cork(): void {}
  uncork(): void {}

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#consume();
  }

  abstract end(): void;
  abstract destroy(): void;

  destroySoon(): void {
    this.end();
  }

  resetAndDestroy(): void {
    this.destroy();
  }

  // === for the session ===

  /** All that waited for windows is on its way. */
  unblocked(): void {
    this.#isBlocked = false;
    if (this.hasWritten) this.messageWritten();
    else this.sessionDrained();
  }

  /** The session's socket takes more. */
  sessionDrained(): void {
    if (!this.writableNeedDrain) this.drained();
  }

  // === for the two kinds ===

  /**
   * Reads the heads at the start of `text`, sends them, and says by {@link startBody} what follows the last one, unless
   * that is an interim answer.
   * @returns where the last head ends
   */
  protected abstract writeHeads(text: string): number;
  /** More can be written. */
  protected abstract drained(): void;
  /** The whole message has gone to the session, and nothing of it waits for windows. */
  protected abstract messageWritten(): void;

  /** For the next message. */
  protected restart(streamId: number): void {
    this.streamId = streamId;
    this.#writes = "head";
    this.#isBlocked = false;
    this.#isPaused = false;
    this.#unconsumed = 0;
  }

  protected startBody(length: number, isChunked: boolean): void {
    this.#writes = "body";
    this.#remaining = isChunked || length < 0 ? NO_LENGTH : length;
    if (isChunked) this.#chunks.startChunked();
    else this.#chunks.startUntilClose();
  }

  /** The head was all of it. */
  protected startNoBody(): void {
    this.#writes = "nothing";
    this.messageWritten();
  }

  /** A body without a length ends here, and one that is not complete is cut. */
  protected endBody(): void {
    if (this.#writes !== "body") return;
    this.#sent(this.owner.connection.sendData(this.streamId, NO_BYTES, 0, 0, true), true);
    this.owner.flushSoon();
  }

  /** `size` bytes of the peer have been handed on. */
  protected handedOn(size: number): void {
    this.#unconsumed += size;
    if (!this.#isPaused) this.#consume();
  }

  /** Gives the session's window back what the stream held of it. */
  protected letGo(): void {
    this.#consume();
    this.streamId = 0;
  }

  #consume(): void {
    if (this.#unconsumed === 0 || this.streamId === 0) return;
    this.owner.connection.consumed(this.streamId, this.#unconsumed);
    this.#unconsumed = 0;
    this.owner.flushSoon();
  }

  #writeBody(chunk: Buffer | string): void {
    const { connection } = this.owner;
    if (this.#remaining === NO_LENGTH) {
      this.#writeChunks(typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk);
      return;
    }
    this.#remaining -= chunk.length;
    const isLast = this.#remaining === 0;
    this.#sent(
      typeof chunk === "string"
        ? connection.sendText(this.streamId, chunk, isLast)
        : connection.sendData(this.streamId, chunk, 0, chunk.length, isLast),
      isLast,
    );
  }

  #writeChunks(bytes: Buffer): void {
    const { connection } = this.owner;
    const body = this.#chunks;
    let at = 0;
    while (at < bytes.length && !body.done) {
      at = body.step(bytes, at, bytes.length);
      const { dataStart, dataEnd } = body;
      if (dataEnd > dataStart)
        this.#sent(connection.sendData(this.streamId, bytes, dataStart, dataEnd, false), false);
    }
    if (!body.done) return;
    if (body.trailers === "") this.#sent(connection.sendData(this.streamId, NO_BYTES, 0, 0, true), true);
    else {
      connection.sendTrailers(this.streamId, trailerFields(body.trailers));
      this.#sent(true, true);
    }
  }

  #sent(isAllOut: boolean, isLast: boolean): void {
    if (!isAllOut) this.#isBlocked = true;
    if (!isLast) return;
    this.#writes = "nothing";
    if (!this.#isBlocked) this.messageWritten();
  }
}
