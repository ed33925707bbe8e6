/**
 * The server side of TLS handshakes for one configuration; a reload makes a new one, connections keep theirs. Two of a
 * kind: `openssl-handshakes.ts` where OpenSSL can be called and there is a ring, `node-handshakes.ts` everywhere else.
 */
import { X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { CarrierListener, SocketCarrier } from "../carrier.ts";
import type { AcceptedDescriptor } from "../client-transport.ts";
import { createTurnQueue, type Waiting } from "../turn-queue.ts";
import { clientAuthoritiesOf } from "./certificate-store.ts";
import { ruleAgainst } from "./client-certificates.ts";
import type { TlsListenerConfig } from "./listener-config.ts";

/** What a client on TLS has shown. */
export interface ClientTls {
  /** DER of its verified certificate in base64; "" when it presented none. */
  readonly certificate: string;
}

/** A client that is who it says; nothing has been read from it yet. */
export interface TlsClient {
  readonly tls: ClientTls;
  /** What was negotiated; "" when nothing was. */
  readonly protocol: string;
  /** Begins to read. Called once, at once. */
  open(listener: CarrierListener): SocketCarrier;
}

export interface HandshakeListener {
  /** It ended well. Not called when it fails: the connection is closed then. */
  secured(client: TlsClient): void;
  /** The connection is over, before that. */
  closed(): void;
}

export interface TlsHandshakes {
  /**
   * Begins one on an accepted connection; what was read of it already may wait in its read buffer.
   * @returns what breaks it off, as long as it has not ended
   */
  begin(accepted: Socket, listener: HandshakeListener): { destroy(): unknown };
  /** The same on a connection that the ring has accepted; only where that is what handshakes go through. */
  readonly beginOn?: (accepted: AcceptedDescriptor, listener: HandshakeListener) => { destroy(): unknown };
  /** What tickets for resuming sessions are sealed with from now on: 48 random bytes. */
  setTicketKeys(keys: Buffer): void;
}

/** Told why a handshake failed. */
export type OnRefused = (reason: string, client: string) => void;

/** Sessions of one listener may be resumed whatever its certificate; OpenSSL wants a name for that. */
export const SESSION_CONTEXT = "viaduct";
const ANONYMOUS: ClientTls = Object.freeze({ certificate: "" });

/**
 * To answer a client's first record is by far the most work of a handshake, a signature: 1.2 ms. One is answered in a
 * turn, after everybody else's reads, however many came at the same moment.
 */
export const waitForHandshake: (waiting: Waiting) => void = createTurnQueue(1);
/** Type, version, and length of what follows. */
const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_RECORD = 22;

/** Calls `then` in its turn when a first record is in the read buffer; with anything else too, for OpenSSL to refuse. */
export function onFirstTurn(accepted: Socket, then: () => void): void {
  const takeTurn = () => {
    if (!accepted.destroyed) then();
  };
  onFirstRecord(accepted, () => waitForHandshake({ takeTurn }));
}

/** @returns what says of verified certificates, the client's own and those that it sent besides, what it has shown, or why not */
export function createCertificateJudge(
  config: TlsListenerConfig,
): (own: X509Certificate | null, others: readonly X509Certificate[]) => ClientTls | { refused: string } {
  const { certificateRules: rules } = config;
  const pool = hasRules(config) ? clientAuthoritiesOf(config).map((pem) => new X509Certificate(pem)) : [];
  return (own, others) => {
    if (own === null) return ANONYMOUS;
    const reason = hasRules(config) ? ruleAgainst(own, others, pool, rules) : null;
    if (reason !== null) return { refused: `client certificate: ${reason}` };
    return { certificate: own.raw.toString("base64") };
  };
}

/** Then no session is resumed: it would have only the client's own certificate, without those above it. */
export const hasRules = ({ clientCertificates, certificateRules }: TlsListenerConfig): boolean =>
  clientCertificates !== "none" && certificateRules.length > 0;

function onFirstRecord(accepted: Socket, then: () => void): void {
  let received: Buffer | null = null;
  const read = () => {
    const bytes = accepted.read() as Buffer | null;
    if (bytes === null) return;
    received = received === null ? bytes : Buffer.concat([received, bytes]);
    if (!isWholeRecord(received)) return;
    accepted.off("readable", read).off("end", end).unshift(received);
    then();
  };
  const end = () => accepted.destroy();
  accepted.on("readable", read).on("end", end);
}

/** With anything else than a record of a handshake too. */
export function isWholeRecord(record: Buffer): boolean {
  if (record[0] !== HANDSHAKE_RECORD) return true;
  return (
    record.length >= RECORD_HEADER_BYTES && record.length >= RECORD_HEADER_BYTES + record.readUInt16BE(3)
  );
}
