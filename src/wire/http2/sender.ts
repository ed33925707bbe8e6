/**
 * The way out: heads, data and trailers become frames as far as the windows allow. What they do not allow is queued with
 * its stream, and when they open, the streams that wait take turns, a frame each.
 */
import type { Budget } from "./budget.ts";
import {
  CONTINUATION,
  DATA,
  DEFAULT_WINDOW_BYTES,
  END_HEADERS,
  END_STREAM,
  FRAME_HEADER_BYTES,
  HEADERS,
  MAX_31_BITS,
  MAX_FRAME_BYTES,
} from "./codes.ts";
import { FieldEncoder } from "./field-encoder.ts";
import type { Output } from "./output.ts";
import type { Stream } from "./stream.ts";
import type { FieldList } from "./types.ts";

/** Frames that a message brought forward pays for: acknowledgements and window updates that come with it. */
export const FRAMES_PER_MESSAGE = 8;
/**
 * A queued frame pays for nothing when it is smaller: a peer that opens its window byte by byte has us write a frame for
 * each (CVE-2019-9511).
 */
const LEAST_USEFUL_BYTES = 256;

export class Sender {
  readonly #output: Output;
  readonly #controlFrames: Budget;
  readonly #ended: (stream: Stream) => void;
  readonly #encoder = new FieldEncoder();
  /** The connection's. */
  #window = DEFAULT_WINDOW_BYTES;
  /** Streams with something queued, those that waited longest first. */
  readonly #blocked = new Set<Stream>();

  /** @param ended  called when a stream's END_STREAM is in the output. */
  constructor(output: Output, controlFrames: Budget, ended: (stream: Stream) => void) {
    this.#output = output;
    this.#controlFrames = controlFrames;
    this.#ended = ended;
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE. */
  limitTable(bytes: number): void {
    this.#encoder.limitTable(bytes);
  }

  /** @returns false when the connection's window is larger than one may be. */
  openWindow(bytes: number): boolean {
    this.#window += bytes;
    return this.#window <= MAX_31_BITS;
  }

  /** The stream is gone, and what it had queued. */
  drop(stream: Stream): void {
    stream.queue = null;
    stream.queuedTrailers = null;
    this.#blocked.delete(stream);
  }

  dropAll(): void {
    this.#blocked.clear();
  }

  head(stream: Stream, fields: FieldList, endsStream: boolean): void {
    const output = this.#output;
    output.reserve(FRAME_HEADER_BYTES);
    const header = output.size;
    output.size += FRAME_HEADER_BYTES;
    this.#encoder.encode(fields, output);
    const length = output.size - header - FRAME_HEADER_BYTES;
    const flags = endsStream ? END_STREAM : 0;
    if (length <= MAX_FRAME_BYTES) output.patchFrame(header, length, HEADERS, flags | END_HEADERS, stream.id);
    else this.#continueHead(stream.id, header, length, flags);
    this.#controlFrames.give(FRAMES_PER_MESSAGE);
    if (endsStream) this.#ended(stream);
  }

  /** Cuts a header block that is too long for one frame; a rare thing, and so in the obvious way. */
  #continueHead(streamId: number, header: number, length: number, flags: number): void {
    const output = this.#output;
    const block = Buffer.from(output.bytes.subarray(header + FRAME_HEADER_BYTES, output.size));
    output.size = header;
    for (let at = 0; at < length; at += MAX_FRAME_BYTES) {
      const size = Math.min(MAX_FRAME_BYTES, length - at);
      const last = at + size === length ? END_HEADERS : 0;
      if (at === 0) output.frame(size, HEADERS, flags | last, streamId);
      else output.frame(size, CONTINUATION, last, streamId);
      block.copy(output.bytes, output.size, at, at + size);
      output.size += size;
    }
  }

