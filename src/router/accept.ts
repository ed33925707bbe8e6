import type { Socket } from "node:net";
import { plainTransport } from "./client-transport.ts";
import type { RouterContext } from "./context.ts";
import { openHttp1, Opening } from "./opening.ts";

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
