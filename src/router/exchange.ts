/**
 * One request and its one response: carries it through the phases, and decides what an event at either side means.
 * One object per client connection, reused for its exchanges one after the other.
 *
 *   begin → findRoute → admit → attempt: pickEndpoint → connect → sendRequest → readResponse → sendResponse → end
 *                                  ▲                                   │
 *                                  └── fail, when another try is safe ─┘        fail otherwise → respond → end
 */
import type { PickContext } from "../balancing/index.ts";
import {
  clientIdleTimeout,
  endpointClosed,
  endpointDialFailed,
  endpointReset,
  endpointTimeout,
  requestCancelled,
  requestHeadersTooMany,
  requestHeadTooLarge,
  unknownFailure,
} from "../kernel/errors/router.ts";
import { exchangeIdle, responseTimeout } from "../kernel/errors/options.ts";
import { routeServiceAddressRefused } from "../kernel/errors/route-services.ts";
import { type Timer, ViaductError } from "../kernel/index.ts";
import type { Admission, ExchangeView } from "../options/index.ts";
import type { Route } from "../table/index.ts";
import { SAID_UPGRADE } from "../wire/http1/index.ts";
import { AnswerPassage, RequestPassage } from "./body-passage.ts";
import { writeRead } from "./carrier.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { RouterContext } from "./context.ts";
import {
  certificateRefused,
  endpointConnectError,
  isEndpointsFault,
  isRefused,
  systemErrorText,
} from "./endpoint-connect-error.ts";
import { endpointFields } from "./endpoint-log.ts";
import { forwardedProtoOf } from "./forwarded-proto.ts";
import { USER_AGENT } from "./header-names.ts";
import { ExchangeRecord } from "./record.ts";
import { newRequestId } from "./request-ids.ts";
import {
  admit,
  connect,
  findRoute,
  pickEndpoint,
  readResponse,
  record,
  respond,
  respondHealth,
  respondInstead,
  sendRequest,
  sendRequestBody,
} from "./phases.ts";
import type { EndpointState } from "./endpoint-state.ts";
import { pauseMsAfter, retryOf, spendBudget } from "./retry.ts";
import { type RouteRules, wholeLimitMs } from "./route-rules.ts";
import type { RoutedCandidate, RouteProgram } from "./program.ts";
import type { ServiceLeg } from "./route-services/legs.ts";
import type { Trace } from "./tracing.ts";
import { waitForTurn } from "./turn-queue.ts";
import type { Upstream } from "./upstream.ts";
import { type FailureNotes, rememberFailure } from "./verdict.ts";

/** Without an interim answer for so long, the client is told to send its body (as upstream does). */
const CONTINUE_AFTER_MS = 1_000;
const NO_CANDIDATES: readonly RoutedCandidate[] = [];
const NO_DEADLINES: ReadonlyMap<string, Timer> = new Map();
const NO_BYTES = Buffer.alloc(0);

export class Exchange implements ExchangeView, PickContext {
  readonly router: RouterContext;
  readonly client: ClientConnection;
  readonly logRecord = new ExchangeRecord(this);
  readonly requestPassage = new RequestPassage(this);
  readonly answerPassage = new AnswerPassage(this);

  // === the request ===
  method = "";
  /** As in the Host header or the target's authority. */
  rawHost = "";
  /** Lower-case, without port; what the route is looked up by. */
  host = "";
  /** What the route is looked up by, besides the host. */
  path = "";
  /** What the endpoint will see. */
  target = "";
  /** The Host line is replaced by `rawHost`, or by the host of the route service. */
  replacesHost = false;
  /** Null unless the request goes to the route service of its route. */
  serviceLeg: ServiceLeg | null = null;
  /** It brought a good signature for its route: a router has looked at the client already, this one sees the service. */
  cameFromRouteService = false;
  requestId = "";
  /** Null without tracing. */
  trace: Trace | null = null;
  /** A WebSocket is asked for. */
  isUpgrade = false;
  /** As sent to the endpoint; undefined until a head has been built. */
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
  startedAtMs = 0;

