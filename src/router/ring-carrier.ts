/**
 * A plain connection through the ring (`src/ring`). It has a descriptor, and no socket of Node's.
 *
 *   short reads and writes      by entries of the ring, one system call for all of a turn
 *   in a large body             a call for each piece, into memory that all connections share, and from there to the other
 *                               end at once: what it takes is never copied
 *   what it does not take       is copied, and waits here until there is room; the writer is to wait too
 */
import type { Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import {
  NOTHING_YET,
  RECEIVE_BYTES,
  type RingListener,
  type RingSocket,
  type SocketRing,
} from "../ring/index.ts";
import { attach, type BodyPassage, type Carrier, type CarrierListener } from "./carrier.ts";
import {
  countRead,
  isTurnSpent,
  LONG_READ_BYTES,
  STILL_LONG_BYTES,
  waitForBodyTurn,
} from "./large-bodies.ts";
import { FOREIGN_MEMORY, handleOf, readInto, takeHandle } from "./receive-buffer.ts";
import type { Waiting } from "./turn-queue.ts";

/** Longer ones gain nothing: they are copied here, and their own cost is what counts. */
const MAX_SEND_BYTES = 32 * 1024;
/** Each long read goes into it, and is dealt with before the next one. */
const LONG_MEMORY: Buffer = Buffer.allocUnsafeSlow(LONG_READ_BYTES);
const NOTHING: readonly Buffer[] = [];

export class RingCarrier implements Carrier, RingListener, Waiting {
  readonly #ring: RingSocket;
  #listener: CarrierListener;
  /** In the middle of a large body, whose next read is a long one. */
  #isLong = false;
  #isPaused = false;
  /** Somebody is being told what was received: who reads on is decided when that is over. */
  #isTelling = false;
  /** What came after a pause; null bytes are the end. */
  #early: { readonly bytes: Buffer | null } | null = null;
  /** What the other end has not taken. */
  #waiting: readonly Buffer[] = NOTHING;
  #waitingBytes = 0;
  /** When all that is written has gone. */
  #then: "end" | "destroy" | null = null;
  /** What has been said, what has been heard, and that it is over. */
  #hasEnded = false;
  #hasHeardEnd = false;
  #isOver = false;

  /** @param fd  Of a connection; the carrier's from here on. */
  constructor(ring: SocketRing, fd: number, listener: CarrierListener) {
    this.#listener = listener;
    this.#ring = ring.add(fd, this);
    this.#ring.receive();
  }

  /** From now on another one listens. */
  handOver(listener: CarrierListener): void {
    this.#listener = listener;
  }

  get localAddress(): string | undefined {
    return this.#ring.localAddress;
  }

  get destroyed(): boolean {
    return this.#isOver;
  }

  get writableNeedDrain(): boolean {
    return this.#waitingBytes > 0;
  }

  get writableLength(): number {
    return this.#ring.sendBytes + this.#waitingBytes;
  }

  // === writing ===

  write(data: string | Buffer): boolean {
    if (this.#sendShort(data)) return true;
    return this.#writeNow(typeof data === "string" ? Buffer.from(data, "latin1") : data);
  }

  writeCopy(memory: Buffer, from: number, to: number): boolean {
    const data = memory.subarray(from, to);
    return this.#sendShort(data) || this.#writeNow(data);
  }

  /** With the others of this turn. @returns false when it is long, or something waits before it */
  #sendShort(data: string | Buffer): boolean {
    if (this.#waitingBytes > 0 || data.length > MAX_SEND_BYTES || !this.#mayWrite) return false;
    return data.length === 0 || this.#ring.send(data);
  }

  get #mayWrite(): boolean {
    return !this.#isOver && !this.#hasEnded;
  }

  /** @returns false when not all of it was taken, or nobody is there to take it */
  #writeNow(data: Buffer): boolean {
    if (!this.#mayWrite) return false;
    const taken = this.#waitingBytes === 0 ? this.#ring.sendNow(data) : 0;
    if (taken === data.length) return true;
    if (taken < 0) this.failed("write", -taken);
    else this.#wait([...this.#waiting, Buffer.copyBytesFrom(data, taken)]);
    return false;
  }

  /** Until there is room, and what is on its way has gone. */
  #wait(waiting: readonly Buffer[]): void {
    this.#waiting = waiting;
    this.#waitingBytes = waiting.reduce((sum, { length }) => sum + length, 0);
    if (this.#ring.sendBytes === 0) this.#ring.awaitWritable();
    else this.#ring.tellWhenSent();
  }

  /** Bytes of another connection come to this one. @returns as {@link RingSocket.receiveNow} there */
  #passFrom(source: RingSocket): number {
    const came = source.receiveToPass(LONG_READ_BYTES);
    if (came <= 0) return came;
    const taken = this.#ring.passOn(came);
    const rest = came - Math.max(taken, 0);
    if (rest > 0) this.#ring.fetchRest(rest, LONG_MEMORY);
    if (taken < 0) this.failed("write", -taken);
    else if (rest > 0) this.#wait([Buffer.copyBytesFrom(LONG_MEMORY, 0, rest)]);
    return came;
  }

  get takesNow(): boolean {
    return this.#mayWrite && this.#waitingBytes === 0;
  }

  writable(): void {
    if (this.#waitingBytes === 0) return;
    const data = Buffer.concat(this.#waiting);
    const taken = this.#ring.sendNow(data);
    if (taken < 0) this.failed("write", -taken);
    else if (taken < data.length) this.#wait([data.subarray(taken)]);
    else {
      this.#waiting = NOTHING;
      this.#waitingBytes = 0;
      this.#haveAllSent();
      if (!this.#isOver) this.#listener.drained();
    }
  }

  sent(rest: Buffer | null): void {
    if (rest !== null) this.#wait([rest, ...this.#waiting]);
    else if (this.#waitingBytes > 0) this.writable();
    else this.#haveAllSent();
  }

  #haveAllSent(): void {
    const then = this.#then;
    this.#then = null;
    if (then === "end") this.end();
    else if (then === "destroy") this.destroy();
  }

  /** What is written in one turn goes together anyway. */
  cork(): void {}
  uncork(): void {}

  end(): void {
    if (this.#hasEnded || this.#isOver || this.#waitsFor("end")) return;
    this.#hasEnded = true;
    this.#ring.endWriting();
    if (this.#hasHeardEnd) this.destroy();
  }

  destroySoon(): void {
    if (!this.#waitsFor("destroy")) this.destroy();
  }

  /** @returns false when nothing is on its way, or waits */
  #waitsFor(then: "end" | "destroy"): boolean {
    if (this.writableLength === 0 || this.#isOver) return false;
    this.#then = then;
    if (this.#waitingBytes === 0) this.#ring.tellWhenSent();
    return true;
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#waiting = NOTHING;
    this.#waitingBytes = 0;
    this.#ring.destroy();
    // Never at once, as with sockets: this may have been called amid what closing ends.
    queueMicrotask(() => this.#listener.closed());
  }

  resetAndDestroy(): void {
    this.#ring.resetOnClose();
    this.destroy();
  }

  // === reading ===

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#early === null) this.#readOn();
    else queueMicrotask(() => this.#receiveEarly());
  }

  #receiveEarly(): void {
    if (this.#early === null || this.#isPaused || this.#isOver) return;
    const { bytes } = this.#early;
    this.#early = null;
    if (bytes === null) this.#end();
    else this.received(bytes, bytes.length);
  }

  /** Never at once: another connection's read may be what this is called amid. */
  #readOn(): void {
    if (this.#isPaused || this.#isTelling || this.#isOver) return;
    if (this.#isLong) this.#ring.awaitReadable();
    else this.#ring.receive();
  }

  received(bytes: Buffer, size: number): void {
    if (this.#isPaused) {
      this.#early = { bytes: Buffer.copyBytesFrom(bytes, 0, size) };
      return;
    }
    const isInside = this.#tell(bytes, size);
    this.#isLong = isInside && size === RECEIVE_BYTES;
    if (this.#isLong) countRead(size);
    this.#readOn();
  }

  #tell(bytes: Buffer, size: number): boolean {
    this.#isTelling = true;
    const isInside = this.#listener.received(bytes, size, FOREIGN_MEMORY);
    this.#isTelling = false;
    return isInside;
  }

  readable(): void {
    if (this.#isPaused) return;
    if (!this.#isLong) this.#ring.receive();
    else if (isTurnSpent()) waitForBodyTurn(this);
    else this.#readLong();
  }

  takeTurn(): void {
    if (this.#isLong && !this.#isPaused && !this.#isOver) this.#readLong();
  }

  #readLong(): void {
    let mayGoOn = true;
    while (mayGoOn) {
      const passage = this.#listener.passage?.() ?? null;
      const to = passage === null ? null : passableTo(passage);
      const size = to === null ? this.#ring.receiveNow(LONG_MEMORY) : to.#passFrom(this.#ring);
      if (size <= 0) {
        this.#readNothing(size);
        return;
      }
      let isInside = true;
      if (to === null) isInside = this.#tell(LONG_MEMORY, size);
      else passage?.passed(size);
      this.#isLong = isInside && size >= STILL_LONG_BYTES;
      mayGoOn = countRead(size) && this.#isLong && !this.#isPaused && !this.#isOver;
    }
    if (this.#isLong && !this.#isPaused && !this.#isOver) waitForBodyTurn(this);
    else this.#readOn();
  }

  #readNothing(result: number): void {
    if (result === NOTHING_YET) this.#readOn();
    else if (result === 0) this.#end();
    else this.failed("read", -result);
  }

  ended(): void {
    if (this.#isPaused) this.#early = { bytes: null };
    else this.#end();
  }

  #end(): void {
    this.#hasHeardEnd = true;
    this.#listener.ended();
    if (this.#hasEnded) this.destroy();
  }

  failed(call: "read" | "write", errno: number): void {
    if (this.#listener.failed !== undefined) {
      const code = getSystemErrorName(-errno);
      this.#listener.failed(
        Object.assign(new Error(`${call} ${code}`), { code, errno: -errno, syscall: call }),
      );
    }
    this.destroy();
  }
}

/** @returns the connection of the ring that much may go to now; null when there is none, or little is left */
function passableTo({ to, bytes }: BodyPassage): RingCarrier | null {
  return bytes > LONG_READ_BYTES && to instanceof RingCarrier && to.takesNow ? to : null;
}

/** Begins to carry a connection that a listener accepted. @param ring  Null when there is none */
export function carryAccepted(ring: SocketRing | null, accepted: Socket, listener: CarrierListener): Carrier {
  const carrier = ring === null ? null : carryThroughRing(ring, accepted, listener);
  return carrier ?? attach(readInto(accepted, listener.received), listener);
}

/**
 * Takes the connection from a socket of Node's, which is nobody's then.
 * @returns null where it cannot be taken
 */
export function carryThroughRing(
  ring: SocketRing,
  socket: Socket,
  listener: CarrierListener,
): RingCarrier | null {
  const fd = ring.duplicate(handleOf(socket)?.fd ?? -1);
  if (fd < 0) return null;
  takeHandle(socket)?.close();
  return new RingCarrier(ring, fd, listener);
}
