/**
 * How Node's event loop hears of completions: an eventfd that the ring writes to, read as if it were a pipe. Node has no
 * way to wait for a descriptor of any other kind, so it is given a pipe, which the eventfd then takes the place of.
 */
import { Socket, type SocketConstructorOpts } from "node:net";
import { EFD_NONBLOCK, O_CLOEXEC } from "./abi.ts";
import type { System } from "./system.ts";

export class Wakeup {
  /** Belongs to this, and is never closed. */
  readonly eventFd: number;
  readonly #socket: Socket;

  /** @throws Error when the process has no descriptors left */
  constructor({ calls, ffi, errno }: System, onWake: () => void) {
    const ends = Buffer.alloc(8);
    if (calls.pipe2(ffi.getRawPointer(ends), O_CLOEXEC) !== 0)
      throw new Error(`pipe2 fails with errno ${errno()}`);
    const readEnd = ends.readInt32LE(0);
    const eventFd = calls.eventfd(0, EFD_NONBLOCK);
    if (eventFd < 0) throw new Error(`eventfd fails with errno ${errno()}`);
    this.#socket = new Socket({
      fd: readEnd,
      readable: true,
      writable: false,
      manualStart: true,
      onread: {
        buffer: Buffer.alloc(16),
        callback: () => {
          onWake();
          return true;
        },
      },
    } as SocketConstructorOpts);
    calls.dup3(eventFd, readEnd, O_CLOEXEC);
    calls.close(eventFd);
    calls.close(ends.readInt32LE(4));
    this.eventFd = readEnd;
    this.#socket.resume().unref();
  }

  /** Whether the process lives on for it. */
  keepsAlive(does: boolean): void {
    if (does) this.#socket.ref();
    else this.#socket.unref();
  }
}
