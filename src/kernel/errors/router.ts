/**
 * What goes wrong with an exchange. Texts of client errors are the bodies that clients of Cloud Foundry know;
 * texts of upstream errors stand in `X-Cf-RouterError: endpoint_failure (…)`, in the words gorouter uses.
 */
import { defineError } from "./define.ts";

// === the client asked for something we do not have ===

export const emptyHost = defineError({
  code: "empty_host",
  source: "client",
  retry: "never",
  status: 400,
  routerError: "empty_host",
  explain: () => "Request had empty Host header",
});
export const unknownRoute = defineError<{ host: string }>({
  code: "unknown_route",
  source: "client",
  retry: "never",
  status: 404,
  routerError: "unknown_route",
  explain: (d) => `Requested route ('${d.host}') does not exist.`,
});
export const noEndpoints = defineError<{ host: string }>({
  code: "no_endpoints",
  source: "upstream",
  retry: "never",
  status: 503,
  routerError: "no_endpoints",
  explain: (d) => `Requested route ('${d.host}') has no available endpoints.`,
});
export const connectionLimitReached = defineError<{ host: string }>({
  code: "connection_limit_reached",
  source: "upstream",
  retry: "never",
  status: 503,
  routerError: "Connection Limit Reached",
  explain: (d) => `Requested route ('${d.host}') has reached the connection limit.`,
});
export const appInstanceHeaderInvalid = defineError({
  code: "invalid_cf_app_instance_header",
  source: "client",
  retry: "never",
  status: 400,
  routerError: "invalid_cf_app_instance_header",
  explain: () => "Invalid X-CF-App-Instance Header",
});
export const processInstanceHeaderInvalid = defineError({
  code: "invalid_cf_process_instance_header",
  source: "client",
  retry: "never",
  status: 400,
  routerError: "invalid_cf_process_instance_header",
  explain: () => "Invalid X-CF-Process-Instance Header",
});
export const instanceUnknown = defineError<{
  host: string;
  guid: string;
  index: string;
  kind: "app" | "process";
}>({
  code: "instance_unknown",
  source: "client",
  retry: "never",
  status: 400,
  routerError: "unknown_route",
  explain: (d) => {
    const instance = d.index === "" ? "" : ` ('${d.index}')`;
    const owner = d.kind === "app" ? "guid" : "process guid";
    return `Requested instance${instance} with ${owner} ('${d.guid}') does not exist for route ('${d.host}')`;
  },
});
export const requestHeadTooLarge = defineError<{ bytes: number; limitBytes: number }>({
  code: "request_head_too_large",
  source: "client",
  retry: "never",
  status: 431,
  routerError: "max-request-size-exceeded",
  explain: (d) => `the request head counts ${d.bytes} bytes, ${d.limitBytes} are allowed`,
});
export const requestHeadersTooMany = defineError<{ count: number; limit: number }>({
  code: "request_headers_too_many",
  source: "client",
  retry: "never",
  status: 431,
  routerError: "max-request-size-exceeded",
  explain: (d) => `the request has ${d.count} header lines, ${d.limit} are allowed`,
});
export const routeServiceUnsupported = defineError({
  code: "route_service_unsupported",
  source: "router",
  retry: "never",
  status: 502,
  routerError: "route_service_unsupported",
  explain: () => "Support for route services is disabled.",
});

// === the client went away; nobody reads the answer ===

export const requestCancelled = defineError({
  code: "request_cancelled",
  source: "client",
  retry: "never",
  status: 499,
  explain: () => "the client closed the connection before the exchange ended",
});
export const clientIdleTimeout = defineError<{ afterMs: number }>({
  code: "client_idle_timeout",
  source: "client",
  retry: "never",
  status: 408,
  explain: (d) => `the client neither sent nor took a byte for ${d.afterMs} ms`,
});

// === no answer from an endpoint ===

