// A web app for trying things out. Plain Node, version 18 or newer, no dependencies.
//
//   GET  /            says which instance of which app answered
//   GET  /headers     the request's headers as JSON
//   any  /echo        streams the request body back
//   GET  /slow?ms=500 answers after a while
//   GET  /crash       ends this instance with exit code 1
//   GET  /health      200 "ok"
//   GET  /ws          WebSocket that sends every text or binary message back

const { createHash } = require("node:crypto");
const { createServer } = require("node:http");

const index = process.env.CF_INSTANCE_INDEX ?? "0";
const port = Number(process.env.PORT ?? 3000);
const name = appName();

const pages = {
  "/": (request, response) => {
    response.setHeader("content-type", "text/plain; charset=utf-8");
    response.end(`hello from ${name}, instance ${index}\n`);
  },
  "/headers": (request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(`${JSON.stringify(request.headers, null, 2)}\n`);
  },
  "/echo": (request, response) => {
    response.setHeader("content-type", request.headers["content-type"] ?? "application/octet-stream");
    request.pipe(response);
  },
  "/slow": (request, response, query) => {
    const ms = Math.min(Math.max(Number(query.get("ms") ?? 1000) || 0, 0), 600_000);
    const timer = setTimeout(() => response.end(`waited ${ms} ms\n`), ms);
    response.on("close", () => clearTimeout(timer));
  },
  "/crash": (request, response) => {
    console.error("asked to crash");
    response.end("goodbye\n", () => process.exit(1));
  },
  "/health": (request, response) => response.end("ok\n"),
};

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const page = pages[pathname];
  response.setHeader("x-instance", index);
  if (page) return page(request, response, searchParams);
  response.statusCode = 404;
  response.end(`there is no ${pathname} here; try ${Object.keys(pages).join(", ")}, /ws\n`);
});

server.on("upgrade", (request, socket, head) => {
  const key = request.headers["sec-websocket-key"];
  if (!request.url.startsWith("/ws") || key === undefined) {
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    return;
  }
  // The fixed text is RFC 6455's: a server that can say it speaks WebSocket.
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.on("error", () => socket.destroy());
  echoFrames(socket, head);
});

server.listen(port, () => console.log(`${name}/${index} listens on port ${server.address().port}`));

// Kind to whoever is still being answered: no new connections, then out.
process.on("SIGTERM", () => {
  console.log("told to stop");
  server.close(() => process.exit(0));
  server.closeIdleConnections?.();
});

function appName() {
  try {
    return JSON.parse(process.env.VCAP_APPLICATION).application_name ?? "hello";
  } catch {
    return "hello";
  }
}

// Frames of a client are masked; ours are not (RFC 6455 §5.2). Fragments go back as they come.
function echoFrames(socket, head) {
  const CLOSE = 8;
  const PING = 9;
  const PONG = 10;
  let buffer = head;
  const read = () => {
    for (;;) {
      if (buffer.length < 2) return;
      let length = buffer[1] & 0x7f;
      let offset = 2;
      if (length === 126) {
        if (buffer.length < 4) return;
        length = buffer.readUInt16BE(2);
        offset = 4;
      } else if (length === 127) {
        if (buffer.length < 10) return;
        length = Number(buffer.readBigUInt64BE(2));
        offset = 10;
      }
      if (length > 16 * 1024 * 1024) return socket.destroy();
      if (buffer.length < offset + 4 + length) return;
      const mask = buffer.subarray(offset, offset + 4);
      const payload = Buffer.from(buffer.subarray(offset + 4, offset + 4 + length));
      for (let i = 0; i < length; i++) payload[i] ^= mask[i & 3];
      const opcode = buffer[0] & 0x0f;
      const isFinal = buffer[0] & 0x80;
      buffer = buffer.subarray(offset + 4 + length);
      if (opcode === CLOSE) return socket.end(frame(isFinal | CLOSE, payload));
      if (opcode !== PONG) socket.write(frame(isFinal | (opcode === PING ? PONG : opcode), payload));
    }
  };
  socket.on("data", (bytes) => {
    buffer = Buffer.concat([buffer, bytes]);
    read();
  });
  read();
}

function frame(firstByte, payload) {
  let head;
  if (payload.length < 126) head = Buffer.from([firstByte, payload.length]);
  else if (payload.length < 65_536) {
    head = Buffer.from([firstByte, 126, 0, 0]);
    head.writeUInt16BE(payload.length, 2);
  } else {
    head = Buffer.alloc(10);
    head[0] = firstByte;
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  }
  return Buffer.concat([head, payload]);
}
