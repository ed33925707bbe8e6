/**
 * A connection with TLS whose records go through the ring (`ring-carrier.ts`), and through OpenSSL (`src/openssl`) without
 * anything between: bytes are decrypted into memory that all connections share, and encrypted as they are written.
 *
 *   handshake ──done, the client is who it says──► open ──close_notify──► half-closed ──┐
 *       │                                            │                                  ├──► closed
 *       └──────────── refused, broken off ───────────┴──── what is no TLS of theirs ────┘
 */
import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { ENDED, NEEDS_MORE, type ServerSession } from "../openssl/index.ts";
import type { SocketRing } from "../ring/index.ts";
import type { CarrierListener, SocketCarrier } from "./carrier.ts";
import { type AcceptedDescriptor, peerOf } from "./client-transport.ts";
import { FOREIGN_MEMORY, type OnBytes, OWN_MEMORY } from "./receive-buffer.ts";
import { carryThroughRing, RingCarrier } from "./ring-carrier.ts";
import {
  type ClientTls,
  type HandshakeListener,
  isWholeRecord,
  type OnRefused,
  waitForHandshake,
} from "./tls/tls-handshakes.ts";

/** Records of writes up to here leave together with those that were corked with them. */
const SHORT_BYTES = 4 * 1024;

/** What becomes of a handshake. */
export interface TlsCarrierOwner extends HandshakeListener {
  readonly asksClients: boolean;
  /** @param others  That the client sent with its own. */
  judge(own: X509Certificate | null, others: readonly X509Certificate[]): ClientTls | { refused: string };
  readonly onRefused: OnRefused;
}

/**
 * Takes over an accepted connection with what has been read of it.
 * @param session  Belongs to the carrier from here on.
 * @returns null, and the connection is over, when it cannot be taken over
 */
export function openTlsCarrier(
  ring: SocketRing,
  accepted: Socket,
  session: ServerSession,
  owner: TlsCarrierOwner,
): TlsCarrier | null {
  const early = accepted.read() as Buffer | null;
  const carrier = new TlsCarrier(session, owner, peerOf(accepted));
  if (!carrier.take(ring, accepted)) {
    session.close();
    accepted.destroy();
    return null;
  }
  if (early !== null) carrier.received(early, early.length, OWN_MEMORY);
  return carrier;
}

/** The same of a connection that the ring has accepted; the session is made when it has said enough to need one. */
export function openTlsCarrierOn(
  ring: SocketRing,
  { fd, ...peer }: AcceptedDescriptor,
  createSession: () => ServerSession,
  owner: TlsCarrierOwner,
): { destroy(): unknown } {
  let record: Buffer | null = null;
  const raw = new RingCarrier(ring, fd, {
    received(bytes, size, memory) {
      const piece = memory.keep(bytes, 0, size);
      record = record === null ? piece : Buffer.concat([record, piece]);
      if (!isWholeRecord(record)) return false;
      raw.pause();
      waitForHandshake({ takeTurn });
      return false;
    },
    drained() {},
    ended: () => raw.destroy(),
    closed: () => owner.closed(),
  });
  const takeTurn = () => {
    if (raw.destroyed || record === null) return;
    const carrier = new TlsCarrier(createSession(), owner, peer);
    carrier.takeOver(raw);
    raw.resume();
    carrier.received(record, record.length, OWN_MEMORY);
  };
  return raw;
}

export class TlsCarrier implements SocketCarrier {
  readonly #session: ServerSession;
  readonly #owner: TlsCarrierOwner;
  readonly #peer: { readonly address: string; readonly port: number };
  #raw: RingCarrier | null = null;
  /** Null during the handshake. */
  #listener: CarrierListener | null = null;
  #isPaused = false;
  /** Records that came before a pause was over. */
  #held: Buffer | null = null;
  #hasEnded = false;
  #isOver = false;
  #isInside = false;
  #corks = 0;
  #corked: (string | Buffer)[] = [];
  writableEnded = false;

  constructor(
    session: ServerSession,
    owner: TlsCarrierOwner,
    peer: { readonly address: string; readonly port: number },
  ) {
    this.#session = session;
    this.#owner = owner;
    this.#peer = peer;
  }

  /** @returns false when it cannot */
  take(ring: SocketRing, accepted: Socket): boolean {
    this.#raw = carryThroughRing(ring, accepted, this.#records);
    return this.#raw !== null;
  }

  takeOver(raw: RingCarrier): void {
    this.#raw = raw;
    raw.handOver(this.#records);
  }

  /** Hears of the connection underneath. */
  get #records(): CarrierListener {
    return {
      received: this.received,
      drained: () => this.#listener?.drained(),
      ended: () => this.#end(),
      closed: () => this.#close(),
    };
  }

  get localAddress(): string | undefined {
    return this.#raw?.localAddress;
  }

  get destroyed(): boolean {
    return this.#isOver || this.#raw?.destroyed === true;
  }

