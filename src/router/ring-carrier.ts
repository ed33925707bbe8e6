/**
 * A plain connection whose short reads and writes, which are nearly all, go through the ring (`src/ring`). The socket of
 * Node that it belongs to does everything else: it knows when the connection breaks, and takes over
 *
 *   - writes that are long, corked, or not taken at once by the other end, and all that come behind them, until they have
 *     gone;
 *   - reads in the middle of a large body, which it does into memory that is written on as it is.
 */
import assert from "node:assert/strict";
import { Socket, type SocketConstructorOpts } from "node:net";
import { getSystemErrorName } from "node:util";
import { RECEIVE_BYTES, type RingListener, type RingSocket, type SocketRing } from "../ring/index.ts";
import { attach, type Carrier, type CarrierListener } from "./carrier.ts";
import {
  FOREIGN_MEMORY,
  type OnBytes,
  type OtherReader,
  readInto,
  SocketMemory,
  takeHandle,
} from "./receive-buffer.ts";

/** Longer ones gain nothing: they are copied here, and their own cost is what counts. */
const MAX_SEND_BYTES = 32 * 1024;
/** More than this behind a write that is on its way: the writer is to wait. */
const MAX_QUEUED_BYTES = 64 * 1024;

/** A socket that tells the ring before it lets go of its descriptor, on whichever way. */
export class RingedSocket extends Socket {
  ring: RingSocket | null = null;

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.ring?.close();
    super._destroy(error, callback);
  }

  /** @returns -1 where Node does not say it */
  get descriptor(): number {
    return (this as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;
  }
}

export class RingCarrier implements Carrier, RingListener, OtherReader {
  readonly #ring: RingSocket;
  #receive: OnBytes;
  #drained: () => void;
  /** Null as long as an accepted connection does without: then the descriptor is closed here. */
  #socket: RingedSocket | null = null;
  /** Of that socket. */
  #memory: SocketMemory | null = null;
  /** Who hears of the end of a connection without a socket. */
  #owner: CarrierListener | null;
  #isPaused = false;
  /** Somebody is being told what was received: who reads on is decided when that is over. */
  #isTelling = false;
  /** The socket reads. */
  #readsLong = false;
  /** What came after a pause; null bytes are the end. */
  #early: { readonly bytes: Buffer | null } | null = null;
  #corks = 0;
  /** The socket has been written to since we last knew that it had nothing to write. */
  #writesLong = false;
  /** Behind what is on its way. */
  #queue: (string | Buffer)[] | null = null;
  #queuedBytes = 0;
  #needsDrain = false;
  /** When all that is written has gone. */
  #then: "end" | "destroy" | null = null;
  /** Without a socket: what has been said, what has been heard, and that it is over. */
  #hasEnded = false;
  #hasHeardEnd = false;
  #isOver = false;

  private constructor(
    ring: SocketRing,
    fd: number,
    { received, drained }: Pick<CarrierListener, "received" | "drained">,
    owner: CarrierListener | null,
  ) {
    this.#receive = received;
    this.#drained = drained;
    this.#owner = owner;
    this.#ring = ring.add(fd, this);
  }

  /**
   * @param socket  Connected; it stops reading, and its other events are the caller's affair.
   * @param memory  What it reads into when it does, made with `listener.received`.
   */
  static of(
    ring: SocketRing,
    socket: RingedSocket,
    memory: SocketMemory,
    listener: Pick<CarrierListener, "received" | "drained">,
  ): RingCarrier {
    const carrier = new RingCarrier(ring, socket.descriptor, listener, null);
    carrier.#share(socket, memory);
    socket.pause();
    carrier.#ring.receive();
    return carrier;
  }

  /** @param fd  An accepted connection's, and the carrier's from here on. */
  static ofDescriptor(ring: SocketRing, fd: number, listener: CarrierListener): RingCarrier {
    const carrier = new RingCarrier(ring, fd, listener, listener);
    carrier.#ring.receive();
    return carrier;
  }

  /** From now on another one listens; only as long as nobody has been written to, or is in the middle of a body. */
  handOver(listener: CarrierListener): void {
    assert.equal(this.#socket, null, "a socket of Node's tells whom it told before");
    this.#receive = listener.received;
    this.#drained = listener.drained;
    this.#owner = listener;
  }

  #share(socket: RingedSocket, memory: SocketMemory): void {
    this.#socket = socket;
    this.#memory = memory;
    socket.ring = this.#ring;
    memory.share(this);
  }