  // === the route and the attempts ===
  route: Route<RouteProgram> | null = null;
  candidates: readonly RoutedCandidate[] = NO_CANDIDATES;
  candidate: RoutedCandidate | null = null;
  upstream: Upstream | null = null;
  readonly tried: EndpointState[] = [];
  /** How many of those refused the connection. */
  refusals = 0;
  /** Of the route. */
  maxInFlight = 0;
  /** Instance that the request's session belongs to; "" when it has none. */
  sessionInstance = "";
  /** No other instance will do. */
  mustStick = false;
  nowMs = 0;
  attempts = 0;
  /** An idle connection turned out dead: the same endpoint is asked again on a new one. */
  needsFreshConnection = false;
  lastFailure: ViaductError | null = null;
  /** For the verdict; null while all goes well. */
  failures: FailureNotes | null = null;
  /** Of {@link attempts}: those without an answer, each endpoint once. */
  failedAttempts = 0;
  /** Until the last of them had failed; -1 when none has. */
  failedAttemptsTimeMs = -1;
  /** Any part of the request body went to an endpoint. */
  hasSentBody = false;

  // === what options of the route have left ===
  /** Header lines for the answer, whoever gives it. */
  addedLines = "";
  #releases: (() => void)[] | null = null;

  // === the response ===
  /** Bytes of the final response went to the client: no other answer is possible. */
  hasResponded = false;
  status = 0;
  routerError = "";
  errorCode = "";
  /** The client connection may carry another exchange. */
  persists = true;
  /** The client side gets the body in chunks. */
  sendsChunks = false;
  requestBodyBytes = 0;
  responseBodyBytes = 0;
  /** Handing the request to the endpoint, and the last byte of its answer; precise, -1 when not reached. */
  handedOverAtMs = -1;
  answeredAtMs = -1;
  endedAtMs = 0;

  // Facts of the last attempt for the log; its connection may be gone by then.
  dialTimeMs = -1;
  dnsTimeMs = -1;
  tlsTimeMs = -1;
  localAddress = "";

  isActive = false;
  isTunnel = false;
  tunnelEndedBy: "client" | "endpoint" | null = null;
  /** 1xx answers of the endpoint so far. */
  interimAnswers = 0;
  /** The candidate counts this exchange as in flight. */
  #isCounted = false;
  #sentContinue = false;
  #waitsForClient = false;
  #endedUp = false;
  #endedDown = false;
  #deadlines: ReadonlyMap<string, Timer> = NO_DEADLINES;
  /** For `idle-timeout`: how much had moved at the last tick that saw more than before, and when that was. */
  #moved = 0;
  #movedAtMs = 0;
  /** For `response-timeout`: the last tick at which the request was still being sent. */
  #sendingAtMs = 0;

  constructor(router: RouterContext, client: ClientConnection) {
    this.router = router;
    this.client = client;
  }

  get contextPath(): string {
    return this.route?.path ?? "";
  }
  get clientAddress(): string {
    return this.client.address;
  }
  get isHttps(): boolean {
    return /^https(?:,|$)/i.test(forwardedProtoOf(this, this.requestHeader("x-forwarded-proto") ?? ""));
  }
  get authority(): string {
    return this.rawHost;
  }
  get contentLength(): number {
    return this.client.head.contentLength;
  }
  clockMs(): number {
    return this.router.ticker.monotonicMs();
  }
  requestHeader(name: string): string | undefined {
    return this.client.head.get(name);
  }
  addResponseHeader(name: string, value: string): void {
    this.addedLines += `${name}: ${value}\r\n`;
  }
  atEnd(release: () => void): void {
    this.#releases ??= [];
    this.#releases.push(release);
  }

  /** The head is complete. */
  begin(): void {
    this.#reset();
    const { head, body } = this.client;
    this.method = head.method;
    this.target = head.target;
    if (head.chunked) body.startChunked();
    else body.startLength(Math.max(head.contentLength, 0));
    // An upgrade with a body is legal and unheard of; without one there is no doubt where the tunnel begins.
    this.isUpgrade =
      head.upgradesToWebsocket &&
      (head.connection & SAID_UPGRADE) !== 0 &&
      head.minorVersion === 1 &&
      body.done;
    this.persists = head.keepsAlive;
    if (this.router.config.healthcheckUserAgent !== "" && isHealthCheck(this)) {
      respondHealth(this);
      this.end();
      return;
    }
    if (this.router.tracing !== null) {
      this.trace = this.router.tracing.start(this.requestId, (name) => this.requestHeader(name));
      this.requestId = this.trace.requestId;
    }
    try {
      findRoute(this);
      if (!admit(this)) return;
    } catch (error) {
      this.fail(error);
      return;
    }
    this.#attempt();
  }

