/**
 * Connections that each send a frame and wait for its echo, over and over: `node websocket-load.ts PORT CONNECTIONS
 * SECONDS PATH`. Prints a `LoadResult` in JSON, an echo counting as a request.
 */
import { connect } from "node:net";
import { printResult } from "./print-result.ts";

const [port = 0, connections = 0, seconds = 0] = process.argv.slice(2, 5).map(Number);
const path = process.argv[5] ?? "";
const PAYLOAD_BYTES = 100;
const FRAME = Buffer.concat([
  Buffer.from([0x81, 0x80 | PAYLOAD_BYTES, 1, 2, 3, 4]), // final text frame, masked
  Buffer.alloc(PAYLOAD_BYTES, "x"),
]);
const ECHO_BYTES = 2 + PAYLOAD_BYTES;

const timesMs: number[] = [];
let failures = 0;
let isOver = false;

await Promise.all(Array.from({ length: connections }, open));
const startedAt = performance.now();
await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
isOver = true;
const tookS = (performance.now() - startedAt) / 1_000;
printResult(timesMs, failures, tookS);

function open(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let sentAt = 0;
    let missing = 0;
    const send = () => {
      sentAt = performance.now();
      missing = ECHO_BYTES;
      socket.write(FRAME);
    };
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      if (!isOver) failures++;
      resolve();
    });
    socket.once("data", (head) => {
      if (!head.toString("latin1").startsWith("HTTP/1.1 101 ")) {
        socket.destroy();
        return;
      }
      socket.on("data", (bytes) => {
        missing -= bytes.length;
        if (missing > 0 || isOver) return;
        timesMs.push(performance.now() - sentAt);
        send();
      });
      resolve();
      send();
    });
    socket.write(
      `GET /${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
  });
}