  /** The one there is, or a new one that takes over the descriptor. */
  #takeSocket(): RingedSocket | null {
    if (this.#socket !== null || this.#isOver || this.#owner === null) return this.#socket;
    const memory = new SocketMemory(this.#receive);
    const options = {
      fd: this.#ring.fd,
      allowHalfOpen: true,
      manualStart: true,
      onread: memory.onread,
      readable: !this.#hasHeardEnd,
      writable: !this.#hasEnded,
    };
    const socket = memory.of(new RingedSocket(options as SocketConstructorOpts));
    this.#share(socket, memory);
    attach(socket, { ...this.#owner, drained: this.drainedLong });
    for (let corks = 0; corks < this.#corks; corks++) socket.cork();
    return socket;
  }

  get localAddress(): string | undefined {
    return this.#socket === null ? this.#ring.localAddress : this.#socket.localAddress;
  }

  get destroyed(): boolean {
    return this.#socket === null ? this.#isOver : this.#socket.destroyed;
  }

  get writableNeedDrain(): boolean {
    return this.#needsDrain || (this.#writesLong && this.#socketWaits);
  }

  /** The socket calls what is long too much even when the system has taken all of it. */
  get #socketWaits(): boolean {
    const socket = this.#socket;
    return socket !== null && socket.writableNeedDrain && socket.writableLength > 0;
  }

  get writableLength(): number {
    return (
      this.#ring.sendBytes + this.#queuedBytes + (this.#writesLong ? (this.#socket?.writableLength ?? 0) : 0)
    );
  }

  // === writing ===

  write(data: string | Buffer): boolean {
    if (this.#queuedBytes === 0) {
      if (this.#ring.sendBytes === 0 && (data.length > MAX_SEND_BYTES || !this.#mayUseRing)) {
        return this.#writeLong(data);
      }
      if (data.length === 0 || this.#ring.send(data)) return true;
      if (this.#ring.sendBytes === 0) return this.#writeLong(data);
    }
    this.#queue ??= [];
    this.#queue.push(data);
    this.#ring.tellWhenSent();
    this.#queuedBytes += data.length;
    if (this.#queuedBytes > MAX_QUEUED_BYTES) this.#needsDrain = true;
    return !this.#needsDrain;
  }

  writeCopy(memory: Buffer, from: number, to: number): boolean {
    const data = memory.subarray(from, to);
    const ring = this.#ring;
    let taken = 0;
    if (this.#queuedBytes === 0 && (ring.sendBytes > 0 || this.#mayUseRing)) {
      if (data.length <= MAX_SEND_BYTES && ring.send(data)) return true;
      if (ring.sendBytes === 0) taken = ring.sendNow(data, data.length);
    }
    if (taken === data.length) return true;
    if (taken >= 0) return this.write(Buffer.copyBytesFrom(data, taken));
    this.failed("write", -taken);
    return false;
  }

  /** Nothing waits in the socket that would be overtaken. */
  get #mayUseRing(): boolean {
    if (this.#writesLong && this.#socket !== null) {
      if (this.#corks > 0 || this.#socket.writableLength > 0 || !this.#socket.writable) return false;
      this.#writesLong = false;
    }
    return !this.#ring.isClosed && !this.#hasEnded;
  }

  #writeLong(data: string | Buffer): boolean {
    const socket = this.#takeSocket();
    if (socket === null) return true;
    this.#writesLong = true;
    const isShort = typeof data === "string" ? socket.write(data, "latin1") : socket.write(data);
    return isShort || !this.#socketWaits;
  }

  sent(rest: Buffer | null): void {
    if (rest !== null || this.#queuedBytes > 0) {
      const queue = this.#queue ?? [];
      this.#queue = null;
      this.#queuedBytes = 0;
      const socket = this.#takeSocket();
      socket?.cork();
      if (rest !== null) this.#writeLong(rest);
      for (const data of queue) this.#writeLong(data);
      socket?.uncork();
    }
    const then = this.#then;
    this.#then = null;
    if (then === "end") this.end();
    else if (then === "destroy") this.destroySoon();
    if (this.#needsDrain && this.#socket?.writableNeedDrain !== true) this.drainedLong();
  }

  /** For the socket's `drain`. */
  readonly drainedLong = (): void => {
    this.#needsDrain = false;
    this.#drained();
  };

  /** Without a socket nothing is to do: what is written in one turn is one send. */
  cork(): void {
    this.#corks++;
    if (this.#socket === null) return;
    this.#writesLong = true;
    this.#socket.cork();
  }

  uncork(): void {
    this.#corks--;
    this.#socket?.uncork();
  }

  end(): void {
    if (this.#socket !== null) this.#writesLong = true;
    if (this.#waitsForSend("end")) return;
    if (this.#socket !== null) this.#socket.end();
    else if (!this.#hasEnded && !this.#isOver) {
      this.#hasEnded = true;
      this.#ring.endWriting();
      if (this.#hasHeardEnd) this.destroy();
    }
  }

  destroySoon(): void {
    if (this.#waitsForSend("destroy")) return;
    if (this.#socket === null) this.destroy();
    else this.#socket.destroySoon();
  }

  #waitsForSend(then: "end" | "destroy"): boolean {
    if (this.#ring.sendBytes === 0) return false;
    this.#then = then;
    this.#ring.tellWhenSent();
    return true;
  }

  destroy(): void {
    if (this.#socket !== null) this.#socket.destroy();
    else if (!this.#isOver) {
      this.#isOver = true;
      this.#ring.destroy();
      // Never at once, as with sockets: this may have been called amid what closing ends.
      if (this.#owner !== null) queueMicrotask(this.#owner.closed);
    }
  }

  resetAndDestroy(): void {
    if (this.#socket !== null) this.#socket.resetAndDestroy();
    else if (!this.#isOver) {
      this.#ring.resetOnClose();
      this.destroy();
    }
  }

  // === reading ===

  pause(): void {
    this.#isPaused = true;
    if (this.#readsLong && !this.#isTelling) this.#memory?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#isTelling) return;
    if (this.#readsLong) this.#memory?.resume();
    else if (this.#early === null) this.#ring.receive();
    else queueMicrotask(() => this.#receiveEarly());
  }

  #receiveEarly(): void {
    if (this.#early === null || this.#isPaused || this.#ring.isClosed) return;
    const { bytes } = this.#early;
    this.#early = null;
    if (bytes === null) this.#end();
    else this.received(bytes, bytes.length);
  }

  received(bytes: Buffer, size: number): void {
    if (this.#isPaused) {
      this.#early = { bytes: Buffer.copyBytesFrom(bytes, 0, size) };
      return;
    }
    this.#isTelling = true;
    const isInside = this.#receive(bytes, size, FOREIGN_MEMORY);
    this.#isTelling = false;
    if (this.#ring.isClosed) return;
    if (isInside && size === RECEIVE_BYTES) {
      this.#takeSocket();
      this.#readsLong = true;
      if (!this.#isPaused) this.#memory?.takeOver(size);
    } else if (!this.#isPaused) this.#ring.receive();
  }

  /** The socket has read, and tells of it. */
  tells(): void {
    this.#isTelling = true;
  }

  /** It goes on until the body is over. */
  readsOn(isInside: boolean): boolean {
    this.#isTelling = false;
    if (isInside) {
      if (this.#isPaused) this.#memory?.pause();
      return true;
    }
    this.#readsLong = false;
    if (!this.#isPaused) this.#ring.receive();
    return false;
  }

  ended(): void {
    if (this.#isPaused) this.#early = { bytes: null };
    else this.#end();
  }

  #end(): void {
    if (this.#socket !== null) {
      // As Node does when it has read the end itself.
      this.#socket.push(null);
      this.#socket.read(0);
      return;
    }
    this.#hasHeardEnd = true;
    this.#owner?.ended();
    if (this.#hasEnded) this.destroy();
  }

  failed(call: "read" | "write", errno: number): void {
    if (this.#socket === null) {
      this.destroy();
      return;
    }
    const code = getSystemErrorName(-errno);
    this.#socket.destroy(Object.assign(new Error(`${call} ${code}`), { code, errno: -errno, syscall: call }));
  }
}

/** Begins to carry a connection that a listener accepted. @param ring  Null when there is none */
export function carryAccepted(ring: SocketRing | null, accepted: Socket, listener: CarrierListener): Carrier {
  const carrier = ring === null ? null : carryThroughRing(ring, accepted, listener);
  return carrier ?? attach(readInto(accepted, listener.received), listener);
}

/** @returns null where the accepted connection cannot be taken over */
export function carryThroughRing(
  ring: SocketRing,
  accepted: Socket,
  listener: CarrierListener,
): RingCarrier | null {
  const handle = takeHandle(accepted);
  if (handle === null) return null;
  const { received, drained } = listener;
  const memory = new SocketMemory(received);
  const options = {
    handle,
    allowHalfOpen: true,
    manualStart: true,
    onread: memory.onread,
  };
  const socket = memory.of(new RingedSocket(options as SocketConstructorOpts));
  const carrier = RingCarrier.of(ring, socket, memory, { received, drained });
  attach(socket, { ...listener, drained: carrier.drainedLong });
  return carrier;
}
