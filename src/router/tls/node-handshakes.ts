/** Handshakes, and the connections that come of them, by `node:tls`. */
import { constants, type X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import {
  createSecureContext,
  createServer,
  type SecureContextOptions,
  type TlsOptions,
  type TLSSocket,
} from "node:tls";
import { attach, type SocketCarrier } from "../carrier.ts";
import { OWN_MEMORY } from "../receive-buffer.ts";
import { createCertificateStore, clientAuthoritiesOf } from "./certificate-store.ts";
import { offeredCiphers } from "./cipher-suites.ts";
import type { KeyPair, TlsListenerConfig } from "./listener-config.ts";
import {
  createCertificateJudge,
  hasRules,
  type HandshakeListener,
  onFirstTurn,
  type OnRefused,
  SESSION_CONTEXT,
  type TlsHandshakes,
} from "./tls-handshakes.ts";

/** @param alpnProtocols  Offered to clients, best first. */
export function createNodeHandshakes(
  config: TlsListenerConfig,
  alpnProtocols: readonly string[],
  onRefused: OnRefused,
): TlsHandshakes {
  const asks = config.clientCertificates !== "none";
  const common = contextOptions(config);
  const store = createCertificateStore(config.certificates, (pair) =>
    createSecureContext({ ...common, ...credentials(pair) }),
  );
  const judge = createCertificateJudge(config);
  const chooseByName: NonNullable<TlsOptions["SNICallback"]> = (name, choose) =>
    choose(null, store.choose(name) ?? undefined);
  const waiting = new WeakMap<object, HandshakeListener>();

  // It never listens: connections are accepted elsewhere, because a PROXY header may come before the handshake.
  const server = createServer({
    ...common,
    ...(config.certificates[0] === undefined ? {} : credentials(config.certificates[0])),
    requestCert: asks,
    rejectUnauthorized: config.clientCertificates === "require",
    ALPNProtocols: [...alpnProtocols],
    // A second handshake could change who the client is, and costs us more than the client.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (hasRules(config) ? constants.SSL_OP_NO_TICKET : 0),
    ...(config.certificates.length === 1 ? {} : { SNICallback: chooseByName }),
  });

  server.on("secureConnection", (socket) => {
    const refuse = (reason: string) => {
      onRefused(reason, `${socket.remoteAddress}:${socket.remotePort}`);
      socket.destroy();
    };
    const certificate = (asks ? socket.getPeerX509Certificate() : undefined) ?? null;
    if (certificate !== null && !socket.authorized) {
      refuse(`client certificate: ${String(socket.authorizationError)}`);
      return;
    }
    const tls = judge(certificate, certificate === null ? [] : issuersOf(certificate));
    if ("refused" in tls) {
      refuse(tls.refused);
      return;
    }
    // The accepted connection underneath has no documented name; without it nobody would be told, and tests fail.
    const accepted = (socket as unknown as { readonly _parent: object })._parent;
    // The limit may have come between the handshake's end and here.
    if (socket.destroyed) return;
    waiting.get(accepted)?.secured({
      tls,
      protocol: socket.alpnProtocol || "",
      // Measured: the shared buffer of plain connections gains nothing here that could be told from noise, because
      // TLS hands out its records in memory of their own size; and it would lean on more that is not documented.
      open: (listener): SocketCarrier =>
        attach(socket, listener).on("data", (chunk: Buffer) =>
          listener.received(chunk, chunk.length, OWN_MEMORY),
        ),
    });
  });
  server.on("tlsClientError", (error, socket: TLSSocket) => {
    onRefused(error.message, `${socket.remoteAddress}:${socket.remotePort}`);
    socket.destroy();
  });
  return {
    begin(accepted: Socket, listener: HandshakeListener) {
      waiting.set(accepted, listener);
      accepted.on("close", () => listener.closed());
      onFirstTurn(accepted, () => server.emit("connection", accepted));
      return accepted;
    },
    setTicketKeys: (keys) => void server.setTicketKeys(keys),
  };
}

function contextOptions(config: TlsListenerConfig): SecureContextOptions {
  return {
    minVersion: config.minVersion,
    maxVersion: config.maxVersion,
    ciphers: offeredCiphers(config.cipherSuites, config.minVersion),
    ...(config.clientCertificates === "none" ? {} : { ca: [...clientAuthoritiesOf(config)] }),
    honorCipherOrder: true,
    sessionIdContext: SESSION_CONTEXT,
  };
}

const credentials = (pair: KeyPair) => ({ cert: pair.certificate, key: pair.key });

/** Those that the client sent, from its own upwards. */
function issuersOf(certificate: X509Certificate): X509Certificate[] {
  const issuers: X509Certificate[] = [];
  let next = certificate.issuerCertificate;
  while (
    next !== undefined &&
    !issuers.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)
  ) {
    issuers.push(next);
    next = next.issuerCertificate;
  }
  return issuers;
}
