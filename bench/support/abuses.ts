/**
 * Clients that mean harm: same-shaped entries, one per kind. Run as a program, one of them does so until it is ended,
 * and listens on a port of its own once it is in full swing:
 *
 *   node bench/support/abuses.ts NAME ROUTER_PORT READY_PORT
 *
 * What each does in a second is bounded: it shares the load generator's core, and no router answers others with the
 * processor's time that it was made to spend.
 */
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import {
  CLIENT_PREFACE,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  HEADERS,
  RST_STREAM,
} from "../../src/wire/http2/codes.ts";
import { block, frame, settings, uint32 } from "../../src/wire/http2/testing.ts";

export interface Abuse {
  readonly name: string;
  /** What it does, with its rate, as the report says it. */
  readonly does: string;
  /** It comes over TLS, and so does whoever is measured beside it. */
  readonly isTls: boolean;
  /** The origin must read bodies to their end. */
  readonly uploads: boolean;
  /** @returns when it is in full swing. */
  begin(port: number): Promise<void>;
}

/** A route of its own, so that what it does to the endpoint is not what it does to others. */
export const ABUSED_HOST = "abused.example.com";
const HOST = `Host: ${ABUSED_HOST}\r\n`;
/** A route that nobody has: answered without an endpoint, and so within the read that brought it. */
const UNKNOWN = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PIPELINE = UNKNOWN.repeat(Math.floor(60_000 / UNKNOWN.length));
const BOMB = `GET / HTTP/1.1\r\n${HOST}${`x-bomb: ${"x".repeat(90)}\r\n`.repeat(9_900)}\r\n`;
const LONG_LINE = `GET / HTTP/1.1\r\n${HOST}x-bomb: ${"x".repeat(990_000)}\r\n\r\n`;
const SMALL_CHUNKS = `POST /up HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(100_000)}0\r\n\r\n`;
const CANCEL = 8;
const RESETS_AT_ONCE = 50;
const CONTINUATIONS_AT_ONCE = 500;
const FIELDS = block(":method", "GET", ":scheme", "https", ":authority", ABUSED_HOST, ":path", "/small-get");
const UPLOAD_FIELDS = block(":method", "POST", ":scheme", "https", ":authority", ABUSED_HOST, ":path", "/up");
/** The same that nobody has, on HTTP/2. */
const UNKNOWN_FIELDS = block(":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/");
/** Between a request and the reset of its connection: long enough for the router to be in the middle of it. */
const ABORT_AFTER_MS = 5;
const PACE_MS = 10;
/** At a time, while the connections of an abuse are opened: fewer than the backlog holds. */
const BATCH = 200;

const plain = { isTls: false, uploads: false } as const;
const secure = { isTls: true, uploads: false } as const;

export const ABUSES: readonly Abuse[] = [
  { ...plain, name: "nothing", does: "nothing: how far figures waver by themselves", async begin() {} },
  {
    ...plain,
    name: "slow-heads",
    does: "2,000 connections with half a head, a byte a second each",
    begin: (port) => trickle(port, 2_000, `GET / HTTP/1.1\r\n${HOST}X-Slow: `),
  },
  {
    ...plain,
    name: "slow-bodies",
    uploads: true,
    does: "1,000 connections with half a body, a byte a second each",
    begin: (port) => trickle(port, 1_000, `POST /up HTTP/1.1\r\n${HOST}Content-Length: 1000000\r\n\r\n`),
  },
  {
    ...plain,
    name: "slow-reads",
    does: "200 connections that ask for 10 MB each and read once a second",
    async begin(port) {
      const sockets = await openMany(port, 200, (socket) => {
        socket.on("data", () => socket.pause()).write(`GET /1m HTTP/1.1\r\n${HOST}\r\n`.repeat(10));
      });
      pace(200, (n) => sockets[n % sockets.length]?.resume());
    },
  },
  {
    ...plain,
    name: "header-bombs",
    does: "20 heads a second of 1 MB in 9,900 lines",
    async begin(port) {
      pace(20, () => open(port).write(BOMB));
    },
  },
  {
    ...plain,
    name: "long-lines",
    does: "20 heads a second of 1 MB in one line",
    async begin(port) {
      pace(20, () => open(port).write(LONG_LINE));
    },
  },
  {
    ...plain,
    name: "small-chunks",
    uploads: true,
    does: "20 bodies a second of 100,000 chunks of a byte",
    async begin(port) {
      pace(20, () => {
        const socket = open(port).once("data", () => socket.destroy());
        socket.write(SMALL_CHUNKS);
      });
    },
  },
  {
    ...plain,
    name: "aborts",
    does: "500 requests a second, broken off in the middle of an answer of 1 MB",
    async begin(port) {
      pace(500, () => {
        const socket = open(port);
        socket.write(`GET /1m HTTP/1.1\r\n${HOST}\r\n`);
        setTimeout(() => socket.resetAndDestroy(), ABORT_AFTER_MS);
      });
    },
  },
  {
    ...plain,
    name: "pipelining",
    does: `10 reads of ${(PIPELINE.length / UNKNOWN.length).toFixed(0)} requests at once a second`,
    async begin(port) {
      const sockets = await openMany(port, 20, (socket) => socket.resume());
      pace(10, (n) => sockets[n % sockets.length]?.write(PIPELINE));
    },
  },
  {
    ...secure,
    name: "tls-handshakes",
    does: "100 handshakes a second, each a new session",
    async begin(port) {
      pace(100, () => {
        const socket = openTls(port, "http/1.1").once("secureConnect", () => socket.destroy());
      });
    },
  },
  {
    ...secure,
    name: "tls-storms",
    does: "50 first records of a handshake at the same moment, twice a second",
    async begin(port) {
      const hello = await firstRecord();
      pace(2, async () => {
        const sockets = await openMany(port, 50, () => {});
        for (const socket of sockets) socket.once("data", () => socket.destroy()).write(hello);
      });
    },
  },
  {
    ...secure,
    name: "http2-pipelining",
    does: "10 writes of 2,000 requests of HTTP/2 at once a second",
    async begin(port) {
      const session = new Http2Abuser(port);
      pace(10, () =>
        session.write((next) =>
          Array.from({ length: 2_000 }, () =>
            frame(HEADERS, END_HEADERS | END_STREAM, next(), UNKNOWN_FIELDS),
          ),
        ),
      );
    },
  },
  {
    ...secure,
    name: "small-frames",
    uploads: true,
    does: "20 bodies of HTTP/2 a second in 5,000 frames of a byte",
    async begin(port) {
      const session = new Http2Abuser(port);
      pace(20, () =>
        session.write((next) => {
          const stream = next();
          const piece = frame(DATA, 0, stream, "x");
          return [
            frame(HEADERS, END_HEADERS, stream, UPLOAD_FIELDS),
            Array.from({ length: 5_000 }, () => piece),
            frame(DATA, END_STREAM, stream),
          ];
        }),
      );
    },
  },
  {
    ...secure,
    name: "rapid-reset",
    does: "2,000 streams of HTTP/2 a second, each reset at once",
    async begin(port) {
      const session = new Http2Abuser(port);
      pace(2_000 / RESETS_AT_ONCE, () =>
        session.write((next) =>
          Array.from({ length: RESETS_AT_ONCE }, () => {
            const stream = next();
            return [
              frame(HEADERS, END_HEADERS | END_STREAM, stream, FIELDS),
              frame(RST_STREAM, 0, stream, uint32(CANCEL)),
            ];
          }),
        ),
      );
    },
  },
  {
    ...secure,
    name: "continuations",
    does: "20,000 CONTINUATION frames of a byte a second",
    async begin(port) {
      const session = new Http2Abuser(port);
      pace(20_000 / CONTINUATIONS_AT_ONCE, () =>
        session.write((next) => {
          const stream = next();
          const rest = frame(CONTINUATION, 0, stream, [0x82]);
          return [
            frame(HEADERS, 0, stream, FIELDS),
            Array.from({ length: CONTINUATIONS_AT_ONCE }, () => rest),
          ];
        }),
      );
    },
  },
];

