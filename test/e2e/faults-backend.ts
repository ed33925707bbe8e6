/**
 * A backend in a process of its own, so that it can be killed: `node faults-backend.ts NAME PORT BEHAVIOUR BACKLOG`. Prints
 * its port. Whatever it does wrong it does to every request; they come one at a time on each connection.
 */
import { createServer, type Socket } from "node:net";

const [name = "", port = "0", behaviour = "serves", backlog = "511"] = process.argv.slice(2);

const behaviours: Readonly<Record<string, (socket: Socket, request: string) => void>> = {
  // After a moment, so that some exchanges are always in flight.
  serves(socket, request) {
    const instance = /^X-CF-InstanceID: (.*)\r$/im.exec(request)?.[1] ?? "";
    const body = `${name} ${instance}`;
    setTimeout(() => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`), 2);
  },
  hangs() {},
  "resets in the head"(socket) {
    socket.write("HTTP/1.1 200 OK\r\nContent-Le", () => socket.resetAndDestroy());
  },
  "resets after the head"(socket) {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab");
    // The router has read them when the next request of the test comes.
    process.once("SIGUSR2", () => socket.resetAndDestroy());
  },
};

const answer = behaviours[behaviour];
if (answer === undefined) throw new Error(`no behaviour «${behaviour}»`);
const server = createServer((socket) => {
  let request = "";
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    request += chunk.toString("latin1");
    const end = request.indexOf("\r\n\r\n");
    if (end === -1) return;
    const head = request.slice(0, end + 2);
    request = request.slice(end + 4);
    answer(socket, head);
  });
});
server.listen({ port: Number(port), host: "127.0.0.1", backlog: Number(backlog) }, () => {
  const address = server.address();
  if (address !== null && typeof address === "object") console.log(address.port);
});
