/**
 * The access log as one JSON object per line, for those who read it by program: what the classic line says, and what
 * the verdict knows besides. Lines are ASCII; every line has every field, and null is absent or unknown.
 */
import type { RouteOptions } from "../table/index.ts";
import type { ExplainedLogRecord } from "./access-record.ts";
import {
  type AccessLogOptions,
  EXTRA_HEADERS_CUT,
  PLAIN_ACCESS_LOG,
  redactedTarget,
  seconds,
  timestamp,
} from "./access-log.ts";

interface JsonField {
  readonly name: string;
  readonly meaning: string;
  /** @returns JSON. */
  readonly value: (record: ExplainedLogRecord, options: AccessLogOptions) => string;
}

/** The one list: the lines and the reference page are made of it. */
const FIELDS: readonly JsonField[] = [
  {
    name: "timestamp",
    meaning: "When the first byte of the request came, UTC.",
    value: (record) => `"${timestamp(record.startedAtMs)}"`,
  },
  {
    name: "host",
    meaning: "The `Host` header as it was sent.",
    value: (record) => text(record.host),
  },
  { name: "method", meaning: "Of the request.", value: (record) => text(record.method) },
  {
    name: "target",
    meaning: "Path and query as they were sent; `logging.redact_query_params` holds here too.",
    value: (record, { redactQueryParams }) => text(redactedTarget(record, redactQueryParams)),
  },
  {
    name: "protocol",
    meaning: "`HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.",
    value: (record) => text(record.protocol),
  },
  {
    name: "status",
    meaning: "What the client was sent, 499 when it went away first.",
    value: (record) => (record.status === 0 ? "null" : String(record.status)),
  },
  {
    name: "request_bytes",
    meaning: "Of the request's body.",
    value: (record) => String(record.requestBodyBytes),
  },
  {
    name: "response_bytes",
    meaning: "Of the answer's body.",
    value: (record) => String(record.responseBodyBytes),
  },
  { name: "referer", meaning: "The header.", value: (record) => text(record.referer) },
  { name: "user_agent", meaning: "The header.", value: (record) => text(record.userAgent) },
  {
    name: "client",
    meaning: "Address and port of the client; null with `logging.disable_log_source_ip`.",
    value: (record, { hideSourceIp }) => (hideSourceIp ? "null" : text(record.clientAddress)),
  },
  {
    name: "endpoint",
    meaning: "Address and port of the endpoint that was tried last.",
    value: (record) => text(record.endpointAddress),
  },
  {
    name: "x_forwarded_for",
    meaning: "As the endpoint got it, else as it came; null with `logging.disable_log_forwarded_for`.",
    value: (record, { hideForwardedFor }) => (hideForwardedFor ? "null" : text(record.forwardedFor)),
  },
  {
    name: "x_forwarded_proto",
    meaning: "As the endpoint got it, else as it came.",
    value: (record) => text(record.forwardedProto),
  },
  {
    name: "vcap_request_id",
    meaning: "`viaduct explain` takes it.",
    value: (record) => text(record.requestId),
  },
  {
    name: "response_time",
    meaning: "Seconds from the first byte of the request to the last of the answer.",
    value: (record) => duration(record.responseTimeMs),
  },
  {
    name: "gorouter_time",
    meaning: "The part of it that was not spent waiting for endpoints.",
    value: (record) => duration(record.routerTimeMs),
  },
  { name: "app_id", meaning: "GUID of the endpoint's app.", value: (record) => text(record.appGuid) },
  {
    name: "app_index",
    meaning: "Index of the endpoint's instance.",
    value: (record) => text(record.instanceIndex),
  },
  { name: "instance_id", meaning: "GUID of the instance.", value: (record) => text(record.instanceId) },
  {
    name: "backend_time",
    meaning: "Seconds from handing the request over to the last byte of the endpoint's answer.",
    value: (record) => duration(record.backendTimeMs),
  },
  {
    name: "dns_time",
    meaning:
      "Seconds to look the endpoint's name up; null when it was an address, and of a connection used again.",
    value: (record) => duration(record.dnsTimeMs),
  },
  {
    name: "dial_time",
    meaning: "Seconds to connect; null of a connection used again.",
    value: (record) => duration(record.dialTimeMs),
  },
  {
    name: "tls_time",
    meaning: "Seconds of the handshake with the endpoint.",
    value: (record) => duration(record.tlsTimeMs),
  },
  {
    name: "local_address",
    meaning: "Our address and port towards the endpoint.",
    value: (record) => text(record.localAddress),
  },
  {
    name: "failed_attempts_time",
    meaning: "Seconds spent in attempts before the last one.",
    value: (record) => duration(record.failedAttemptsTimeMs),
  },
  {
    name: "x_cf_routererror",
    meaning: "The header that the client was sent.",
    value: (record) => text(record.routerError),
  },
  {
    name: "route",
    meaning: "Host and path of the route that matched.",
    value: (record) => text(record.routeKey),
  },
  {
    name: "options",
    meaning: "Options of the route that were in force, as one object; null without a route.",
    value: (record) => optionsJson(record.routeOptions),
  },
  {
    name: "balancer",
    meaning: "How the endpoint was picked.",
    value: (record) => text(record.balancer),
  },
  {
    name: "attempts",
    meaning: "Endpoints that were tried.",
    value: (record) => String(record.attempts),
  },
  {
    name: "failed_endpoints",
    meaning: "Of the attempts that failed, in order: `endpoint` and the code of the `error`.",
    value: (record) => failuresJson(record.failedEndpoints),
  },
  {
    name: "error",
    meaning: "Code of the error that ended the exchange ([errors](errors.md)).",
    value: (record) => text(record.errorCode),
  },
  {
    name: "closed_first",
    meaning: "Who ended a connection that was still needed: `client`, `endpoint`, `router` or `nobody`.",
    value: (record) => text(record.closedFirst),
  },
  {
    name: "headers",
    meaning:
      "Request headers of `extra_headers_to_log`, and those of tracing when it is on, by lower-case name.",
    value: headersJson,
  },
];

