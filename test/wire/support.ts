/**
 * What wire scripts are written with: a router on a free port, raw peers on both sides that say exact bytes and say
 * what they received, and the access log as an array. Time stands still until a script moves it.
 */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import test, { type TestContext } from "node:test";
import { createManualClock, loadConfig, type Logger, type ManualClock } from "../../src/kernel/index.ts";
import {
  createHttpRouter,
  createRoutePrograms,
  type HttpRouter,
  type RouterConfig,
  routerConfigFrom,
  routerSection,
} from "../../src/router/index.ts";
import { createTable, type Endpoint, type Registration, type RouteOptions } from "../../src/table/index.ts";
import { endpoint } from "../../src/table/samples.ts";

/** A script that waits for bytes that never come fails after this, instead of hanging; a busy machine is no reason. */
const TIMEOUT_MS = 60_000;

export function script(name: string, run: (t: TestContext) => Promise<void>): void {
  void test(name, { timeout: TIMEOUT_MS }, run);
}

// === peers ===

/** One end of a TCP connection. Texts have one character per byte. */
export class Peer {
  readonly socket: Socket;
  #received = "";
  #isOver = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString("latin1");
      this.#wake();
    });
    const over = () => {
      this.#isOver = true;
      this.#wake();
    };
    socket.on("end", over).on("close", over).on("error", over);
  }

  send(text: string | Buffer): void {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }

  /** What came up to and with `mark`: no word of hex digits, which a request id holds now and then. */
  async until(mark: string): Promise<string> {
    for (;;) {
      const at = this.#received.indexOf(mark);
      if (at !== -1) return this.#take(at + mark.length);
      if (this.#isOver)
        throw new Error(`ended without ${JSON.stringify(mark)}: ${JSON.stringify(this.#received)}`);
      await this.#more();
    }
  }

  async bytes(count: number): Promise<string> {
    while (this.#received.length < count) {
      if (this.#isOver) throw new Error(`ended ${count - this.#received.length} bytes early`);
      await this.#more();
    }
    return this.#take(count);
  }

  /** Everything until the other side ended or cut the connection. */
  async rest(): Promise<string> {
    while (!this.#isOver) await this.#more();
    return this.#take(this.#received.length);
  }

  /** A whole answer or request with Content-Length (or none), as text. */
  async message(): Promise<string> {
    const head = await this.until("\r\n\r\n");
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    return head + (length === undefined ? "" : await this.bytes(Number(length)));
  }

  get waiting(): string {
    return this.#received;
  }

  /** Ends our side only. */
  end(): void {
    this.socket.end();
  }
  /** A reset. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #take(count: number): string {
    const taken = this.#received.slice(0, count);
    this.#received = this.#received.slice(count);
    return taken;
  }
}

export interface EndpointPeer {
  readonly port: number;
  /** Connections accepted so far. */
  readonly connections: Peer[];
  /** The next connection. */
  accept(): Promise<Peer>;
  /** Stops listening; connections stay. */
  close(): void;
}

/** A server that does nothing by itself. */
export async function startEndpoint(t: TestContext): Promise<EndpointPeer> {
  const connections: Peer[] = [];
  const waiting: Peer[] = [];
  let wake: () => void = () => {};
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const peer = new Peer(socket);
    connections.push(peer);
    waiting.push(peer);
    wake();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const { socket } of connections) socket.destroy();
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    async accept() {
      for (;;) {
        const peer = waiting.shift();
        if (peer !== undefined) return peer;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    close: () => void server.close(),
  };
}

/** A port that nobody listens on. */
export async function deadPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

// === the router ===

export interface RouteGiven {
  readonly uri: string;
  readonly ports: readonly number[];
  readonly options?: RouteOptions;
  readonly endpoint?: Partial<Endpoint>;
  readonly routeServiceUrl?: string;
}

export interface RouterUnderTest {
  readonly port: number;
  readonly router: HttpRouter;
  readonly clock: ManualClock;
  /** `{ level, message, …fields }` of the application log. */
  readonly log: readonly Record<string, unknown>[];
  map(route: RouteGiven): void;
  unmap(route: RouteGiven): void;
  /** A connected client; to another port than the plain listener's when one is given. */
  connect(port?: number): Promise<Peer>;
  /** Lines of the access log so far, with what changes from run to run replaced. */
  accessLog(): readonly string[];
  /** Resolves when the condition holds; looks after every turn of the event loop. */
  eventually(condition: () => boolean): Promise<void>;
}

export const APP = "11111111-2222-3333-4444-555555555555";

/** Lets the moment pass that a request waits for before its last attempt, once so many have been broken off. */
export async function passPause(router: RouterUnderTest, failed: number): Promise<void> {
  const lines = () => router.log.filter(({ message }) => message === "backend-endpoint-failed");
  await router.eventually(() => lines().length === failed);
  router.clock.advance(50);
}

export async function startRouter(
  t: TestContext,
  given: { readonly config?: Partial<RouterConfig>; readonly routes?: readonly RouteGiven[] } = {},
): Promise<RouterUnderTest> {
  const clock = createManualClock();
  const config: RouterConfig = {
    ...routerConfigFrom(loadConfig([routerSection], {}).get(routerSection)),
    host: "127.0.0.1",
    port: 0,
    usesIoUring: process.env.VIADUCT_TEST_IO_URING !== "off",
    ...given.config,
  };
  const log: Record<string, unknown>[] = [];
  const logger = recordingLogger(log);
  const lines: string[] = [];
  const programs = createRoutePrograms({ config, log: logger });
  const table = createTable(programs);
  const accessLog = { write: (text: string) => lines.push(...text.split("\n").slice(0, -1)) };
  const router = createHttpRouter({ config, table, log: logger, clock, accessLog });
  const clients: Peer[] = [];
  t.after(async () => {
    for (const { socket } of clients) socket.destroy();
    await router.stop();
  });
  await router.start();

  const registrations = (route: RouteGiven): Registration[] =>
    route.ports.map((port, index) => ({
      uri: route.uri,
      endpoint: endpointOf(port, index, route.endpoint),
      options: route.options ?? {},
      routeServiceUrl: route.routeServiceUrl ?? null,
      staleAfterMs: 0,
    }));
  const under: RouterUnderTest = {
    port: router.port,
    router,
    clock,
    log,
    map(route) {
      for (const registration of registrations(route)) table.register(registration, 0);
      if (route.ports.length === 0) {
        table.apply({ kind: "route-upsert", reservation: emptyReservation(route) });
      }
    },
    unmap(route) {
      for (const registration of registrations(route)) table.unregister(registration);
    },
    async connect(port = router.port) {
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
      const peer = new Peer(socket);
      clients.push(peer);
      await once(socket, "connect");
      return peer;
    },
    accessLog() {
      clock.advance(config.accessLogFlushMs);
      return lines.map(withoutVariables);
    },
    async eventually(condition) {
      while (!condition()) {
        t.signal.throwIfAborted();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
  for (const route of given.routes ?? []) under.map(route);
  return under;
}

export type TlsListener = NonNullable<RouterConfig["tls"]>;

/** A listener for clients on TLS on any port, the first of the certificates for names that none has, and nothing asked of clients. */
export const tlsListener = (
  certificates: TlsListener["certificates"],
  given: Partial<TlsListener> = {},
): TlsListener => ({
  port: 0,
  portSetting: "router.tls_port",
  certificates,
  cipherSuites: [],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  clientCertificates: "none",
  clientAuthorities: [],
  trustsSystemAuthorities: false,
  certificateRules: [],
  ...given,
});

/** Request ids, addresses and times differ from run to run; scripts compare the rest. */
export function withoutVariables(text: string): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/g, "<id>")
    .replaceAll(/127\.0\.0\.1:\d+/g, "<address>")
    .replaceAll(/(_time:)\d+\.\d{6}/g, "$1<s>");
}

/** The head the endpoint gets for `GET /` of shop.example.com, variables replaced. */
export function requestToEndpoint(
  startLine: string,
  own: readonly string[],
  added: readonly string[] = [],
): string {
  return `${[
    startLine,
    ...own,
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Proto: http",
    "X-Request-Start: 1767225600000",
    "X-Vcap-Request-Id: <id>",
    `X-CF-ApplicationID: ${APP}`,
    "X-CF-InstanceID: instance-0",
    "X-CF-InstanceIndex: 0",
    ...added,
  ].join("\r\n")}\r\n\r\n`;
}

export const OWN_RESPONSE_LINES = "X-Vcap-Request-Id: <id>\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

function endpointOf(port: number, index: number, given: Partial<Endpoint> = {}): Endpoint {
  return endpoint({
    instanceId: `instance-${index}`,
    instanceIndex: String(index),
    appGuid: APP,
    host: "127.0.0.1",
    port,
    appPort: 0,
    ...given,
  });
}

function emptyReservation(route: RouteGiven) {
  return {
    guid: `route-${route.uri}`,
    protocol: "http",
    route: route.uri,
    routerGroup: "",
    destinations: [],
    options: route.options ?? {},
    routeServiceUrl: route.routeServiceUrl ?? null,
    isolationSegment: "",
    tags: {},
  } as const;
}

function recordingLogger(log: Record<string, unknown>[]): Logger {
  const at = (level: string) => (fields: object, message: string) =>
    void log.push({ level, message, ...(fields as Record<string, unknown>) });
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => logger,
  };
  return logger;
}
