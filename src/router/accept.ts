import { Socket } from "node:net";
import type { SocketRing } from "../ring/index.ts";
import { plainTransport, ringTransport } from "./client-transport.ts";
import type { RouterContext } from "./context.ts";
import { DescriptorOpening, openHttp1, Opening } from "./opening.ts";

/** Phase accept: a client has connected; everything else happens when it sends. */
export function accept(router: RouterContext, socket: Socket): void {
  if (router.isDraining) socket.destroy();
  else if (router.config.acceptsProxyHeader) router.openings.add(new Opening(router, socket, false));
  else openHttp1(router, plainTransport(router, socket));
}

/** The same on the TLS listener. */
export function acceptTls(router: RouterContext, socket: Socket): void {
  if (router.isDraining) socket.destroy();
  else router.openings.add(new Opening(router, socket, true));
}

/** The same of a connection that the ring has accepted. */
export function acceptDescriptor(router: RouterContext, ring: SocketRing, fd: number): void {
  if (router.isDraining) ring.closeDescriptor(fd);
  else if (router.config.acceptsProxyHeader) accept(router, socketOf(fd));
  else openHttp1(router, ringTransport(ring, fd));
}

export function acceptTlsDescriptor(router: RouterContext, ring: SocketRing, fd: number): void {
  const beginOn = router.config.acceptsProxyHeader ? undefined : router.tls?.beginOn;
  if (router.isDraining) ring.closeDescriptor(fd);
  else if (beginOn === undefined) acceptTls(router, socketOf(fd));
  else router.openings.add(new DescriptorOpening(router, { fd, ...ring.peerOf(fd) }, beginOn));
}

const socketOf = (fd: number): Socket => new Socket({ fd, allowHalfOpen: true });