  /** An option answers in the endpoint's place. */
  answer(answer: Extract<Admission, { kind: "answer" }>): void {
    respondInstead(this, answer);
    this.end();
  }

  /** An option makes it wait. @param goOn  the rest of `admit`; says what that says */
  hold(begin: Extract<Admission, { kind: "hold" }>["begin"], goOn: () => boolean): void {
    // This object carries other exchanges after this one, and an option may call twice.
    let isOver = false;
    this.atEnd(() => {
      isOver = true;
    });
    begin((refusal) => {
      if (isOver) return;
      isOver = true;
      if (refusal !== undefined) {
        this.fail(refusal);
        return;
      }
      try {
        if (!goOn()) return;
      } catch (error) {
        this.fail(error);
        return;
      }
      this.#attemptNext();
    });
  }

  /** The head was no head, or is longer than it may be. */
  refuse(error: unknown): void {
    this.#reset();
    this.persists = false;
    this.client.body.startNone();
    const isTooLong = requestHeadTooLarge.is(error) || requestHeadersTooMany.is(error);
    this.fail(isTooLong ? this.#lookUpCut(error) : error);
  }

  /** What came of a head that is refused before its end says whose it is. @returns why it is refused */
  #lookUpCut(refusal: unknown): unknown {
    const { head } = this.client;
    head.cutShort();
    if (head.hostLine === -1) return refusal;
    this.method = head.method;
    this.target = head.target;
    try {
      findRoute(this);
      return refusal;
    } catch (error) {
      return error;
    }
  }

  // === the upstream side ===

  connected(upstream: Upstream): void {
    this.dialTimeMs = upstream.wasReused ? -1 : upstream.dialTimeMs;
    this.dnsTimeMs = upstream.wasReused ? -1 : upstream.dnsTimeMs;
    this.tlsTimeMs = upstream.wasReused ? -1 : upstream.tlsTimeMs;
    this.handedOverAtMs = this.router.ticker.monotonicMs();
    try {
      sendRequest(this);
    } catch (error) {
      this.fail(error);
    }
  }

  dialFailed(upstream: Upstream, reason: Error | string): void {
    const { candidate } = this;
    if (candidate === null || upstream !== this.upstream) return;
    if (reason instanceof ViaductError) this.fail(reason);
    else if (typeof reason === "string")
      this.fail(endpointDialFailed({ endpoint: candidate.address, reason }));
    else this.fail(endpointConnectError(candidate.endpoint, reason));
  }

  upstreamReceived(upstream: Upstream, bytes: Buffer, size: number): void {
    if (this.isTunnel) {
      this.responseBodyBytes += size;
      this.client.touch();
      const { socket } = this.client;
      if (!writeRead(socket, upstream.memory, bytes, 0, size)) this.waitForClient(upstream);
      else if (socket.writableLength === 0) upstream.memory.reuse();
      return;
    }
    try {
      readResponse(this, upstream, bytes, size);
    } catch (error) {
      this.fail(error);
    }
  }

  /** EOF, or the connection broke. */
  upstreamEnded(upstream: Upstream, error: Error | null): void {
    if (upstream !== this.upstream || this.candidate === null) return;
    if (this.isTunnel) {
      this.#tunnelEndDown(error);
      return;
    }
    if (error === null && this.hasResponded && upstream.body.finish()) {
      readResponse(this, upstream, NO_BYTES, 0);
      return;
    }
    const { endpoint, address } = this.candidate;
    if (error === null) {
      this.fail(endpointClosed({ endpoint: address }));
      return;
    }
    const refusal = upstream.hasAnswered ? null : certificateRefused(endpoint, error);
    const reason = systemErrorText(error);
    this.fail(refusal ?? endpointReset({ endpoint: address, local: upstream.localAddress, reason }, error));
  }

  upstreamDrained(): void {
    this.client.resume();
    if (!this.isTunnel) this.requestReceived();
  }

