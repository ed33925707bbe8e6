/**
 * Clients that keep connections which have carried one request, and do no more. Listens once all are open, and holds them
 * until it is told to end.
 *
 *   node bench/support/idle-clients.ts PORT COUNT SOURCE_ADDRESS READY_PORT [tls]
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const [port, count, localAddress = "127.0.0.1", readyPort, tls] = process.argv.slice(2);
/** Opened at a time: fewer than the backlog holds. */
const BATCH = 250;
const REQUEST = "GET /small-get HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

const held: Socket[] = [];
while (held.length < Number(count)) {
  held.push(
    ...(await Promise.all(Array.from({ length: Math.min(BATCH, Number(count) - held.length) }, open))),
  );
}
// An answer that did not come from the origin is no request that was carried; a connection that ends is not idle.
for (const socket of held) socket.once("close", () => process.exit(1));
createServer().listen(Number(readyPort), "127.0.0.1");
process.once("SIGTERM", () => process.exit());

async function open(): Promise<Socket> {
  const at = { host: "127.0.0.1", port: Number(port), localAddress };
  const socket = tls === undefined ? connect(at) : connectTls({ ...at, rejectUnauthorized: false });
  socket.write(REQUEST);
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (!answer.toString("latin1").startsWith("HTTP/1.1 200")) throw new Error(answer.toString("latin1"));
  return socket;
}