  /** @returns false when some of it had to be queued. */
  data(stream: Stream, bytes: Buffer, from: number, to: number, endsStream: boolean): boolean {
    let at = from;
    if (stream.queue === null) {
      at = this.#writeData(stream, bytes, from, to, endsStream);
      if (at === to) return true;
      stream.queue = [];
      stream.queueStart = 0;
      this.#blocked.add(stream);
    }
    if (at < to) stream.queue.push(Buffer.from(bytes.subarray(at, to)));
    stream.localEndsLater = endsStream;
    return false;
  }

  /** {@link data} for latin1 text. */
  text(stream: Stream, text: string, endsStream: boolean): boolean {
    const { length } = text;
    const fits =
      stream.queue === null &&
      length <= MAX_FRAME_BYTES &&
      length <= this.#window &&
      length <= stream.sendWindow;
    if (!fits) return this.data(stream, Buffer.from(text, "latin1"), 0, length, endsStream);
    if (length === 0 && !endsStream) return true;
    this.#output.frame(length, DATA, endsStream ? END_STREAM : 0, stream.id);
    this.#output.text(text);
    this.#countSent(stream, length);
    if (endsStream) this.#ended(stream);
    return true;
  }

  /** After all that is queued. */
  trailers(stream: Stream, fields: FieldList): void {
    if (stream.queue === null) this.head(stream, fields, true);
    else {
      stream.queuedTrailers = fields;
      stream.localEndsLater = true;
    }
  }

  /** Writes as much as the windows allow. @returns up to where. */
  #writeData(stream: Stream, bytes: Buffer, from: number, to: number, endsStream: boolean): number {
    const output = this.#output;
    let at = from;
    do {
      // A window may be below 0, which does not hold up an end without data.
      const size = Math.max(0, Math.min(to - at, MAX_FRAME_BYTES, this.#window, stream.sendWindow));
      const ends = endsStream && at + size === to;
      if (size === 0 && !ends) return at;
      output.frame(size, DATA, ends ? END_STREAM : 0, stream.id);
      bytes.copy(output.bytes, output.size, at, at + size);
      output.size += size;
      at += size;
      this.#countSent(stream, size);
      if (ends) this.#ended(stream);
    } while (at < to);
    return at;
  }

  #countSent(stream: Stream, bytes: number): void {
    this.#window -= bytes;
    stream.sendWindow -= bytes;
    if (stream.queue === null || bytes >= LEAST_USEFUL_BYTES) this.#controlFrames.give(FRAMES_PER_MESSAGE);
  }

  /** A window has opened. @returns the streams that have nothing queued any more; some may have ended with it. */
  flush(): readonly Stream[] {
    if (this.#blocked.size === 0) return NONE;
    const waiting = [...this.#blocked];
    for (let sent = true; sent && this.#window > 0; ) {
      sent = false;
      for (const stream of waiting) {
        if (!this.#sendQueuedFrame(stream)) continue;
        sent = true;
        if (stream.closed) continue;
        // To the end of the line, for when the window does not suffice for all.
        this.#blocked.delete(stream);
        this.#blocked.add(stream);
      }
    }
    const drained = waiting.filter((stream) => stream.queue === null || stream.queue.length === 0);
    for (const stream of drained) {
      this.#blocked.delete(stream);
      stream.queue = null;
      if (stream.queuedTrailers !== null) this.head(stream, stream.queuedTrailers, true);
    }
    return drained;
  }

  #sendQueuedFrame(stream: Stream): boolean {
    const { queue } = stream;
    const first = queue?.[0];
    if (queue === null || first === undefined) return false;
    const size = Math.min(first.length - stream.queueStart, MAX_FRAME_BYTES, this.#window, stream.sendWindow);
    if (size <= 0) return false;
    const to = stream.queueStart + size;
    const isLast = to === first.length && queue.length === 1;
    const ends = isLast && stream.localEndsLater && stream.queuedTrailers === null;
    stream.queueStart = this.#writeData(stream, first, stream.queueStart, to, ends);
    if (stream.queueStart === first.length) {
      queue.shift();
      stream.queueStart = 0;
    }
    return true;
  }
}

const NONE: readonly Stream[] = [];
