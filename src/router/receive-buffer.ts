/**
 * Memory that connections read into. As long as reads are short, all connections share one piece: a read is dealt with
 * before the next one begins, and what must live longer is copied, which saves an allocation of 64 KiB per read. A
 * connection in the middle of a large body gets memory of its own, which is written on as it is.
 *
 *   shared ──a long read, and more to come──► own ──no more to come, or short reads──► shared
 *                                            │   ▲
 *                                            └───┘ kept: the next read goes elsewhere
 */
import { Socket, type SocketConstructorOpts } from "node:net";
import { countRead, LONG_READ_BYTES, STILL_LONG_BYTES, waitForBodyTurn } from "./large-bodies.ts";
import type { Waiting } from "./turn-queue.ts";

const SHARED: Buffer = Buffer.allocUnsafeSlow(64 * 1024);
/** What a read must have brought for the next one to go into own memory. */
const LONG_BYTES = 32 * 1024;
/** Connections that have own memory at the same time: bodies that stall must not take more than so much of it. */
const MAX_OWNERS = 256;
let owners = 0;
/** In the middle of a large body, and not resting: they read, or may at any moment of this turn. */
const active = new Set<SocketMemory>();
/** Own memory that nobody has at the moment, the last one warm in the processor's caches. */
const spare: Buffer[] = [];
const MAX_SPARE = 64;

/** Whose the bytes of a read are. */
export interface ReadMemory {
  /** `bytes[from, to)` for longer than the read lasts: as they are where that is possible, else copied. */
  keep(bytes: Buffer, from: number, to: number): Buffer;
  /** Nobody needs what was kept of this read any more. */
  reuse(): void;
  /** There will be no further read. */
  close(): void;
}
/**
 * @param memory  What the bytes are in; they change when the call is over, unless it keeps them.
 * @returns true in the middle of a body.
 */
export type OnBytes = (bytes: Buffer, size: number, memory: ReadMemory) => boolean;

/** Of reads that each have memory of their own. */
export const OWN_MEMORY: ReadMemory = {
  keep: (bytes, from, to) => bytes.subarray(from, to),
  reuse() {},
  close() {},
};

/** Of bytes that somebody else's read brought. */
export const FOREIGN_MEMORY: ReadMemory = {
  keep: (bytes, from, to) => Buffer.copyBytesFrom(bytes, from, to - from),
  reuse() {},
  close() {},
};

/** The reading of one socket: `onread` is the option that it is made with, {@link SocketMemory.of} tells which it is. */
export class SocketMemory implements ReadMemory, Waiting {
  readonly #receive: OnBytes;
  #socket: Socket | null = null;
  #present: Buffer | null = null;
  #isKept = false;
  #isLong = false;
  #isClosed = false;
  #isActive = false;
  /** Stopped until its turn comes. */
  #isResting = false;

  constructor(receive: OnBytes) {
    this.#receive = receive;
  }

  /** The `onread` option of a socket. */
  readonly onread = {
    buffer: () => this.#next() as Buffer<ArrayBuffer>,
    callback: (size: number) => {
      const present = this.#present ?? SHARED;
      this.#isResting = false;
      const isInside = this.#receive(present, size, this);
      // The read may have been what closed it; what went back must not be asked for again.
      this.#isLong =
        isInside && !this.#isClosed && size >= (present === SHARED ? LONG_BYTES : STILL_LONG_BYTES);
      if (!this.#isLong && this.#isActive) this.#leave();
      return !this.#isLong || this.#mayGoOn(size);
    },
  };

  of<S extends Socket>(socket: S): S {
    this.#socket = socket;
    return socket;
  }

  /** @returns false when the socket is to rest until its turn comes. */
  #mayGoOn(size: number): boolean {
    this.#enter();
    if (countRead(size)) return true;
    for (const memory of active) memory.#rest();
    return false;
  }

  /** Whoever paused it meanwhile resumes it, and whoever resumes it before its turn may. */
  #rest(): void {
    this.#leave();
    this.#isResting = true;
    stopReading(this.#socket);
    waitForBodyTurn(this);
  }

  #enter(): void {
    if (this.#isActive) return;
    this.#isActive = true;
    active.add(this);
  }

  #leave(): void {
    this.#isActive = false;
    active.delete(this);
  }

  takeTurn(): void {
    const socket = this.#socket;
    if (socket === null || socket.destroyed || socket.isPaused() || !this.#isResting) return;
    this.#isResting = false;
    this.#enter();
    socket.resume();
  }

  keep(bytes: Buffer, from: number, to: number): Buffer {
    if (this.#present === SHARED) return Buffer.copyBytesFrom(bytes, from, to - from);
    this.#isKept = true;
    return bytes.subarray(from, to);
  }

  reuse(): void {
    this.#isKept = false;
  }

  close(): void {
    this.#isClosed = true;
    this.#isLong = false;
    this.#isResting = false;
    if (this.#isActive) this.#leave();
    this.#next();
  }

  /** Asked before the first read and after each one. @returns null where the next one may go where the last one went. */
  #next(): Buffer | null {
    const present = this.#present;
    if (present === null) this.#present = SHARED;
    else if (present === SHARED) {
      if (!this.#isLong || owners >= MAX_OWNERS) return null;
      owners++;
      this.#present = spare.pop() ?? Buffer.allocUnsafeSlow(LONG_READ_BYTES);
    } else {
      if (this.#isLong && !this.#isKept) return null;
      if (!this.#isKept && spare.length < MAX_SPARE) spare.push(present);
      this.#isKept = false;
      if (!this.#isLong) owners--;
      this.#present = this.#isLong ? (spare.pop() ?? Buffer.allocUnsafeSlow(LONG_READ_BYTES)) : SHARED;
    }
    return this.#present;
  }
}

/**
 * The same for a socket that a listener accepted, and starts reading.
 *
 * Sockets of a `net.Server` cannot be given `onread`, so the connection is handed to a new one. Measured on one core with
 * small requests: 6.8 instead of 7.7 µs for a read and its answer, because besides the allocation the stream machinery of
 * `data` events falls away.
 */
export function readInto(accepted: Socket, receive: OnBytes): Socket {
  const handle = takeHandle(accepted);
  if (handle === null)
    return accepted.on("data", (chunk: Buffer) => receive(chunk, chunk.length, OWN_MEMORY)).resume();
  const memory = new SocketMemory(receive);
  const options: object = { handle, allowHalfOpen: true, onread: memory.onread };
  return memory.of(new Socket(options as SocketConstructorOpts)).resume();
}

/**
 * What makes a new socket of an accepted one, by the option `handle`; null when it has none. That leans on `_handle`, which
 * is not documented; where it is missing, the socket is read in the ordinary way.
 */
export function takeHandle(accepted: Socket): Handle | null {
  const handle = handleOf(accepted);
  (accepted as unknown as HandleOwner)._handle = null;
  return handle;
}

/** The same, left where it is. */
export const handleOf = (socket: Socket | null): Handle | null =>
  (socket as unknown as HandleOwner | null)?._handle ?? null;

/**
 * Until somebody resumes it, without a word to the stream, whose pausing is others' affair. By `_handle` too; where that is
 * missing, the socket has one more read.
 */
function stopReading(socket: Socket | null): void {
  const handle = handleOf(socket);
  if (handle === null || !handle.reading) return;
  handle.reading = false;
  handle.readStop();
}

interface HandleOwner {
  _handle?: Handle | null;
}

interface Handle {
  /** -1 where the system has none. */
  readonly fd: number;
  reading: boolean;
  readStop(): void;
  close(): void;
}
