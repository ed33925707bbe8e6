/** Messages over TCP: each after its length in two bytes (RFC 7766 §8), in one piece or many. */
import { HEADER_BYTES, MAX_MESSAGE_BYTES } from "./constants.ts";

const PREFIX_BYTES = 2;

/** Cuts a stream of bytes into messages. */
export class FrameReader {
  // Joined only when a whole prefix or message is there: a sender of single bytes must not make us copy them each time.
  #chunks: Uint8Array[] = [];
  #size = 0;
  #needed = PREFIX_BYTES;

  /** Nothing of a next message has come yet. */
  get isEmpty(): boolean {
    return this.#size === 0;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#chunks.push(bytes);
    this.#size += bytes.length;
  }

  /** The next whole message, null when more bytes are needed, "invalid" when no message can be that short. */
  next(): Uint8Array | null | "invalid" {
    if (this.#size < this.#needed) return null;
    const bytes = this.#join();
    const length = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
    if (length < HEADER_BYTES) return "invalid";
    this.#needed = PREFIX_BYTES + length;
    if (this.#size < this.#needed) return null;
    const message = bytes.subarray(PREFIX_BYTES, this.#needed);
    this.#chunks = [bytes.subarray(this.#needed)];
    this.#size -= this.#needed;
    this.#needed = PREFIX_BYTES;
    return message;
  }

  #join(): Uint8Array {
    const [only, ...others] = this.#chunks;
    if (only !== undefined && others.length === 0) return only;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}

/** Length and message in one piece, so that they leave in one segment. */
export function frameMessage(message: Uint8Array): Uint8Array {
  if (message.length > MAX_MESSAGE_BYTES)
    throw new RangeError(`a message of ${message.length} bytes has no frame`);
  const frame = new Uint8Array(PREFIX_BYTES + message.length);
  frame[0] = message.length >> 8;
  frame[1] = message.length & 0xff;
  frame.set(message, PREFIX_BYTES);
  return frame;
}
