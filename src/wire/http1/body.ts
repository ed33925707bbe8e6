/**
 * Bodies: where the data is in the bytes of a connection, and where the body ends. Nothing is copied or kept but
 * a few counters; the reader hands out ranges of the caller's buffer, in which it moves the data of small chunks together.
 *
 * Chunked (RFC 9112 §7.1), every arrow one or more bytes:
 *
 *   size ──► extension ──► sizeEnd ──► data ──► dataCr ──► dataLf ─┐
 *    ▲                        │ size 0                             │
 *    └────────────────────────┼────────────────────────────────────┘
 *                             └──► trailers ──► done
 */
import {
  bareLineFeed,
  chunkEndInvalid,
  chunkExtensionInvalid,
  chunkSizeInvalid,
  headerFolded,
  headerNameInvalid,
  headerValueInvalid,
  trailerForbidden,
  trailersTooLarge,
} from "../../kernel/errors/wire.ts";
import { CLASS, COLON, CR, HTAB, LF, SP, TOKEN, VALUE } from "./chars.ts";

/** 13 hexadecimal digits stay below 2^52. */
const MAX_SIZE_DIGITS = 13;
/** All extensions of one body together: nobody uses them, but each costs work that carries no data. */
const MAX_EXTENSION_BYTES = 16 * 1024;
/** What one counts for besides its bytes, of which it may have none: it takes its chunk off the short way. */
const EXTENSION_COST_BYTES = 16;
/** Chunks up to here go on together with what is before them: moving so much costs less than a write of its own. */
const MAX_JOINED_BYTES = 4 * 1024;
const MAX_TRAILER_BYTES = 64 * 1024;
/** Of data before it, and its own: CRLF, a digit, CRLF, a byte. */
const SHORTEST_CHUNK = 6;
/** Fewer are moved faster by a loop. */
const LONG_MOVE_BYTES = 16;
const SEMICOLON = 59;
/**
 * Fields that frame, route or vouch for a message stand in its head (RFC 9110 §6.5.1): a server that merges trailers
 * into the head would read them as if we had checked or written them.
 */
const FORBIDDEN_TRAILERS = new Set([
  "content-length",
  "transfer-encoding",
  "host",
  "connection",
  "keep-alive",
  "proxy-connection",
  "trailer",
  "upgrade",
  "te",
  "expect",
  "authorization",
  "proxy-authorization",
  "cookie",
  "x-request-start",
  "x-vcap-request-id",
]);
const FORBIDDEN_TRAILER_PREFIXES = ["x-forwarded-", "x-cf-"];

const NONE = 0;
const LENGTH = 1;
const CHUNKED = 2;
const UNTIL_CLOSE = 3;

const SIZE = 0;
const EXTENSION = 1;
const SIZE_END = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILERS = 6;

export class BodyReader {
  /** The whole body has been seen. */
  done = true;
  /** After a {@link step}: the range of data it found, empty when it found none. */
  dataStart = 0;
  dataEnd = 0;
  /** Trailer lines, each with its CRLF; "" when there are none. Complete once {@link done}. */
  trailers = "";
  /** Bytes still to come, of the body or of the present chunk. */
  remaining = 0;
  #kind = NONE;
  #state = SIZE;
  #digits = 0;
  #extensionBytes = 0;
  /** The trailer line that has not ended yet. */
  #line = "";

  /** Of {@link remaining}: nothing but data, and nobody need look at it. */
  get unframedBytes(): number {
    return this.#kind === LENGTH ? this.remaining : 0;
  }

  /** So much of the unframed data went by, which was not all of it. */
  skip(size: number): void {
    this.remaining -= size;
  }

  startNone(): void {
    this.#kind = NONE;
    this.done = true;
    this.trailers = "";
  }

  startLength(length: number): void {
    this.#kind = LENGTH;
    this.remaining = length;
    this.done = length === 0;
    this.trailers = "";
  }

  startChunked(): void {
    this.#kind = CHUNKED;
    this.#state = SIZE;
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.#line = "";
    this.remaining = 0;
    this.done = false;
    this.trailers = "";
  }

  /** Only responses; {@link finish} ends it. */
  startUntilClose(): void {
    this.#kind = UNTIL_CLOSE;
    this.done = false;
    this.trailers = "";
  }

  get isUntilClose(): boolean {
    return this.#kind === UNTIL_CLOSE;
  }
  get isChunked(): boolean {
    return this.#kind === CHUNKED;
  }

