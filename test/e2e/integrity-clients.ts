/** Clients of every kind for `integrity.test.ts`: each asks, sends, breaks off and looks at every byte that it gets. */
import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
} from "node:http2";
import { Agent as TlsAgent, request as requestTls } from "node:https";
import { connect, type Socket } from "node:net";
import type { Readable } from "node:stream";
import { connect as connectTls } from "node:tls";
import { type createDice, isPatternOf, pattern, patternPieces } from "./integrity-pattern.ts";

export interface Target {
  readonly port: number;
  readonly tlsPort: number;
  /** Routes; behind each another kind of endpoint. */
  readonly hosts: readonly string[];
  /** One with an endpoint that upgrades. */
  readonly upgradingHost: string;
}

export interface Tally {
  /** What should not be; empty when all is well. */
  readonly wrong: string[];
  whole: number;
  failedAsTold: number;
  brokenOff: number;
}

type Dice = ReturnType<typeof createDice>;
type Client = (target: Target, dice: Dice, tally: Tally, requests: number) => Promise<void>;

const SIZES = [0, 1, 300, 5_000, 16_384, 20_000, 70_000, 300_000] as const;
const WAYS = ["length", "length", "length", "chunks", "slowly", "close", "cut", "reset"] as const;
const FAILING: readonly string[] = ["cut", "reset"];

/** One of these a process: no two requests share a seed. */
let lastSeed = 0;

interface Plan {
  readonly seed: number;
  readonly host: string;
  readonly path: string;
  readonly bytes: number;
  readonly how: string;
  readonly sent: number;
  readonly isChunked: boolean;
  /** -1: never. Else when so much of the answer is there, 0: before any. */
  readonly breaksOffAt: number;
}

function plan(target: Target, dice: Dice): Plan {
  const pick = <T>(of: readonly T[]) => of[dice(of.length)] as T;
  const seed = ++lastSeed;
  const size = pick(SIZES);
  const bytes = size + (size > 0 ? dice(size) : 0);
  const how = pick(WAYS);
  return {
    seed,
    host: pick(target.hosts),
    path: `/${seed}/${bytes}/${how}`,
    bytes,
    how,
    sent: dice(2) === 0 ? 0 : pick(SIZES) + dice(100),
    isChunked: dice(2) === 0,
    breaksOffAt: dice(6) === 0 ? dice(bytes + 1) : -1,
  };
}

const describe = (of: Plan, what: string) => `${what}: ${JSON.stringify(of)}`;

/** What an answer must be. @param body  as far as it came. @param isOver  it ended as an answer should */
function judge(
  of: Plan,
  answer: { status: number; seed: string; isWhole: string },
  body: Buffer,
  isOver: boolean,
  tally: Tally,
) {
  const { status, seed, isWhole } = answer;
  const fails = FAILING.includes(of.how);
  const isBrokenOff = of.breaksOffAt !== -1 && !isOver;
  if (status === 502 && fails) tally.failedAsTold++;
  else if (status === 502 && isBrokenOff) tally.brokenOff++;
  else if (status !== 200)
    tally.wrong.push(describe(of, `status ${status}, «${body.toString("latin1", 0, 100)}»`));
  else if (seed !== String(of.seed)) tally.wrong.push(describe(of, `another's head, ${seed}`));
  else if (isWhole !== "true")
    tally.wrong.push(describe(of, "the request's body did not come as it was sent"));
  else if (!isPatternOf(of.seed, body))
    tally.wrong.push(describe(of, `another's bytes, or at another place, ${differenceOf(of, body)}`));
  else if (isOver && !fails && body.length === of.bytes) tally.whole++;
  else if (isOver) tally.wrong.push(describe(of, `called whole with ${body.length} bytes`));
  else if (fails) tally.failedAsTold++;
  else if (isBrokenOff) tally.brokenOff++;
  else tally.wrong.push(describe(of, `ended after ${body.length} bytes`));
}

function differenceOf({ seed }: Plan, body: Buffer): string {
  const due = pattern(seed, body.length);
  const at = body.findIndex((byte, i) => byte !== due[i]) & ~7;
  return `at ${at} of ${body.length}: ${body.subarray(at, at + 16).toString("hex")}`;
}

/** Reads an answer, and breaks off when it is time to. @returns whether it came to its own end */
async function readBody(of: Plan, body: Readable, breakOff: () => void, into: Buffer[]): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let bytes = 0;
  let hasEnded = false;
  let hasBrokenOff = false;
  body.on("data", (chunk: Buffer) => {
    into.push(chunk);
    bytes += chunk.length;
    if (of.breaksOffAt === -1 || bytes < of.breaksOffAt) return;
    hasBrokenOff = true;
    breakOff();
  });
  body.on("end", () => {
    hasEnded = !hasBrokenOff;
  });
  body.on("error", () => {});
  body.on("close", () => resolve(hasEnded));
  return promise;
}