export const noEndpointSelectable = defineError({
  code: "no_endpoint_selectable",
  source: "upstream",
  retry: "never",
  status: 502,
  explain: () => "No endpoints available",
});
export const endpointDialFailed = defineError<{ endpoint: string; reason: string }>({
  code: "endpoint_dial_failed",
  source: "upstream",
  retry: "safe",
  status: 502,
  explain: (d) => `dial tcp ${d.endpoint}: ${d.reason}`,
});
export const endpointTlsFailed = defineError<{ endpoint: string; reason: string }>({
  code: "endpoint_tls_failed",
  source: "upstream",
  retry: "safe",
  status: 525,
  explain: (d) => `tls handshake with ${d.endpoint}: ${d.reason}`,
});
export const endpointNameMismatch = defineError<{ endpoint: string; san: string }>({
  code: "endpoint_name_mismatch",
  source: "upstream",
  retry: "safe",
  status: 503,
  explain: (d) => `x509: certificate of ${d.endpoint} is not valid for ${d.san}`,
});
export const endpointCertificateInvalid = defineError<{ endpoint: string; reason: string }>({
  code: "endpoint_certificate_invalid",
  source: "upstream",
  retry: "safe",
  status: 526,
  explain: (d) => `x509: certificate of ${d.endpoint} is not trusted: ${d.reason}`,
});
export const endpointCertificateRequired = defineError<{ endpoint: string; reason: string }>({
  code: "endpoint_certificate_required",
  source: "upstream",
  retry: "safe",
  status: 496,
  explain: (d) => `remote error: tls: ${d.endpoint} refused our certificate: ${d.reason}`,
});
export const endpointProtocolUnsupported = defineError<{ endpoint: string; reason: string }>({
  code: "endpoint_protocol_unsupported",
  source: "upstream",
  retry: "safe",
  status: 502,
  explain: (d) => `${d.endpoint} is registered for HTTP/2 but does not speak it: ${d.reason}`,
});
/** It has not looked at the request: it takes no more on this connection, or is about to close it. */
export const endpointStreamRefused = defineError<{ endpoint: string }>({
  code: "endpoint_stream_refused",
  source: "upstream",
  retry: "safe",
  status: 502,
  explain: (d) => `http2: ${d.endpoint} refused the stream`,
});
export const endpointStreamReset = defineError<{ endpoint: string; id: number; code: number }>({
  code: "endpoint_stream_reset",
  source: "upstream",
  retry: "never",
  status: 502,
  explain: (d) => `stream error: stream ID ${d.id}; error code ${d.code}; received from ${d.endpoint}`,
});
/** The endpoint closed the connection; on a reused one perhaps before it saw the request. */
export const endpointClosed = defineError<{ endpoint: string }>({
  code: "endpoint_closed",
  source: "upstream",
  retry: "if-connection-was-reused",
  status: 502,
  explain: () => "EOF",
});
export const endpointReset = defineError<{ endpoint: string; local: string; reason: string }>({
  code: "endpoint_reset",
  source: "upstream",
  retry: "if-connection-was-reused",
  status: 502,
  explain: (d) => `read tcp ${d.local}->${d.endpoint}: read: ${d.reason}`,
});
export const endpointTimeout = defineError<{ endpoint: string; afterMs: number }>({
  code: "endpoint_timeout",
  source: "upstream",
  retry: "never",
  status: 502,
  explain: () => "context deadline exceeded",
});
export const endpointAnswerInvalid = defineError<{ endpoint: string; reason: string }>({
  code: "endpoint_answer_invalid",
  source: "upstream",
  retry: "never",
  status: 502,
  explain: (d) => `malformed HTTP response: ${d.reason}`,
});
export const endpointHeadTooLarge = defineError<{ endpoint: string }>({
  code: "endpoint_head_too_large",
  source: "upstream",
  retry: "never",
  status: 502,
  explain: () => "Too many response headers",
});

// === our own fault ===

export const unknownFailure = defineError<{ reason: string }>({
  code: "unknown_failure",
  source: "router",
  retry: "never",
  status: 502,
  routerError: "unknown_failure",
  explain: () => "Registered endpoint failed to handle the request.",
});

// === the operator ===

export const accessLogUnwritable = defineError<{ path: string; reason: string; setting: string }>({
  code: "access_log_unwritable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `the access log ${d.path} cannot be opened: ${d.reason}; let this user write there, or change ${d.setting}`,
});