  /** The connection has ended. @returns true when that is a proper end of the body. */
  finish(): boolean {
    if (this.#kind === UNTIL_CLOSE) this.done = true;
    return this.done;
  }

  /**
   * Reads on from `bytes[at]`, up to the end of one range of data. Call it until all bytes are consumed or
   * {@link done}; what it does not consume belongs to the next message. What it does consume may be written over:
   * when `dataEnd` is before what it returns, data of several chunks was moved there.
   * @returns the offset up to which it consumed.
   */
  step(bytes: Uint8Array, at: number, end: number): number {
    this.dataStart = at;
    this.dataEnd = at;
    if (this.done) return at;
    if (this.#kind === LENGTH) {
      const stop = Math.min(end, at + this.remaining);
      this.remaining -= stop - at;
      this.done = this.remaining === 0;
      this.dataEnd = stop;
      return stop;
    }
    if (this.#kind === UNTIL_CLOSE) {
      this.dataEnd = end;
      return end;
    }
    return this.#stepChunked(bytes, at, end);
  }

  #stepChunked(bytes: Uint8Array, at: number, end: number): number {
    while (at < end) {
      const byte = bytes[at] as number;
      switch (this.#state) {
        case SIZE: {
          const digit = hexDigit(byte);
          if (digit !== -1) {
            if (++this.#digits > MAX_SIZE_DIGITS) throw chunkSizeInvalid({});
            this.remaining = this.remaining * 16 + digit;
          } else if (this.#digits === 0) throw chunkSizeInvalid({});
          else if (byte === CR) this.#state = SIZE_END;
          else if (byte === SEMICOLON) {
            this.#extensionBytes += EXTENSION_COST_BYTES;
            if (this.#extensionBytes > MAX_EXTENSION_BYTES) throw chunkExtensionInvalid({});
            this.#state = EXTENSION;
          } else throw byte === LF ? bareLineFeed({}) : chunkSizeInvalid({});
          at++;
          break;
        }
        case EXTENSION:
          if (byte === CR) this.#state = SIZE_END;
          else if (byte === LF) throw bareLineFeed({});
          else if (((CLASS[byte] as number) & VALUE) === 0 || ++this.#extensionBytes > MAX_EXTENSION_BYTES) {
            throw chunkExtensionInvalid({});
          }
          at++;
          break;
        case SIZE_END:
          if (byte !== LF) throw chunkSizeInvalid({});
          this.#state = this.remaining === 0 ? TRAILERS : DATA;
          at++;
          break;
        case DATA: {
          const stop = Math.min(end, at + this.remaining);
          this.remaining -= stop - at;
          this.dataStart = at;
          this.dataEnd = stop;
          if (this.remaining > 0) return stop;
          this.#state = DATA_CR;
          return this.#joinChunks(bytes, stop, end);
        }
        case DATA_CR:
          if (byte !== CR) throw chunkEndInvalid({});
          this.#state = DATA_LF;
          at++;
          break;
        case DATA_LF:
          if (byte !== LF) throw chunkEndInvalid({});
          this.#state = SIZE;
          this.#digits = 0;
          at++;
          break;
        default:
          at = this.#stepTrailers(bytes, at, end);
          if (this.done) {
            this.dataStart = at;
            this.dataEnd = at;
            return at;
          }
      }
    }
    this.dataStart = at;
    this.dataEnd = at;
    return at;
  }

  /**
   * Moves the data of small chunks that are here as a whole behind the data before them: a body in chunks of a byte
   * would otherwise cost a piece of text, or a write, for each. Whatever is not plain to see is left for the long way.
   * `bytes[at]` is the CR behind data, and what follows.
   * @returns up to where; it is the CR behind data again
   */
  #joinChunks(bytes: Uint8Array, at: number, end: number): number {
    let joined = this.dataEnd;
    for (;;) {
      if (end - at < SHORTEST_CHUNK || bytes[at] !== CR || bytes[at + 1] !== LF) break;
      let next = at + 2;
      const digitsEnd = Math.min(end, next + MAX_SIZE_DIGITS);
      let size = 0;
      for (; next < digitsEnd; next++) {
        const digit = hexDigit(bytes[next] as number);
        if (digit === -1) break;
        size = size * 16 + digit;
      }
      if (size === 0 || size > MAX_JOINED_BYTES) break;
      if (bytes[next] !== CR || bytes[next + 1] !== LF || end - next - 2 < size) break;
      next += 2;
      at = next + size;
      if (size > LONG_MOVE_BYTES) {
        bytes.copyWithin(joined, next, at);
        joined += size;
      } else while (next < at) bytes[joined++] = bytes[next++] as number;
    }
    this.dataEnd = joined;
    return at;
  }

  /** Byte by byte: trailers are rare and short. Whole lines are joined once, or many short ones would cost their square. */
  #stepTrailers(bytes: Uint8Array, at: number, end: number): number {
    while (at < end) {
      const byte = bytes[at++] as number;
      this.#line += String.fromCharCode(byte);
      if (this.trailers.length + this.#line.length > MAX_TRAILER_BYTES) {
        throw trailersTooLarge({ limitBytes: MAX_TRAILER_BYTES });
      }
      if (byte !== LF) continue;
      const line = this.#line;
      this.#line = "";
      if (!line.endsWith("\r\n")) throw bareLineFeed({});
      if (line === "\r\n") {
        this.done = true;
        return at;
      }
      checkTrailer(line);
      this.trailers += line;
    }
    return at;
  }
}

/** A name in lower case that no trailer may have, in any version of HTTP. */
export function isForbiddenTrailer(name: string): boolean {
  return FORBIDDEN_TRAILERS.has(name) || FORBIDDEN_TRAILER_PREFIXES.some((prefix) => name.startsWith(prefix));
}

function checkTrailer(line: string): void {
  const first = line.charCodeAt(0);
  if (first === SP || first === HTAB) throw headerFolded({});
  let at = 0;
  while (((CLASS[line.charCodeAt(at)] as number) & TOKEN) !== 0) at++;
  if (at === 0 || line.charCodeAt(at) !== COLON) throw headerNameInvalid({});
  if (isForbiddenTrailer(line.slice(0, at).toLowerCase())) throw trailerForbidden({});
  for (let i = at + 1; i < line.length - 2; i++) {
    if (((CLASS[line.charCodeAt(i)] as number) & VALUE) === 0) throw headerValueInvalid({});
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
