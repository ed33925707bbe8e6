/**
 * The classic access-log line of gorouter, byte for byte: dashboards and alerts of every foundation parse it.
 *
 * A line is a text with one character per byte (write it as latin1), like the record it is made from: UTF-8 that a
 * client sent goes through as it is, and everything else that is not printable ASCII is escaped as Go's
 * `strconv.Quote` does. Runs once per exchange, so: concatenation only, and a test before every escape.
 */
import { createHash } from "node:crypto";
import type { AccessLogRecord } from "./access-record.ts";
import { rememberCounts, rememberLast } from "./flat-text.ts";

/** What `extra_access_log_fields` may list. */
export const EXTRA_ACCESS_LOG_FIELDS = [
  "backend_time",
  "dial_time",
  "dns_time",
  "failed_attempts",
  "failed_attempts_time",
  "local_address",
  "tls_time",
] as const;
export type ExtraAccessLogField = (typeof EXTRA_ACCESS_LOG_FIELDS)[number];

export const QUERY_REDACTIONS = ["none", "all", "hash"] as const;
export type QueryRedaction = (typeof QUERY_REDACTIONS)[number];

export interface AccessLogOptions {
  /** In this order; duplicates are printed once. */
  readonly extraFields: readonly ExtraAccessLogField[];
  /** Request headers, names in any case, printed as `lower_snake_name:"value"`. */
  readonly extraHeaders: readonly string[];
  /** Prints `"-"` for `x_forwarded_for`. */
  readonly hideForwardedFor: boolean;
  /** Prints `"-"` for the client's address. */
  readonly hideSourceIp: boolean;
  /** What becomes of the query of a GET: `all` drops it, `hash` replaces it by its SHA-1. */
  readonly redactQueryParams: QueryRedaction;
  /** Longer `extraHeaders`, all together, are cut. */
  readonly maxExtraHeaderBytes: number;
}

export type AccessLogFormatter = (record: AccessLogRecord) => string;

/** No optional field, nothing hidden or cut. */
export const PLAIN_ACCESS_LOG: AccessLogOptions = Object.freeze({
  extraFields: [],
  extraHeaders: [],
  hideForwardedFor: false,
  hideSourceIp: false,
  redactQueryParams: "none",
  maxExtraHeaderBytes: Number.POSITIVE_INFINITY,
});

/** Stands for the rest of `extraHeaders` that were too long; gorouter's words. */
export const EXTRA_HEADERS_CUT = "...EXTRA-REQUEST-HEADERS-TOO-LONG-TO-LOG--TRUNCATED";

const DASH = '"-"';
const HIDDEN_FORWARDED_FOR = ` x_forwarded_for:${DASH}`;

/** One line without its line feed, with no optional field: what a router prints that is told nothing else. */
export const formatAccessLogLine: AccessLogFormatter = createAccessLogFormatter(PLAIN_ACCESS_LOG);

export function createAccessLogFormatter(given: Partial<AccessLogOptions>): AccessLogFormatter {
  const options = { ...PLAIN_ACCESS_LOG, ...given };
  const fields = [...new Set(options.extraFields)];
  const headers = [...new Set(options.extraHeaders.map((name) => name.toLowerCase()))].map((name) => ({
    name,
    label: ` ${name.replaceAll("-", "_")}:`,
  }));
  const { hideForwardedFor, hideSourceIp, redactQueryParams, maxExtraHeaderBytes } = options;

  const host = rememberLast((name) => `${name} - [`);
  const request = rememberLast((method, target, protocol) => `Z] ${requestOf(method, target, protocol)} `);
  const counts = rememberCounts((status, up, down) => `${status === 0 ? DASH : status} ${up} ${down}`);
  const referer = quotedField(" ");
  const userAgent = quotedField(" ");
  const agent = rememberLast((from, name) => `${referer(from)}${userAgent(name)} "`);
  const endpoint = quotedField(" ");
  const forwardedFor = quotedField(" x_forwarded_for:");
  const forwardedProto = quotedField(" x_forwarded_proto:");
  const way = rememberLast(
    (address, through, proto) =>
      `"${endpoint(address)}${hideForwardedFor ? HIDDEN_FORWARDED_FOR : forwardedFor(through)}` +
      `${forwardedProto(proto)} vcap_request_id:"`,
  );
  const routerError = quotedField(" x_cf_routererror:");

  return (record) => {
    const target = redactedTarget(record, redactQueryParams);
    // Each piece costs when it is added and again when the line is written: hence `+`, and what stays the same from one
    // line to the next in as few of them as possible, quotes of what stands between them included.
    let line =
      host(record.host) +
      moment(record.startedAtMs) +
      request(record.method, target, record.protocol) +
      counts(record.status, record.requestBodyBytes, record.responseBodyBytes) +
      agent(record.referer, record.userAgent) +
      (hideSourceIp ? "-" : record.clientAddress || "-") +
      way(record.endpointAddress, record.forwardedFor, record.forwardedProto) +
      (record.requestId || "-") +
      '" response_time:' +
      seconds(record.responseTimeMs) +
      " gorouter_time:" +
      seconds(record.routerTimeMs) +
      instanceFields(record.appGuid, record.instanceIndex, record.instanceId);
    for (const field of fields) line += ` ${field}:${extraField(record, field)}`;
    line += routerError(record.routerError);
    if (headers.length === 0) return line;
    let extra = "";
    for (const { name, label } of headers) extra += label + quote(record.requestHeader(name) ?? "");
    if (extra.length > maxExtraHeaderBytes) extra = extra.slice(0, maxExtraHeaderBytes) + EXTRA_HEADERS_CUT;
    return line + extra;
  };
}

