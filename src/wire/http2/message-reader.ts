/**
 * From header blocks to heads and trailers: puts the pieces of a block together, decodes it, and says what is wrong with
 * the message. A block is decoded in any case, or the tables of the two sides would differ.
 */
import { http2Flood, http2MessageMalformed } from "../../kernel/errors/http2.ts";
import { connectUnsupported } from "../../kernel/errors/wire.ts";
import type { ViaductError } from "../../kernel/index.ts";
import { MAX_FRAME_BYTES } from "./codes.ts";
import { FieldDecoder } from "./field-decoder.ts";
import { HeadRules } from "./head-rules.ts";
import type { FieldList, Http2Limits } from "./types.ts";

/**
 * A compressed block may be so many times as large as the list it becomes: as much as is needed to see that a list is
 * somewhat too large, and to say so, instead of ending the connection.
 */
const BLOCK_BYTES_PER_LIST_BYTE = 2;
/** Twice as many frames as full ones would need, and some for those who send a small one first. */
const SPARE_CONTINUATIONS = 8;

export class MessageReader {
  /** A block whose end is still to come belongs to this stream; 0 when there is none. */
  streamId = 0;
  endsStream = false;
  readonly #decoder: FieldDecoder;
  readonly #rules = new HeadRules();
  readonly #maxBlockBytes: number;
  readonly #maxBlockFrames: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(limits: Http2Limits) {
    this.#decoder = new FieldDecoder(limits);
    this.#maxBlockBytes = limits.maxHeaderListBytes * BLOCK_BYTES_PER_LIST_BYTE;
    this.#maxBlockFrames = Math.ceil((2 * this.#maxBlockBytes) / MAX_FRAME_BYTES) + SPARE_CONTINUATIONS;
  }

  // === blocks in several frames ===

  /** The first piece of a block. */
  begin(streamId: number, endsStream: boolean, bytes: Buffer, from: number, to: number): void {
    this.streamId = streamId;
    this.endsStream = endsStream;
    this.add(bytes, from, to);
  }

  /** Another piece. Bounded in bytes and in frames: nothing is decoded, and so nothing refused, before the last is there. */
  add(bytes: Buffer, from: number, to: number): void {
    this.#bytes += to - from;
    if (this.#bytes > this.#maxBlockBytes) {
      throw http2Flood({ what: "bytes of one header block", limit: this.#maxBlockBytes });
    }
    if (this.#pieces.length === this.#maxBlockFrames) {
      throw http2Flood({ what: "frames of one header block", limit: this.#maxBlockFrames });
    }
    this.#pieces.push(Buffer.from(bytes.subarray(from, to)));
  }

  /** The whole block, after which there is none. */
  end(): Buffer {
    const block = Buffer.concat(this.#pieces, this.#bytes);
    this.streamId = 0;
    this.#pieces = [];
    this.#bytes = 0;
    return block;
  }

  // === messages ===

  /** @throws http2CompressionFailed */
  decode(bytes: Buffer, from: number, to: number): FieldList {
    return this.#decoder.decode(bytes, from, to);
  }

  /** Of the last head. */
  get contentLength(): number {
    return this.#rules.contentLength;
  }
  /** Of the last response. */
  get status(): number {
    return this.#rules.status;
  }

  /** @returns why the fields last decoded are no request; null when they are one. */
  problemOfRequest(fields: FieldList, endsStream: boolean): ViaductError | null {
    const { refusal, judgements } = this.#decoder;
    if (refusal !== null) return refusal;
    const reason = this.#rules.checkRequest(fields, judgements);
    if (reason !== null) return http2MessageMalformed({ reason });
    if (this.#rules.isConnect) return connectUnsupported({});
    return endsStream && this.contentLength > 0 ? bodyTooShort() : null;
  }

  /** @param isHeadRequest  what was asked for has no body, whatever its length says. */
  problemOfResponse(fields: FieldList, endsStream: boolean, isHeadRequest: boolean): ViaductError | null {
    const { refusal, judgements } = this.#decoder;
    if (refusal !== null) return refusal;
    const reason = this.#rules.checkResponse(fields, judgements);
    if (reason !== null) return http2MessageMalformed({ reason });
    if (!endsStream) return null;
    if (this.status < 200) return http2MessageMalformed({ reason: "an interim response ends the stream" });
    return this.contentLength > 0 && !hasNoBody(this.status, isHeadRequest) ? bodyTooShort() : null;
  }

  /** @param bodyLeft  data that the head announced and that did not come. */
  problemOfTrailers(fields: FieldList, endsStream: boolean, bodyLeft: number): ViaductError | null {
    const { refusal, judgements } = this.#decoder;
    if (refusal !== null) return refusal;
    if (!endsStream) return http2MessageMalformed({ reason: "a second head does not end the stream" });
    if (bodyLeft > 0) return bodyTooShort();
    const reason = this.#rules.checkTrailers(fields, judgements);
    return reason === null ? null : http2MessageMalformed({ reason });
  }
}

/** Whatever its content-length says (RFC 9110 §6.4.1). */
export const hasNoBody = (status: number, isHeadRequest: boolean) =>
  isHeadRequest || status === 304 || status === 204;

export const bodyTooShort = () =>
  http2MessageMalformed({ reason: "there is less DATA than content-length says" });
