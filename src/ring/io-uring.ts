/**
 * One io_uring: a queue of what the kernel is to do, and a queue of what it has done, both in memory that is shared with
 * it. What is asked for in one turn of the event loop goes to the kernel in one call.
 */
import { getSystemErrorName } from "node:util";
import {
  CQ_EVENTFD_DISABLED,
  CQE_BYTES,
  EAGAIN,
  EBUSY,
  EINTR,
  ENTER_GETEVENTS,
  FEATURE_SINGLE_MMAP,
  MAP_PRIVATE_ANONYMOUS,
  MAP_SHARED,
  OFFSET_SQ_RING,
  OFFSET_SQES,
  PARAMS,
  PARAMS_BYTES,
  PROT_READ_WRITE,
  REGISTER_EVENTFD,
  REGISTER_PBUF_RING,
  SETUP_COOP_TASKRUN,
  SETUP_CQSIZE,
  SETUP_DEFER_TASKRUN,
  SETUP_NO_SQARRAY,
  SETUP_SINGLE_ISSUER,
  SETUP_SUBMIT_ALL,
  SETUP_TASKRUN_FLAG,
  SQ_CQ_OVERFLOW,
  SQ_TASKRUN,
  SQE_BYTES,
  SYS_ENTER,
  SYS_REGISTER,
  SYS_SETUP,
} from "./abi.ts";
import type { System } from "./system.ts";

const SQ_ENTRIES = 1_024;
const CQ_ENTRIES = 8_192;
/** 32-bit words of an entry. */
export const SQE_WORDS = SQE_BYTES / 4;
export const CQE_WORDS = CQE_BYTES / 4;

/** Memory at a fixed address. */
export interface MappedMemory {
  readonly address: bigint;
  readonly bytes: Buffer;
}

export class IoUring {
  /** Of the entries to submit, in three widths. Entry `i` begins at word `i * SQE_WORDS`. */
  readonly sqe8: Uint8Array;
  readonly sqe16: Uint16Array;
  readonly sqe32: Int32Array;
  /** The rings; completions begin at {@link cqeWord}. */
  readonly ring32: Int32Array;
  readonly cqeWord: number;
  readonly #system: System;
  readonly #fd: number;
  readonly #sqMask: number;
  readonly #cqMask: number;
  readonly #sqHead: number;
  readonly #sqTail: number;
  readonly #sqFlags: number;
  readonly #cqHead: number;
  readonly #cqTail: number;
  readonly #cqFlags: number;
  #tail = 0;
  /** The kernel had taken entries up to here when we last looked. */
  #head = 0;

  /** @throws Error when the kernel has no such thing, or lets us have none */
  constructor(system: System) {
    this.#system = system;
    const params = Buffer.alloc(PARAMS_BYTES);
    params.writeUInt32LE(CQ_ENTRIES, PARAMS.cqEntries);
    params.writeUInt32LE(
      SETUP_CQSIZE |
        SETUP_SUBMIT_ALL |
        SETUP_COOP_TASKRUN |
        SETUP_TASKRUN_FLAG |
        SETUP_SINGLE_ISSUER |
        SETUP_DEFER_TASKRUN |
        SETUP_NO_SQARRAY,
      PARAMS.flags,
    );
    this.#fd = Number(
      system.calls.syscall(BigInt(SYS_SETUP), BigInt(SQ_ENTRIES), addressOf(system, params), 0n, 0n, 0n, 0n),
    );
    if (this.#fd < 0) {
      throw new Error(
        `io_uring_setup: ${getSystemErrorName(-system.errno())}; it needs Linux 6.6 and permission`,
      );
    }
    const at = (offset: number) => params.readUInt32LE(offset);
    if ((at(PARAMS.features) & FEATURE_SINGLE_MMAP) === 0) throw new Error("io_uring here is too old");