async function send(
  of: Plan,
  into: { write(bytes: Buffer): boolean; end(): void; once: ClientRequest["once"]; destroyed: boolean },
) {
  for (const { bytes } of patternPieces(of.seed, of.sent)) {
    if (into.destroyed) return;
    if (!into.write(bytes)) {
      await new Promise<void>((resolve) => {
        into.once("drain", resolve);
        into.once("close", resolve);
      });
    }
  }
  into.end();
}

const http1: (isTls: boolean) => Client = (isTls) => async (target, dice, tally, requests) => {
  const options = { keepAlive: true, maxSockets: 1 };
  const newAgent = () =>
    isTls ? new TlsAgent({ ...options, rejectUnauthorized: false }) : new Agent(options);
  let agent = newAgent();
  for (let i = 0; i < requests && tally.wrong.length === 0; i++) {
    const of = plan(target, dice);
    // The agent with it, which may wait for ever for such a connection.
    const breakOff = () => {
      sent.destroy();
      agent.destroy();
      agent = newAgent();
    };
    const sent = (isTls ? requestTls : request)({
      host: "127.0.0.1",
      port: isTls ? target.tlsPort : target.port,
      servername: of.host,
      agent,
      method: of.sent === 0 ? "GET" : "POST",
      path: of.path,
      headers: {
        host: of.host,
        "x-sent": of.sent,
        ...(of.sent === 0 || of.isChunked ? {} : { "content-length": of.sent }),
      },
    });
    const { promise, resolve } = Promise.withResolvers<IncomingMessage | null>();
    sent.on("response", resolve);
    sent.on("error", () => resolve(null));
    sent.on("close", () => resolve(null));
    void send(of, sent);
    if (of.breaksOffAt === 0) setImmediate(breakOff);
    const response = await promise;
    if (response === null) {
      if (of.breaksOffAt === 0) tally.brokenOff++;
      else tally.wrong.push(describe(of, "no answer"));
      continue;
    }
    const body: Buffer[] = [];
    const isOver = await readBody(of, response, breakOff, body);
    // Answered before it was heard out: not every client goes on then, and this one does not.
    if (!sent.writableFinished) breakOff();
    const { "x-seed": seed, "x-whole": isWhole } = response.headers;
    judge(
      of,
      { status: response.statusCode ?? 0, seed: String(seed), isWhole: String(isWhole) },
      Buffer.concat(body),
      isOver,
      tally,
    );
  }
  agent.destroy();
};

/** Several requests at a time on one connection of HTTP/2. */
const http2: Client = async (target, dice, tally, requests) => {
  let session: ClientHttp2Session | null = null;
  const one = async () => {
    const of = plan(target, dice);
    if (session === null || session.closed || session.destroyed) {
      session = connectHttp2(`https://127.0.0.1:${target.tlsPort}`, {
        rejectUnauthorized: false,
        servername: of.host,
      });
      session.on("error", () => {});
    }
    const stream: ClientHttp2Stream = session.request({
      ":method": of.sent === 0 ? "GET" : "POST",
      ":path": of.path,
      ":authority": of.host,
      "x-sent": of.sent,
    });
    const breakOff = () => stream.close(constants.NGHTTP2_CANCEL);
    let answer = { status: 0, seed: "", isWhole: "" };
    stream.on("response", (headers) => {
      answer = {
        status: headers[":status"] ?? 0,
        seed: String(headers["x-seed"]),
        isWhole: String(headers["x-whole"]),
      };
    });
    void send(of, stream as unknown as Parameters<typeof send>[1]);
    if (of.breaksOffAt === 0) setImmediate(breakOff);
    const body: Buffer[] = [];
    const hasEnded = await readBody(of, stream, breakOff, body);
    const isOver = hasEnded && stream.rstCode === constants.NGHTTP2_NO_ERROR;
    if (answer.status === 0 && of.breaksOffAt === 0) tally.brokenOff++;
    else judge(of, answer, Buffer.concat(body), isOver, tally);
  };
  for (let i = 0; i < requests && tally.wrong.length === 0; ) {
    const streams = Math.min(1 + dice(8), requests - i);
    i += streams;
    await Promise.all(Array.from({ length: streams }, one));
    if (dice(20) === 0) (session as ClientHttp2Session | null)?.destroy();
  }
  (session as ClientHttp2Session | null)?.destroy();
};

