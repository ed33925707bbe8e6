/**
 * One connection from a client, and the exchanges on it, one after the other.
 *
 *   head ──complete──► exchange ──answered──► head …           keep-alive
 *    │                    │  ╰──101──► tunnel                   raw bytes until both sides end
 *    │                    ├──answered, body still coming──► skipping ──► head
 *    │                    └──answered, to be closed──► lingering ──► closed
 *    └── idle, malformed, too slow ──► lingering ──► closed
 *
 * Bytes that came early (a body before its endpoint is connected, pipelined requests) wait in `held`; reading
 * pauses when they are many, so that memory per connection is bounded.
 */
import { BodyReader, RequestHead } from "../wire/http1/index.ts";
import { type Carrier, writeRead } from "./carrier.ts";
import type { ClientTransport } from "./client-transport.ts";
import type { RouterContext } from "./context.ts";
import { Exchange } from "./exchange.ts";
import { OWN_MEMORY, type ReadMemory } from "./receive-buffer.ts";
import { readHead, readHeadText } from "./read-head.ts";
import { waitForTurn } from "./turn-queue.ts";
import { type ClientCertHeader, clientCertHeader } from "./xfcc.ts";

/** Reading stops while more than this waits to be used. */
const MAX_HELD_BYTES = 64 * 1024;
/** What a client still sends of a body after its answer is read and thrown away, up to so much. */
const MAX_SKIPPED_BYTES = 256 * 1024;
/**
 * Requests that came together and are answered at once (errors, redirects) are answered so many at a time; then others
 * have their turn. A read of 64 KiB holds 2,400 of them, and took 40 ms.
 */
export const MAX_ANSWERED_AT_ONCE = 8;
/**
 * After our last byte we wait this long for the client's end: closing at once while it still sends would reset the
 * connection, and the reset can overtake the answer (RFC 9112 §9.6).
 */
const LINGER_MS = 2_000;
/** A read of a long head that brought so much is enough of it for one turn. */
const LONG_PIECE_BYTES = 16 * 1024;
/**
 * A client that ended its side is a half-closed one that still reads (`nc -N`), or one that has gone: TCP cannot tell
 * until we write. The answer may take so long to begin; then the exchange is cancelled.
 */
const HALF_CLOSED_GRACE_MS = 1_000;

type State = "head" | "exchange" | "skipping" | "tunnel" | "lingering" | "closed";

export class ClientConnection {
  /** Of its own, or a stream of an HTTP/2 session. */
  readonly socket: Carrier;
  readonly router: RouterContext;
  /** The client's IP; an IPv4 address never in its IPv6 form. */
  readonly address: string;
  /** `address:port`, `[address]:port` for IPv6. */
  readonly peer: string;
  readonly usesTls: boolean;
  readonly isHttp2: boolean;
  readonly certHeader: ClientCertHeader;
  readonly head = new RequestHead();
  readonly body = new BodyReader();
  readonly exchange: Exchange;
  /** Received, not yet used. During a read it may be the memory that is read into: see {@link writeHeld}. */
  held: Buffer | null = null;
  /** When the first byte of the present head came (monotonic, precise). */
  headStartedAtMs = 0;
  /** The client ended its side; moment by the ticker, -1 when it has not. */
  endedAtMs = -1;
  #state: State = "head";
  /** Since when nothing moved, by the ticker. */
  #quietSinceMs: number;
  #memory: ReadMemory = OWN_MEMORY;
  #borrowsHeld = false;
  #isReading = false;
  /** More requests are held than are answered at once, or a long head is being read. */
  #waitsForTurn = false;
  #isPaused = false;

  constructor(router: RouterContext, transport: ClientTransport) {
    this.router = router;
    const { address, port, tls, isHttp2 } = transport;
    this.address = address;
    this.peer = address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
    this.usesTls = tls !== null;
    this.isHttp2 = isHttp2;
    this.certHeader = clientCertHeader(router.config.forwardedClientCert, tls?.certificate ?? "");
    this.#quietSinceMs = router.ticker.nowMs;
    this.exchange = new Exchange(router, this);
    this.socket = transport.open({
      received: this.#receive,
      passage: () => this.exchange.requestPassage,
      drained: this.#onDrain,
      ended: this.#onEnd,
      closed: this.#onClose,
    });
    if (!isHttp2) router.counters.activeConnections++;
  }

  get isIdle(): boolean {
    return this.#state === "head" && this.head.heldLength === 0 && this.held === null;
  }

  /** Written bytes wait in our memory because the client does not take them. */
  get isFull(): boolean {
    return this.socket.writableNeedDrain;
  }

  /** The connection can be used again, even if the request body is not complete. */
  get mayPersist(): boolean {
    if (this.router.isLeaving) return false;
    if (this.body.done) return true;
    return !this.head.expectsContinue && !this.body.isChunked && this.body.remaining <= MAX_SKIPPED_BYTES;
  }

