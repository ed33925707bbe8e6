import { equalsIgnoringCase } from "../wire/http1/index.ts";
import type { ExplainedLogRecord } from "./access-record.ts";
import { countResponse } from "./counters.ts";
import type { Exchange } from "./exchange.ts";
import { forwardedProtoOf } from "./forwarded-proto.ts";
import { REFERER, USER_AGENT } from "./header-names.ts";
import { closedFirst, verdictDetails } from "./verdict.ts";

const NO_FAILURES: ExplainedLogRecord["failedEndpoints"] = [];

const NO_TAGS: ExplainedLogRecord["endpointTags"] = {};

const SEMICOLON_WARNING = "deprecated-semicolon-params";

/** Phase record: the exchange has ended; counters, verdict and access log learn of it. */
export function record(exchange: Exchange): void {
  const { router, candidate, route } = exchange;
  countResponse(router.counters, exchange.status === 499 ? 0 : exchange.status);
  router.metrics.ended(exchange);
  if (router.observe !== null) router.observe(exchange);

  const verdict = router.verdicts.take(verdictDetails(exchange));
  verdict.endedAtMs = router.ticker.wallMs(router.ticker.nowMs);
  verdict.requestId = exchange.requestId;
  verdict.route = route === null ? "" : route.key;
  verdict.endpoint = candidate === null ? "" : candidate.address;
  verdict.attempts = exchange.attempts;
  verdict.status = exchange.status;
  verdict.errorCode = exchange.errorCode;
  verdict.durationMs = exchange.endedAtMs - exchange.startedAtMs;

  // What was no request has no line upstream either.
  if (exchange.method === "") return;
  const { accessLog, logStreams } = router;
  if (accessLog === null && logStreams === null) return;
  // Nobody was asked, but the line is to reach the logs of the app whose clients send too much.
  if (candidate === null && exchange.status === 431)
    exchange.candidate = route?.attachment.candidates[0] ?? null;
  const line = router.formatAccessLog(exchange.logRecord);
  if (accessLog !== null) accessLog.add(line);
  if (logStreams !== null) for (const stream of logStreams) stream.add(line, exchange.logRecord);
}

/** An exchange as the access log sees it. One per exchange object; reads when asked, keeps nothing. */
export class ExchangeRecord implements ExplainedLogRecord {
  readonly #exchange: Exchange;
  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }
  get host() {
    return this.#exchange.rawHost;
  }
  get startedAtMs() {
    return this.#exchange.router.ticker.wallMs(this.#exchange.startedAtMs);
  }
  get method() {
    return this.#exchange.method;
  }
  get target() {
    return this.#exchange.client.head.requestUri;
  }
  get protocol() {
    const { isHttp2, head } = this.#exchange.client;
    if (isHttp2) return "HTTP/2.0";
    return head.minorVersion === 1 ? "HTTP/1.1" : "HTTP/1.0";
  }
  get status() {
    return this.#exchange.status;
  }
  get requestBodyBytes() {
    return this.#exchange.requestBodyBytes;
  }
  get responseBodyBytes() {
    return this.#exchange.responseBodyBytes;
  }
  get referer() {
    return this.#line(REFERER);
  }
  get userAgent() {
    return this.#line(USER_AGENT);
  }
  get clientAddress() {
    return this.#exchange.client.peer;
  }
  get endpointAddress() {
    return this.#exchange.candidate?.address ?? "";
  }
  get forwardedFor() {
    const { forwardedFor, attempts, client } = this.#exchange;
    if (forwardedFor !== undefined) return forwardedFor;
    const given = this.#exchange.requestHeader("x-forwarded-for") ?? "";
    // It did not get as far as an endpoint that had been picked: this is what it would have brought.
    if (attempts === 0) return given;
    return given === "" ? client.address : `${given}, ${client.address}`;
  }
  get forwardedProto() {
    const { forwardedProto, attempts } = this.#exchange;
    if (forwardedProto !== undefined) return forwardedProto;
    const given = this.#exchange.requestHeader("x-forwarded-proto") ?? "";
    return attempts === 0 ? given : forwardedProtoOf(this.#exchange, given);
  }
  get requestId() {
    return this.#exchange.requestId;
  }
  get responseTimeMs() {
    return this.#exchange.endedAtMs - this.#exchange.startedAtMs;
  }
  get routerTimeMs() {
    const backend = this.backendTimeMs;
    return backend < 0 ? -1 : this.responseTimeMs - backend;
  }
  get appGuid() {
    return this.#exchange.candidate?.endpoint.appGuid ?? "";
  }
  get instanceIndex() {
    return this.#exchange.candidate?.endpoint.instanceIndex ?? "";
  }
  get instanceId() {
    return this.#exchange.candidate?.endpoint.instanceId ?? "";
  }
  get routerError() {
    const { routerError, client } = this.#exchange;
    // Go's parser of queries drops parameters behind a semicolon, of which gorouter warns here and nowhere else.
    return routerError === "" && client.head.target.includes(";") ? SEMICOLON_WARNING : routerError;
  }
  get backendTimeMs() {
    const { handedOverAtMs, answeredAtMs } = this.#exchange;
    return handedOverAtMs === -1 || answeredAtMs === -1 ? -1 : answeredAtMs - handedOverAtMs;
  }
  get dialTimeMs() {
    return this.#exchange.dialTimeMs;
  }
  get dnsTimeMs() {
    return this.#exchange.dnsTimeMs;
  }
  get tlsTimeMs() {
    return this.#exchange.tlsTimeMs;
  }
  get localAddress() {
    return this.#exchange.localAddress;
  }
  get failedAttempts() {
    return this.#exchange.failedAttempts;
  }
  get failedAttemptsTimeMs() {
    return this.#exchange.failedAttemptsTimeMs;
  }
  get usesTls() {
    return this.#exchange.client.usesTls;
  }
  get endpointTags() {
    return this.#exchange.candidate?.endpoint.tags ?? NO_TAGS;
  }
  get routeKey() {
    return this.#exchange.route?.key ?? "";
  }
  get routeOptions() {
    return this.#exchange.route?.options ?? null;
  }
  get balancer() {
    return this.#exchange.route?.attachment.balancer ?? "";
  }
  get attempts() {
    return this.#exchange.attempts;
  }
  get failedEndpoints() {
    return this.#exchange.failures?.attempts ?? NO_FAILURES;
  }
  get errorCode() {
    return this.#exchange.errorCode;
  }
  get closedFirst() {
    return closedFirst(this.#exchange);
  }
  requestHeader(name: string): string | undefined {
    if (equalsIgnoringCase(name, 0, name.length, "x-forwarded-for")) return this.forwardedFor;
    return this.#exchange.trace?.headers.get(name) ?? this.#exchange.requestHeader(name);
  }

  #line(id: number): string {
    const { head } = this.#exchange.client;
    for (let i = 0; i < head.lineCount; i++) if (head.nameId(i) === id) return head.value(i);
    return "";
  }
}