/** Many requests at once on one connection, in pieces that cut them anywhere; sometimes gone before the last answer. */
const pipelining: (isTls: boolean) => Client = (isTls) => async (target, dice, tally, requests) => {
  for (let i = 0; i < requests && tally.wrong.length === 0; ) {
    const count = Math.min(1 + dice(30), requests - i);
    i += count;
    const plans = Array.from({ length: count }, () => plan(target, dice)).map((of) => ({
      ...of,
      path: `/${of.seed}/${of.bytes}/length`,
      how: "length",
      breaksOffAt: -1,
    }));
    const answersToRead = dice(3) === 0 ? dice(count + 1) : count;
    const socket = connectTo(target, isTls);
    const reader = new Reader(socket);
    const text = plans.map((of) => {
      const head = `${of.sent === 0 ? "GET" : "POST"} ${of.path} HTTP/1.1\r\nHost: ${of.host}\r\nX-Sent: ${of.sent}\r\n`;
      const length = of.sent === 0 ? "" : `Content-Length: ${of.sent}\r\n`;
      return Buffer.concat([Buffer.from(`${head}${length}\r\n`, "latin1"), pattern(of.seed, of.sent)]);
    });
    const all = Buffer.concat(text);
    for (let at = 0; at < all.length; ) {
      const end = Math.min(all.length, at + 1 + dice(60_000));
      socket.write(all.subarray(at, end));
      at = end;
    }
    for (const of of plans.slice(0, answersToRead)) {
      const head = await reader.head();
      if (head === "") {
        tally.wrong.push(describe(of, "no answer to a pipelined request"));
        break;
      }
      const field = (name: string) => new RegExp(`\r\n${name}: ([^\r]*)`, "i").exec(head)?.[1] ?? "";
      const body = await reader.bytes(Number(field("content-length")));
      judge(
        of,
        { status: Number(head.slice(9, 12)), seed: field("x-seed"), isWhole: field("x-whole") },
        body,
        true,
        tally,
      );
    }
    tally.brokenOff += count - answersToRead;
    socket.destroy();
  }
};

/** Bytes of a tunnel come back as they went. */
const tunnels: (isTls: boolean) => Client = (isTls) => async (target, dice, tally, requests) => {
  for (let i = 0; i < requests && tally.wrong.length === 0; i++) {
    const seed = ++lastSeed;
    const socket = connectTo(target, isTls);
    const reader = new Reader(socket);
    socket.write(
      `GET /${seed} HTTP/1.1\r\nHost: ${target.upgradingHost}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    );
    const head = await reader.head();
    if (!head.startsWith("HTTP/1.1 101 ")) {
      tally.wrong.push(`a tunnel: ${head}`);
      break;
    }
    const bytes = 1 + dice(200_000);
    for (const piece of patternPieces(seed, bytes)) socket.write(piece.bytes);
    const toRead = dice(3) === 0 ? dice(bytes) : bytes;
    const body = await reader.bytes(toRead);
    if (!isPatternOf(seed, body, toRead))
      tally.wrong.push(`a tunnel of ${bytes} brought others' bytes, ${seed}`);
    else if (toRead === bytes) tally.whole++;
    else tally.brokenOff++;
    socket.destroy();
  }
};

function connectTo(target: Target, isTls: boolean): Socket {
  const socket = isTls
    ? connectTls({ port: target.tlsPort, host: "127.0.0.1", rejectUnauthorized: false })
    : connect({ port: target.port, host: "127.0.0.1" });
  socket.on("error", () => {});
  return socket;
}

/** What a connection brings, by heads and by counts. */
class Reader {
  readonly #socket: Socket;
  #held: Buffer = Buffer.alloc(0);
  #isOver = false;
  #wake = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("readable", () => this.#wake());
    const over = () => {
      this.#isOver = true;
      this.#wake();
    };
    socket.on("end", over).on("close", over);
  }

  /** "" when the connection ends before it does. */
  async head(): Promise<string> {
    for (;;) {
      const end = this.#held.indexOf("\r\n\r\n");
      if (end !== -1) return this.#take(end + 4).toString("latin1");
      if (!(await this.#more())) return "";
    }
  }

  /** Fewer when the connection ends. */
  async bytes(count: number): Promise<Buffer> {
    while (this.#held.length < count) if (!(await this.#more())) break;
    return this.#take(count);
  }

  #take(count: number): Buffer {
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(taken.length);
    return taken;
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const chunk = this.#socket.read() as Buffer | null;
      if (chunk !== null) {
        this.#held = Buffer.concat([this.#held, chunk]);
        return true;
      }
      if (this.#isOver) return false;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export const CLIENTS: Readonly<Record<string, Client>> = {
  http1: http1(false),
  "http1 on TLS": http1(true),
  http2,
  pipelining: pipelining(false),
  "pipelining on TLS": pipelining(true),
  tunnels: tunnels(false),
  "tunnels on TLS": tunnels(true),
};
