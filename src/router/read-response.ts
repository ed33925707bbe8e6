import { endpointAnswerInvalid, endpointHeadTooLarge } from "../kernel/errors/router.ts";
import { headTooLarge, tooManyHeaders } from "../kernel/errors/wire.ts";
import { ViaductError } from "../kernel/index.ts";
import { type ResponseHead, SAID_UPGRADE } from "../wire/http1/index.ts";
import { countResponse } from "./counters.ts";
import type { Exchange } from "./exchange.ts";
import { NAMES } from "./header-names.ts";
import { MAX_HEADER_LINES } from "./read-head.ts";
import { refuseAnswer } from "./retry.ts";
import type { ServiceLeg } from "./route-services/legs.ts";
import { sendInterim, sendResponseBody, sendResponseHead, sendUpgrade } from "./send-response.ts";
import type { Upstream } from "./upstream.ts";

/** Interim answers pass without back-pressure; nobody has a use for more than a few. */
const MAX_INTERIM_ANSWERS = 32;
/** Longest of them: they are meant to be hints, and what the client does not take waits in our memory. */
const MAX_INTERIM_HEAD_BYTES = 16 * 1024;
/** So much of a read is made a string at first: heads are short, and bodies need not become strings. */
const WINDOW_BYTES = 2 * 1024;

/**
 * Phase readResponse: bytes from the endpoint; `size` 0 after its connection ended the body.
 * @throws endpointAnswerInvalid, endpointHeadTooLarge
 */
export function readResponse(exchange: Exchange, upstream: Upstream, bytes: Buffer, size: number): void {
  try {
    if (exchange.hasResponded) sendResponseBody(exchange, upstream, "", bytes, "", 0, size);
    else readHeads(exchange, upstream, bytes, size);
  } catch (error) {
    throw asUpstreamError(exchange, error);
  }
}

/** Interim answers, as many as there are, then the final one. */
function readHeads(exchange: Exchange, upstream: Upstream, bytes: Buffer, size: number): void {
  const { head } = upstream;
  const { config } = exchange.router;
  const limits = {
    maxHeadBytes: config.maxResponseHeadBytes,
    maxHeaders: config.maxResponseHeaders || MAX_HEADER_LINES,
  };
  let window = Math.min(size, WINDOW_BYTES);
  const first = bytes.toString("latin1", 0, window);
  // What came of a head before stands in front of these bytes.
  let before = head.heldLength;
  let isComplete =
    before > 0 ? head.parseMore(first, NAMES, limits) : head.parse(first, 0, NAMES, limits, bytes);
  for (;;) {
    if (!isComplete && window < size) {
      before = head.heldLength - window;
      isComplete = head.parseMore(bytes.toString("latin1", window, size), NAMES, limits);
      window = size;
    }
    if (!isComplete) return;
    if (head.status >= 200 || head.status === 101) break;
    if (++exchange.interimAnswers > MAX_INTERIM_ANSWERS) throw invalid(exchange, "too many interim answers");
    if (head.end - head.start > MAX_INTERIM_HEAD_BYTES) throw invalid(exchange, "too long an interim answer");
    sendInterim(exchange, head);
    if (head.end - before === size) return;
    isComplete = head.parse(head.text, head.end, NAMES, limits);
  }
  if (exchange.serviceLeg !== null) noteServiceAnswer(exchange, exchange.serviceLeg, head.status);
  const bodyFrom = head.end - before;
  const route = exchange.route;
  if (route !== null && route.attachment.rules !== null) refuseAnswer(exchange, upstream);
  if (route !== null) {
    const hooks = route.attachment.responseHead;
    for (let i = 0; i < hooks.length; i++) hooks[i]?.(exchange, head.status);
  }
  if (head.status === 101) {
    if (!exchange.isUpgrade) throw invalid(exchange, "101 without an upgrade request");
    // A status alone may be one that a client talked the endpoint into: a tunnel needs the protocol's name as well.
    if (!head.upgradesToWebsocket || (head.connection & SAID_UPGRADE) === 0) {
      throw invalid(exchange, "101 that does not switch to websocket");
    }
    sendUpgrade(exchange, upstream, bytes, bodyFrom, size);
    return;
  }
  if (exchange.isUpgrade) exchange.router.counters.failedUpgrades++;
  startBody(exchange, upstream, head);
  sendResponseBody(
    exchange,
    upstream,
    sendResponseHead(exchange, upstream),
    bytes,
    head.text,
    bodyFrom,
    size,
  );
}

/** A service that answers in place of the app is legal, and the first thing to know when the app gets nothing. */
function noteServiceAnswer({ router, requestId }: Exchange, { url }: ServiceLeg, status: number): void {
  countResponse(router.counters.fromRouteServices, status);
  if (status >= 200 && status < 300) return;
  router.log.info(
    { "route-service-endpoint": url, "status-code": status, vcap_request_id: requestId },
    "route-service-response",
  );
}

/** How the body ends: RFC 9112 §6.3. */
function startBody(exchange: Exchange, upstream: Upstream, head: ResponseHead): void {
  const { body } = upstream;
  if (exchange.method === "HEAD" || head.status === 204 || head.status === 304) body.startNone();
  else if (head.chunked) body.startChunked();
  else if (head.contentLength >= 0) body.startLength(head.contentLength);
  else body.startUntilClose();
  if (!head.keepsAlive || body.isUntilClose) upstream.isReusable = false;
  // The body that it announces and must not have may come yet, and would be read as the next answer.
  if (head.status === 204 && (head.chunked || head.contentLength > 0)) upstream.isReusable = false;
}

function asUpstreamError(exchange: Exchange, error: unknown): unknown {
  if (!(error instanceof ViaductError) || error.source !== "client") return error;
  const endpoint = exchange.candidate?.address ?? "";
  if (headTooLarge.is(error) || tooManyHeaders.is(error)) return endpointHeadTooLarge({ endpoint }, error);
  return endpointAnswerInvalid({ endpoint, reason: error.message }, error);
}

function invalid(exchange: Exchange, reason: string): ViaductError {
  const endpoint = exchange.candidate?.address ?? "";
  return endpointAnswerInvalid({ endpoint, reason });
}