  // === reading ===

  readonly received: OnBytes = (bytes, size, memory) => {
    let at = 0;
    while (at < size && !this.#hasEnded && !this.destroyed) {
      if (this.#isPaused) {
        this.#held = memory.keep(bytes, at, size);
        break;
      }
      at = this.#session.feed(bytes, at, size);
      if (this.#listener === null) this.#shake();
      else this.#read(this.#listener);
    }
    return this.#isInside;
  };

  #read(listener: CarrierListener): void {
    const size = this.#session.read();
    if (size > 0) {
      this.#isInside = listener.received(this.#session.plain, size, FOREIGN_MEMORY);
      return;
    }
    // An alert, or a new key.
    this.#flush();
    if (size === NEEDS_MORE) return;
    this.#isInside = false;
    if (size === ENDED) this.#end();
    else this.#fail();
  }

  #shake(): void {
    const session = this.#session;
    const isDone = session.shake();
    this.#flush();
    if (session.reason !== "") this.#refuse(session.reason);
    else if (isDone) this.#enter();
  }

  /** The handshake is done; what becomes of it is the owner's affair. */
  #enter(): void {
    const [own = null, ...others] = this.#owner.asksClients
      ? this.#session.peerCertificates().map((der) => new X509Certificate(der))
      : [];
    const tls = this.#owner.judge(own, others);
    if ("refused" in tls) {
      this.#refuse(tls.refused);
      return;
    }
    this.#owner.secured({
      tls,
      protocol: this.#session.protocol,
      open: (listener) => {
        this.#listener = listener;
        return this;
      },
    });
  }

  #refuse(reason: string): void {
    this.#owner.onRefused(reason, `${this.#peer.address}:${this.#peer.port}`);
    this.#fail();
  }

  /** Over, after what has been written, which may be why. */
  #fail(): void {
    this.#hasEnded = true;
    this.#raw?.destroySoon();
  }

  pause(): void {
    this.#isPaused = true;
    this.#raw?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#held === null) this.#raw?.resume();
    // Never at once: another connection's records may be what this is called amid.
    else queueMicrotask(this.#readHeld);
  }

  readonly #readHeld = () => {
    if (this.#held === null || this.#isPaused || this.destroyed) return;
    const held = this.#held;
    this.#held = null;
    this.received(held, held.length, OWN_MEMORY);
    if (!this.#isPaused) this.#raw?.resume();
  };

  /** The client says no more, with or without saying so. */
  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#listener === null) this.#raw?.destroy();
    else this.#listener.ended();
  }

  #close(): void {
    this.#isOver = true;
    this.#held = null;
    this.#corked = [];
    this.#session.close();
    if (this.#listener === null) this.#owner.closed();
    else this.#listener.closed();
  }

  // === writing ===

  get writableNeedDrain(): boolean {
    return this.#raw?.writableNeedDrain === true;
  }

  get writableLength(): number {
    return this.#raw?.writableLength ?? 0;
  }

  write(data: string | Buffer): boolean {
    if (this.#corks > 0) this.#corked.push(data);
    else {
      this.#encrypt(data);
      this.#flush();
    }
    return !this.writableNeedDrain;
  }

  /** A record of its own costs less than making one text of both. */
  writeCopy(memory: Buffer, from: number, to: number): boolean {
    const data = memory.subarray(from, to);
    return this.write(this.#corks > 0 ? Buffer.copyBytesFrom(data) : data);
  }

  #encrypt(data: string | Buffer): void {
    let from = 0;
    while (from < data.length) {
      const written = this.#session.write(data, from);
      if (written === 0) {
        if (this.#session.reason !== "") this.destroy();
        break;
      }
      from += written;
      // No more than one such piece waits in OpenSSL's memory.
      if (from < data.length) this.#flush();
    }
  }

  /** What OpenSSL has for the client goes out. */
  #flush(): void {
    for (;;) {
      const size = this.#session.takeOutput();
      if (size === 0) return;
      if (!this.destroyed) this.#raw?.writeCopy(this.#session.output, 0, size);
      if (size < this.#session.output.length) return;
    }
  }

  cork(): void {
    this.#corks++;
  }

  uncork(): void {
    if (--this.#corks > 0) return;
    const corked = this.#corked;
    this.#corked = [];
    for (const data of corked) {
      this.#encrypt(data);
      if (data.length > SHORT_BYTES) this.#flush();
    }
    this.#flush();
  }

  end(): void {
    this.#endWriting();
    this.#raw?.end();
  }

  destroySoon(): void {
    this.#endWriting();
    this.#raw?.destroySoon();
  }

  #endWriting(): void {
    this.writableEnded = true;
    this.#session.endWriting();
    this.#flush();
  }

  destroy(): void {
    this.#raw?.destroy();
  }

  resetAndDestroy(): void {
    this.#raw?.resetAndDestroy();
  }
}