  /** The endpoint's last byte has been read and written on. */
  answered(): void {
    const { upstream, client } = this;
    if (upstream !== null) {
      // Part of a body that the endpoint did not wait for would be read as its next request.
      if (!client.body.done) upstream.isReusable = false;
      // TLS tells of all that a read has brought, also when it was paused amid that.
      if (this.#waitsForClient) upstream.socket.resume();
      this.#endAttempt();
      upstream.release();
    }
    this.end();
  }

  // === the client side ===

  /** Nothing of the request waits in our memory for the endpoint to take it. */
  get hasPassedOn(): boolean {
    return this.upstream !== null && this.upstream.socket.writableLength === 0;
  }

  /** Bytes wait in `client.held`. */
  requestReceived(): void {
    if (this.isTunnel || this.upstream === null || !this.upstream.isConnected) return;
    if (this.client.held === null && this.client.body.done) return;
    try {
      sendRequestBody(this);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The client does not take what it has: nothing more is read from the endpoint until it does. */
  waitForClient(upstream: Upstream): void {
    this.#waitsForClient = true;
    upstream.socket.pause();
  }

  clientDrained(): void {
    const { upstream } = this;
    if (upstream === null || !this.#waitsForClient) return;
    this.#waitsForClient = false;
    // Each goes on with much, and many clients may have taken what they had at the same moment.
    waitForTurn({
      takeTurn: () => {
        if (this.upstream === upstream) upstream.socket.resume();
      },
    });
  }

  /** The client ended its side. Harmless when the request is complete. */
  clientEnded(): void {
    if (!this.client.body.done) this.clientGone();
  }

  /** Half-closed for so long that it counts as gone. */
  clientHalfClosed(): void {
    if (!this.hasResponded) this.clientGone();
  }

  clientGone(): void {
    if (!this.isActive) return;
    // Not the endpoint's fault: it is not marked, and not asked to go on.
    this.#dropUpstream();
    if (!this.hasResponded) this.status = 499;
    this.errorCode = requestCancelled.definition.code;
    this.persists = false;
    this.client.destroy();
    this.end();
  }

  /** Called at every tick while the exchange goes on. */
  check(nowMs: number, clientQuietMs: number): void {
    const { config } = this.router;
    const { candidate, client } = this;
    const rules = this.route?.attachment.rules ?? null;
    if (rules !== null && this.#isPastRules(rules, nowMs)) return;
    if (candidate !== null && this.handedOverAtMs !== -1) {
      const limitMs =
        rules === null ? config.endpointTimeoutMs : wholeLimitMs(config.endpointTimeoutMs, rules);
      if (limitMs !== 0 && nowMs - this.handedOverAtMs >= limitMs) {
        const error = endpointTimeout({ endpoint: candidate.address, afterMs: limitMs });
        this.router.log.error(
          { ...this.#endpointFields(candidate), error: error.message, vcap_request_id: this.requestId },
          "backend-request-timeout",
        );
        this.fail(error);
        return;
      }
      if (
        client.head.expectsContinue &&
        !this.#sentContinue &&
        nowMs - this.handedOverAtMs >= CONTINUE_AFTER_MS
      ) {
        this.sendContinue("HTTP/1.1 100 Continue\r\n\r\n");
      }
    }
    const waitsForClient = !client.body.done || client.isFull;
    if (
      waitsForClient &&
      config.frontendIdleTimeoutMs !== 0 &&
      clientQuietMs >= config.frontendIdleTimeoutMs
    ) {
      this.persists = false;
      this.fail(clientIdleTimeout({ afterMs: config.frontendIdleTimeoutMs }));
    }
  }

  /** The same while it is a tunnel. */
  checkTunnel(nowMs: number): void {
    const rules = this.route?.attachment.rules ?? null;
    if (rules !== null) this.#isPastRules(rules, nowMs);
  }

  /** The route's own limits. @returns whether that has ended the exchange */
  #isPastRules({ connectTimeoutMs, responseTimeoutMs, idleTimeoutMs }: RouteRules, nowMs: number): boolean {
    const { client, candidate, upstream } = this;
    // The attempt began when its endpoint was picked.
    const isConnecting = upstream !== null && !upstream.isConnected;
    if (connectTimeoutMs !== 0 && isConnecting && nowMs - this.nowMs >= connectTimeoutMs) {
      this.dialFailed(upstream, "i/o timeout");
      return true;
    }
    if (responseTimeoutMs !== 0 && candidate !== null && this.handedOverAtMs !== -1 && !this.hasResponded) {
      if (!client.body.done) this.#sendingAtMs = nowMs;
      if (nowMs - Math.max(this.handedOverAtMs, this.#sendingAtMs) >= responseTimeoutMs) {
        this.fail(responseTimeout({ endpoint: candidate.address, afterMs: responseTimeoutMs }));
        return true;
      }
    }
    if (idleTimeoutMs === 0) return false;
    if (candidate === null) {
      // An option holds it: nothing can move, and the wait begins when it goes on.
      this.#moved = -1;
      return false;
    }
    const moved = this.requestBodyBytes + this.responseBodyBytes + this.interimAnswers + this.attempts;
    if (moved !== this.#moved) {
      this.#moved = moved;
      this.#movedAtMs = nowMs;
    }
    if (nowMs - Math.max(this.#movedAtMs, this.startedAtMs) < idleTimeoutMs) return false;
    const waitsForClient = !this.hasResponded && !client.body.done;
    const given = { afterMs: idleTimeoutMs };
    if (waitsForClient) this.persists = false;
    this.fail(waitsForClient ? clientIdleTimeout(given) : exchangeIdle(given));
    return true;
  }

  /** Relays, or makes, an interim answer to `Expect: 100-continue`; only the first one counts. */
  sendContinue(head: string): void {
    if (this.#sentContinue || this.hasResponded || this.client.body.done) return;
    this.#sentContinue = true;
    this.client.socket.write(head, "latin1");
  }

  // === tunnel: raw bytes both ways ===

  startTunnel(): void {
    this.isTunnel = true;
    const { client } = this;
    client.startTunnel();
    const { held } = client;
    client.held = null;
    if (held !== null) this.tunnelUp(held);
    if (client.endedAtMs !== -1) this.tunnelEndUp();
  }

  /** One side of the tunnel has ended. */
  get isHalfTunnel(): boolean {
    return this.#endedUp || this.#endedDown;
  }

  tunnelUp(chunk: Buffer): void {
    this.requestBodyBytes += chunk.length;
    if (this.upstream?.socket.write(chunk) === false) this.client.pause();
  }

  tunnelEndUp(): void {
    this.#endedUp = true;
    this.tunnelEndedBy ??= "client";
    if (this.#endedDown) this.#endTunnel();
    else this.upstream?.socket.end();
  }

  #tunnelEndDown(error: Error | null): void {
    if (error !== null) this.client.destroy();
    this.#endedDown = true;
    this.tunnelEndedBy ??= "endpoint";
    if (this.#endedUp || error !== null) this.#endTunnel();
    else this.client.socket.end();
  }

  #endTunnel(): void {
    this.persists = false;
    this.answeredAtMs = this.router.ticker.monotonicMs();
    this.#dropUpstream();
    this.end();
  }

  // === ends ===

  /** Something went wrong: another attempt if that is safe, else an answer, else the connection is cut. */
  fail(thrown: unknown): void {
    if (!this.isActive) return;
    const error = thrown instanceof ViaductError ? thrown : this.#unexpected(thrown);
    const { upstream, candidate } = this;
    const retry = retryOf(this, error, upstream);
    if (candidate !== null && upstream !== null) {
      this.#noteFailure(error, upstream, candidate, retry !== "no");
      if (retry !== "same-endpoint" && !this.hasResponded) {
        this.failedAttempts++;
        this.failedAttemptsTimeMs = this.router.ticker.monotonicMs() - this.startedAtMs;
      }
    }
    if (retry === "next-endpoint") spendBudget(this, error);
    rememberFailure(this, error);
    this.#dropUpstream();
    if (retry !== "no") {
      this.router.counters.retries++;
      this.lastFailure = error;
      this.needsFreshConnection = retry === "same-endpoint";
      this.#clearDeadlines();
      if (candidate !== null && retry === "same-endpoint") {
        this.nowMs = this.router.ticker.nowMs;
        this.#attemptAt(candidate);
      } else {
        if (candidate !== null) this.tried.push(candidate.load);
        if (isRefused(error)) this.refusals++;
        const pauseMs = pauseMsAfter(this, error);
        if (pauseMs === 0) this.#attemptNext();
        else {
          const timer = this.router.clock.setTimeout(() => this.#attemptNext(), pauseMs);
          this.atEnd(() => timer.clear());
        }
      }
      return;
    }
    this.errorCode = error.code;
    if (this.hasResponded) {
      this.persists = false;
      this.client.cut();
    } else respond(this, error);
    this.end();
  }

  /** Gives everything back, tells the log, and hands the connection to its next exchange. */
  end(): void {
    if (!this.isActive) return;
    this.isActive = false;
    this.endedAtMs = this.router.ticker.monotonicMs();
    this.router.counters.activeExchanges--;
    this.#clearDeadlines();
    if (this.addedLines !== "") this.addedLines = "";
    if (this.#releases !== null) this.#release();
    record(this);
    this.route = null;
    this.candidates = NO_CANDIDATES;
    this.candidate = null;
    this.lastFailure = null;
    this.failures = null;
    this.client.exchangeEnded(this.persists);
  }

  /** Ended: lets go of a head too long to be kept while the connection waits for another one. */
  release(): void {
    this.method = "";
    this.rawHost = "";
    this.host = "";
    this.path = "";
    this.target = "";
    this.forwardedFor = undefined;
    this.forwardedProto = undefined;
    this.routerError = "";
    this.failures = null;
  }

  startDeadline(name: string, afterMs: number, error: () => ViaductError): void {
    this.clearDeadline(name);
    const timer = this.router.clock.setTimeout(() => this.fail(error()), afterMs);
    this.#deadlines = new Map([...this.#deadlines, [name, timer]]);
  }

  clearDeadline(name: string): void {
    this.#deadlines.get(name)?.clear();
    if (this.#deadlines.has(name)) {
      this.#deadlines = new Map([...this.#deadlines].filter(([other]) => other !== name));
    }
  }

  #clearDeadlines(): void {
    if (this.#deadlines.size === 0) return;
    for (const timer of this.#deadlines.values()) timer.clear();
    this.#deadlines = NO_DEADLINES;
  }

  #release(): void {
    const releases = this.#releases ?? [];
    this.#releases = null;
    for (const release of releases) {
      try {
        release();
      } catch (error) {
        // An option's mistake must not keep the exchange from ending.
        this.router.log.error({ err: error, vcap_request_id: this.requestId }, "panic-check");
      }
    }
  }

  // === attempts ===

  #attempt(): void {
    try {
      this.#attemptAt(pickEndpoint(this));
    } catch (error) {
      this.fail(error);
    }
  }

  /** After a while, in which the route may have changed. */
  #attemptNext(): void {
    this.#refreshRoute();
    this.#attempt();
  }

  /** Endpoints that registered since the exchange began may save it; those that left are not worth an attempt. */
  #refreshRoute(): void {
    const { route } = this;
    if (route === null) return;
    const now = this.router.table.lookup(this.host, this.path);
    if (now === null || now.key !== route.key) return;
    if (now.routeServiceUrl !== null && !this.cameFromRouteService) {
      // What has got a route service meanwhile may not be reached past it, at no endpoint.
      this.candidates = NO_CANDIDATES;
      return;
    }
    if (this.candidates !== route.attachment.candidates) return;
    this.route = now;
    this.candidates = now.attachment.candidates;
  }

  #attemptAt(candidate: RoutedCandidate): void {
    this.candidate = candidate;
    candidate.load.inFlight++;
    this.#isCounted = true;
    this.attempts++;
    this.router.counters.attempts++;
    this.handedOverAtMs = -1;
    try {
      connect(this, candidate);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The candidate no longer counts this exchange; the connection is whoever's called this. */
  #endAttempt(): void {
    if (this.#isCounted && this.candidate !== null) this.candidate.load.inFlight--;
    this.#isCounted = false;
    if (this.upstream !== null) this.localAddress = this.upstream.localAddress;
    this.upstream = null;
  }

  #dropUpstream(): void {
    const { upstream } = this;
    this.#endAttempt();
    upstream?.close();
  }

  #noteFailure(
    error: ViaductError,
    upstream: Upstream,
    candidate: RoutedCandidate,
    isRetried: boolean,
  ): void {
    if (error.source !== "upstream") return;
    const { ticker, config, log } = this.router;
    // An idle connection that was dead says nothing about its endpoint.
    const isStale = upstream.wasReused && !upstream.hasAnswered;
    const { service } = candidate;
    const marks =
      service === null &&
      isEndpointsFault(error) &&
      (error.retry === "safe" || (endpointReset.is(error) && !isStale));
    if (!isStale) this.#logFailure(error, upstream, candidate, isRetried);
    if (!marks) return;
    candidate.load.failedUntilMs = ticker.nowMs + config.dropletStaleThresholdMs / 4;
    const isPruned = error.retry === "safe" && candidate.endpoint.tls && this.#pruneEndpoint(candidate);
    const outcome = isPruned ? "prune-failed-endpoint" : "endpoint-marked-as-ineligible";
    log.error({ uri: this.route?.key, ...this.#endpointFields(candidate) }, outcome);
  }

  #logFailure(error: ViaductError, upstream: Upstream, candidate: RoutedCandidate, isRetried: boolean): void {
    const { service } = candidate;
    this.router.log.error(
      {
        ...(service === null
          ? this.#endpointFields(candidate)
          : { "route-service-endpoint": candidate.address }),
        error: routeServiceAddressRefused.is(error)
          ? `${error.message}: ${String(error.cause)}`
          : error.message,
        attempt: this.tried.length + 1,
        vcap_request_id: this.requestId,
        retriable: isRetried,
        "num-endpoints": this.candidates.length,
        "got-connection": upstream.isConnected,
        "wrote-headers": this.handedOverAtMs !== -1,
        "conn-reused": upstream.wasReused,
        "dns-lookup-time": secondsOf(upstream.dnsTimeMs),
        "dial-time": secondsOf(upstream.dialTimeMs),
        "tls-handshake-time": secondsOf(upstream.tlsTimeMs),
        "local-address": upstream.localAddress,
      },
      service === null ? "backend-endpoint-failed" : "route-service-connection-failed",
    );
  }

  #endpointFields({ endpoint }: RoutedCandidate): object {
    return endpointFields(endpoint, this.route?.routeServiceUrl ?? null);
  }

  /**
   * Endpoints with TLS are not pruned by age, so that a stale one would be tried for ever: the one that could not be
   * reached leaves this route until it is registered again. An endpoint of the native feed stays, marked: that feed
   * says itself when it leaves.
   */
  #pruneEndpoint({ endpoint }: RoutedCandidate): boolean {
    const { route, router } = this;
    return route !== null && router.table.unregister({ uri: route.key, endpoint });
  }

  #unexpected(thrown: unknown): ViaductError {
    this.router.log.error({ err: thrown, vcap_request_id: this.requestId }, "panic-check");
    this.persists = false;
    return unknownFailure({ reason: String(thrown) }, thrown);
  }

  #reset(): void {
    const { router, client } = this;
    this.isActive = true;
    router.counters.requests++;
    router.counters.activeExchanges++;
    this.startedAtMs = client.headStartedAtMs;
    this.method = "";
    this.rawHost = "";
    this.host = "";
    this.path = "";
    this.target = "";
    this.replacesHost = false;
    this.serviceLeg = null;
    this.cameFromRouteService = false;
    this.requestId = newRequestId();
    this.trace = null;
    this.isUpgrade = false;
    this.forwardedFor = undefined;
    this.forwardedProto = undefined;
    if (this.tried.length > 0) this.tried.length = 0;
    this.refusals = 0;
    this.sessionInstance = "";
    this.mustStick = false;
    this.attempts = 0;
    this.needsFreshConnection = false;
    this.failedAttempts = 0;
    this.failedAttemptsTimeMs = -1;
    this.hasSentBody = false;
    this.hasResponded = false;
    this.status = 0;
    this.routerError = "";
    this.errorCode = "";
    this.persists = true;
    this.sendsChunks = false;
    this.requestBodyBytes = 0;
    this.responseBodyBytes = 0;
    this.handedOverAtMs = -1;
    this.answeredAtMs = -1;
    this.dialTimeMs = -1;
    this.dnsTimeMs = -1;
    this.tlsTimeMs = -1;
    this.localAddress = "";
    this.isTunnel = false;
    this.tunnelEndedBy = null;
    this.interimAnswers = 0;
    this.#sentContinue = false;
    this.#waitsForClient = false;
    this.#endedUp = false;
    this.#endedDown = false;
  }
}

/** Of a part of dialing; -1 when there was none. */
const secondsOf = (ms: number) => (ms < 0 ? -1 : ms / 1_000);

function isHealthCheck({ client: { head }, router }: Exchange): boolean {
  const { healthcheckUserAgent: agent } = router.config;
  for (let i = 0; i < head.lineCount; i++) {
    if (head.nameId(i) !== USER_AGENT) continue;
    // Nearly all are told by their length, before a string is made.
    return head.valueEnd(i) - head.valueStart(i) === agent.length && head.value(i) === agent;
  }
  return false;
}
