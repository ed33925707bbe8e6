/** Handshakes, and the connections that come of them, by OpenSSL itself, through the ring. */
import type { Socket } from "node:net";
import { type HandshakeChoices, type OpenSsl, ServerContext, ServerSession } from "../../openssl/index.ts";
import type { SocketRing } from "../../ring/index.ts";
import { openTlsCarrier, openTlsCarrierOn, type TlsCarrier, type TlsCarrierOwner } from "../tls-carrier.ts";
import { splitPem } from "./authorities.ts";
import { clientAuthoritiesOf, createCertificateStore } from "./certificate-store.ts";
import { offeredCiphers, splitCiphers } from "./cipher-suites.ts";
import type { KeyPair, TlsListenerConfig } from "./listener-config.ts";
import {
  createCertificateJudge,
  type HandshakeListener,
  hasRules,
  onFirstTurn,
  type OnRefused,
  SESSION_CONTEXT,
  type TlsHandshakes,
} from "./tls-handshakes.ts";

/**
 * @param alpnProtocols  Offered to clients, best first.
 * @throws Error when OpenSSL will not have the configuration
 */
export function createOpenSslHandshakes(
  { openssl, ring }: { readonly openssl: OpenSsl; readonly ring: SocketRing },
  config: TlsListenerConfig,
  alpnProtocols: readonly string[],
  onRefused: OnRefused,
): TlsHandshakes {
  const { before13, of13 } = splitCiphers(offeredCiphers(config.cipherSuites, config.minVersion));
  const common = {
    // Nobody can speak an older version without a suite for it.
    minVersion: before13 === "" && config.maxVersion === "TLSv1.3" ? "TLSv1.3" : config.minVersion,
    maxVersion: config.maxVersion,
    suitesBefore13: before13,
    suites13: of13,
    clientCertificates: config.clientCertificates,
    clientAuthorities: config.clientCertificates === "none" ? [] : clientAuthoritiesOf(config),
    name: SESSION_CONTEXT,
    givesTickets: !hasRules(config),
  } as const;
  const createContext = (pair: KeyPair) =>
    new ServerContext(openssl, { ...common, chain: splitPem([pair.certificate]), key: pair.key });

  const [first] = config.certificates;
  if (first === undefined) throw new Error("a TLS listener needs a certificate");
  const context = createContext(first);
  const store = createCertificateStore(config.certificates, createContext);
  const judge = createCertificateJudge(config);
  const asksClients = config.clientCertificates !== "none";
  const choices: HandshakeChoices = {
    chooseContext: (name) => store.choose(name),
    chooseProtocol: (offered) => alpnProtocols.find((protocol) => offered.includes(protocol)) ?? null,
  };

  const createSession = () => new ServerSession(openssl, context, choices);
  const ownerFor = (listener: HandshakeListener): TlsCarrierOwner => ({
    judge,
    asksClients,
    onRefused,
    secured: (client) => listener.secured(client),
    closed: () => listener.closed(),
  });
  return {
    begin(accepted: Socket, listener) {
      let carrier: TlsCarrier | null = null;
      // Until it is taken over.
      accepted.on("close", () => listener.closed());
      onFirstTurn(accepted, () => {
        carrier = openTlsCarrier(ring, accepted, createSession(), ownerFor(listener));
      });
      return { destroy: () => (carrier ?? accepted).destroy() };
    },
    beginOn: (accepted, listener) => openTlsCarrierOn(ring, accepted, createSession, ownerFor(listener)),
    setTicketKeys: (keys) => context.setTicketKeys(keys),
  };
}
