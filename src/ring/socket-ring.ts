/**
 * Sockets that read and write through one io_uring. What all of them want in one turn of the event loop is one call of
 * the kernel, and what came for all of them is one call of us, where Node makes one each for every read and write.
 *
 *   turn begins ──► completions: bytes received ──► their owners, who ask for sends and receives
 *        ▲                                                           │
 *        └── the eventfd wakes the loop ◄── kernel ◄── one submit ◄──┘
 *
 * A send is tried once, within the call that tells the kernel of it: what the other end does not take at once is given
 * back to the socket's owner, who asks to be told when there is room, so that no memory is held here for clients who don't
 * read. One that goes through, as nearly all do, has no completion: it is over when the call is, and what failed in it has
 * been looked for.
 *
 * What is long goes past the queues, from and to memory of the owner's own, at once: copying it would cost more than a
 * call. The ring then only tells when it is time.
 */
import {
  CQE_BUFFER_SHIFT,
  CQE_HAS_BUFFER,
  EAGAIN,
  ECANCELED,
  EINTR,
  ENOBUFS,
  MSG_DONTWAIT,
  MSG_MORE,
  MSG_NOSIGNAL,
  MSG_WAITALL,
  OP_ASYNC_CANCEL,
  OP_CLOSE,
  OP_POLL_ADD,
  OP_RECV,
  OP_SEND,
  POLLIN,
  POLLOUT,
  RECV_POLL_FIRST,
  SQE_BUFFER_SELECT,
  SQE_CQE_SKIP_SUCCESS,
} from "./abi.ts";
import { Acceptor, type AcceptListener } from "./acceptor.ts";
import { ACCEPT, CANCEL, CLOSE, RECEIVE, SEND, WRITABLE } from "./completion-kinds.ts";
import {
  duplicate,
  endWriting,
  listen,
  nameOf,
  peerOf,
  resetOnClose,
  type SocketAddress,
} from "./descriptors.ts";
import { IoUring, type MappedMemory, mapMemory } from "./io-uring.ts";
import { Passage } from "./passage.ts";
import type { System } from "./system.ts";
import { Wakeup } from "./wakeup.ts";

/** The most that one receive brings. */
export const RECEIVE_BYTES = 16 * 1024;
/** Of {@link RingSocket.receiveNow}, which is no end. */
export const NOTHING_YET: number = -EAGAIN;
/** So many sockets can have received something that nobody has looked at yet; the others' turn is the next one. */
const RECEIVE_BUFFERS = 128;
const BUFFER_GROUP = 0;
const SEND_MEMORY_BYTES = 1024 * 1024;
/** Then the rest of the event loop has its turn. */
const MAX_ROUNDS = 4;

/**
 * After so many there are likely more: since Linux 6.14 one call makes no more than 20 of the completions that wait, and asking
 * again at once costs less than a turn of the event loop.
 */
const MANY_COMPLETIONS = 4;

export interface RingListener {
  /** The answer to {@link RingSocket.receive}. @param bytes  are written over when the call is over */
  received(bytes: Buffer, size: number): void;
  /** The same: the other end says no more. */
  ended(): void;
  /** The answer to {@link RingSocket.awaitReadable}: bytes, an end or a failure. */
  readable(): void;
  /** The answer to {@link RingSocket.awaitWritable}: there is room, or nobody is there any more, which a send will tell. */
  writable(): void;
  /**
   * The end of a {@link RingSocket.send}, when not all was taken at once or when it was asked for.
   * @param rest  What was not taken; null when all was.
   */
  sent(rest: Buffer | null): void;
  /** Instead of any of these. */
  failed(call: "read" | "write", errno: number): void;
}

