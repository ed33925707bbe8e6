/** Bytes on their way out: small frames come together in one buffer, which leaves as a whole. */
import { FRAME_HEADER_BYTES, GOAWAY, RST_STREAM, WINDOW_UPDATE } from "./codes.ts";

/** Room for a response's head and a small body; what does not fit moves to a buffer of twice the size. */
const FIRST_ROOM = 1_024;
/** Longer texts are written by the engine, shorter ones by a loop: crossing over costs more than a few characters. */
const MAX_LOOP_LENGTH = 24;

export class Output {
  /** Valid up to {@link size}; reserve before writing into it. */
  bytes: Buffer = EMPTY;
  size = 0;

  /** Makes room for so many bytes behind {@link size}. */
  reserve(bytes: number): void {
    const needed = this.size + bytes;
    if (needed <= this.bytes.length) return;
    const more = Buffer.allocUnsafe(Math.max(FIRST_ROOM, needed, this.bytes.length * 2));
    if (this.size > 0) this.bytes.copy(more, 0, 0, this.size);
    this.bytes = more;
  }

  /** Hands over what there is, and begins anew. */
  take(): Buffer | null {
    const { bytes, size } = this;
    if (size === 0) return null;
    this.bytes = EMPTY;
    this.size = 0;
    return size === bytes.length ? bytes : bytes.subarray(0, size);
  }

  /** A frame's header. Reserves the payload too. */
  frame(length: number, type: number, flags: number, streamId: number): void {
    this.reserve(FRAME_HEADER_BYTES + length);
    this.patchFrame(this.size, length, type, flags, streamId);
    this.size += FRAME_HEADER_BYTES;
  }

  /** A frame's header at `at`, where room was left for it. */
  patchFrame(at: number, length: number, type: number, flags: number, streamId: number): void {
    const { bytes } = this;
    bytes[at] = length >> 16;
    bytes[at + 1] = length >> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    bytes[at + 5] = streamId >> 24;
    bytes[at + 6] = streamId >> 16;
    bytes[at + 7] = streamId >> 8;
    bytes[at + 8] = streamId;
  }

  /** Reserved before. */
  uint32(value: number): void {
    const { bytes, size } = this;
    bytes[size] = value >> 24;
    bytes[size + 1] = value >> 16;
    bytes[size + 2] = value >> 8;
    bytes[size + 3] = value;
    this.size = size + 4;
  }

  resetFrame(streamId: number, code: number): void {
    this.frame(4, RST_STREAM, 0, streamId);
    this.uint32(code);
  }

  windowUpdateFrame(streamId: number, increment: number): void {
    this.frame(4, WINDOW_UPDATE, 0, streamId);
    this.uint32(increment);
  }

  goawayFrame(lastStreamId: number, code: number, explanation: string): void {
    this.frame(8 + explanation.length, GOAWAY, 0, 0);
    this.uint32(lastStreamId);
    this.uint32(code);
    this.text(explanation);
  }

  /** Latin1; reserved before. */
  text(text: string): void {
    const { bytes, size } = this;
    const { length } = text;
    if (length > MAX_LOOP_LENGTH) bytes.write(text, size, "latin1");
    else for (let i = 0; i < length; i++) bytes[size + i] = text.charCodeAt(i);
    this.size = size + length;
  }
}

const EMPTY: Buffer = Buffer.alloc(0);
