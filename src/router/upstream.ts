/**
 * The way of one attempt to its endpoint, as phases see it: a connection of its own ({@link UpstreamConnection}), or a
 * stream of an HTTP/2 session that others share (`http2/endpoint-lane.ts`). Also: how either is dialed.
 */
import { connect, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import type { BodyReader, ResponseHead } from "../wire/http1/index.ts";
import type { Carrier } from "./carrier.ts";
import type { RouterContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { RoutedCandidate } from "./program.ts";
import { type OnBytes, type ReadMemory, SocketMemory } from "./receive-buffer.ts";

export interface Upstream {
  /** Speaks HTTP/1.1, whatever the endpoint does. */
  readonly socket: Carrier;
  readonly head: ResponseHead;
  readonly body: BodyReader;
  /** Of the present read. */
  readonly memory: ReadMemory;
  exchange: Exchange | null;
  /** It has served an exchange before the present one. */
  readonly wasReused: boolean;
  /** Anything of an answer to the present exchange has arrived. */
  readonly hasAnswered: boolean;
  /** May serve another exchange after this one, as far as we know. */
  isReusable: boolean;
  readonly isConnected: boolean;
  /** Durations of the parts of dialing; -1 when there was no such part, or not yet. */
  readonly dialTimeMs: number;
  readonly dnsTimeMs: number;
  readonly tlsTimeMs: number;
  /** `address:port`; "" when it is not known. */
  readonly localAddress: string;
  /** Ends it in whatever state; its exchange, if any, is told nothing. */
  close(): void;
  /** Its exchange is over and left it clean. */
  release(): void;
}

/**
 * Begins a connection to an endpoint or a route service.
 * @param alpnProtocols  All that is offered on TLS; without them the other end may choose as it likes.
 */
export function dial(
  router: RouterContext,
  { endpoint, service }: RoutedCandidate,
  receive: OnBytes,
  alpnProtocols: string[] | null,
): Socket {
  const memory = new SocketMemory(receive);
  const options = {
    host: endpoint.host,
    port: endpoint.port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: router.config.endpointKeepAliveProbeIntervalMs,
    allowHalfOpen: true,
    onread: memory.onread,
  };
  if (service !== null && router.routeServices !== null)
    return memory.of(router.routeServices.dial(service, options));
  if (!endpoint.tls) return memory.of(connect(options));
  const san = endpoint.serverCertDomainSan;
  return memory.of(
    tlsConnect({
      ...options,
      ...(san === "" ? {} : { servername: san }),
      ...(alpnProtocols === null ? {} : { ALPNProtocols: alpnProtocols }),
      secureContext: router.endpointTls(),
      rejectUnauthorized: router.config.verifyEndpointCertificates || san !== "",
    }),
  );
}

/** Our end of a connection, as logs say it; "" while there is none. */
export function localAddressOf({ localAddress, localPort }: Socket): string {
  return localAddress === undefined ? "" : `${localAddress}:${localPort}`;
}
