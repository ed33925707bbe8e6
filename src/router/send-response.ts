import { CONTENT_LENGTH, type ResponseHead, TRAILER } from "../wire/http1/index.ts";
import { writeRead } from "./carrier.ts";
import type { Exchange } from "./exchange.ts";
import { DATE, DROP, KEEP, LOOK, RESPONSE_ACTIONS, SET_COOKIE, X_VCAP_REQUEST_ID } from "./header-names.ts";
import { hopByHopNames, NO_NAMES } from "./hop-by-hop.ts";
import { rewriteHead } from "./http-rewrite.ts";
import { sessionCookieLine } from "./sticky.ts";
import { traceKeyLines } from "./trace-key.ts";
import type { RewriteResponse } from "./route-rules.ts";
import type { Upstream } from "./upstream.ts";

/** Up to here a piece of body is copied into the same write as what is before it. */
const SMALL_BYTES = 16 * 1024;
/** The same, as text, in a longer read, which may be all pieces of a few bytes. */
const SMALL_PIECE_BYTES = 1024;
/** They frame the message, whatever the endpoint says of them. */
const NEVER_HOP_BY_HOP = new Set(["content-length", "transfer-encoding"]);

/**
 * Phase sendResponse, first part: the head for the client. Not written yet: it goes out with the first bytes of
 * the body.
 */
export function sendResponseHead(exchange: Exchange, upstream: Upstream): string {
  const { client } = exchange;
  const { head, body } = upstream;
  exchange.status = head.status;
  const isHttp11 = client.head.minorVersion === 1;
  exchange.sendsChunks = isHttp11 && (body.isChunked || body.isUntilClose);
  if (!isHttp11 && (body.isChunked || body.isUntilClose)) exchange.persists = false;
  if (!client.mayPersist) exchange.persists = false;
  return buildResponseHead(exchange, head, body.done);
}

/**
 * Phase sendResponse, second part: what `bytes[from, size)` holds of the body, behind `before`, in as few writes as
 * possible. `text` is the same bytes as a string, as far as it goes: `text[head.end]` is `bytes[from]`.
 */
export function sendResponseBody(
  exchange: Exchange,
  upstream: Upstream,
  before: string,
  bytes: Buffer,
  text: string,
  from: number,
  size: number,
): void {
  const { body } = upstream;
  const { socket } = exchange.client;
  const { sendsChunks } = exchange;
  let out = before;
  let at = from;
  let mayWrite = true;
  const isSmall = size - from <= SMALL_BYTES;
  // Where a byte of `bytes` is in `text`, unless it was moved.
  const shift = text === "" ? 0 : upstream.head.end - from;

  // A body that turns out malformed before this goes out can still be answered with an error.
  exchange.hasResponded ||= !isSmall;
  const isManyWrites = !isSmall && (before !== "" || sendsChunks);
  if (isManyWrites) socket.cork();
  while (at < size && !body.done) {
    at = body.step(bytes, at, size);
    const { dataStart, dataEnd } = body;
    const length = dataEnd - dataStart;
    if (length === 0) continue;
    exchange.responseBodyBytes += length;
    if (sendsChunks) out += `${length.toString(16)}\r\n`;
    // Not of small chunks: a write cannot be taken back when the next one is malformed.
    if (length <= SMALL_PIECE_BYTES || (isSmall && (body.isChunked || socket.writeCopy === undefined))) {
      out +=
        text !== "" && at === dataEnd && dataEnd + shift <= text.length
          ? text.slice(dataStart + shift, dataEnd + shift)
          : bytes.toString("latin1", dataStart, dataEnd);
    } else {
      if (out !== "") socket.write(out, "latin1");
      mayWrite = writeRead(socket, upstream.memory, bytes, dataStart, dataEnd);
      out = "";
    }
    if (sendsChunks) out += "\r\n";
  }
  if (sendsChunks && body.done) out += `0\r\n${body.trailers}\r\n`;
  exchange.hasResponded = true;
  if (out !== "") mayWrite = socket.write(out, "latin1");
  if (isManyWrites) socket.uncork();
  if (!isSmall && socket.writableLength === 0) upstream.memory.reuse();
  if (body.done) {
    // More than the answer: what comes next on this connection cannot be trusted to be an answer.
    if (at < size) upstream.isReusable = false;
    exchange.answeredAtMs = exchange.router.ticker.monotonicMs();
    exchange.answered();
  } else if (!mayWrite) exchange.waitForClient(upstream);
}

/**
 * A 1xx other than 101, for clients that know them: without what frames a message or ends here, which a client could
 * take for the framing of the answer that follows.
 */
