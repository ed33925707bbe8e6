/** The HTTP router as a part: opens the port, ticks, drains, stops. */
import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import { accessLogUnwritable } from "../kernel/errors/router.ts";
import {
  type Clock,
  type LineSink,
  listenError,
  type Logger,
  type Part,
  systemReason,
} from "../kernel/index.ts";
import { openOpenSsl } from "../openssl/index.ts";
import { openSocketRing, type SocketRing } from "../ring/index.ts";
import type { Table } from "../table/index.ts";
import { accept, acceptDescriptor, acceptTls, acceptTlsDescriptor } from "./accept.ts";
import { createFormatter } from "./access-log-format.ts";
import type { AccessLogStream } from "./access-log-stream.ts";
import { createSyslogStream } from "./access-log-syslog.ts";
import { AccessLogWriter, fileBatchSink, lineBatchSink, rotatingBatchSink } from "./access-log-writer.ts";
import { createLoggregatorStream } from "./loggregator-stream.ts";
import type { RouterConfig } from "./config.ts";
import type { RouterContext } from "./context.ts";
import { createCounters, type RouterCounters } from "./counters.ts";
import type { ExchangeObserver } from "./ended-exchange.ts";
import { ExchangeMetrics } from "./exchange-metrics.ts";
import { explain, type Explanation, type Question } from "./explain.ts";
import type { Health } from "./health.ts";
import type { RouteProgram } from "./program.ts";
import { createRouteServices } from "./route-services/route-services.ts";
import { type Listener, listenByNode, listenThroughRing } from "./listen.ts";
import { alpnProtocolsOf } from "./opening.ts";
import { Ticker } from "./ticker.ts";
import { createTracing } from "./tracing.ts";
import { endpointContext } from "./tls/endpoint-context.ts";
import type { TlsListenerConfig } from "./tls/listener-config.ts";
import { createNodeHandshakes } from "./tls/node-handshakes.ts";
import { createOpenSslHandshakes } from "./tls/openssl-handshakes.ts";
import type { OnRefused, TlsHandshakes } from "./tls/tls-handshakes.ts";
import { type VerdictEntry, VerdictRing } from "./verdict-ring.ts";

const VERDICTS_KEPT = 1_024;

export interface HttpRouterParts {
  readonly config: RouterConfig;
  /** Made with the `attach` and `detach` of {@link createRoutePrograms}. */
  readonly table: Table<RouteProgram>;
  readonly log: Logger;
  readonly clock: Clock;
  /** Gets batches of access-log lines; null leaves it to `config.accessLogFile`. */
  readonly accessLog: LineSink | null;
  /** Others who count exchanges. */
  readonly observers?: readonly ExchangeObserver[];
  /** Sockets that somebody else has bound, instead of `config`'s host and ports. */
  readonly boundSockets?: BoundSockets;
  /** Of {@link HttpRouter.setTicketKeys}; random ones when left out. */
  readonly ticketKeys?: Buffer;
  /** What load balancers are told that ask under `config.healthcheckUserAgent`. */
  readonly health?: Pick<Health, "state">;
}

/** File descriptors. */
export interface BoundSockets {
  /** Null without a plain listener. */
  readonly plain: number | null;
  /** Null without a TLS listener. */
  readonly tls: number | null;
}