export function createJsonAccessLogFormatter(
  given: Partial<AccessLogOptions>,
): (record: ExplainedLogRecord) => string {
  const extraHeaders = (given.extraHeaders ?? []).map((name) => name.toLowerCase());
  const options = { ...PLAIN_ACCESS_LOG, ...given, extraHeaders: [...new Set(extraHeaders)] };
  const fields = FIELDS.map(({ name, value }) => ({ label: `,"${name}":`, value }));
  return (record) => {
    let line = "";
    for (const { label, value } of fields) line += label + value(record, options);
    return `{${line.slice(1)}}`;
  };
}

/** `docs/reference/access-log.md`. */
export function renderJsonAccessLog(): string {
  const rows = FIELDS.map(({ name, meaning }) => `| \`${name}\` | ${meaning} |`);
  return `# The access log as JSON

Generated from \`src/router/access-log-json.ts\`; do not edit.

With \`viaduct: {access_log_format: json}\` in a gorouter configuration file, or \`router.access_log_format: json\` elsewhere,
each exchange is one JSON object on a line of its own, in ASCII. Every line has every field; null is absent or unknown. What is
no UTF-8 in a request reads \`\\ufffd\`.

| Field | Meaning |
|---|---|
${rows.join("\n")}
`;
}

const duration = (ms: number): string => (ms >= 0 ? seconds(ms) : "null");

/** Everything that is not the same inside a JSON text. */
const NEEDS_ESCAPE = /[^ !#-[\]-~]/;

/** @param bytes  One character per byte; "" is absent. */
function text(bytes: string): string {
  if (bytes === "") return "null";
  return NEEDS_ESCAPE.test(bytes) ? ascii(Buffer.from(bytes, "latin1").toString("utf8")) : `"${bytes}"`;
}

/** JSON without a character beyond ASCII, so that a line is as many bytes as characters. */
function ascii(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Options of a route stay the same object until the route changes. */
const knownOptions = new WeakMap<RouteOptions, string>();

function optionsJson(options: RouteOptions | null): string {
  if (options === null) return "null";
  let json = knownOptions.get(options);
  if (json === undefined) {
    json = ascii(options);
    knownOptions.set(options, json);
  }
  return json;
}

function failuresJson(failed: ExplainedLogRecord["failedEndpoints"]): string {
  return failed.length === 0
    ? "[]"
    : ascii(failed.map(({ endpoint, errorCode }) => ({ endpoint, error: errorCode })));
}

function headersJson(
  record: ExplainedLogRecord,
  { extraHeaders, maxExtraHeaderBytes }: AccessLogOptions,
): string {
  if (extraHeaders.length === 0) return "{}";
  const members = extraHeaders.map((name) => `${ascii(name)}:${text(record.requestHeader(name) ?? "")}`);
  const json = `{${members.join(",")}}`;
  return json.length > maxExtraHeaderBytes ? `{"${EXTRA_HEADERS_CUT}":true}` : json;
}
