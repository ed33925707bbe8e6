/**
 * A listening socket whose connections the ring accepts: one entry brings them all, until it fails or is called back.
 *
 *   listening ──connection──► accepted …
 *       │  ▲
 *       │  ╰── acceptAgain ──╮
 *       ├── no descriptors left, … ──► failed
 *       ╰── close: what has come until then ──► accepted …, and nothing more
 */
import {
  ACCEPT_MULTISHOT,
  CQE_MORE,
  EAGAIN,
  ECANCELED,
  EINTR,
  ECONNABORTED,
  OP_ACCEPT,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
} from "./abi.ts";
import { ACCEPT } from "./completion-kinds.ts";
import { acceptNow } from "./descriptors.ts";
import type { SocketRing } from "./socket-ring.ts";

export interface AcceptListener {
  /** @param fd  A connected socket that does not block; the listener's from here on. */
  accepted(fd: number): void;
  /** No more are accepted; they wait in the system's queue. {@link Acceptor.acceptAgain} tries. */
  failed(errno: number): void;
}

export class Acceptor {
  readonly #ring: SocketRing;
  readonly #fd: number;
  readonly #listener: AcceptListener;
  /** In the table of the ring. */
  readonly #place: number;
  #isAccepting = false;
  #isClosed = false;

  /** @param fd  Listens, and does not block. */
  constructor(ring: SocketRing, fd: number, listener: AcceptListener, place: number) {
    this.#ring = ring;
    this.#fd = fd;
    this.#listener = listener;
    this.#place = place;
  }

  acceptAgain(): void {
    if (this.#isAccepting || this.#isClosed) return;
    const ring = this.#ring;
    const word = ring.nextEntry(OP_ACCEPT, this.#fd, this.#place, ACCEPT);
    if (word === null) {
      this.#listener.failed(EAGAIN);
      return;
    }
    this.#isAccepting = true;
    ring.uring.sqe16[word * 2 + 1] = ACCEPT_MULTISHOT;
    ring.uring.sqe32[word + 7] = SOCK_CLOEXEC | SOCK_NONBLOCK;
  }

  /**
   * When this returns nothing more is accepted, and the descriptor is its owner's to close. Who waited in the system's
   * queue has been accepted: another process may listen on the same socket, and nobody would have told it of them.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const ring = this.#ring;
    if (this.#isAccepting) {
      ring.cancel(this.#place, ACCEPT);
      ring.submit();
    }
    for (let fd = acceptNow(ring.system, this.#fd); fd >= 0; fd = acceptNow(ring.system, this.#fd))
      this.#listener.accepted(fd);
    if (!this.#isAccepting) ring.forgetAcceptor(this.#place);
  }

  /** For the ring. */
  completed(result: number, flags: number): void {
    const isOver = (flags & CQE_MORE) === 0;
    if (isOver) this.#isAccepting = false;
    if (result >= 0) this.#listener.accepted(result);
    if (!isOver) return;
    if (this.#isClosed) this.#ring.forgetAcceptor(this.#place);
    else if (result >= 0 || result === -ECONNABORTED || result === -EINTR || result === -ECANCELED)
      this.acceptAgain();
    else this.#listener.failed(-result);
  }
}