function quotedField(label: string): (text: string) => string {
  return rememberLast((text) => label + quote(text));
}

function extraField(record: AccessLogRecord, field: ExtraAccessLogField): string {
  switch (field) {
    case "backend_time":
      return seconds(record.backendTimeMs);
    case "dial_time":
      return seconds(record.dialTimeMs);
    case "dns_time":
      return seconds(record.dnsTimeMs);
    case "tls_time":
      return seconds(record.tlsTimeMs);
    case "failed_attempts":
      return String(record.failedAttempts);
    case "failed_attempts_time":
      return seconds(record.failedAttemptsTimeMs);
    case "local_address":
      return quote(record.localAddress);
    default:
      return field satisfies never;
  }
}

/** What is neither escaped in a URL nor quoted. */
const NEEDS_CARE = /[^ !$-;=?-[\]_a-z~]/;

function requestOf(method: string, target: string, protocol: string): string {
  const line = `${method} ${target} ${protocol}`;
  return NEEDS_CARE.test(line) ? quote(`${method} ${goTarget(target)} ${protocol}`) : `"${line}"`;
}

/** What may stand in a path, encoded or not. */
const NOT_IN_PATHS = /[^\w!$%&'()*+,\-./:;=@[\]~]/;
const ENCODED = /%([0-9a-f]{2})/gi;
/** Less than may stand there: Go encodes more than it has to. */
const ENCODED_BY_GO = /[^\w$&+,\-./:;=@~]/g;

/** As Go's `URL.RequestURI` says it: a path with what may not stand in one is encoded anew, queries stay as they are. */
function goTarget(target: string): string {
  const mark = target.indexOf("?");
  const path = mark === -1 ? target : target.slice(0, mark);
  if (!NOT_IN_PATHS.test(path)) return target;
  const decoded = path.replace(ENCODED, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const encoded = decoded.replace(
    ENCODED_BY_GO,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
  return encoded + target.slice(path.length);
}

/** The target as far as the log may have it. */
export function redactedTarget(
  { method, target }: Pick<AccessLogRecord, "method" | "target">,
  redaction: QueryRedaction,
): string {
  return redaction === "none" ? target : redactQuery(method, target, redaction);
}

function redactQuery(method: string, target: string, mode: "all" | "hash"): string {
  const mark = target.indexOf("?");
  if (method !== "GET" || mark === -1) return target;
  const path = target.slice(0, mark);
  if (mode === "all") return path;
  const hash = createHash("sha1")
    .update(target.slice(mark + 1), "latin1")
    .digest("hex");
  return `${path}?hash=${hash}`;
}

/** The fields of the instance, ready made: they are the same in thousands of lines. */
const knownInstances = new Map<
  string,
  { readonly app: string; readonly index: string; readonly text: string }
>();
const MAX_KNOWN_INSTANCES = 4_096;

function instanceFields(app: string, index: string, id: string): string {
  const known = knownInstances.get(id);
  if (known !== undefined && known.app === app && known.index === index) return known.text;
  const text = ` app_id:${quote(app)} app_index:${quote(index)} instance_id:${quote(id)}`;
  if (knownInstances.size >= MAX_KNOWN_INSTANCES) knownInstances.clear();
  knownInstances.set(id, { app, index, text });
  return text;
}

/** `000` to `999`: looking a fraction up in pieces is far cheaper than making a number a text. */
const THREE_DIGITS = Array.from({ length: 1_000 }, (_, n) => String(1_000 + n).slice(1));
const BELOW_ONE_SECOND = THREE_DIGITS.map((digits) => `0.${digits}`);

/** Seconds with six decimals; a negative time is an unknown one. */
export function seconds(ms: number): string {
  if (!(ms >= 0)) return DASH;
  const us = Math.round(ms * 1_000);
  const wholeMs = Math.floor(us / 1_000);
  const rest = THREE_DIGITS[us - wholeMs * 1_000] as string;
  if (wholeMs < 1_000) return (BELOW_ONE_SECOND[wholeMs] as string) + rest;
  const whole = Math.floor(wholeMs / 1_000);
  return `${whole}.${THREE_DIGITS[wholeMs - whole * 1_000]}${rest}`;
}

/** `2026-11-21T10:15:30.123456789Z` */
export const timestamp = (ms: number): string => `${moment(ms)}Z`;

let cachedSecond = Number.NaN;
let cachedToSecond = "";
let cachedMs = -1;
let cachedToMs = "";

/** The same without its zone. What is before the second's fraction is made once a second, the rest once a millisecond. */
function moment(ms: number): string {
  const second = Math.floor(ms / 1_000);
  const ns = Math.floor((ms - second * 1_000) * 1_000_000);
  const us = Math.floor(ns / 1_000);
  const wholeMs = Math.floor(us / 1_000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedToSecond = new Date(second * 1_000).toISOString().slice(0, 20);
    cachedMs = -1;
  }
  if (wholeMs !== cachedMs) {
    cachedMs = wholeMs;
    cachedToMs = cachedToSecond + THREE_DIGITS[wholeMs];
  }
  return cachedToMs + THREE_DIGITS[us - wholeMs * 1_000] + THREE_DIGITS[ns - us * 1_000];
}

/** Everything that Go's `strconv.Quote` might not print as it is. */
const NEEDS_ESCAPE = /[^ !#-[\]-~]/;

/**
 * Go's `strconv.Quote` of the bytes that `text` stands for, one character per byte; `"-"` when empty.
 * Exported for its test.
 */
export function quote(text: string): string {
  if (text === "") return DASH;
  return NEEDS_ESCAPE.test(text) ? quoteSlowly(text) : `"${text}"`;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\x07": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};

/** Go prints letters, marks, numbers, punctuation, symbols and the ASCII space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

function quoteSlowly(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; ) {
    const char = text.charAt(i);
    const length = utf8Length(text, i);
    if (length === 1) {
      out += NEEDS_ESCAPE.test(char) ? (SHORT_ESCAPES[char] ?? hexEscape("x", text.charCodeAt(i), 2)) : char;
    } else if (length === 0) {
      out += hexEscape("x", text.charCodeAt(i), 2);
    } else {
      const bytes = text.slice(i, i + length);
      const rune = Buffer.from(bytes, "latin1").toString("utf8");
      const code = rune.codePointAt(0) ?? 0;
      if (PRINTABLE.test(rune)) out += bytes;
      else out += code > 0xffff ? hexEscape("U", code, 8) : hexEscape("u", code, 4);
    }
    i += length || 1;
  }
  return `${out}"`;
}

function hexEscape(letter: string, code: number, digits: number): string {
  return `\\${letter}${code.toString(16).padStart(digits, "0")}`;
}

/**
 * Bytes of the UTF-8 sequence that begins at `i`; 0 when none does: cut, overlong, a surrogate or beyond U+10FFFF
 * (RFC 3629 §4).
 */
function utf8Length(text: string, i: number): number {
  const first = text.charCodeAt(i);
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >> 4 === 0xe ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  for (let n = 1; n < length; n++) {
    // charCodeAt is NaN past the end, and NaN >> 6 is 0.
    if (text.charCodeAt(i + n) >> 6 !== 0b10) return 0;
  }
  const second = text.charCodeAt(i + 1);
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return length;
}
