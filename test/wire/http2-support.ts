/** What scripts about HTTP/2 share: a router with a TLS listener, and node:http2 as an independent peer on either side. */
import { once } from "node:events";
import {
  type ClientHttp2Session,
  connect,
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { SecureClientSessionOptions } from "node:http2";
import type { RouterConfig } from "../../src/router/index.ts";
import { type Authority, createAuthority } from "../support/authority.ts";
import {
  type RouteGiven,
  type RouterUnderTest,
  startRouter,
  type TlsListener,
  tlsListener,
} from "./support.ts";

export const HOST = "shop.example.com";

export interface Http2RouterUnderTest extends RouterUnderTest {
  readonly authority: Authority;
}

/** A router whose TLS listener has a certificate for {@link HOST}; null after the test was skipped. */
export async function startHttp2Router(
  t: TestContext,
  given: {
    readonly config?: Partial<RouterConfig>;
    readonly tls?: Partial<TlsListener>;
    readonly routes?: readonly RouteGiven[];
  } = {},
): Promise<Http2RouterUnderTest | null> {
  const authority = createAuthority(t);
  if (authority === null) return null;
  const certificate = authority.issue({ subject: "/CN=shop", alternativeNames: `DNS:${HOST}` });
  const router = await startRouter(t, {
    config: {
      tls: tlsListener([certificate], { clientAuthorities: [authority.certificate], ...given.tls }),
      endpointCaCertificates: [authority.certificate],
      ...given.config,
    },
    routes: given.routes ?? [],
  });
  return Object.assign(router, { authority });
}

/** A client's session; closed with the test. */
export function openSession(
  t: TestContext,
  router: { readonly router: { readonly tlsPort: number } },
  options: SecureClientSessionOptions = {},
): ClientHttp2Session {
  const session = connect(`https://127.0.0.1:${router.router.tlsPort}`, {
    servername: HOST,
    rejectUnauthorized: false,
    ...options,
  });
  session.on("error", () => {});
  t.after(() => session.destroy());
  return session;
}

export interface Answer {
  readonly headers: IncomingHttpHeaders & IncomingHttpStatusHeader;
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
  readonly informational: readonly number[];
}

/** One request, and its whole answer. Header names as node:http2 wants them. */
export async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders = {},
  body: string | Buffer | null = null,
): Promise<Answer> {
  const stream = session.request(
    { ":authority": HOST, ":path": "/", ...headers },
    { endStream: body === null },
  );
  if (body !== null) stream.end(body);
  const informational: number[] = [];
  let trailers: IncomingHttpHeaders = {};
  let head: Answer["headers"] = {};
  const chunks: Buffer[] = [];
  stream.on("headers", (given) => informational.push(Number(given[":status"])));
  stream.on("response", (given) => (head = given));
  stream.on("trailers", (given) => (trailers = given));
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(stream, "close");
  if (stream.rstCode !== 0)
    throw Object.assign(new Error(`reset with ${stream.rstCode}`), { code: stream.rstCode });
  return { headers: head, trailers, body: Buffer.concat(chunks).toString("latin1"), informational };
}

export interface Http2Endpoint {
  readonly port: number;
  readonly server: Http2Server;
  readonly sessions: ServerHttp2Session[];
}

/** An endpoint of node:http2: h2c with prior knowledge, or TLS with a certificate of the authority. */
export async function startHttp2Endpoint(
  t: TestContext,
  onStream: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
  tls: { readonly authority: Authority; readonly name: string } | null = null,
): Promise<Http2Endpoint> {
  const pair = tls?.authority.issue({ subject: "/CN=instance", alternativeNames: `DNS:${tls.name}` });
  const server =
    pair === undefined ? createServer() : createSecureServer({ cert: pair.certificate, key: pair.key });
  const sessions: ServerHttp2Session[] = [];
  server.on("session", (session) => {
    sessions.push(session);
    session.on("error", () => {});
  });
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => {});
    onStream(stream, headers);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, server, sessions };
}

// === frames written by hand, for what node:http2 would not send ===

export const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;
export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;

export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ""): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, bytes]);
}

/** Header fields without compression: literals that nobody remembers (RFC 7541 §6.2.2), each text below 127 bytes. */
export function fields(...pairs: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value, "latin1");
    if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
    const rest: number[] = [127];
    let left = bytes.length - 127;
    for (; left >= 128; left >>= 7) rest.push((left & 127) | 128);
    return Buffer.concat([Buffer.from([...rest, left]), bytes]);
  };
  return Buffer.concat(pairs.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

export const requestOf = (path: string, ...more: readonly (readonly [string, string])[]): Buffer =>
  fields([":method", "GET"], [":scheme", "https"], [":authority", HOST], [":path", path], ...more);

/** A client that says exact bytes and takes the answer apart into frames. */
export class RawClient {
  readonly socket: TLSSocket;
  readonly received: { type: number; flags: number; streamId: number; payload: Buffer }[] = [];
  isClosed = false;
  #held = Buffer.alloc(0);

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#held = Buffer.concat([this.#held, chunk]);
      while (this.#held.length >= 9) {
        const size = this.#held.readUIntBE(0, 3);
        if (this.#held.length < 9 + size) return;
        const [type, flags] = [this.#held[3] as number, this.#held[4] as number];
        const streamId = this.#held.readUInt32BE(5);
        const payload = this.#held.subarray(9, 9 + size);
        this.#held = this.#held.subarray(9 + size);
        this.received.push({ type, flags, streamId, payload });
      }
    });
    socket.on("error", () => {}).on("close", () => (this.isClosed = true));
    socket.on("end", () => (this.isClosed = true));
  }

  send(...bytes: readonly (Buffer | string)[]): void {
    this.socket.write(
      Buffer.concat(bytes.map((each) => (typeof each === "string" ? Buffer.from(each, "latin1") : each))),
    );
  }

  /** Frames of a type, of one stream when that is given. */
  of(type: number, streamId?: number) {
    return this.received.filter(
      (each) => each.type === type && (streamId === undefined || each.streamId === streamId),
    );
  }
}

/** @param given  what the client's SETTINGS hold; it has said nothing yet when this is null */
export async function openRaw(
  t: TestContext,
  router: { readonly router: { readonly tlsPort: number } },
  given: Buffer | null = Buffer.alloc(0),
): Promise<RawClient> {
  const socket = connectTls({
    port: router.router.tlsPort,
    host: "127.0.0.1",
    servername: HOST,
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  const client = new RawClient(socket);
  if (given !== null) client.send(PREFACE, frame(SETTINGS, 0, 0, given));
  return client;
}