/** A connected socket. Its descriptor is its owner's, who calls {@link close} before closing it, or {@link destroy}. */
export class RingSocket {
  readonly fd: number;
  readonly #ring: SocketRing;
  readonly #listener: RingListener;
  /** In the table of the ring. */
  readonly #place: number;
  #isReceiving = false;
  #awaitsRoom = false;
  #isClosed = false;
  /** What is being sent: where in the ring's memory, and the entry that says so. */
  #sendFrom = 0;
  #sendBytes = 0;
  #sendWord = 0;
  /** The round of the ring that will have seen what became of it. */
  #sendRound = 0;
  #isAwaited = false;
  /** The number of the submit that will tell, or has told, the kernel of it. */
  #sendNumber = 0;
  /** The same of what was asked last, whatever it is. */
  #submitNumber = 0;

  constructor(ring: SocketRing, fd: number, listener: RingListener, place: number) {
    this.#ring = ring;
    this.fd = fd;
    this.#listener = listener;
    this.#place = place;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** On their way. */
  get sendBytes(): number {
    return this.#sendRound === this.#ring.round ? this.#sendBytes : 0;
  }

  /**
   * Asks for bytes, once. A receive that repeats itself (multishot) saves 4 % of a small GET, but loses a reset that comes
   * together with bytes (Linux 6.18), so that who sends and goes would be taken for connected for ever.
   */
  receive(): void {
    if (this.#isReceiving || this.#isClosed) return;
    const ring = this.#ring;
    const word = ring.nextEntry(OP_RECV, this.fd, this.#place, RECEIVE);
    if (word === null) {
      ring.receiveLater(this);
      return;
    }
    this.#isReceiving = true;
    this.#submitNumber = ring.submitNumber;
    const { uring } = ring;
    uring.sqe8[word * 4 + 1] = SQE_BUFFER_SELECT;
    uring.sqe16[word * 2 + 1] = RECV_POLL_FIRST;
    uring.sqe16[word * 2 + 20] = BUFFER_GROUP;
  }

  /** The same without bytes: {@link receiveNow} then brings them, to where they are wanted. Or they come all the same. */
  awaitReadable(): void {
    if (this.#isReceiving || this.#isClosed) return;
    this.#isReceiving = this.#poll(POLLIN, RECEIVE);
    if (!this.#isReceiving) this.#ring.receiveLater(this);
  }

  /** Asks to be told when there is room for more, once. */
  awaitWritable(): void {
    if (this.#awaitsRoom || this.#isClosed) return;
    this.#awaitsRoom = this.#poll(POLLOUT, WRITABLE);
    if (!this.#awaitsRoom) this.#ring.awaitWritableLater(this);
  }

  /** @returns false when there is no room for it now */
  #poll(events: number, kind: number): boolean {
    const ring = this.#ring;
    const word = ring.nextEntry(OP_POLL_ADD, this.fd, this.#place, kind);
    if (word === null) return false;
    ring.uring.sqe32[word + 7] = events;
    this.#submitNumber = ring.submitNumber;
    return true;
  }

  /**
   * Receives past the ring, at once.
   * @returns how much; 0 when the other end says no more; {@link NOTHING_YET}, or another negative errno when it failed
   */
  receiveNow(memory: Buffer): number {
    return this.#isClosed ? NOTHING_YET : this.#ring.receiveNow(this.fd, memory);
  }

  /**
   * @param data  A character per byte, or bytes; it is copied.
   * @returns false when there is no room for it now, or something else is on its way: the order is the caller's affair
   */
  send(data: string | Buffer): boolean {
    const ring = this.#ring;
    if (this.sendBytes > 0) {
      if (this.#sendNumber === ring.submitNumber) return this.#append(data);
      if (!this.#hasGone()) return false;
    }
    const from = ring.takeSendMemory(data);
    if (from === -1) return false;
    const word = ring.nextEntry(OP_SEND, this.fd, this.#place, SEND);
    if (word === null) return false;
    this.#submitNumber = ring.submitNumber;
    this.#sendNumber = ring.submitNumber;
    this.#sendFrom = from;
    this.#sendBytes = data.length;
    this.#sendWord = word;
    this.#sendRound = ring.round;
    const { uring } = ring;
    uring.sqe8[word * 4 + 1] = SQE_CQE_SKIP_SUCCESS;
    // The memory lies so that adding to the lower half of its address never carries into the upper one.
    uring.sqe32[word + 4] = (ring.sendAddressLow + from) | 0;
    uring.sqe32[word + 5] = ring.sendAddressHigh;
    uring.sqe32[word + 6] = data.length;
    uring.sqe32[word + 7] = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL;
    return true;
  }

  /**
   * Sends past the ring, at once, behind what is on its way: what is long costs more to copy than a call of its own.
   * @returns how much was taken; a negative errno when it failed
   */
  sendNow(data: Buffer): number {
    return this.#isClosed || !this.#isFree() ? 0 : this.#ring.sendNow(this.fd, data);
  }

  /**
   * As {@link receiveNow}, but the bytes stay in the kernel: {@link passOn} of another socket, or {@link fetchRest},
   * must follow at once for all of them.
   */
  receiveToPass(size: number): number {
    return this.#isClosed ? NOTHING_YET : this.#ring.passage.take(this.fd, size);
  }

  /** As {@link sendNow}, of what another socket has received to pass. */
  passOn(size: number): number {
    return this.#isClosed || !this.#isFree() ? 0 : this.#ring.passage.give(this.fd, size);
  }

  /** What has not been passed on of what was received to pass: all that is left, so that nothing is. */
  fetchRest(size: number, memory: Buffer): void {
    this.#ring.passage.empty(size, memory);
  }

  /** Submits what is on its way, so that what follows may go past the ring. @returns false when that would overtake it */
  #isFree(): boolean {
    if (this.sendBytes === 0) return true;
    const ring = this.#ring;
    if (this.#sendNumber === ring.submitNumber) {
      ring.uring.sqe32[this.#sendWord + 7] = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_WAITALL | MSG_MORE;
      ring.submit();
    }
    return this.#hasGone();
  }

  /** What was submitted is over already, before its round is. */
  #hasGone(): boolean {
    if (!this.#ring.hasTaken(this.#sendNumber) || this.#ring.sendHasFailed(this.#place)) return false;
    this.#sendBytes = 0;
    return true;
  }

  /** Two writes of one turn are one, if they can be. */
  #append(data: string | Buffer): boolean {
    const ring = this.#ring;
    if (!ring.extendSendMemory(this.#sendFrom + this.#sendBytes, data)) return false;
    this.#sendBytes += data.length;
    ring.uring.sqe32[this.#sendWord + 6] = this.#sendBytes;
    return true;
  }

  /** What we say of it; undefined when it has gone. */
  get localAddress(): string | undefined {
    return (this.#isClosed ? "" : this.#ring.nameOf(this.fd).address) || undefined;
  }

  /** To the other end: no more comes. At once, so what is being sent has gone before. */
  endWriting(): void {
    if (!this.#isClosed) endWriting(this.#ring.system, this.fd);
  }

  /** {@link destroy} will be seen as a reset. */
  resetOnClose(): void {
    if (!this.#isClosed) resetOnClose(this.#ring.system, this.fd);
  }

  /** The listener hears `sent` when what is on its way has gone. */
  tellWhenSent(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    this.#ring.tellWhenSent(this);
  }

  /** The listener hears nothing more. What was sent is on its way when this returns, as far as the other end takes it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const ring = this.#ring;
    // After this the descriptor's number may be another socket's.
    if (this.#submitNumber === ring.submitNumber) ring.submit();
    this.#letGo();
  }

  /** The same, and the descriptor is closed in the next round. */
  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const ring = this.#ring;
    this.#letGo();
    ring.closeDescriptor(this.fd);
  }

  /** The kernel keeps the connection open while somebody waits for it. */
  #letGo(): void {
    if (this.#isReceiving) this.#ring.cancel(this.#place, RECEIVE);
    if (this.#awaitsRoom) this.#ring.cancel(this.#place, WRITABLE);
    this.#leave();
  }

  // === for the ring ===

  receiveCompleted(result: number, bytes: Buffer | null): void {
    this.#isReceiving = false;
    if (this.#isClosed) this.#leave();
    else if (result > 0 && bytes !== null) this.#listener.received(bytes, result);
    else if (result > 0) this.#listener.readable();
    else if (result >= 0) this.#listener.ended();
    else if (result === -ENOBUFS || result === -EINTR) this.#ring.receiveLater(this);
    else if (result !== -ECANCELED) this.#listener.failed("read", -result);
  }

  roomCompleted(result: number): void {
    this.#awaitsRoom = false;
    if (this.#isClosed) this.#leave();
    else if (result >= 0) this.#listener.writable();
    else if (result !== -ECANCELED) this.#listener.failed("write", -result);
  }

  /** @param result  How much of it was taken, which is not all; negative: why it could not be. */
  sendFailed(result: number): void {
    const taken = result === -EAGAIN || result === -EINTR ? 0 : result;
    const size = this.sendBytes;
    this.#sendBytes = 0;
    if (this.#isClosed) return;
    this.#isAwaited = false;
    if (taken < 0) this.#listener.failed("write", -taken);
    else this.#listener.sent(this.#ring.copySendMemory(this.#sendFrom + taken, size - taken));
  }

  sendEnded(): void {
    const isAwaited = this.#isAwaited;
    this.#isAwaited = false;
    if (this.#isClosed) this.#leave();
    else if (isAwaited) this.#listener.sent(null);
  }

  /** The place may be another's when no completion can come for it any more. */
  #leave(): void {
    if (this.#isReceiving || this.#awaitsRoom) return;
    if (this.sendBytes > 0) this.tellWhenSent();
    else this.#ring.forget(this.#place, this);
  }
}

export class SocketRing {
  readonly uring: IoUring;
  readonly sendAddressLow: number;
  readonly sendAddressHigh: number;
  /** Counts submits: the one that is to come next. */
  submitNumber = 1;
  /** The kernel took all of the last one. */
  #hasTakenAll = true;
  /** Completions up to here have been looked at for sends that failed. */
  #endOfSends = 0;
  /** Counts rounds: sends that bear another number are over. */
  round = 1;
  readonly system: System;
  readonly passage: Passage;
  readonly #wakeup: Wakeup;
  readonly #sockets: (RingSocket | null)[] = [];
  readonly #freePlaces: number[] = [];
  readonly #acceptors: (Acceptor | null)[] = [];
  /** Sockets and acceptors. */
  #inUse = 0;
  /** Memory that sends are copied into, from the beginning again when all of them are over. */
  readonly #sendMemory: Buffer;
  #sendMemoryUsed = 0;
  readonly #receiveBuffers: readonly Buffer[];
  readonly #receiveAddresses: Int32Array;
  readonly #bufferRing16: Uint16Array;
  readonly #bufferRing32: Int32Array;
  #bufferRingTail = 0;
  /** They ask again when buffers, or entries, are free. */
  #waiting: RingSocket[] = [];
  #waitingForRoom: RingSocket[] = [];
  /** Descriptors there was no entry for. */
  #unclosed: number[] = [];
  /** They want to know when their sends are over. */
  #sending: RingSocket[] = [];
  #isRunning = false;
  #isScheduled = false;

  /** @throws Error when the kernel has no such thing, or lets us have none */
  constructor(system: System) {
    this.system = system;
    this.passage = new Passage(system);
    this.uring = new IoUring(system);
    const send = mapMemory(system, SEND_MEMORY_BYTES);
    this.#sendMemory = send.bytes;
    this.sendAddressLow = Number(send.address & 0xffff_ffffn);
    this.sendAddressHigh = Number(send.address >> 32n);

    const received = mapMemory(system, RECEIVE_BUFFERS * RECEIVE_BYTES);
    const entries = mapMemory(system, RECEIVE_BUFFERS * 16);
    this.#bufferRing16 = new Uint16Array(entries.bytes.buffer, 0, RECEIVE_BUFFERS * 8);
    this.#bufferRing32 = new Int32Array(entries.bytes.buffer, 0, RECEIVE_BUFFERS * 4);
    this.#receiveAddresses = new Int32Array(RECEIVE_BUFFERS * 2);
    this.#receiveBuffers = Array.from({ length: RECEIVE_BUFFERS }, (_, i) =>
      this.#receiveBuffer(received, i),
    );
    this.uring.setBufferRing(entries, RECEIVE_BUFFERS, BUFFER_GROUP);
    this.#tellBuffers();

    this.#wakeup = new Wakeup(system, this.#run);
    this.uring.setEventFd(this.#wakeup.eventFd);
  }

  /** @param fd  A connected socket's, which nobody else reads from at the same time */
  add(fd: number, listener: RingListener): RingSocket {
    const place = this.#freePlaces.pop() ?? this.#sockets.length;
    const socket = new RingSocket(this, fd, listener, place);
    this.#sockets[place] = socket;
    this.#count(1);
    return socket;
  }

  /**
   * Lets a socket listen, and accepts its connections.
   * @param fd  Bound, and does not block.
   * @param backlog  Connections that the system completes before they are accepted.
   * @throws Error with the `code` of the system
   */
  listen(fd: number, backlog: number, listener: AcceptListener): Acceptor {
    listen(this.system, fd, backlog);
    const free = this.#acceptors.indexOf(null);
    const place = free === -1 ? this.#acceptors.length : free;
    const acceptor = new Acceptor(this, fd, listener, place);
    this.#acceptors[place] = acceptor;
    this.#count(1);
    acceptor.acceptAgain();
    return acceptor;
  }

  /** The other end of a connection. */
  peerOf(fd: number): SocketAddress {
    return peerOf(this.system, fd);
  }

  /** Our end of one, or where a socket listens. */
  nameOf(fd: number): SocketAddress {
    return nameOf(this.system, fd);
  }

  // === for its sockets ===

  forgetAcceptor(place: number): void {
    this.#acceptors[place] = null;
    this.#count(-1);
  }

  forget(place: number, socket: RingSocket): void {
    if (this.#sockets[place] !== socket) return;
    this.#sockets[place] = null;
    this.#freePlaces.push(place);
    this.#count(-1);
  }

  /** The process lives on for any of them. */
  #count(change: 1 | -1): void {
    const before = this.#inUse;
    this.#inUse += change;
    if (before === 0 || this.#inUse === 0) this.#wakeup.keepsAlive(before === 0);
  }

  /** Where an entry stands that has everything but what is special to the operation; null when there is no room. */
  nextEntry(operation: number, fd: number, place: number, kind: number): number | null {
    const { uring } = this;
    let word = uring.nextEntry(operation, fd, place, kind);
    if (word === null) {
      this.submit();
      word = uring.nextEntry(operation, fd, place, kind);
      if (word === null) return null;
    }
    if (!this.#isRunning && !this.#isScheduled) this.#schedule();
    return word;
  }

  /** @returns false when the kernel took not all of it now */
  submit(): boolean {
    this.submitNumber++;
    this.#hasTakenAll = this.uring.submit();
    return this.#hasTakenAll;
  }

  /** What was to go with this submit is with the kernel. */
  hasTaken(submitNumber: number): boolean {
    return submitNumber < this.submitNumber && this.#hasTakenAll;
  }

  /** Of sends that the kernel has taken, but whose round is not over. */
  sendHasFailed(place: number): boolean {
    const { uring } = this;
    const end = uring.endOfCompletions;
    for (let index = this.#endOfSends; index !== end; index = (index + 1) | 0) {
      const word = uring.completionWord(index);
      if (uring.ring32[word + 1] === SEND && uring.ring32[word] === place) return true;
    }
    return false;
  }

  cancel(place: number, kind: number): void {
    const word = this.nextEntry(OP_ASYNC_CANCEL, -1, place, CANCEL);
    // Without room a receive stays until the other end says something.
    if (word === null) return;
    const { uring } = this;
    uring.sqe8[word * 4 + 1] = SQE_CQE_SKIP_SUCCESS;
    // `addr`: the user_data of what is cancelled.
    uring.sqe32[word + 4] = place;
    uring.sqe32[word + 5] = kind;
  }

  /** @returns another descriptor of the same connection, which the first may be closed for; -1 without descriptors */
  duplicate(fd: number): number {
    return duplicate(this.system, fd);
  }

  /** Behind all entries that name it. */
  closeDescriptor(fd: number): void {
    const word = this.nextEntry(OP_CLOSE, fd, 0, CLOSE);
    if (word === null) this.#unclosed.push(fd);
    else this.uring.sqe8[word * 4 + 1] = SQE_CQE_SKIP_SUCCESS;
  }

  receiveLater(socket: RingSocket): void {
    this.#waiting.push(socket);
  }

  awaitWritableLater(socket: RingSocket): void {
    this.#waitingForRoom.push(socket);
  }

  /** @returns where the copy begins; -1 when there is no room */
  takeSendMemory(data: string | Buffer): number {
    const from = this.#sendMemoryUsed;
    return this.extendSendMemory(from, data) ? from : -1;
  }

  /** @returns false when there is no room just there */
  extendSendMemory(from: number, data: string | Buffer): boolean {
    const to = from + data.length;
    if (from !== this.#sendMemoryUsed || to > SEND_MEMORY_BYTES) return false;
    if (typeof data === "string") this.#sendMemory.write(data, from, "latin1");
    else this.#sendMemory.set(data, from);
    this.#sendMemoryUsed = to;
    return true;
  }

  sendNow(fd: number, data: Buffer): number {
    const taken = this.system.calls.send(fd, data, data.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (taken >= 0) return taken;
    const reason = this.system.errno();
    return reason === EAGAIN || reason === EINTR ? 0 : -reason;
  }

  receiveNow(fd: number, memory: Buffer): number {
    const size = this.system.calls.recv(fd, memory, memory.length, MSG_DONTWAIT);
    if (size >= 0) return size;
    const reason = this.system.errno();
    return reason === EINTR ? NOTHING_YET : -reason;
  }

  copySendMemory(from: number, size: number): Buffer {
    return Buffer.copyBytesFrom(this.#sendMemory, from, size);
  }

  tellWhenSent(socket: RingSocket): void {
    this.#sending.push(socket);
  }

  // === rounds ===

  #schedule(): void {
    this.#isScheduled = true;
    queueMicrotask(this.#run);
  }

  readonly #run = () => {
    if (this.#isRunning) return;
    const { uring } = this;
    this.#isScheduled = false;
    this.#isRunning = true;
    uring.setWakes(false);
    let mayBeMore = true;
    try {
      for (let rounds = 0; mayBeMore && rounds < MAX_ROUNDS; rounds++) {
        const hasAll = this.submit();
        const first = uring.firstCompletion;
        const end = uring.endOfCompletions;
        this.#endSends(first, end, hasAll);
        this.#receive(first, end);
        this.#askAgain();
        if (this.#unclosed.length > 0) this.#closeAgain();
        mayBeMore = end - first >= MANY_COMPLETIONS || this.#sendMemoryUsed > 0 || this.#mustAskAgain;
      }
    } finally {
      this.#isRunning = false;
      uring.setWakes(true);
    }
    // Only now: what completed before we asked to be woken has woken nobody.
    if (!mayBeMore && !this.#mustAskAgain) return;
    this.#isScheduled = true;
    setImmediate(this.#run);
  };

  get #mustAskAgain(): boolean {
    return this.uring.unsubmitted > 0 || this.uring.hasNews;
  }

  /**
   * What became of all sends that were submitted. Before anything is made of what was received: a socket may be sent to
   * again when it is known that all of the last one went. @param hasAll  There are no others.
   */
  #endSends(first: number, end: number, hasAll: boolean): void {
    const { uring } = this;
    const { ring32 } = uring;
    const used = this.#sendMemoryUsed;
    this.#endOfSends = end;
    for (let index = first; index !== end; index = (index + 1) | 0) {
      const word = uring.completionWord(index);
      if (ring32[word + 1] !== SEND) continue;
      this.#sockets[ring32[word] as number]?.sendFailed(ring32[word + 2] as number);
    }
    // Those that heard of a failure may have sent something themselves.
    if (!hasAll || this.#sendMemoryUsed !== used) return;
    this.#sendMemoryUsed = 0;
    this.round++;
    if (this.#sending.length === 0) return;
    const sending = this.#sending;
    this.#sending = [];
    for (const socket of sending) socket.sendEnded();
  }

  #receive(first: number, end: number): void {
    const { uring } = this;
    const { ring32 } = uring;
    for (let index = first; index !== end; index = (index + 1) | 0) {
      const word = uring.completionWord(index);
      const kind = ring32[word + 1] as number;
      const flags = ring32[word + 3] as number;
      const result = ring32[word + 2] as number;
      if (kind !== RECEIVE) {
        if (kind === WRITABLE) this.#sockets[ring32[word] as number]?.roomCompleted(result);
        else if (kind === ACCEPT) this.#acceptors[ring32[word] as number]?.completed(result, flags);
        continue;
      }
      const socket = this.#sockets[ring32[word] as number] ?? null;
      if ((flags & CQE_HAS_BUFFER) === 0) {
        socket?.receiveCompleted(result, null);
      } else {
        const buffer = flags >>> CQE_BUFFER_SHIFT;
        socket?.receiveCompleted(result, this.#receiveBuffers[buffer] ?? null);
        this.#giveBuffer(buffer);
      }
    }
    uring.seen(end);
    this.#tellBuffers();
  }

  #askAgain(): void {
    if (this.#waiting.length > 0) {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const socket of waiting) socket.receive();
    }
    if (this.#waitingForRoom.length > 0) {
      const waiting = this.#waitingForRoom;
      this.#waitingForRoom = [];
      for (const socket of waiting) socket.awaitWritable();
    }
  }

  #closeAgain(): void {
    const unclosed = this.#unclosed;
    this.#unclosed = [];
    for (const fd of unclosed) this.closeDescriptor(fd);
  }

  #receiveBuffer({ address, bytes }: MappedMemory, index: number): Buffer {
    const from = index * RECEIVE_BYTES;
    const own = address + BigInt(from);
    this.#receiveAddresses[index * 2] = Number(BigInt.asIntN(32, own));
    this.#receiveAddresses[index * 2 + 1] = Number(own >> 32n);
    this.#giveBuffer(index);
    return bytes.subarray(from, from + RECEIVE_BYTES);
  }

  #giveBuffer(index: number): void {
    const at = this.#bufferRingTail & (RECEIVE_BUFFERS - 1);
    this.#bufferRing32[at * 4] = this.#receiveAddresses[index * 2] as number;
    this.#bufferRing32[at * 4 + 1] = this.#receiveAddresses[index * 2 + 1] as number;
    this.#bufferRing32[at * 4 + 2] = RECEIVE_BYTES;
    this.#bufferRing16[at * 8 + 6] = index;
    this.#bufferRingTail++;
  }

  /** The kernel may take them from now on. */
  #tellBuffers(): void {
    Atomics.store(this.#bufferRing16, 7, this.#bufferRingTail & 0xffff);
  }
}
