import { requestBodyTooLarge } from "../kernel/errors/options.ts";
import type { Exchange } from "./exchange.ts";
import { forwardedProtoOf } from "./forwarded-proto.ts";
import { type Trace, TRACING_NAMES } from "./tracing.ts";
import { certHeaderAfterService } from "./xfcc.ts";
import {
  DROP,
  KEEP,
  LOOK,
  REQUEST_ACTIONS,
  X_CF_FORWARDED_URL,
  X_CF_PROXY_METADATA,
  X_CF_PROXY_SIGNATURE,
  X_FORWARDED_CLIENT_CERT,
  X_FORWARDED_FOR,
  X_FORWARDED_PROTO,
  X_REQUEST_START,
} from "./header-names.ts";
import { rememberCounts, rememberLast } from "./flat-text.ts";
import { hopByHopNames, NO_NAMES } from "./hop-by-hop.ts";
import {
  CONTENT_LENGTH,
  equalsIgnoringCase,
  HOST_NAME,
  type RequestHead,
  TE,
  TRAILER,
} from "../wire/http1/index.ts";

/** Bodies that fit go into one write with their head. */
const SMALL_BODY_BYTES = 16 * 1024;
/** Up to here a piece of data is copied as text: a write of its own would cost more, and a body may be all such pieces. */
const SMALL_PIECE_BYTES = 1024;
/**
 * A client may not have these removed by naming them in `Connection`: they frame the message, or they are what the
 * endpoint trusts (CVE-2023-34041).
 */
const NEVER_HOP_BY_HOP = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-client-cert",
  "forwarded",
  "x-real-ip",
  "x-request-start",
  "b3",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "traceparent",
  "tracestate",
  "authorization",
  "cookie",
]);

/** The same for all requests of a client, unless it comes with a line of its own. */
const forwardedLines = rememberLast(
  (forwardedFor, proto) => `X-Forwarded-For: ${forwardedFor}\r\nX-Forwarded-Proto: ${proto}\r\n`,
);

const REQUEST_ID = "X-Vcap-Request-Id: ";
/** The same for all requests of a millisecond. */
const startAndId = rememberCounts((wallMs) => `X-Request-Start: ${wallMs}\r\n${REQUEST_ID}`);

/** Phase sendRequest: the head, with as much of the body as is here, to the connected endpoint. */
export function sendRequest(exchange: Exchange): void {
  const { client, upstream, route } = exchange;
  if (upstream === null || route === null) return;
  if (exchange.attempts === 1) callAll(route.attachment.prepareRequest, exchange);
  const head = buildRequestHead(exchange);
  const { body, held } = client;
  if (body.done) {
    upstream.socket.write(head, "latin1");
    callAll(route.attachment.requestSent, exchange);
    return;
  }
  if (
    held !== null &&
    !body.isChunked &&
    held.length >= body.remaining &&
    body.remaining <= SMALL_BODY_BYTES
  ) {
    const size = body.remaining;
    body.step(held, 0, size);
    const { socket } = upstream;
    if (size > SMALL_PIECE_BYTES && socket.writeCopy !== undefined) {
      socket.write(head, "latin1");
      socket.writeCopy(held, 0, size);
    } else socket.write(head + held.toString("latin1", 0, size), "latin1");
    client.held = held.length > size ? held.subarray(size) : null;
    exchange.requestBodyBytes += size;
    exchange.hasSentBody = true;
    callAll(route.attachment.requestSent, exchange);
    return;
  }
  upstream.socket.cork();
  upstream.socket.write(head, "latin1");
  sendRequestBody(exchange);
  upstream.socket.uncork();
}

/** More of the request body, as far as it is here and the endpoint takes it. */
export function sendRequestBody(exchange: Exchange): void {
  const { client, upstream, route } = exchange;
  if (upstream === null || route === null) return;
  const { body } = client;
  const { socket } = upstream;
  const chunk = client.held;
  if (chunk === null || body.done) return;

  const isChunked = body.isChunked;
  // The others have said their length, and were judged by it.
  const limitBytes = isChunked ? (route.attachment.rules?.maxChunkedBodyBytes ?? -1) : -1;
  let at = 0;
  let mayWrite = true;
  let out = "";
  let isCorked = false;
  try {
    while (at < chunk.length && !body.done) {
      at = body.step(chunk, at, chunk.length);
      const size = body.dataEnd - body.dataStart;
      if (size === 0) continue;
      exchange.requestBodyBytes += size;
      exchange.hasSentBody = true;
      if (limitBytes !== -1 && exchange.requestBodyBytes > limitBytes)
        throw requestBodyTooLarge({ limitBytes });
      if (isChunked) out += `${size.toString(16)}\r\n`;
      if (size <= SMALL_PIECE_BYTES) out += chunk.toString("latin1", body.dataStart, body.dataEnd);
      else {
        // Only where there are several writes: a single one may go together with others of this turn.
        if (!isCorked) socket.cork();
        isCorked = true;
        if (out !== "") socket.write(out, "latin1");
        mayWrite = client.writeHeld(socket, chunk, body.dataStart, body.dataEnd);
        out = "";
      }
      if (isChunked) out += "\r\n";
    }
    if (body.done && isChunked) out += `0\r\n${body.trailers}\r\n`;
    if (out !== "") mayWrite = socket.write(out, "latin1");
  } finally {
    if (isCorked) socket.uncork();
  }
  client.held = at < chunk.length ? chunk.subarray(at) : null;
  if (body.done) {
    callAll(route.attachment.requestSent, exchange);
    client.resume();
  } else if (mayWrite) client.resume();
  else client.pause();
}