/** Sessions one after the other: one that the router has ended is followed by the next. */
class Http2Abuser {
  readonly #port: number;
  #socket: Socket | null = null;
  #stream = 1;

  constructor(port: number) {
    this.#port = port;
  }

  /** @param frames  is given who numbers its streams */
  write(frames: (next: () => number) => readonly (Buffer | readonly Buffer[])[]): void {
    if (this.#socket === null || this.#socket.destroyed) this.#socket = this.#open();
    const next = () => {
      const stream = this.#stream;
      this.#stream += 2;
      return stream;
    };
    this.#socket.write(Buffer.concat(frames(next).flat()));
  }

  #open(): Socket {
    this.#stream = 1;
    const socket = openTls(this.#port, "h2");
    socket.on("end", () => socket.destroy());
    socket.write(CLIENT_PREFACE, "latin1");
    socket.write(settings());
    return socket;
  }
}

/** Connections that have begun something and go on with a byte a second each. */
async function trickle(port: number, count: number, beginning: string): Promise<void> {
  const begin = (socket: Socket) => socket.write(beginning);
  const sockets = await openMany(port, count, begin);
  pace(count, (n) => {
    const at = n % count;
    const socket = sockets[at];
    if (socket !== undefined && !socket.destroyed) socket.write("x");
    else {
      const again = open(port);
      begin(again);
      sockets[at] = again;
    }
  });
}

async function openMany(port: number, count: number, begin: (socket: Socket) => void): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(BATCH, count - sockets.length) }, () => open(port));
    await Promise.all(batch.map((socket) => once(socket, "connect")));
    for (const socket of batch) begin(socket);
    sockets.push(...batch);
  }
  return sockets;
}

/** What the router does about it, and when, is its own business. */
const ignore = () => {};

function open(port: number): Socket {
  return connect({ port, host: "127.0.0.1", noDelay: true }).on("error", ignore).resume();
}

function openTls(port: number, protocol: string): Socket {
  return connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: [protocol] })
    .on("error", ignore)
    .resume();
}

/** What a client of TLS says first. */
async function firstRecord(): Promise<Buffer> {
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  const socket = new Duplex({ read() {}, write: (chunk: Buffer, _encoding, _done) => resolve(chunk) });
  connectTls({ socket, ALPNProtocols: ["http/1.1"] }).on("error", ignore);
  return promise;
}

/** So often a second, evenly; what was missed for want of a processor stays undone. */
function pace(perSecond: number, act: (n: number) => unknown): void {
  let n = 0;
  let due = 0;
  let lastMs = performance.now();
  setInterval(() => {
    const nowMs = performance.now();
    due += (Math.min(nowMs - lastMs, 5 * PACE_MS) / 1_000) * perSecond;
    lastMs = nowMs;
    for (; due >= 1; due--) act(n++);
  }, PACE_MS);
}

if (import.meta.main) {
  const [name, port, readyPort] = process.argv.slice(2);
  const abuse = ABUSES.find((one) => one.name === name);
  if (abuse === undefined) throw new Error(`there is no abuse «${name}»`);
  await abuse.begin(Number(port));
  createServer((socket) => socket.on("error", ignore).destroy()).listen(Number(readyPort), "127.0.0.1");
}
