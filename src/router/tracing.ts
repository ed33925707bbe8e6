/**
 * Trace headers towards endpoints: B3 (`tracing.enable_zipkin`) and W3C trace context (`tracing.enable_w3c`). A trace
 * that the client brought goes on, else one begins here; the request id is then the trace id, so that a log line, an
 * answer and a trace name each other.
 */
import { randomBytes } from "node:crypto";

export interface TracingConfig {
  readonly tracesB3: boolean;
  readonly tracesW3c: boolean;
  /** Of the own entry in `tracestate`; "" without. */
  readonly w3cTenantId: string;
}

/** What tracing makes of one exchange. */
export interface Trace {
  readonly requestId: string;
  /** Headers that replace those of the client, by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** The same as lines, each with its CRLF. */
  readonly lines: string;
}

/** Reads a request header; several of one name come joined by `, `. */
type HeaderReader = (name: string) => string | undefined;

export interface Tracing {
  /** @param requestId  what it is without a trace. */
  start(requestId: string, header: HeaderReader): Trace;
}

/** In the spelling that is sent, which is also the one of the access log's fields. */
const B3_HEADERS = ["X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId", "b3"] as const;
const W3C_HEADERS = ["traceparent", "tracestate"] as const;

/** Headers that the access log shows when tracing is on. */
export function tracingHeadersToLog({ tracesB3, tracesW3c }: TracingConfig): readonly string[] {
  return [...(tracesB3 ? B3_HEADERS : []), ...(tracesW3c ? W3C_HEADERS : [])];
}

/** Every header of a trace, lower case: whether a router replaces it or not, a client cannot have it removed. */
export const TRACING_NAMES: readonly string[] = [
  ...[...B3_HEADERS, ...W3C_HEADERS].map((name) => name.toLowerCase()),
  "x-b3-sampled",
  "x-b3-flags",
];

/** Null when it is off. */
export function createTracing(config: TracingConfig): Tracing | null {
  if (!config.tracesB3 && !config.tracesW3c) return null;
  return {
    start(requestId, header) {
      const headers = new Map<string, string>();
      const b3 = config.tracesB3 ? continueB3(requestId, header, headers) : null;
      const ids = config.tracesW3c ? continueW3c(config, requestId, b3, header, headers) : b3;
      let lines = "";
      for (const [name, value] of headers) lines += `${SPELLINGS.get(name) ?? name}: ${value}\r\n`;
      return { requestId: ids === null ? requestId : requestIdOf(ids.trace, requestId), headers, lines };
    },
  };
}

const SPELLINGS = new Map([...B3_HEADERS, ...W3C_HEADERS].map((name) => [name.toLowerCase(), name]));

interface TraceIds {
  /** 16 or 32 hex digits, lower case. */
  readonly trace: string;
  /** 16 hex digits. */
  readonly span: string;
}

function newIds(requestId: string): TraceIds {
  return { trace: requestId.replaceAll("-", ""), span: newSpan() };
}

function newSpan(): string {
  const span = randomBytes(8).toString("hex");
  return isZero(span) ? newSpan() : span;
}

/** A trace id of 128 bits in the form of a UUID; a shorter one says too little to be a request's name. */
function requestIdOf(trace: string, requestId: string): string {
  if (trace.length < 20) return requestId;
  return [
    trace.slice(0, 8),
    trace.slice(8, 12),
    trace.slice(12, 16),
    trace.slice(16, 20),
    trace.slice(20),
  ].join("-");
}

const isZero = (hex: string) => /^0+$/.test(hex);

// === B3 ===