export interface HttpRouter extends Part {
  /** The port that is listened on; 0 before the start. */
  readonly port: number;
  /** That of the TLS listener; 0 before the start, and without one. */
  readonly tlsPort: number;
  /**
   * Other certificates, suites, versions and client authorities for handshakes from now on; connections stay.
   * @throws what `node:tls` says of them; nothing has changed then
   */
  reloadTls(config: TlsListenerConfig, ticketKeys?: Buffer): void;
  /**
   * What the tickets are sealed with that TLS sessions are resumed by, 48 random bytes: routers that share them resume
   * each other's sessions. Those sealed before are resumed no more.
   */
  setTicketKeys(keys: Buffer): void;
  /** Begins the access log's file anew, after somebody has moved it away. */
  reopenAccessLog(): void;
  readonly counters: Readonly<RouterCounters>;
  readonly metrics: ExchangeMetrics;
  /** The last exchanges, newest first. */
  lastVerdicts(): VerdictEntry[];
  /** By request id; null when it is not kept (any more). */
  findVerdict(requestId: string): VerdictEntry | null;
  /** What would become of a request that came now. */
  explain(question: Question): Promise<Explanation>;
  /** Answers end their connections from now on, so that clients come back elsewhere; idle connections stay. */
  leave(): void;
  /** Takes no further connections. */
  stopListening(): void;
  /** Resolves when no client is connected any more, at the latest after `deadlineMs`. */
  whenQuiet(deadlineMs: number): Promise<void>;
  drain(deadlineMs: number): Promise<void>;
}

/** A router over a table that others fill. */
export function createHttpRouter(parts: HttpRouterParts): HttpRouter {
  return new RouterPart(parts);
}

class RouterPart implements HttpRouter {
  readonly name = "router";
  readonly counters = createCounters();
  readonly metrics: ExchangeMetrics;
  readonly #parts: HttpRouterParts;
  readonly #router: RouterContext;
  #listener: Listener | null = null;
  #tlsListener: Listener | null = null;
  readonly #ring: SocketRing | null;
  #port = 0;
  #tlsPort = 0;
  #lastFlushMs = 0;
  /** "" when there is one, or none is wanted. */
  #whyNoRing = "";
  /** The same of OpenSSL for clients on TLS. */
  #whyNoDirectTls = "";
  /** Called when the last client has gone. */
  #onQuiet: (() => void) | null = null;