    const sqEntries = at(PARAMS.sqEntries);
    const cqEntries = at(PARAMS.cqEntries);
    const rings = this.#map(at(PARAMS.cqCqes) + cqEntries * CQE_BYTES, OFFSET_SQ_RING);
    this.ring32 = new Int32Array(rings);
    const entries = this.#map(sqEntries * SQE_BYTES, OFFSET_SQES);
    this.sqe8 = new Uint8Array(entries);
    this.sqe16 = new Uint16Array(entries);
    this.sqe32 = new Int32Array(entries);
    this.#sqMask = sqEntries - 1;
    this.#cqMask = cqEntries - 1;
    this.#sqHead = at(PARAMS.sqHead) / 4;
    this.#sqTail = at(PARAMS.sqTail) / 4;
    this.#sqFlags = at(PARAMS.sqFlags) / 4;
    this.#cqHead = at(PARAMS.cqHead) / 4;
    this.#cqTail = at(PARAMS.cqTail) / 4;
    this.#cqFlags = at(PARAMS.cqFlags) / 4;
    this.cqeWord = at(PARAMS.cqCqes) / 4;
  }

  /**
   * Where the next entry stands, in words. It is what an operation on a descriptor needs, and zero besides.
   * @param low, high  The two halves of its `user_data`.
   * @returns null when there is no room before the next {@link submit}
   */
  nextEntry(operation: number, fd: number, low: number, high: number): number | null {
    const tail = this.#tail;
    if (((tail - this.#head) | 0) > this.#sqMask) {
      this.#head = Atomics.load(this.ring32, this.#sqHead);
      if (((tail - this.#head) | 0) > this.#sqMask) return null;
    }
    this.#tail = (tail + 1) | 0;
    const word = (tail & this.#sqMask) * SQE_WORDS;
    const { sqe32 } = this;
    // One store each: a call of `fill` costs more than all of them.
    sqe32[word] = operation;
    sqe32[word + 1] = fd;
    sqe32[word + 2] = 0;
    sqe32[word + 3] = 0;
    sqe32[word + 4] = 0;
    sqe32[word + 5] = 0;
    sqe32[word + 6] = 0;
    sqe32[word + 7] = 0;
    sqe32[word + 8] = low;
    sqe32[word + 9] = high;
    sqe32[word + 10] = 0;
    sqe32[word + 11] = 0;
    sqe32[word + 12] = 0;
    sqe32[word + 13] = 0;
    sqe32[word + 14] = 0;
    sqe32[word + 15] = 0;
    return word;
  }

  /** Entries that the kernel has not been told of, or has not taken. */
  get unsubmitted(): number {
    return (this.#tail - Atomics.load(this.ring32, this.#sqHead)) | 0;
  }

  /**
   * Tells the kernel of all entries, and has it make the completions that are due.
   * @returns false when it took not all of them now
   */
  submit(): boolean {
    Atomics.store(this.ring32, this.#sqTail, this.#tail);
    const taken = this.#system.enter(SYS_ENTER, this.#fd, this.unsubmitted, 0, ENTER_GETEVENTS, null);
    if (taken < 0) {
      const errno = this.#system.errno();
      if (errno !== EINTR && errno !== EAGAIN && errno !== EBUSY) {
        throw new Error(`io_uring_enter fails with errno ${errno}`);
      }
    }
    return this.unsubmitted === 0;
  }

  /** Index of the first completion; move it on by {@link seen}. */
  get firstCompletion(): number {
    return this.ring32[this.#cqHead] as number;
  }

  /** Index behind the last completion. */
  get endOfCompletions(): number {
    return Atomics.load(this.ring32, this.#cqTail);
  }

  /** Where a completion stands, in words of {@link ring32}. */
  completionWord(index: number): number {
    return this.cqeWord + (index & this.#cqMask) * CQE_WORDS;
  }

  /** The kernel may write over completions before this one. */
  seen(index: number): void {
    Atomics.store(this.ring32, this.#cqHead, index);
  }

  /** There is, or there could at once be, something to see. */
  get hasNews(): boolean {
    return (
      this.firstCompletion !== this.endOfCompletions ||
      (Atomics.load(this.ring32, this.#sqFlags) & (SQ_TASKRUN | SQ_CQ_OVERFLOW)) !== 0
    );
  }

  /** @param eventFd  Becomes readable when something completes, or would if it were asked for. */
  setEventFd(eventFd: number): void {
    const fd = Buffer.alloc(4);
    fd.writeInt32LE(eventFd);
    this.#register(REGISTER_EVENTFD, fd, 1);
  }

  /** While we look ourselves nobody need wake us. */
  setWakes(wakes: boolean): void {
    Atomics.store(this.ring32, this.#cqFlags, wakes ? 0 : CQ_EVENTFD_DISABLED);
  }

  /** @param ring  `entries` times 16 bytes, of which each tells the kernel of one buffer that it may take. */
  setBufferRing(ring: MappedMemory, entries: number, group: number): void {
    const registration = Buffer.alloc(40);
    registration.writeBigUInt64LE(ring.address, 0);
    registration.writeUInt32LE(entries, 8);
    registration.writeUInt16LE(group, 12);
    this.#register(REGISTER_PBUF_RING, registration, 1);
  }

  #register(what: number, argument: Buffer, count: number): void {
    const result = this.#system.calls.syscall(
      BigInt(SYS_REGISTER),
      BigInt(this.#fd),
      BigInt(what),
      addressOf(this.#system, argument),
      BigInt(count),
      0n,
      0n,
    );
    if (result < 0n) throw new Error(`io_uring_register ${what} fails with errno ${this.#system.errno()}`);
  }

  #map(length: number, offset: bigint): ArrayBuffer {
    const { calls, ffi } = this.#system;
    const address = calls.mmap(null, BigInt(length), PROT_READ_WRITE, MAP_SHARED, this.#fd, offset);
    return ffi.toArrayBuffer(checkedMap(this.#system, address), length, false);
  }
}

/** Memory that never moves, never goes, and lies within 4 GiB that its upper half of the address is the same in. */
export function mapMemory(system: System, length: number): MappedMemory {
  for (;;) {
    const address = checkedMap(
      system,
      system.calls.mmap(null, BigInt(length), PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n),
    );
    // One that does not is kept from being given again.
    if (address >> 32n === (address + BigInt(length) - 1n) >> 32n)
      return { address, bytes: Buffer.from(system.ffi.toArrayBuffer(address, length, false)) };
  }
}

function checkedMap(system: System, address: bigint): bigint {
  // What mmap returns where it fails.
  if (BigInt.asIntN(64, address) === -1n) throw new Error(`mmap fails with errno ${system.errno()}`);
  return address;
}

const addressOf = (system: System, bytes: Buffer): bigint => system.ffi.getRawPointer(bytes);
