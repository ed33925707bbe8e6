/**
 * Where frames are in the bytes of a connection (RFC 9113 §4.1). DATA is handed out piece by piece as it arrives, every
 * other frame as a whole; only what is cut off at the end of a read is kept, and nothing between frames.
 *
 *   header ──► (whole frame) ──► header …           found: FRAME
 *     │
 *     └─ DATA ──► pad length ──► data ──► padding ──► header …
 *                  found: DATA_BEGIN    DATA_PIECE (several)
 */
import { http2FrameInvalid, http2FrameSizeInvalid } from "../../kernel/errors/http2.ts";
import { DATA, END_STREAM, FRAME_HEADER_BYTES, MAX_FRAME_BYTES, PADDED } from "./codes.ts";

/** What a step came to. */
export const NOTHING = 0;
/** A frame that is not DATA: `type`, `flags`, `streamId`, and its payload in `bytes[start, end)`. */
export const FRAME = 1;
/** A DATA frame: `dataLeft` bytes of data follow as pieces, and `paddingBytes` that nobody sees. */
export const DATA_BEGIN = 2;
/** Data in `bytes[start, end)`; the last of the frame when `dataLeft` is 0. */
export const DATA_PIECE = 3;

const HEADER = 0;
const PAD_LENGTH = 1;
const BODY = 2;
const PADDING = 3;

export class FrameReader {
  found = NOTHING;
  type = 0;
  flags = 0;
  streamId = 0;
  /** Of the whole payload, padding included. */
  length = 0;
  /** Valid until the next step. */
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
  dataLeft = 0;
  /** Of a DATA frame: padding and the byte that says how much of it there is. */
  paddingBytes = 0;
  #state = HEADER;
  #paddingLeft = 0;
  /** The beginning of a frame whose end was not there yet. */
  #held: Buffer = EMPTY;
  #heldSize = 0;

  /** A frame that is handed out as a whole has begun, and not ended. */
  get isMidFrame(): boolean {
    return this.#heldSize > 0;
  }

  /** Lets go of the last frame's bytes, for a connection that may be idle for long. */
  release(): void {
    this.bytes = EMPTY;
  }

  /** The DATA frame at hand ends its stream. */
  get endsStream(): boolean {
    return (this.flags & END_STREAM) !== 0;
  }

  /**
   * Reads on from `bytes[at]`, up to the end of one find.
   * @returns the offset up to which it consumed; there is more to find before `end`.
   * @throws http2FrameSizeInvalid, http2FrameInvalid.
   */
  step(bytes: Buffer, at: number, end: number): number {
    this.found = NOTHING;
    switch (this.#state) {
      case HEADER:
        return this.#heldSize > 0 ? this.#stepHeld(bytes, at, end) : this.#stepFrame(bytes, at, end);
      case PAD_LENGTH:
        this.#beginData(1 + (bytes[at] as number));
        return at + 1;
      case BODY: {
        const stop = Math.min(end, at + this.dataLeft);
        this.bytes = bytes;
        this.start = at;
        this.end = stop;
        this.dataLeft -= stop - at;
        this.found = DATA_PIECE;
        if (this.dataLeft === 0) this.#state = this.#paddingLeft > 0 ? PADDING : HEADER;
        return stop;
      }
      default: {
        const stop = Math.min(end, at + this.#paddingLeft);
        this.#paddingLeft -= stop - at;
        if (this.#paddingLeft === 0) this.#state = HEADER;
        return stop;
      }
    }
  }

  #stepFrame(bytes: Buffer, at: number, end: number): number {
    if (end - at < FRAME_HEADER_BYTES) return this.#hold(bytes, at, end, FRAME_HEADER_BYTES);
    this.#readHeader(bytes, at);
    if (this.type === DATA) return this.#startData(at + FRAME_HEADER_BYTES);
    const stop = at + FRAME_HEADER_BYTES + this.length;
    if (stop > end) return this.#hold(bytes, at, end, stop - at);
    this.#foundFrame(bytes, at + FRAME_HEADER_BYTES, stop);
    return stop;
  }

  /** Keeps the beginning of something of so many bytes. */
  #hold(bytes: Buffer, at: number, end: number, size: number): number {
    this.#held = Buffer.allocUnsafe(size);
    bytes.copy(this.#held, 0, at, end);
    this.#heldSize = end - at;
    return end;
  }

  #stepHeld(bytes: Buffer, at: number, end: number): number {
    const held = this.#held;
    const stop = Math.min(end, at + held.length - this.#heldSize);
    bytes.copy(held, this.#heldSize, at, stop);
    this.#heldSize += stop - at;
    if (this.#heldSize < held.length) return stop;
    if (held.length === FRAME_HEADER_BYTES) {
      this.#readHeader(held, 0);
      if (this.type !== DATA && this.length > 0) {
        this.#held = Buffer.allocUnsafe(FRAME_HEADER_BYTES + this.length);
        held.copy(this.#held);
        return stop;
      }
    }
    this.#held = EMPTY;
    this.#heldSize = 0;
    if (this.type === DATA) return this.#startData(stop);
    this.#foundFrame(held, FRAME_HEADER_BYTES, held.length);
    return stop;
  }

  #readHeader(bytes: Buffer, at: number): void {
    const length =
      ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
    if (length > MAX_FRAME_BYTES) {
      throw http2FrameSizeInvalid({ reason: `it is longer than ${MAX_FRAME_BYTES} bytes` });
    }
    this.length = length;
    this.type = bytes[at + 3] as number;
    this.flags = bytes[at + 4] as number;
    this.streamId = readUint31(bytes, at + 5);
  }

  #foundFrame(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.found = FRAME;
  }

  #startData(at: number): number {
    if ((this.flags & PADDED) === 0) this.#beginData(0);
    else if (this.length === 0)
      throw http2FrameSizeInvalid({ reason: "padded DATA does not say by how much" });
    else this.#state = PAD_LENGTH;
    return at;
  }

  #beginData(paddingBytes: number): void {
    if (paddingBytes > this.length) throw http2FrameInvalid({ reason: "DATA has more padding than room" });
    this.paddingBytes = paddingBytes;
    this.#paddingLeft = Math.max(0, paddingBytes - 1);
    this.dataLeft = this.length - paddingBytes;
    this.#state = this.dataLeft > 0 ? BODY : this.#paddingLeft > 0 ? PADDING : HEADER;
    this.found = DATA_BEGIN;
  }
}

/** The highest bit is reserved, and ignored (RFC 9113 §4.1). */
export function readUint31(bytes: Buffer, at: number): number {
  return (
    (((bytes[at] as number) & 0x7f) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  );
}

const EMPTY: Buffer = Buffer.alloc(0);