  constructor(parts: HttpRouterParts) {
    this.#parts = parts;
    this.metrics = new ExchangeMetrics(parts.config);
    this.#ring = this.#openRing();
    let endpointTls: SecureContext | undefined;
    // Without getters: a literal that has one becomes a hash table, and each request looks into it forty times.
    this.#router = {
      config: parts.config,
      table: parts.table,
      log: parts.log,
      clock: parts.clock,
      ticker: new Ticker(parts.clock),
      counters: this.counters,
      metrics: this.metrics,
      ring: this.#ring,
      observe: together(parts.observers ?? []),
      accessLog: null,
      formatAccessLog: createFormatter(parts.config),
      logStreams: null,
      verdicts: new VerdictRing(VERDICTS_KEPT),
      tracing: createTracing(parts.config),
      endpointTls: () => (endpointTls ??= endpointContext(parts.config)),
      routeServices: createRouteServices(parts.config),
      tls: parts.config.tls === null ? null : this.#createHandshakes(parts.config.tls, parts.ticketKeys),
      openings: new Set(),
      clients: new Set(),
      upstreams: new Set(),
      isLeaving: false,
      isDraining: false,
      health: parts.health ?? null,
    };
  }

  get port(): number {
    return this.#port;
  }

  get tlsPort(): number {
    return this.#tlsPort;
  }

  reloadTls(config: TlsListenerConfig, ticketKeys?: Buffer): void {
    this.#router.tls = this.#createHandshakes(config, ticketKeys);
  }

  setTicketKeys(keys: Buffer): void {
    this.#router.tls?.setTicketKeys(keys);
  }

  reopenAccessLog(): void {
    this.#router.accessLog?.reopen();
  }

  lastVerdicts(): VerdictEntry[] {
    return this.#router.verdicts.list();
  }

  findVerdict(requestId: string): VerdictEntry | null {
    return this.#router.verdicts.find(requestId);
  }

  explain(question: Question): Promise<Explanation> {
    return explain(this.#router, question);
  }

  async start(): Promise<void> {
    const { config } = this.#parts;
    this.#router.accessLog = this.#openAccessLog();
    this.#router.logStreams = this.#openLogStreams();
    const { listensPlain, tls } = config;
    const bound = this.#parts.boundSockets;
    if (listensPlain) {
      this.#listener = await this.#listen(config, bound?.plain, accept, acceptDescriptor);
      this.#port = this.#listener.port;
    }
    if (tls !== null) {
      const at = { ...tls, host: config.host };
      this.#tlsListener = await this.#listen(at, bound?.tls, acceptTls, acceptTlsDescriptor);
      this.#tlsPort = this.#tlsListener.port;
    }
    this.#router.ticker.start(() => this.#tick());
    const { log } = this.#router;
    if (this.#whyNoRing !== "") log.info({ reason: this.#whyNoRing }, "io-uring-not-used");
    if (this.#whyNoDirectTls !== "") log.info({ reason: this.#whyNoDirectTls }, "direct-tls-not-used");
    if (listensPlain) log.info({ host: config.host, port: this.#port }, "tcp-listener-started");
    else log.info({}, "tcp-listener-disabled");
    if (tls !== null) log.info({ host: config.host, port: this.#tlsPort }, "tls-listener-started");
    else log.info({}, "tls-listener-not-enabled");
  }

  leave(): void {
    this.#router.isLeaving = true;
  }

  stopListening(): void {
    this.#listener?.close();
    this.#tlsListener?.close();
    this.#listener = null;
    this.#tlsListener = null;
  }

  async whenQuiet(deadlineMs: number): Promise<void> {
    if (this.#isQuiet) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onQuiet = resolve;
    const timer = this.#router.clock.setTimeout(resolve, deadlineMs);
    await promise;
    timer.clear();
    this.#onQuiet = null;
  }

  /** Stops listening, closes idle connections, and waits for exchanges in flight. */
  async drain(deadlineMs: number): Promise<void> {
    const { clients } = this.#router;
    this.leave();
    this.#router.isDraining = true;
    this.stopListening();
    for (const opening of this.#router.openings) opening.destroy();
    for (const client of clients) if (client.isIdle) client.linger();
    for (const upstream of this.#router.upstreams) if (upstream.isIdle) upstream.close();
    await this.whenQuiet(deadlineMs);
  }

  async stop(): Promise<void> {
    this.#router.isDraining = true;
    for (const opening of this.#router.openings) opening.destroy();
    for (const client of this.#router.clients) client.destroy();
    for (const upstream of this.#router.upstreams) upstream.close();
    // Closed clients are told of after this turn; their exchanges are to be in the log.
    await new Promise((resolve) => setImmediate(resolve));
    this.stopListening();
    this.#router.ticker.stop();
    await this.#router.accessLog?.close();
    this.#router.accessLog = null;
    await Promise.all((this.#router.logStreams ?? []).map((stream) => stream.close()));
    this.#router.logStreams = null;
  }

  #openRing(): SocketRing | null {
    if (!this.#parts.config.usesIoUring) return null;
    const opened = openSocketRing();
    if (opened.ring === null) this.#whyNoRing = opened.reason;
    return opened.ring;
  }

  /** Null: by Node's TLS sockets, which also say best what is wrong with a certificate. */
  #createDirectHandshakes(
    config: TlsListenerConfig,
    protocols: readonly string[],
    onRefused: OnRefused,
  ): TlsHandshakes | null {
    const ring = this.#ring;
    if (!this.#parts.config.usesDirectTls || ring === null) return null;
    const opened = openOpenSsl();
    if (opened.openssl === null) {
      this.#whyNoDirectTls = opened.reason;
      return null;
    }
    try {
      return createOpenSslHandshakes({ openssl: opened.openssl, ring }, config, protocols, onRefused);
    } catch (error) {
      this.#whyNoDirectTls = (error as Error).message;
      return null;
    }
  }

  get #isQuiet(): boolean {
    return this.#router.clients.size === 0 && this.#router.openings.size === 0;
  }

  async #listen(
    at: { readonly host: string; readonly port: number; readonly portSetting: string },
    fd: number | null = null,
    byNode: (router: RouterContext, socket: Socket) => void,
    throughRing: (router: RouterContext, ring: SocketRing, fd: number) => void,
  ): Promise<Listener> {
    const { host, port } = at;
    const router = this.#router;
    const { ring, log } = router;
    // Accepting may fail later (no file descriptors left): those clients wait in the backlog.
    const failed = (error: Error) => log.error({ err: error }, "accept failed");
    try {
      return ring === null
        ? await listenByNode({ host, port, fd }, { accepted: (socket) => byNode(router, socket), failed })
        : await listenThroughRing(
            ring,
            { host, port, fd },
            { accepted: (fd) => throughRing(router, ring, fd), failed },
          );
    } catch (error) {
      throw listenError({ role: this.name, host, port, setting: at.portSetting }, error);
    }
  }

  #createHandshakes(config: TlsListenerConfig, ticketKeys?: Buffer): TlsHandshakes {
    const { log } = this.#parts;
    const protocols = alpnProtocolsOf(this.#parts.config);
    const onRefused: OnRefused = (error, client) => log.debug({ client, error }, "tls-handshake-failed");
    const handshakes =
      this.#createDirectHandshakes(config, protocols, onRefused) ??
      createNodeHandshakes(config, protocols, onRefused);
    if (ticketKeys !== undefined) handshakes.setTicketKeys(ticketKeys);
    return handshakes;
  }

  #openAccessLog(): AccessLogWriter | null {
    const { accessLog, config, log } = this.#parts;
    const drop = (lines: number) => this.#dropLogLines(lines);
    if (accessLog !== null) return new AccessLogWriter(lineBatchSink(accessLog), drop);
    if (config.accessLogFile === "") return null;
    const path = config.accessLogFile;
    const trouble = {
      onError: (error: Error) =>
        log.error(
          { err: error, file: path, consequence: "its lines are dropped, and counted, until it can be" },
          "access log cannot be written",
        ),
      onRecovery: () =>
        log.info({ file: path, dropped: this.counters.droppedLogLines }, "access log is written again"),
    };
    try {
      // Found out now whether it can be written, whoever writes it.
      const file = fileBatchSink(path, trouble);
      if (config.accessLogRotation === null) return new AccessLogWriter(file, drop);
      file.close();
      return new AccessLogWriter(rotatingBatchSink({ path, ...config.accessLogRotation, ...trouble }), drop);
    } catch (error) {
      throw accessLogUnwritable(
        { path, reason: systemReason(error), setting: config.accessLogSetting },
        error,
      );
    }
  }

  #openLogStreams(): readonly AccessLogStream[] | null {
    const { config, clock, log } = this.#parts;
    const { syslog, loggregator } = config;
    const onDrop = (lines: number) => this.#dropLogLines(lines);
    const streams = [
      syslog === null ? null : createSyslogStream(config, { settings: syslog, clock, log, onDrop }),
      loggregator === null
        ? null
        : createLoggregatorStream(config, { settings: loggregator, clock, log, onDrop }),
    ].filter((stream) => stream !== null);
    return streams.length === 0 ? null : streams;
  }

  #dropLogLines(lines: number): void {
    this.counters.droppedLogLines += lines;
  }

  #tick(): void {
    const { ticker, openings, clients, upstreams, accessLog, logStreams } = this.#router;
    const { nowMs } = ticker;
    this.#listener?.check();
    this.#tlsListener?.check();
    for (const opening of openings) opening.check(nowMs);
    for (const client of clients) client.check(nowMs);
    for (const upstream of upstreams) upstream.check(nowMs);
    if (nowMs - this.#lastFlushMs >= this.#parts.config.accessLogFlushMs) {
      this.#lastFlushMs = nowMs;
      accessLog?.flush();
      for (const stream of logStreams ?? []) stream.flush();
    }
    if (this.#isQuiet) this.#onQuiet?.();
  }
}

function together(observers: readonly ExchangeObserver[]): ExchangeObserver | null {
  if (observers.length === 0) return null;
  return (exchange) => {
    for (const observe of observers) observe(exchange);
  };
}