/** By index: there is hardly ever a hook, and an iterator is made all the same. */
function callAll(hooks: readonly ((exchange: Exchange) => void)[], exchange: Exchange): void {
  for (let i = 0; i < hooks.length; i++) hooks[i]?.(exchange);
}

/**
 * The head for the endpoint: the client's own lines, byte for byte and in their order, without those that end
 * here, and ours behind them.
 */
function buildRequestHead(exchange: Exchange): string {
  const { client, candidate, router, serviceLeg, cameFromRouteService } = exchange;
  const { config } = router;
  const { head } = client;
  const { text } = head;
  const { trace } = exchange;
  const rules = exchange.route?.attachment.rules?.requestHeaders ?? null;
  let hidden =
    trace === null
      ? hopByHopNames(head, NEVER_HOP_BY_HOP, config.hopByHopHeadersToFilter)
      : withoutTrace(trace, hopByHopNames(head, NEVER_HOP_BY_HOP, config.hopByHopHeadersToFilter));
  if (rules !== null) hidden = hidden === NO_NAMES ? rules.hides : hidden.union(rules.hides);

  const certHeader = cameFromRouteService
    ? certHeaderAfterService(client, config.forwardedClientCert)
    : client.certHeader;
  let forwardedFor = "";
  let forwardedProto = "";
  let hasRequestStart = false;
  let hasLength = false;
  let takesTrailers = false;

  const asReceived = head.minorVersion === 1 && exchange.target === head.target;
  let out = asReceived ? "" : `${exchange.method} ${exchange.target} HTTP/1.1\r\n`;
  let keptFrom = asReceived ? head.start : head.linesStart;
  if (exchange.replacesHost) {
    out += text.slice(keptFrom, head.linesStart);
    out += `Host: ${serviceLeg === null ? exchange.rawHost : serviceLeg.host}\r\n`;
    keptFrom = head.linesStart;
  }
  for (let i = 0; i < head.lineCount; i++) {
    const id = head.nameId(i);
    let action = REQUEST_ACTIONS[id];
    if (action === LOOK) {
      action = DROP;
      switch (id) {
        case CONTENT_LENGTH:
          if (!hasLength) action = KEEP;
          hasLength = true;
          break;
        case TRAILER:
          if (head.chunked) action = KEEP;
          break;
        case TE:
          takesTrailers ||= namesTrailers(head, i);
          break;
        case X_FORWARDED_FOR:
          forwardedFor = forwardedFor === "" ? head.value(i) : `${forwardedFor}, ${head.value(i)}`;
          break;
        case X_FORWARDED_PROTO:
          if (forwardedProto === "") forwardedProto = head.value(i);
          break;
        case X_FORWARDED_CLIENT_CERT:
          if (certHeader.keepsGiven) action = KEEP;
          break;
        case X_REQUEST_START:
          hasRequestStart = true;
          action = KEEP;
          break;
        case X_CF_PROXY_SIGNATURE:
        case X_CF_PROXY_METADATA:
        case X_CF_FORWARDED_URL:
          // They pass to routes without a service, because the app there may be one; ours and checked ones end here.
          if (serviceLeg === null && !cameFromRouteService) action = KEEP;
          break;
      }
    } else if (id === HOST_NAME && exchange.replacesHost) action = DROP;
    if (hidden !== NO_NAMES && hidden.has(head.name(i).toLowerCase())) action = DROP;
    if (action === KEEP) continue;
    const lineStart = head.nameStart(i);
    if (lineStart > keptFrom) out += text.slice(keptFrom, lineStart);
    keptFrom = head.lineEnd(i);
  }
  if (keptFrom < head.end - 2) out += text.slice(keptFrom, head.end - 2);

  forwardedProto = forwardedProtoOf(exchange, forwardedProto);
  forwardedFor = forwardedFor === "" ? client.address : `${forwardedFor}, ${client.address}`;
  exchange.forwardedFor = forwardedFor;
  exchange.forwardedProto = forwardedProto;

  if (rules !== null) out += rules.lines;
  out += forwardedLines(forwardedFor, forwardedProto);
  out += hasRequestStart ? REQUEST_ID : startAndId(Math.floor(router.ticker.wallMs(exchange.startedAtMs)));
  out += exchange.requestId + "\r\n";
  if (trace !== null) out += trace.lines;
  if (certHeader.line !== "") out += certHeader.line;
  if (candidate !== null) out += candidate.headerLines;
  if (serviceLeg !== null) out += serviceLeg.lines;
  if (head.chunked) out += "Transfer-Encoding: chunked\r\n";
  if (takesTrailers) out += "TE: trailers\r\n";
  if (exchange.isUpgrade) out += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  else if (!config.keepAliveToEndpoints || (head.expectsContinue && !config.keepAliveAfterContinue)) {
    out += "Connection: close\r\n";
  }
  return out + "\r\n";
}

/** What hides besides hop-by-hop headers: those that the trace replaces; never those that it leaves as they are. */
function withoutTrace(trace: Trace, hopByHop: ReadonlySet<string>): ReadonlySet<string> {
  const names = new Set(hopByHop);
  for (const name of TRACING_NAMES) names.delete(name);
  for (const name of trace.headers.keys()) names.add(name);
  return names;
}

function namesTrailers(head: RequestHead, line: number): boolean {
  const start = head.valueStart(line);
  const end = head.valueEnd(line);
  if (equalsIgnoringCase(head.text, start, end, "trailers")) return true;
  return head
    .value(line)
    .split(",")
    .some((item) => item.trim().toLowerCase() === "trailers");
}
