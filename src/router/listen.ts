/** Listening for clients: through the ring where there is one, else by Node's servers. */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { type AddressInfo, BoundSocket, createServer, type Socket } from "node:net";
import { getSystemErrorName } from "node:util";
import type { SocketRing } from "../ring/index.ts";

/** Connections that the system completes before we accept them. */
const BACKLOG = 4_096;
/** Every failure is tried again at the next tick, and is news only after so many without one: 10 s. */
const NEWS_AFTER_CHECKS = 100;

export interface ListenAddress {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Of a socket that somebody else has bound, instead of these. */
  readonly fd: number | null;
}

export interface ListenerOwner<Connection> {
  accepted(connection: Connection): void;
  /** Those who connect wait in the system's queue. */
  failed(error: Error): void;
}

export interface Listener {
  readonly port: number;
  /** Called at every tick. */
  check(): void;
  close(): void;
}

/** @throws Error with the `code` of the system */
export async function listenByNode(
  { host, port, fd }: ListenAddress,
  { accepted, failed }: ListenerOwner<Socket>,
): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, accepted);
  if (fd === null) server.listen({ host, port, backlog: BACKLOG });
  else server.listen({ fd }, BACKLOG);
  await once(server, "listening");
  server.on("error", failed);
  return {
    port: (server.address() as AddressInfo).port,
    check() {},
    close: () => void server.close(),
  };
}

/** The same, of connections that nobody has made a socket of Node's of. */
export async function listenThroughRing(
  ring: SocketRing,
  { host, port, fd }: ListenAddress,
  { accepted, failed }: ListenerOwner<number>,
): Promise<Listener> {
  const bound = fd === null ? new BoundSocket({ host: await addressOf(host), port }) : null;
  const listening = bound?.fd() ?? (fd as number);
  let quietChecks = NEWS_AFTER_CHECKS;
  try {
    const acceptor = ring.listen(listening, BACKLOG, {
      accepted,
      failed: (errno) => {
        if (quietChecks >= NEWS_AFTER_CHECKS) failed(acceptError(errno));
        quietChecks = 0;
      },
    });
    return {
      port: ring.nameOf(listening).port,
      check() {
        quietChecks++;
        acceptor.acceptAgain();
      },
      close() {
        acceptor.close();
        if (bound === null) ring.closeDescriptor(listening);
        else bound.close();
      },
    };
  } catch (error) {
    bound?.close();
    throw error;
  }
}

/** All of them for "", as with Node's servers. */
const addressOf = async (host: string): Promise<string> =>
  host === "" ? "::" : (await lookup(host)).address;

function acceptError(errno: number): Error {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`accept ${code}`), { code, errno: -errno, syscall: "accept" });
}
