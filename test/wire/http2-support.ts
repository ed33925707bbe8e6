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
import type { SecureClientSessionOptions } from "node:http2";
import type { RouterConfig } from "../../src/router/index.ts";
import { type Authority, createAuthority } from "../support/authority.ts";
import { type RouteGiven, type RouterUnderTest, startRouter } from "./support.ts";

export const HOST = "shop.example.com";

export interface Http2RouterUnderTest extends RouterUnderTest {
  readonly authority: Authority;
}

/** A router whose TLS listener has a certificate for {@link HOST}; null after the test was skipped. */
export async function startHttp2Router(
  t: TestContext,
  given: {
    readonly config?: Partial<RouterConfig>;
    readonly tls?: Partial<NonNullable<RouterConfig["tls"]>>;
    readonly routes?: readonly RouteGiven[];
  } = {},
): Promise<Http2RouterUnderTest | null> {
  const authority = createAuthority(t);
  if (authority === null) return null;
  const certificate = authority.issue({ subject: "/CN=shop", alternativeNames: `DNS:${HOST}` });
  const router = await startRouter(t, {
    config: {
      tls: {
        port: 0,
        portSetting: "router.tls_port",
        certificates: [certificate],
        cipherSuites: [],
        minVersion: "TLSv1.2",
        maxVersion: "TLSv1.3",
        clientCertificates: "none",
        clientAuthorities: [authority.certificate],
        trustsSystemAuthorities: false,
        certificateRules: [],
        ...given.tls,
      },
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
  router: RouterUnderTest,
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