  /** Between exchanges. */
  get #takesRequests(): boolean {
    return this.#state === "head" || this.#state === "skipping";
  }

  /** Since when an exchange of a client that ended its side has had the time to be answered. */
  get #aloneSinceMs(): number {
    return Math.max(this.endedAtMs, this.exchange.startedAtMs);
  }

  pause(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#isPaused || this.#state === "closed") return;
    this.#isPaused = false;
    this.socket.resume();
  }

  /** The exchange is answered. @param persists  whether the connection may carry another one. */
  exchangeEnded(persists: boolean): void {
    if (this.head.release()) this.exchange.release();
    if (this.#state === "closed") return;
    if (!persists) {
      this.linger();
      return;
    }
    this.#state = this.body.done ? "head" : "skipping";
    this.#quietSinceMs = this.router.ticker.nowMs;
    this.#readOn(null, 0);
  }

  /** Bytes that were read before there was this connection. */
  receiveEarly(bytes: Buffer): void {
    if (bytes.length > 0) this.#receive(bytes, bytes.length, OWN_MEMORY);
  }

  /** A whole head at once; only when {@link isIdle}. @param lineCount  of its header lines */
  receiveHead(text: string, lineCount: number): void {
    this.#quietSinceMs = this.router.ticker.nowMs;
    this.#state = "exchange";
    try {
      readHeadText(this, text, lineCount);
    } catch (error) {
      this.exchange.refuse(error);
      return;
    }
    this.exchange.begin();
  }

  /** A head came that is none; only when {@link isIdle}. */
  refuse(error: unknown): void {
    this.headStartedAtMs = this.router.ticker.monotonicMs();
    this.#state = "exchange";
    this.exchange.refuse(error);
  }

  /** Answers some more of the requests that came together, or reads on in a long head. */
  takeTurn(): void {
    this.#waitsForTurn = false;
    if (this.#takesRequests) this.#readOn(null, 0);
  }

  /** Writes bytes of {@link held}. @returns what the carrier does */
  writeHeld(carrier: Carrier, held: Buffer, from: number, to: number): boolean {
    return writeRead(carrier, this.#borrowsHeld ? this.#memory : OWN_MEMORY, held, from, to);
  }

  startTunnel(): void {
    this.#state = "tunnel";
    this.resume();
  }

  /** Sends what is written, ends our side, and waits a little for the client to end its own. */
  linger(): void {
    if (this.#state === "closed") return;
    this.#state = "lingering";
    this.#quietSinceMs = this.router.ticker.nowMs;
    this.held = null;
    this.head.forget();
    this.socket.end();
    this.resume();
    if (this.endedAtMs !== -1 && !this.isFull) this.socket.destroySoon();
  }

  /** In the middle of an answer: the client must not take what it has for the whole. */
  cut(): void {
    // In HTTP/1.0 the end of the connection may be the end of the body; a reset never is. On TLS the end is signed,
    // and what is cut has none.
    if (this.head.minorVersion === 0 && !this.usesTls) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Something moved that the client connection does not see itself. */
  touch(): void {
    this.#quietSinceMs = this.router.ticker.nowMs;
  }

  /** Called at every tick. */
  check(nowMs: number): void {
    const { config } = this.router;
    const quietMs = nowMs - this.#quietSinceMs;
    switch (this.#state) {
      case "head":
        if (this.head.heldLength > 0) {
          const limitMs = config.readHeaderTimeoutMs;
          if (limitMs !== 0 && nowMs - this.headStartedAtMs >= limitMs) this.destroy();
        } else if (config.frontendIdleTimeoutMs !== 0 && quietMs >= config.frontendIdleTimeoutMs)
          this.linger();
        return;
      case "exchange":
        if (this.endedAtMs !== -1 && nowMs - this.#aloneSinceMs >= HALF_CLOSED_GRACE_MS)
          this.exchange.clientHalfClosed();
        if (this.#state === "exchange") this.exchange.check(nowMs, quietMs);
        return;
      case "skipping":
        if (config.frontendIdleTimeoutMs !== 0 && quietMs >= config.frontendIdleTimeoutMs) this.destroy();
        return;
      case "tunnel":
        this.exchange.checkTunnel(nowMs);
        // Open on both sides it may be quiet for ever; half open, it waits for an end that may never come.
        if (
          this.exchange.isHalfTunnel &&
          config.frontendIdleTimeoutMs !== 0 &&
          quietMs >= config.frontendIdleTimeoutMs
        ) {
          this.destroy();
        }
        return;
      case "lingering":
        if (quietMs >= (this.isFull ? Math.max(LINGER_MS, config.frontendIdleTimeoutMs) : LINGER_MS))
          this.destroy();
        return;
    }
  }

  readonly #receive = (bytes: Buffer, size: number, memory: ReadMemory) => {
    this.#memory = memory;
    this.#quietSinceMs = this.router.ticker.nowMs;
    switch (this.#state) {
      case "head":
      case "skipping":
        // Answers that the client does not take must not pile up: no further request until it does. And what came
        // before goes first.
        if (this.isFull || this.held !== null) this.#hold(bytes, size);
        else this.#readOn(bytes, size);
        break;
      case "exchange":
        this.#hold(bytes, size);
        this.exchange.requestReceived();
        break;
      case "tunnel":
        this.exchange.tunnelUp(memory.keep(bytes, 0, size));
        break;
      default:
        return false;
    }
    this.#endRead();
    return this.#state === "exchange" && !this.body.done;
  };

  /**
   * Uses bytes, then what is held, as far as it goes. Exchanges that end at once (errors) come back here: a loop,
   * not recursion.
   */
  #readOn(bytes: Buffer | null, size: number): void {
    if (this.#isReading) return;
    this.#isReading = true;
    let left = MAX_ANSWERED_AT_ONCE;
    if (bytes !== null) {
      this.#use(bytes, size);
      left--;
    }
    while (this.held !== null && !this.isFull && this.#takesRequests && left > 0) {
      const { held } = this;
      this.held = null;
      this.#use(held, held.length);
      left--;
    }
    this.#isReading = false;
    if (this.held === null) {
      if (this.#isPaused && !this.#waitsForTurn) this.resume();
      if (this.endedAtMs !== -1 && this.#takesRequests) this.linger();
    } else if (left === 0) this.#waitForTurn();
    if (this.router.isDraining && this.isIdle) this.linger();
  }

  /** For later; reading pauses when it becomes much, and goes on when it is used. */
  #hold(bytes: Buffer, size: number): void {
    if (this.held === null) this.#borrow(bytes, 0, size);
    else this.held = Buffer.concat([this.held, bytes.subarray(0, size)]);
    if ((this.held?.length ?? 0) > MAX_HELD_BYTES) this.pause();
  }

  #borrow(bytes: Buffer, from: number, to: number): void {
    this.held = bytes.subarray(from, to);
    this.#borrowsHeld = true;
  }

  /** The memory of the read goes back: what is still held of it is kept. */
  #endRead(): void {
    if (this.#borrowsHeld && this.held !== null)
      this.held = this.#memory.keep(this.held, 0, this.held.length);
    else if (this.exchange.hasPassedOn) this.#memory.reuse();
    this.#borrowsHeld = false;
  }

  /** Takes one head, or the rest of a body, from the bytes; holds what is behind it. */
  #use(bytes: Buffer, size: number): void {
    let used: number;
    try {
      used = this.#state === "skipping" ? this.#skip(bytes, size) : readHead(this, bytes, size);
    } catch (error) {
      if (this.#state === "skipping") {
        // The answer is out; a body that cannot be followed ends the connection.
        this.linger();
      } else {
        this.#state = "exchange";
        this.exchange.refuse(error);
      }
      return;
    }
    if (used < size) this.#borrow(bytes, used, size);
    if (this.#state === "skipping") {
      if (this.body.done) this.#state = "head";
    } else if (this.head.heldLength === 0) {
      this.#state = "exchange";
      this.exchange.begin();
    } else if (size >= LONG_PIECE_BYTES) {
      this.pause();
      this.#waitForTurn();
    }
  }

  #waitForTurn(): void {
    this.#waitsForTurn = true;
    waitForTurn(this);
  }

  #skip(bytes: Buffer, size: number): number {
    let at = 0;
    while (at < size && !this.body.done) at = this.body.step(bytes, at, size);
    return at;
  }

  readonly #onDrain = () => {
    this.#quietSinceMs = this.router.ticker.nowMs;
    if (this.#state === "exchange" || this.#state === "tunnel") this.exchange.clientDrained();
    else if (this.held !== null) this.#readOn(null, 0);
  };

  readonly #onEnd = () => {
    this.endedAtMs = this.router.ticker.nowMs;
    switch (this.#state) {
      case "exchange":
        this.exchange.clientEnded();
        return;
      case "tunnel":
        this.exchange.tunnelEndUp();
        return;
      default:
        // What it has asked for before is answered first.
        if (this.held === null) this.linger();
    }
  };

  readonly #onClose = () => {
    const wasExchanging = this.#state === "exchange" || this.#state === "tunnel";
    this.#state = "closed";
    this.held = null;
    this.#memory.close();
    this.router.clients.delete(this);
    if (!this.isHttp2) this.router.counters.activeConnections--;
    if (wasExchanging) this.exchange.clientGone();
  };
}