/** `trace-span`, then perhaps the sampling decision, then perhaps the parent. */
const B3_SINGLE = /^([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-[01d](?:-[0-9a-f]{16})?)?$/i;
const B3_DECISION = /^[01d]$/i;
const B3_TRACE = /^[0-9a-f]{1,32}$/i;
const B3_SPAN = /^[0-9a-f]{1,16}$/i;

/** Null when the client's headers are beyond understanding: then they go on as they came. */
function continueB3(requestId: string, header: HeaderReader, headers: Map<string, string>): TraceIds | null {
  const single = header("b3") ?? "";
  const [, trace, span] = B3_SINGLE.exec(single) ?? [];
  if (trace !== undefined && span !== undefined && !isZero(trace) && !isZero(span)) {
    return { trace: trace.toLowerCase(), span: span.toLowerCase() };
  }
  const givenTrace = header("x-b3-traceid") ?? "";
  const givenSpan = header("x-b3-spanid") ?? "";
  if (givenTrace === "" || givenSpan === "") {
    const ids = newIds(requestId);
    headers.set("x-b3-traceid", ids.trace);
    headers.set("x-b3-spanid", ids.span);
    // A decision without ids is the other thing that the single header may be.
    const decision = B3_DECISION.test(single) ? `-${single.toLowerCase()}` : "";
    headers.set("b3", `${ids.trace}-${ids.span}${decision}`);
    return ids;
  }
  if (!B3_TRACE.test(givenTrace) || !B3_SPAN.test(givenSpan) || isZero(givenTrace) || isZero(givenSpan))
    return null;
  const decision = b3Decision(header("x-b3-sampled") ?? "", header("x-b3-flags") ?? "");
  const parent = header("x-b3-parentspanid") ?? "";
  if (decision === null || (parent !== "" && !B3_SPAN.test(parent))) return null;
  const digits = givenTrace.length <= 16 ? 16 : 32;
  const ids = {
    trace: givenTrace.toLowerCase().padStart(digits, "0"),
    span: givenSpan.toLowerCase().padStart(16, "0"),
  };
  // In the single header a parent stands behind a decision and nowhere else.
  const tail =
    parent === "" || decision === "" ? decision : `${decision}-${parent.toLowerCase().padStart(16, "0")}`;
  headers.set("b3", `${ids.trace}-${ids.span}${tail}`);
  return ids;
}

/** `-1`, `-0`, `-d` for debug, "" when it is left to others; null when it is nonsense. */
function b3Decision(sampled: string, flags: string): string | null {
  if (flags === "1") return "-d";
  switch (sampled.toLowerCase()) {
    case "":
      return "";
    case "1":
    case "true":
      return "-1";
    case "0":
    case "false":
      return "-0";
    default:
      return null;
  }
}

// === W3C trace context ===

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const VERSION = "00";
const SAMPLED = "01";
/** Of `tracestate`, as its standard allows. */
const MAX_STATE_ENTRIES = 32;

function continueW3c(
  { w3cTenantId }: TracingConfig,
  requestId: string,
  b3: TraceIds | null,
  header: HeaderReader,
  headers: Map<string, string>,
): TraceIds {
  const own = w3cTenantId === "" ? "gorouter" : `${w3cTenantId}@gorouter`;
  const given = parseTraceparent(header("traceparent") ?? "");
  if (given === null) {
    const ids = b3 ?? newIds(requestId);
    headers.set("traceparent", `${VERSION}-${ids.trace.padStart(32, "0")}-${ids.span}-${SAMPLED}`);
    // A state without its parent describes another trace.
    headers.set("tracestate", `${own}=${ids.span}`);
    return ids;
  }
  const span = newSpan();
  headers.set("traceparent", `${VERSION}-${given.trace}-${span}-${given.flags}`);
  const others = (header("tracestate") ?? "")
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "" && !entry.startsWith(`${own}=`));
  headers.set("tracestate", [`${own}=${span}`, ...others].slice(0, MAX_STATE_ENTRIES).join(","));
  return b3 ?? { trace: given.trace, span };
}

function parseTraceparent(text: string): { readonly trace: string; readonly flags: string } | null {
  const [, version, trace, span, flags, more] = TRACEPARENT.exec(text) ?? [];
  if (version === undefined || trace === undefined || span === undefined || flags === undefined) return null;
  // Later versions may add fields behind these; this one may not.
  if (version === "ff" || (version === VERSION && more !== undefined)) return null;
  return isZero(trace) || isZero(span) ? null : { trace, flags };
}
