/**
 * Pieces of bytes, first in, first out, copied into pages. Pages that wait between the one that is read and the one
 * that is written are packed: messages of registrars are much alike, and take a fifth.
 *
 *   take ──► length, bytes · length, bytes · … │ packed │ packed │ length, bytes · … ◄── put
 *
 * A buffer of its own takes more memory than a short piece has bytes, and gives it back only after the collector has
 * been by; a page is given back as soon as it has been read.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";

const PAGE_BYTES = 256 * 1024;
const LENGTH_BYTES = 4;
/** The fastest: half a millisecond for a page. */
const PACKING = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const UNPACKING = { chunkSize: PAGE_BYTES };

interface Page {
  readonly bytes: Buffer<ArrayBuffer>;
  readAt: number;
  writeAt: number;
}

export class ByteQueue {
  #reading: Page = newPage(PAGE_BYTES);
  readonly #packed: Buffer[] = [];
  /** The same as the one that is read until that is full. */
  #writing = this.#reading;

  put(piece: Uint8Array): void {
    const size = LENGTH_BYTES + piece.length;
    const page = this.#pageFor(size);
    page.bytes.writeUInt32LE(piece.length, page.writeAt);
    page.bytes.set(piece, page.writeAt + LENGTH_BYTES);
    page.writeAt += size;
  }

  /** The oldest piece, valid until the next call; null when there is none. */
  take(): Uint8Array | null {
    if (isRead(this.#reading) && this.#reading !== this.#writing) {
      free(this.#reading);
      this.#reading = this.#next();
    }
    const page = this.#reading;
    if (isRead(page)) return null;
    const start = page.readAt + LENGTH_BYTES;
    page.readAt = start + page.bytes.readUInt32LE(page.readAt);
    return page.bytes.subarray(start, page.readAt);
  }

  clear(): void {
    this.#packed.length = 0;
    this.#reading = this.#writing = newPage(PAGE_BYTES);
  }

  #pageFor(size: number): Page {
    const page = this.#writing;
    if (page === this.#reading && isRead(page)) page.readAt = page.writeAt = 0;
    if (page.writeAt + size <= page.bytes.length) return page;
    if (page !== this.#reading) {
      this.#packed.push(zstdCompressSync(page.bytes.subarray(0, page.writeAt), PACKING));
      free(page);
    }
    this.#writing = newPage(Math.max(size, PAGE_BYTES));
    return this.#writing;
  }

  #next(): Page {
    const packed = this.#packed.shift();
    if (packed === undefined) return this.#writing;
    const bytes = zstdDecompressSync(packed, UNPACKING);
    return { bytes, readAt: 0, writeAt: bytes.length };
  }
}

const newPage = (size: number): Page => ({ bytes: Buffer.allocUnsafeSlow(size), readAt: 0, writeAt: 0 });

/** Now, not when the collector has been by. */
const free = (page: Page) => void page.bytes.buffer.transfer(0);

const isRead = (page: Page) => page.readAt === page.writeAt;
