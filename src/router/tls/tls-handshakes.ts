/** The server side of TLS handshakes for one configuration. A reload makes a new one; connections keep theirs. */
import { constants, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { createServer, type TlsOptions, type TLSSocket } from "node:tls";
import { createCertificateStore, clientAuthoritiesOf } from "./certificate-store.ts";
import { ruleAgainst } from "./client-certificates.ts";
import { createTurnQueue } from "../turn-queue.ts";
import type { TlsListenerConfig } from "./listener-config.ts";

/** What a client on TLS has shown. */
export interface ClientTls {
  /** DER of its verified certificate in base64; "" when it presented none. */
  readonly certificate: string;
}

export interface TlsHandshakes {
  /**
   * Begins one on an accepted connection; what was read of it already may wait in its read buffer.
   * @param done  The client is who it says, and speaks `socket.alpnProtocol`. Not called when it fails: the
   * connection is closed then.
   */
  begin(accepted: Socket, done: Done): void;
  /** What tickets for resuming sessions are sealed with from now on: 48 random bytes. */
  setTicketKeys(keys: Buffer): void;
}
type Done = (socket: TLSSocket, tls: ClientTls) => void;

const ANONYMOUS: ClientTls = Object.freeze({ certificate: "" });

/**
 * To answer a client's first record is by far the most work of a handshake, a signature: 1.2 ms. One is answered in a
 * turn, after everybody else's reads, however many came at the same moment.
 */
const waitForHandshake = createTurnQueue(1);
/** Type, version, and length of what follows. */
const RECORD_HEADER_BYTES = 5;
const HANDSHAKE_RECORD = 22;

/**
 * @param alpnProtocols  Offered to clients, best first.
 * @param onRefused  Told why a handshake failed.
 */
export function createTlsHandshakes(
  config: TlsListenerConfig,
  alpnProtocols: readonly string[],
  onRefused: (reason: string, client: string) => void,
): TlsHandshakes {
  const store = createCertificateStore(config);
  const asks = config.clientCertificates !== "none";
  const rules = asks ? config.certificateRules : [];
  const pool = rules.length === 0 ? [] : clientAuthoritiesOf(config).map((pem) => new X509Certificate(pem));
  const chooseByName: NonNullable<TlsOptions["SNICallback"]> = (name, choose) =>
    choose(null, store.choose(name) ?? undefined);
  const waiting = new WeakMap<object, Done>();

  // It never listens: connections are accepted elsewhere, because a PROXY header may come before the handshake.
  const server = createServer({
    ...store.fallback,
    requestCert: asks,
    rejectUnauthorized: config.clientCertificates === "require",
    ALPNProtocols: [...alpnProtocols],
    // A second handshake could change who the client is, and costs us more than the client.
    // A resumed session has only the client's own certificate, without those between it and its authority.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (rules.length === 0 ? 0 : constants.SSL_OP_NO_TICKET),
    ...(config.certificates.length === 1 ? {} : { SNICallback: chooseByName }),
  });

  server.on("secureConnection", (socket) => {
    const refuse = (reason: string) => {
      onRefused(reason, `${socket.remoteAddress}:${socket.remotePort}`);
      socket.destroy();
    };
    const certificate = asks ? socket.getPeerX509Certificate() : undefined;
    if (certificate !== undefined) {
      if (!socket.authorized) {
        refuse(`client certificate: ${String(socket.authorizationError)}`);
        return;
      }
      const reason = rules.length === 0 ? null : ruleAgainst(certificate, pool, rules);
      if (reason !== null) {
        refuse(`client certificate: ${reason}`);
        return;
      }
    }
    const tls = certificate === undefined ? ANONYMOUS : { certificate: certificate.raw.toString("base64") };
    // The accepted connection underneath has no documented name; without it nobody would be told, and tests fail.
    const accepted = (socket as unknown as { readonly _parent: object })._parent;
    waiting.get(accepted)?.(socket, tls);
  });
  server.on("tlsClientError", (error, socket) => {
    onRefused(error.message, `${socket.remoteAddress}:${socket.remotePort}`);
    socket.destroy();
  });
  return {
    begin(accepted, done) {
      waiting.set(accepted, done);
      const takeTurn = () => {
        if (!accepted.destroyed) server.emit("connection", accepted);
      };
      onFirstRecord(accepted, () => waitForHandshake({ takeTurn }));
    },
    setTicketKeys: (keys) => void server.setTicketKeys(keys),
  };
}

/** Calls `then` when all of it is in the read buffer; with anything else at once, for the handshake to refuse. */
function onFirstRecord(accepted: Socket, then: () => void): void {
  let received: Buffer | null = null;
  const read = () => {
    const bytes = accepted.read() as Buffer | null;
    if (bytes === null) return;
    received = received === null ? bytes : Buffer.concat([received, bytes]);
    if (!isWhole(received)) return;
    accepted.off("readable", read).off("end", end).unshift(received);
    then();
  };
  const end = () => accepted.destroy();
  accepted.on("readable", read).on("end", end);
}

function isWhole(record: Buffer): boolean {
  if (record[0] !== HANDSHAKE_RECORD) return true;
  return (
    record.length >= RECORD_HEADER_BYTES && record.length >= RECORD_HEADER_BYTES + record.readUInt16BE(3)
  );
}
