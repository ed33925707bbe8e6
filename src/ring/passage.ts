/**
 * The way of bytes from one connection to another that are never copied to here: through a pipe of the kernel, which holds
 * their pages as they came (`splice`). One is enough for all: it is empty between two passages.
 *
 *   connection ──take──► pipe ──give──► connection
 *                         ╰──empty──► what the second one does not take
 */
import { getSystemErrorName } from "node:util";
import {
  EAGAIN,
  EINTR,
  F_SETPIPE_SZ,
  O_CLOEXEC,
  O_NONBLOCK,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
} from "./abi.ts";
import type { System } from "./system.ts";

/**
 * A page for each of 64 pieces, of whatever length they came in. 128 KiB are 32 to 90 of them; more would let who sends in
 * the smallest of pieces have that many more pages kept for as many bytes.
 */
const PIPE_BYTES = 256 * 1024;

export class Passage {
  readonly #system: System;
  readonly #readEnd: number;
  readonly #writeEnd: number;

  /** @throws Error when the process has no descriptors left */
  constructor(system: System) {
    this.#system = system;
    const ends = Buffer.alloc(8);
    if (system.calls.pipe2(system.ffi.getRawPointer(ends), O_CLOEXEC | O_NONBLOCK) !== 0)
      throw new Error(`pipe2 ${getSystemErrorName(-system.errno())}`);
    this.#readEnd = ends.readInt32LE(0);
    this.#writeEnd = ends.readInt32LE(4);
    // Where it may not be so large, less passes at once.
    system.calls.fcntl(this.#writeEnd, F_SETPIPE_SZ, PIPE_BYTES);
  }

  /** @returns how much came from a connection; 0 at its end; a negative errno when it failed, or has nothing now */
  take(fd: number, size: number): number {
    return this.#splice(fd, this.#writeEnd, size);
  }

  /** @returns how much of what came another one took; a negative errno when that was nothing, because it failed */
  give(fd: number, size: number): number {
    let taken = 0;
    while (taken < size) {
      const moved = this.#splice(this.#readEnd, fd, size - taken);
      if (moved === -EAGAIN) break;
      // What was taken before must be counted: who tries again hears of the failure.
      if (moved < 0) return taken > 0 ? taken : moved;
      taken += moved;
    }
    return taken;
  }

  /** What is left of it is in `memory` then. */
  empty(size: number, memory: Buffer): void {
    let read = 0;
    while (read < size) {
      const more = this.#system.calls.read(this.#readEnd, memory.subarray(read), size - read);
      if (more <= 0) throw new Error(`read of a pipe: ${getSystemErrorName(-this.#system.errno())}`);
      read += more;
    }
  }

  #splice(from: number, to: number, size: number): number {
    for (;;) {
      const moved = this.#system.calls.splice(from, null, to, null, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
      if (moved >= 0) return moved;
      const errno = this.#system.errno();
      if (errno !== EINTR) return -errno;
    }
  }
}
