/**
 * A connection from a client before its first request, when something comes before that:
 *
 *   accepted ──► PROXY header, if it begins like one ──► TLS handshake ──► by negotiated protocol: a connection
 *       │                  │                                  │
 *       └── silent ────────┴── late, malformed ───────────────┴── late, refused ──► closed
 */
import type { Socket } from "node:net";
import { ViaductError } from "../kernel/index.ts";
import type { SocketAddress } from "../ring/index.ts";
import { type ProxySource, readProxyHeader } from "../wire/proxy-protocol/index.ts";
import { ClientConnection } from "./client-connection.ts";
import { type AcceptedDescriptor, type ClientTransport, peerOf, plainTransport } from "./client-transport.ts";
import type { RouterConfig } from "./config.ts";
import type { RouterContext } from "./context.ts";
import { ClientSession } from "./http2/client-session.ts";
import type { HandshakeListener, TlsClient, TlsHandshakes } from "./tls/tls-handshakes.ts";

/**
 * From the first byte of a PROXY header to its last. Load balancers send it in one piece; somebody who does not must
 * not hold a connection that no other limit applies to yet (CVE-2021-23409).
 */
const PROXY_HEADER_LIMIT_MS = 100;
/** From the end of the header, or from accepting, to the end of the handshake. */
const HANDSHAKE_LIMIT_MS = 10_000;
const TOO_LATE = "nothing complete came in time";

/** A client whose handshake has ended well; nothing has been read from it yet. */
export type SecureClient = TlsClient & Pick<ClientTransport, "address" | "port">;

/**
 * What is offered to clients on TLS, best first, and what serves each. A client that negotiates nothing speaks the
 * one that needs no negotiation.
 */
const PROTOCOLS: Readonly<Record<string, (router: RouterContext, client: SecureClient) => void>> = {
  h2: (router, client) => void router.clients.add(new ClientSession(router, client)),
  "http/1.1": (router, client) => openHttp1(router, { ...client, isHttp2: false }),
};
export const alpnProtocolsOf = ({ enablesHttp2 }: Pick<RouterConfig, "enablesHttp2">): readonly string[] =>
  Object.keys(PROTOCOLS).filter((protocol) => enablesHttp2 || protocol !== "h2");

/** Begins the life of a connection without anything before it. */
export function openHttp1(router: RouterContext, transport: ClientTransport): ClientConnection {
  const client = new ClientConnection(router, transport);
  router.clients.add(client);
  return client;
}

export class Opening implements HandshakeListener {
  readonly #router: RouterContext;
  readonly #accepted: Socket;
  readonly #usesTls: boolean;
  #handshake: { destroy(): unknown } | null = null;
  #source: SocketAddress;
  /** Of a PROXY header. */
  #received: Buffer | null = null;
  #state: "proxy" | "handshake" | "over" = "over";
  /** Since when it is in its state; for a header, since its first byte. Moments of the ticker. */
  #sinceMs: number;

  constructor(router: RouterContext, accepted: Socket, usesTls: boolean) {
    this.#router = router;
    this.#accepted = accepted;
    this.#usesTls = usesTls;
    this.#source = peerOf(accepted);
    this.#sinceMs = router.ticker.nowMs;
    accepted.on("error", ignore);
    if (router.config.acceptsProxyHeader) {
      this.#state = "proxy";
      accepted.on("data", this.#onProxyBytes).on("end", this.#onEnd).on("close", this.#onClose);
    } else this.#beginHandshake();
  }

  /** Called at every tick. */
  check(nowMs: number): void {
    const limitMs =
      this.#state === "handshake"
        ? HANDSHAKE_LIMIT_MS
        : this.#received !== null
          ? PROXY_HEADER_LIMIT_MS
          : this.#router.config.frontendIdleTimeoutMs;
    if (limitMs !== 0 && nowMs - this.#sinceMs >= limitMs) this.#refuse(TOO_LATE);
  }

  destroy(): void {
    (this.#handshake ?? this.#accepted).destroy();
  }

  closed(): void {
    this.#state = "over";
    this.#router.openings.delete(this);
  }

  readonly #onClose = () => this.closed();

  readonly #onEnd = () => this.destroy();

  // === PROXY header ===

  readonly #onProxyBytes = (chunk: Buffer) => {
    if (this.#received === null) this.#sinceMs = this.#router.ticker.nowMs;
    const bytes = this.#received === null ? chunk : Buffer.concat([this.#received, chunk]);
    try {
      const result = readProxyHeader(bytes);
      switch (result.kind) {
        case "more":
          this.#received = bytes;
          return;
        case "none":
          this.#proxyRead(null, bytes);
          return;
        case "header":
          this.#proxyRead(result.source, bytes.subarray(result.size));
      }
    } catch (error) {
      if (!(error instanceof ViaductError)) throw error;
      this.#refuse(error.message);
    }
  };

  /** @param rest  The connection's own first bytes */
  #proxyRead(source: ProxySource | null, rest: Buffer): void {
    this.#accepted
      .off("data", this.#onProxyBytes)
      .off("end", this.#onEnd)
      .off("close", this.#onClose)
      .pause();
    if (source !== null) this.#source = source;
    if (!this.#usesTls) {
      this.closed();
      openHttp1(this.#router, plainTransport(this.#router, this.#accepted, this.#source)).receiveEarly(rest);
      return;
    }
    // The handshake begins with what is in the read buffer.
    if (rest.length > 0) this.#accepted.unshift(rest);
    this.#beginHandshake();
  }

  // === TLS ===

  #beginHandshake(): void {
    this.#state = "handshake";
    this.#sinceMs = this.#router.ticker.nowMs;
    const { tls } = this.#router;
    if (tls === null) this.destroy();
    else this.#handshake = tls.begin(this.#accepted, this);
  }

  secured(client: TlsClient): void {
    this.closed();
    openSecure(this.#router, client, this.#source);
  }

  #refuse(reason: string): void {
    logRefusal(this.#router, peerOf(this.#accepted), reason);
    this.destroy();
  }
}

/** The same of a connection that the ring has accepted on the TLS listener, where no PROXY header comes before the handshake. */
export class DescriptorOpening implements HandshakeListener {
  readonly #router: RouterContext;
  readonly #accepted: AcceptedDescriptor;
  readonly #handshake: { destroy(): unknown };
  readonly #sinceMs: number;

  constructor(
    router: RouterContext,
    accepted: AcceptedDescriptor,
    begin: NonNullable<TlsHandshakes["beginOn"]>,
  ) {
    this.#router = router;
    this.#accepted = accepted;
    this.#sinceMs = router.ticker.nowMs;
    this.#handshake = begin(accepted, this);
  }

  check(nowMs: number): void {
    if (nowMs - this.#sinceMs < HANDSHAKE_LIMIT_MS) return;
    logRefusal(this.#router, this.#accepted, TOO_LATE);
    this.destroy();
  }

  destroy(): void {
    this.#handshake.destroy();
  }

  closed(): void {
    this.#router.openings.delete(this);
  }

  secured(client: TlsClient): void {
    this.closed();
    const { address, port } = this.#accepted;
    openSecure(this.#router, client, { address, port });
  }
}

function openSecure(router: RouterContext, client: TlsClient, source: SocketAddress): void {
  PROTOCOLS[client.protocol || "http/1.1"]?.(router, { ...client, ...source });
}

function logRefusal({ log }: RouterContext, { address, port }: SocketAddress, reason: string): void {
  log.info({ client: `${address}:${port}`, error: reason }, "client-connection-refused");
}

const ignore = () => {};
