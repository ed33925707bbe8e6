import type { Socket } from "node:net";
import type { Carrier, CarrierListener } from "./carrier.ts";
import type { RouterContext } from "./context.ts";
import type { SocketAddress, SocketRing } from "../ring/index.ts";
import { carryAccepted, RingCarrier } from "./ring-carrier.ts";
import type { ClientTls } from "./tls/tls-handshakes.ts";

/** A client's connection when everything that comes before HTTP has come. */
export interface ClientTransport {
  /** The client's own, as far as it is known: a PROXY header may have named it. */
  readonly address: string;
  readonly port: number;
  /** Null without TLS. */
  readonly tls: ClientTls | null;
  /** It is a stream of an HTTP/2 session, told to us as HTTP/1.1. */
  readonly isHttp2: boolean;
  /** Begins to read; what it returns is written to. Called once. */
  open(listener: CarrierListener): Carrier;
}

/** A connection without TLS. @param source  who it belongs to, when that is not its other end */
export function plainTransport(
  { ring }: RouterContext,
  accepted: Socket,
  source = peerOf(accepted),
): ClientTransport {
  return {
    ...source,
    tls: null,
    isHttp2: false,
    open: (listener) => carryAccepted(ring, accepted, listener),
  };
}

/** A connection that the ring has accepted, and nobody has read from. */
export interface AcceptedDescriptor extends SocketAddress {
  readonly fd: number;
}

/** The same of one that the ring has accepted. */
export function ringTransport(ring: SocketRing, fd: number): ClientTransport {
  return {
    ...ring.peerOf(fd),
    tls: null,
    isHttp2: false,
    open: (listener) => new RingCarrier(ring, fd, listener),
  };
}

/** The other end; an IPv4 address never in its IPv6 form. */
export function peerOf({ remoteAddress = "", remotePort = 0 }: Socket): SocketAddress {
  const address = remoteAddress.startsWith("::ffff:") ? remoteAddress.slice(7) : remoteAddress;
  return { address, port: remotePort };
}
