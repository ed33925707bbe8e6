/**
 * Pieces of bytes, first in, first out, copied into pages.
 *
 *   take ──► length, bytes · length, bytes · … │ next page │ … ◄── put
 *
 * A buffer of its own takes more memory than a short piece has bytes, and gives it back only after the collector has
 * been by; a page is given back as soon as it has been read.
 */

const PAGE_BYTES = 256 * 1024;
const LENGTH_BYTES = 4;

interface Page {
  readonly bytes: Buffer<ArrayBuffer>;
  readAt: number;
  writeAt: number;
}

export class ByteQueue {
  /** The first is read, the last is written. */
  readonly #pages: Page[] = [];

  put(piece: Uint8Array): void {
    const page = this.#pageFor(LENGTH_BYTES + piece.length);
    page.bytes.writeUInt32LE(piece.length, page.writeAt);
    page.bytes.set(piece, page.writeAt + LENGTH_BYTES);
    page.writeAt += LENGTH_BYTES + piece.length;
  }

  /** The oldest piece, valid until the next is taken; null when there is none. */
  take(): Uint8Array | null {
    let page = this.#pages[0];
    if (page !== undefined && page.readAt === page.writeAt) {
      this.#pages.shift();
      // Frees the memory now.
      page.bytes.buffer.transfer(0);
      page = this.#pages[0];
    }
    if (page === undefined) return null;
    const start = page.readAt + LENGTH_BYTES;
    page.readAt = start + page.bytes.readUInt32LE(page.readAt);
    return page.bytes.subarray(start, page.readAt);
  }

  clear(): void {
    this.#pages.length = 0;
  }

  #pageFor(size: number): Page {
    const last = this.#pages.at(-1);
    if (last !== undefined && last.writeAt + size <= last.bytes.length) return last;
    const page = { bytes: Buffer.allocUnsafeSlow(Math.max(size, PAGE_BYTES)), readAt: 0, writeAt: 0 };
    this.#pages.push(page);
    return page;
  }
}
