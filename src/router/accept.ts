import type { Socket } from "node:net";
import { ClientConnection } from "./client-connection.ts";
import type { RouterContext } from "./context.ts";

/** Phase accept: a client has connected; everything else happens when it sends. */
export function accept(router: RouterContext, socket: Socket): void {
  if (router.isDraining) socket.destroy();
  else router.clients.add(new ClientConnection(router, socket));
}
