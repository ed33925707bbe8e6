/** An echo over WebSockets, for frames of less than 126 bytes: `node websocket-origin.ts PORT`. */
import { createHash } from "node:crypto";
import { createServer } from "node:net";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 §1.3

createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.once("data", (head: Buffer) => {
    const key = /sec-websocket-key: (\S+)/i.exec(head.toString("latin1"))?.[1] ?? "";
    const accept = createHash("sha1")
      .update(key + GUID)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("data", (frames: Buffer) => socket.write(echo(frames)));
  });
}).listen(Number(process.argv[2]), "127.0.0.1");

/** The client sends one frame and waits, so that a read holds whole frames. */
function echo(frames: Buffer): Buffer {
  const answers: Buffer[] = [];
  for (let at = 0; at < frames.length; ) {
    const length = (frames[at + 1] ?? 0) & 0x7f;
    const data = at + 6;
    const answer = Buffer.alloc(2 + length);
    answer[0] = frames[at] ?? 0;
    answer[1] = length;
    for (let i = 0; i < length; i++)
      answer[2 + i] = (frames[data + i] ?? 0) ^ (frames[at + 2 + (i & 3)] ?? 0);
    answers.push(answer);
    at = data + length;
  }
  return Buffer.concat(answers);
}
