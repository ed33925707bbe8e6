/**
 * An app as a process of its own, for `integrity.test.ts`: says whether a request came as it was sent, and answers with
 * bytes that say whose they are. Reads a certificate (JSON), and prints its ports: HTTP/1.1, the same on TLS, HTTP/2.
 *
 *   /<seed>/<bytes>/<how>   how: length, chunks, close, slowly; cut: in the middle; reset: before any byte
 *   x-sent: <bytes>         how many of the same seed the request's body has
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { isPatternOf, pattern, patternPieces } from "./integrity-pattern.ts";

type Incoming = Pick<IncomingMessage, "url" | "headers" | "httpVersion"> & AsyncIterable<Buffer>;
type Outgoing = Pick<ServerResponse, "setHeader" | "write" | "end" | "destroy"> & {
  once(event: "drain" | "close", listener: () => void): unknown;
  readonly destroyed: boolean;
};

async function answer(request: Incoming, response: Outgoing): Promise<void> {
  const [, seed, size, how = ""] = (request.url ?? "").split("/");
  if (how === "reset") {
    response.destroy();
    return;
  }
  const sent: Buffer[] = [];
  for await (const chunk of request) sent.push(chunk);
  const isWhole = isPatternOf(Number(seed), Buffer.concat(sent), Number(request.headers["x-sent"] ?? 0));
  response.setHeader("x-seed", String(seed));
  response.setHeader("x-whole", String(isWhole));
  const bytes = Number(size);
  if (how === "length" || how === "cut") response.setHeader("content-length", bytes);
  if (how === "close" && request.httpVersion !== "2.0") response.setHeader("connection", "close");
  if (how === "length") {
    response.end(pattern(Number(seed), bytes));
    return;
  }
  const until = how === "cut" ? bytes / 2 : bytes;
  for (const piece of patternPieces(Number(seed), bytes)) {
    if (piece.end > until) break;
    if (response.destroyed) return;
    if (!response.write(piece.bytes)) {
      await new Promise<void>((resolve) => {
        response.once("drain", resolve);
        response.once("close", resolve);
      });
    }
    if (how === "slowly") await setImmediate();
  }
  if (how === "cut") response.destroy();
  else response.end();
}

const onRequest = (request: Incoming, response: Outgoing): void => {
  answer(request, response).catch(() => response.destroy());
};
// A tunnel: whatever comes goes back.
const onUpgrade = (_request: IncomingMessage, socket: Duplex): void => {
  socket.on("error", () => {});
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  socket.pipe(socket);
};
const certificate = JSON.parse(readFileSync(0, "utf8")) as { cert: string; key: string };
const options = { keepAliveTimeout: 120_000 };
const http1Servers = [
  createServer(options, onRequest),
  createTlsServer({ ...options, ...certificate }, onRequest),
];
for (const server of http1Servers) server.on("upgrade", onUpgrade);
const http2 = createHttp2Server((request, response) =>
  onRequest(request as unknown as Incoming, response as unknown as Outgoing),
);
const ports: number[] = [];
for (const server of [...http1Servers, http2]) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ports.push((server.address() as AddressInfo).port);
}
console.log(ports.join(" "));