export function sendInterim(exchange: Exchange, head: ResponseHead): void {
  const { client } = exchange;
  if (client.head.minorVersion === 0) return;
  const hidden = hopByHopNames(head, NO_NAMES, []);
  const removed = exchange.router.config.removeResponseHeaders;
  let text = `HTTP/1.1 ${head.text.slice(head.start + 9, head.linesStart)}`;
  for (let i = 0; i < head.lineCount; i++) {
    const id = head.nameId(i);
    if (RESPONSE_ACTIONS[id] === DROP || id === CONTENT_LENGTH || id === TRAILER) continue;
    const name = head.name(i).toLowerCase();
    if (!hidden.has(name) && !removed.includes(name))
      text += head.text.slice(head.nameStart(i), head.lineEnd(i));
  }
  text += "\r\n";
  if (head.status === 100) exchange.sendContinue(text);
  else client.socket.write(text, "latin1");
}

/** 101: from here on the bytes are not ours to understand. */
export function sendUpgrade(
  exchange: Exchange,
  upstream: Upstream,
  bytes: Buffer,
  from: number,
  size: number,
): void {
  const { client, router } = exchange;
  exchange.status = 101;
  exchange.hasResponded = true;
  exchange.persists = false;
  upstream.isReusable = false;
  router.counters.upgrades++;
  const head = buildResponseHead(exchange, upstream.head, true);
  client.socket.write(head + bytes.toString("latin1", from, size), "latin1");
  exchange.responseBodyBytes += size - from;
  exchange.startTunnel();
}

function buildResponseHead(exchange: Exchange, head: ResponseHead, isBodyless: boolean): string {
  const { client, router } = exchange;
  const { config } = router;
  const { text } = head;
  const rules = exchange.route?.attachment.rules ?? null;
  const rewrites = rules === null ? null : rules.rewriteResponse;
  const edits = rules === null ? null : rules.responseHeaders;
  let hidden = hopByHopNames(head, NEVER_HOP_BY_HOP, []);
  if (edits !== null) hidden = hidden === NO_NAMES ? edits.hides : hidden.union(edits.hides);
  const mustName = hidden !== NO_NAMES || rewrites !== null;
  const isUpgrade = head.status === 101;

  let hasId = false;
  let hasDate = false;
  let hasLength = false;
  let mayStick = exchange.sessionInstance !== "" || config.stickyForAuthNegotiate;
  // The status line goes through as it is, but for the version: the client is answered in its own.
  let out = client.head.minorVersion === 1 ? "HTTP/1.1 " : "HTTP/1.0 ";
  let keptFrom = head.start + 9;
  for (let i = 0; i < head.lineCount; i++) {
    const id = head.nameId(i);
    let action = RESPONSE_ACTIONS[id];
    if (action === LOOK) {
      action = KEEP;
      if (id === X_VCAP_REQUEST_ID) hasId = true;
      else if (id === DATE) hasDate = true;
      else if (id === SET_COOKIE) mayStick = true;
      else if (id === CONTENT_LENGTH) {
        // A 204 has no length (RFC 9110 §8.6); a repeated one is said once.
        if (hasLength || head.status === 204) action = DROP;
        hasLength = true;
      } else if (id === TRAILER && !exchange.sendsChunks) action = DROP;
    }
    let rewritten = "";
    if (mustName) {
      const name = head.name(i).toLowerCase();
      if (hidden.has(name)) action = DROP;
      else if (rewrites !== null && action === KEEP) rewritten = rewrittenLine(exchange, head, i, rewrites);
    }
    if (action === KEEP && rewritten === "") continue;
    const lineStart = head.nameStart(i);
    if (lineStart > keptFrom) out += text.slice(keptFrom, lineStart);
    if (rewritten !== "") out += rewritten;
    keptFrom = head.lineEnd(i);
  }
  if (keptFrom < head.end - 2) out += text.slice(keptFrom, head.end - 2);

  if (edits !== null) out += edits.lines;
  if (exchange.addedLines !== "") out += exchange.addedLines;
  if (mayStick) out += sessionCookieLine(exchange, head);
  if (!hasId) out += "X-Vcap-Request-Id: " + exchange.requestId + "\r\n";
  if (config.traceKey !== "") out += traceKeyLines(exchange);
  if (!hasDate && !isUpgrade) out += `Date: ${router.ticker.httpDate}\r\n`;
  if (isUpgrade) out += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  else {
    if (exchange.sendsChunks && !isBodyless) out += "Transfer-Encoding: chunked\r\n";
    if (!exchange.persists) {
      if (client.head.minorVersion === 1) out += "Connection: close\r\n";
    } else if (client.head.minorVersion === 0) out += "Connection: keep-alive\r\n";
  }
  return rewriteHead(out + "\r\n", config);
}

/** The whole line as options of the route have it; "" when it stays as it is. */
function rewrittenLine(
  exchange: Exchange,
  head: ResponseHead,
  line: number,
  rewrites: ReadonlyMap<string, RewriteResponse>,
): string {
  const name = head.name(line);
  const rewrite = rewrites.get(name.toLowerCase());
  if (rewrite === undefined) return "";
  const value = head.value(line);
  const rewritten = rewrite(value, exchange);
  return rewritten === value ? "" : `${name}: ${rewritten}\r\n`;
}
