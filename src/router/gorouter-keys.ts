/**
 * Every key of a gorouter configuration file, in one list: what it means, its default, and whether this router
 * honours it. To support a key, change its line; the loader, the warnings and the reference page follow.
 *
 *   honoured   does what gorouter does
 *   accepted   may be set and has no effect here, for the reason that its meaning gives; said once at the start when it
 *              differs from the default
 */
import { operatorBalancers } from "../balancing/index.ts";
import { QUERY_REDACTIONS } from "./access-log.ts";
import { ACCESS_LOG_FORMATS, AZ_PREFERENCES } from "./config.ts";
import { SHARDING_MODES } from "./feeds/sharding.ts";
import { allowlistProblem } from "./route-services/allowlist.ts";
import { optionSettings } from "./gorouter-options.ts";
import { networkProblem } from "./route-services/egress.ts";
import { certificateRules, keyPairs } from "./tls/gorouter-tls.ts";
import { HISTOGRAM_BUCKETS } from "./metrics-config.ts";
import { SYSLOG_NETWORKS } from "./syslog.ts";
import { CLIENT_CERT_MODES } from "./xfcc.ts";
import {
  address,
  anything,
  boolean,
  duration,
  integer,
  type Kind,
  listOf,
  oneOf,
  port,
  text,
  texts,
} from "./gorouter-values.ts";

export interface GorouterKey<T> {
  readonly state: "honoured" | "accepted";
  readonly kind: Kind<T>;
  readonly default: T;
  readonly meaning: string;
}

function honoured<T>(kind: Kind<T>, fallback: T, meaning: string): GorouterKey<T> {
  return { state: "honoured", kind, default: fallback, meaning };
}

function accepted(fallback: unknown, meaning: string, kind: Kind<unknown> = anything): GorouterKey<unknown> {
  return { state: "accepted", kind, default: fallback, meaning };
}

const healthyThreshold: Kind<number> = {
  ...duration,
  parse(given) {
    const isNegative = typeof given.value === "string" && given.value.startsWith("-");
    return isNegative
      ? { problem: `Invalid load balancer healthy threshold: ${given.value}` }
      : duration.parse(given);
  },
};

/** It becomes part of a header, where other letters would mean something else. */
const tenant: Kind<string> = {
  ...text,
  parse(given) {
    const parsed = text.parse(given);
    if ("problem" in parsed || /^([a-z0-9][a-z0-9_*/-]*)?$/.test(parsed.value)) return parsed;
    return {
      problem: `${JSON.stringify(parsed.value)} is no tenant; use lower-case letters, digits, _, -, * and /`,
    };
  },
};

const choices = (values: readonly string[]) => `Allowed values are [${values.join(" ")}]`;

const hostAndPort = listOf("list of {hostname, port}", ({ hostname, port: number }) => {
  if (typeof hostname !== "string" || hostname === "") return `${JSON.stringify(hostname)} is not a hostname`;
  if (typeof number !== "number" || !Number.isInteger(number) || number < 1 || number > 65_535) {
    return `${JSON.stringify(number)} is not a port 1–65535`;
  }
  return { hostname, port: number };
});

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const headers = listOf("list of {name, value}", ({ name, value = "" }) => {
  if (typeof name !== "string" || !HEADER_NAME.test(name))
    return `${JSON.stringify(name)} is not a header name`;
  if (typeof value !== "string" || /[\r\n\0]/.test(value)) {
    return `${JSON.stringify(value)} is not a header value`;
  }
  return { name, value };
});

/** @param problemOf  The sentence for an item that is wrong, or null. */
function checkedTexts(problemOf: (item: string) => string | null): Kind<readonly string[]> {
  return {
    ...texts,
    parse(given) {
      const parsed = texts.parse(given);
      if ("problem" in parsed) return parsed;
      const problem = parsed.value.map(problemOf).find((found) => found !== null);
      return problem === undefined ? parsed : { problem };
    },
  };
}

/** More than machines have processors; each has the whole table in its memory. */
const MAX_WORKERS = 256;

const buckets: Kind<readonly number[]> = {
  name: "ascending list of numbers",
  parse({ value }) {
    const isAscending = (numbers: readonly number[]) =>
      numbers.every((bound, i) => i === 0 || bound > (numbers[i - 1] as number));
    return Array.isArray(value) && value.every((bound) => Number.isFinite(bound)) && isAscending(value)
      ? { value }
      : { problem: `${JSON.stringify(value)} is not a list of numbers, each greater than the one before it` };
  },
  show: (value) => `[${value.join(", ")}]`,
};

const LOG_LEVELS = ["debug", "info", "error", "fatal"] as const;
const TIMESTAMP_FORMATS = ["unix-epoch", "rfc3339"] as const;

export const GOROUTER_KEYS = {
  // === listeners ===
  port: honoured(port, 8081, "HTTP listener, on all addresses."),
  disable_http: honoured(boolean, false, "No plain listener."),
  enable_ssl: honoured(boolean, false, "A TLS listener; without it the keys about it are not read."),
  ssl_port: honoured(port, 443, "Its port, on all addresses."),
  tls_pem: honoured(
    keyPairs,
    [],
    "Its certificates, chosen by server name: exact, then wildcard, then the first. SIGHUP reads them again.",
  ),
  cipher_suites: honoured(
    text,
    "",
    "Colon-separated list of OpenSSL's or Go's names; those too weak for OpenSSL (RC4, 3DES) are refused.",
  ),
  min_tls_version: honoured(text, "TLSv1.2", "`TLSv1.0`, `TLSv1.1`, `TLSv1.2` or `TLSv1.3`."),
  max_tls_version: honoured(text, "TLSv1.2", "`TLSv1.2` or `TLSv1.3`."),
  client_cert_validation: honoured(
    text,
    "",
    "`none`, `request` (verified when a client has one) or `require`; must be set with TLS.",
  ),
  client_ca_certs: honoured(
    text,
    "",
    "PEM certificates that clients are checked against, besides the system's and `ca_certs`.",
  ),
  only_trust_client_ca_certs: honoured(boolean, false, "Only against those."),
  enable_verify_client_certificate_metadata: honoured(
    boolean,
    false,
    "Clients' names are checked by the rules.",
  ),
  verify_client_certificate_metadata: honoured(
    certificateRules,
    [],
    "Rules: a certificate under the authority `issuer_in_chain` must have one of the `valid_cert_subjects`.",
  ),
  enable_proxy: honoured(
    boolean,
    false,
    "Connections may begin with a PROXY protocol header, version 1 or 2, on both listeners.",
  ),
  enable_http2: honoured(
    boolean,
    true,
    "`false` offers clients HTTP/1.1 only, and speaks it also to endpoints that ask for HTTP/2.",
  ),
  enable_http1_concurrent_read_write: honoured(
    boolean,
    false,
    "An answer may start while the body is still read; here it always may.",
  ),
  frontend_idle_timeout: honoured(duration, 900_000, "Quiet client connections are closed after this."),
  read_header_timeout: honoured(duration, 0, "Longest time for a request head; 0 is no limit."),
  max_request_header_bytes: honoured(integer(0), 0, "Longest request head, at most 1 MiB; 0 is 1 MiB."),
  max_request_headers: honoured(integer(0), 0, "Most header lines of a request; 0 is no limit."),
  max_response_header_bytes: honoured(integer(0), 0, "Longest response head; 0 is 10 MiB."),
  max_response_headers: honoured(integer(0), 0, "Most header lines of a response; 0 is no limit."),

  // === endpoints ===
  "backends.max_conns": honoured(integer(0), 0, "Most requests in flight per endpoint; 0 is no limit."),
  "backends.max_attempts": honoured(
    integer(0),
    0,
    "Endpoints tried per request; 0 is 1. From 2 on, those that refuse the connection count only when no other is left that is not known to have failed, up to 10 in all.",
  ),
  "backends.cert_chain": honoured(text, "", "Client certificate for endpoints that ask for one."),
  "backends.private_key": honoured(text, "", "Its key."),
  ca_certs: honoured(texts, [], "PEM certificates that endpoints are checked against, besides the system's."),
  skip_ssl_validation: honoured(boolean, false, "Certificates of endpoints are not checked."),
  endpoint_timeout: honoured(duration, 60_000, "Longest time for a whole answer; 0 is no limit."),
  endpoint_dial_timeout: honoured(duration, 5_000, "Longest wait for a connection to an endpoint."),
  websocket_dial_timeout: honoured(duration, 0, "The same for upgrades; 0 is `endpoint_dial_timeout`."),
  tls_handshake_timeout: honoured(duration, 10_000, "Longest wait for a TLS handshake with an endpoint."),
  endpoint_keep_alive_probe_interval: honoured(duration, 1_000, "Between TCP keep-alive probes."),
  disable_keep_alives: honoured(boolean, true, "Every request has its own connection to its endpoint."),
  max_idle_conns: honoured(integer(0), 100, "Idle connections to endpoints."),
  max_idle_conns_per_host: honoured(integer(0), 2, "Idle connections to one endpoint."),
  keep_alive_100_continue_requests: honoured(
    boolean,
    false,
    "Connections that carried `Expect: 100-continue` are used again.",
  ),
  balancing_algorithm: honoured(
    oneOf(
      operatorBalancers,
      (value) => `Invalid load balancing algorithm ${value}. ${choices(operatorBalancers)}`,
    ),
    "round-robin",
    "For routes without a `loadbalancing` option.",
  ),
  balancing_algorithm_az_preference: honoured(
    oneOf(
      AZ_PREFERENCES,
      (value) => `Invalid load balancing AZ preference ${value}. ${choices(AZ_PREFERENCES)}`,
    ),
    "none",
    "`locally-optimistic` prefers endpoints of the router's own zone, on the first attempt.",
  ),
  zone: honoured(text, "", "Zone of this router."),

  // === headers ===
  sticky_session_cookie_names: honoured(
    texts,
    ["JSESSIONID"],
    "Cookies that make an app's sessions sticky, for routes without a `session-cookie` option.",
  ),
  sticky_sessions_for_auth_negotiate: honoured(
    boolean,
    false,
    "Requests with `Authorization: Negotiate` stay with the instance that challenged them.",
  ),
  secure_cookies: honoured(boolean, false, "`Secure` on `__VCAP_ID__`, whatever the app's cookie has."),
  forwarded_client_cert: honoured(
    oneOf(
      CLIENT_CERT_MODES,
      (value) => `Invalid forwarded client cert mode: ${value}. ${choices(CLIENT_CERT_MODES)}`,
    ),
    "always_forward",
    "`X-Forwarded-Client-Cert`: `always_forward` keeps what was sent, `forward` does so from clients with a certificate, `sanitize_set` writes the client's own.",
  ),
  force_forwarded_proto_https: honoured(boolean, false, "`X-Forwarded-Proto` is always `https`."),
  sanitize_forwarded_proto: honoured(boolean, false, "A client's `X-Forwarded-Proto` is replaced."),
  hop_by_hop_headers_to_filter: honoured(
    texts,
    [],
    "Names that a client's `Connection` header cannot have removed.",
  ),
  "http_rewrite.responses.add_headers_if_not_present": honoured(
    headers,
    [],
    "Added to responses without them, the router's own errors included.",
  ),
  "http_rewrite.responses.remove_headers": honoured(
    headers,
    [],
    "Removed from responses before that, also what the router puts there, as `X-Vcap-Request-Id`.",
  ),
  html_error_template_file: honoured(
    text,
    "",
    "Template of error pages: `.Status`, `.StatusText`, `.Message` and `.Header.Get`; empty sends plain text.",
  ),

  // === the route table ===
  empty_pool_response_code_503: honoured(
    boolean,
    false,
    "A route that lost its endpoints answers 503 for a while.",
  ),
  empty_pool_timeout: honoured(duration, 0, "How long it does."),
  routing_table_sharding_mode: honoured(
    oneOf(SHARDING_MODES, (value) => `Invalid sharding mode: ${value}. ${choices(SHARDING_MODES)}`),
    "all",
    "Which isolation segments' routes are taken.",
  ),
  isolation_segments: honoured(texts, [], "The segments of the sharding modes."),
  prune_stale_droplets_interval: honoured(duration, 30_000, "How often stale endpoints are looked for."),
  droplet_stale_threshold: honoured(
    duration,
    120_000,
    "An endpoint that is not registered again for this long is removed.",
  ),
  start_response_delay_interval: honoured(
    duration,
    5_000,
    "How often registrars repeat themselves, and how long the start waits for them.",
  ),
  publish_start_message_interval: accepted("30s", "Nothing reads it, in gorouter either."),
  suspend_pruning_if_nats_unavailable: honoured(
    boolean,
    false,
    "Nothing is removed for its age while NATS is away.",
  ),
  publish_active_apps_interval: honoured(
    duration,
    0,
    "How often `router.active_apps` tells which apps had requests since the last time; 0 never. Each worker tells its own.",
  ),

  // === route services ===
  route_services_secret: honoured(
    text,
    "",
    "Signs what goes to route services; empty turns them off, and routes that have one answer 502.",
  ),
  route_services_secret_decrypt_only: honoured(text, "", "Opens signatures made with it, makes none."),
  route_services_timeout: honoured(duration, 60_000, "A request must be back from its service after this."),
  route_services_recommend_https: honoured(
    boolean,
    false,
    "The URL that services send requests back to begins with https.",
  ),
  route_services_hairpinning: honoured(
    boolean,
    false,
    "A service that is a route of this router is reached in the process.",
  ),
  route_services_hairpinning_allowlist: honoured(
    checkedTexts(allowlistProblem),
    [],
    "Hosts of services for which that holds, exact or `*.domain`; empty is all.",
  ),
  route_services_internal_server_port: accepted(7_070, "Nothing listens: hairpinning needs no port here."),
  "route_services.cert_chain": honoured(text, "", "Our certificate towards services."),
  "route_services.private_key": honoured(text, "", "Its key."),
  "route_services.max_attempts": honoured(integer(0), 0, "Tries to reach a service; 0 is 1."),
  "route_services.strict_signature_validation": honoured(
    boolean,
    false,
    "A bad signature is refused also on routes without a service.",
  ),

  // === where routes come from ===
  "nats.hosts": honoured(
    hostAndPort,
    [{ hostname: "localhost", port: 4222 }],
    "NATS servers; an empty list runs without NATS.",
  ),
  "nats.user": honoured(text, "", "User at NATS."),
  "nats.pass": honoured(text, "", "Password at NATS."),
  "nats.tls_enabled": honoured(boolean, false, "TLS to NATS."),
  "nats.ca_certs": honoured(
    text,
    "",
    "PEM certificates that NATS is checked against; empty takes the system's.",
  ),
  "nats.cert_chain": honoured(text, "", "Client certificate for NATS."),
  "nats.private_key": honoured(text, "", "Its key."),
  nats_client_ping_interval: honoured(
    duration,
    20_000,
    "NATS counts as lost after two of these without an answer.",
  ),
  "routing_api.uri": honoured(
    text,
    "",
    "Routes are also fetched from this Routing API, `https://…` or `http://…`; needs `routing_api.port` too.",
  ),
  "routing_api.port": honoured(port, 0, "Its port."),
  "routing_api.auth_disabled": honoured(boolean, false, "It wants no token."),
  "routing_api.ca_certs": honoured(
    text,
    "",
    "PEM certificates that it is checked against; empty takes the system's.",
  ),
  "routing_api.cert_chain": honoured(text, "", "Client certificate for it."),
  "routing_api.private_key": honoured(text, "", "Its key."),
  "oauth.token_endpoint": honoured(text, "", "Host of the UAA that gives the token for the Routing API."),
  "oauth.port": honoured(port, 0, "Its port, for TLS."),
  "oauth.client_name": honoured(text, "", "Client that the token is for."),
  "oauth.client_secret": honoured(text, "", "Its secret."),
  "oauth.skip_ssl_validation": honoured(boolean, false, "The UAA's certificate is not checked."),
  "oauth.ca_certs": honoured(
    text,
    "",
    "File of PEM certificates that the UAA is checked against, or the certificates themselves; empty takes the system's.",
  ),
  token_fetcher_max_retries: honoured(
    integer(0),
    3,
    "Tries after the first to get a token, when the UAA does not answer.",
  ),
  token_fetcher_retry_interval: honoured(duration, 5_000, "Between them."),
  token_fetcher_expiration_buffer_time: honoured(
    integer(0),
    30,
    "Seconds before its end in which a token is not used any more.",
  ),

  // === status ===
  "status.host": honoured(text, "0.0.0.0", "Address of the health listeners."),
  "status.port": honoured(port, 8080, "Plain health listener."),
  "status.user": honoured(text, "", "User of `/routes`."),
  "status.pass": honoured(text, "", "Password of `/routes`."),
  "status.enable_nontls_health_checks": honoured(boolean, true, "Whether there is a plain health listener."),
  "status.enable_deprecated_varz_healthz_endpoints": honoured(
    boolean,
    false,
    "The plain health listener also has `/healthz`, and `/varz` and `/routes` under `status.user`; any other path is answered as `/health`. The metrics then show what `/varz` is made of.",
  ),
  "status.routes.port": honoured(port, 8082, "Listener of `/routes`, on the loopback address."),
  "status.tls.port": honoured(port, 8443, "Health listener with TLS, when it has a certificate."),
  "status.tls.certificate": honoured(text, "", "Certificate of the health listener."),
  "status.tls.key": honoured(text, "", "Its key."),
  load_balancer_healthy_threshold: honoured(
    healthyThreshold,
    0,
    "Wait between turning healthy and writing the pid file.",
  ),
  healthcheck_user_agent: honoured(
    text,
    "HTTP-Monitor/1.1",
    "Requests of this user agent are told the router's health, whatever they ask for; empty none are.",
  ),
  healthcheck_poll_interval: accepted(
    "10s",
    "Read by gorouter's health checker, a program of its own, from the same file.",
  ),
  healthcheck_timeout: accepted("5s", "As `healthcheck_poll_interval`."),
  drain_wait: honoured(duration, 0, "Between turning unhealthy and closing the listeners."),
  drain_timeout: honoured(duration, 0, "Longest wait for requests in flight; 0 is `endpoint_timeout`."),

  // === logs, metrics ===
  "access_log.file": honoured(
    text,
    "",
    "File of the access log, begun anew on SIGHUP, for logrotate; empty writes none.",
  ),
  "access_log.enable_streaming": honoured(
    boolean,
    false,
    "Its lines go to syslog too, as RFC 5424 messages of facility user; what syslog does not take is dropped and counted (`dropped_access_log_lines`).",
  ),
  "logging.syslog": honoured(
    text,
    "",
    "Beginning of `source` in the log, and name of the program at syslog; empty is `gorouter.stdout`, and `gorouter`.",
  ),
  "logging.syslog_addr": honoured(address, "127.0.0.1:514", "Where the access log is streamed to."),
  "logging.syslog_network": honoured(
    oneOf(SYSLOG_NETWORKS, (value) => `${value} is not one of ${SYSLOG_NETWORKS.join(", ")}`),
    "udp",
    "`udp`: a datagram per line, with long URLs and headers cut by gorouter's measures when it would not fit. `tcp`: lines that end in a line feed.",
  ),
  "logging.syslog_truncate": honoured(integer(0), 0, "Longest line for syslog, in bytes; 0 is no limit."),
  "logging.level": honoured(
    oneOf(LOG_LEVELS, (value) => `${value} is not one of ${LOG_LEVELS.join(", ")}`),
    "debug",
    "Least level that is logged.",
  ),
  "logging.loggregator_enabled": honoured(
    boolean,
    false,
    "Lines of the access log go to the logs of their apps too, as source `RTR`.",
  ),
  "logging.metron_address": honoured(
    address,
    "localhost:3457",
    "Agent of Loggregator that takes them, over UDP, as envelopes of the first version.",
  ),
  "logging.disable_log_forwarded_for": honoured(
    boolean,
    false,
    "`x_forwarded_for` stays out of the access log.",
  ),
  "logging.disable_log_source_ip": honoured(boolean, false, "Client addresses stay out of the access log."),
  "logging.redact_query_params": honoured(
    oneOf(
      QUERY_REDACTIONS,
      (value) => `Invalid query param redaction mode: ${value}. ${choices(QUERY_REDACTIONS)}`,
    ),
    "none",
    "Queries of GET requests in the access log: kept, dropped or hashed.",
  ),
  "logging.format.timestamp": honoured(
    oneOf(TIMESTAMP_FORMATS, (value) => `${value} is not one of ${TIMESTAMP_FORMATS.join(", ")}`),
    "unix-epoch",
    "Times and levels of the log: numbers, or texts.",
  ),
  "logging.extra_access_log_fields": honoured(
    texts,
    [],
    "Further fields of an access-log line, in this order; as JSON it has them all.",
  ),
  extra_headers_to_log: honoured(texts, [], "Request headers at the end of an access-log line."),
  "tracing.enable_zipkin": honoured(boolean, false, "B3 headers towards endpoints."),
  "tracing.enable_w3c": honoured(boolean, false, "`traceparent` and `tracestate` towards endpoints."),
  "tracing.w3c_tenant_id": honoured(tenant, "", "Tenant of the own entry in `tracestate`."),
  trace_key: honoured(
    text,
    "",
    "Who sends it in `X-Vcap-Trace` is told which router and endpoint served; empty nobody is.",
  ),
  "prometheus.enabled": honoured(boolean, false, "A listener for metrics."),
  "prometheus.port": honoured(port, 0, "Its port, at `status.host`."),
  "prometheus.cert_path": honoured(
    text,
    "",
    "File of its certificate; with the next two it speaks TLS, and only to clients with a certificate.",
  ),
  "prometheus.key_path": honoured(text, "", "File of its key."),
  "prometheus.ca_path": honoured(text, "", "File of the certificates that its clients are checked against."),
  "prometheus.meters.route_lookup_time_histogram_buckets": honoured(
    buckets,
    HISTOGRAM_BUCKETS.routeLookupTime,
    "Upper bounds of `route_lookup_time`, nanoseconds; an empty list is the default, here and below.",
  ),
  "prometheus.meters.gorouter_time_histogram_buckets": honoured(
    buckets,
    HISTOGRAM_BUCKETS.gorouterTime,
    "Of `gorouter_time`, milliseconds.",
  ),
  "prometheus.meters.routing_response_latency_histogram_buckets": honoured(
    buckets,
    HISTOGRAM_BUCKETS.responseLatency,
    "Of `latency`, milliseconds.",
  ),
  "prometheus.meters.route_registration_latency_histogram_buckets": honoured(
    buckets,
    HISTOGRAM_BUCKETS.registrationLatency,
    "Of `route_registration_latency`, milliseconds.",
  ),
  "prometheus.meters.http_latency_histogram_buckets": honoured(
    buckets,
    HISTOGRAM_BUCKETS.httpLatency,
    "Of `http_latency_seconds`, seconds.",
  ),
  per_request_metrics_reporting: accepted(
    true,
    "Metrics are not sent to Loggregator; its agents scrape those of `prometheus`, which count every request.",
  ),
  per_app_prometheus_http_metrics_reporting: honoured(
    boolean,
    false,
    "Metrics have `http_latency_seconds` for each app.",
  ),
  enable_envelope_v1_metrics: accepted(true, "As `per_request_metrics_reporting`."),
  send_http_start_stop_server_event: honoured(
    boolean,
    true,
    "With `logging.loggregator_enabled`, the agent gets an event of each request too, with the app, the status and the times.",
  ),
  send_http_start_stop_client_event: accepted(
    true,
    "An event for Loggregator of each attempt is not sent; the JSON access log has those that failed.",
  ),
  route_latency_metric_muzzle_duration: honoured(
    duration,
    20_000,
    "So long after the start `route_registration_latency` is not measured: all instances are new then, and old.",
  ),

  // === the process ===
  index: honoured(integer(0), 0, "Number of this router; the beginning of its id."),
  pid_file: honoured(text, "", "Gets the process id when the router is up."),
  go_max_procs: honoured(
    integer(-1, MAX_WORKERS),
    -1,
    "Positive: so many worker processes, each on a processor of its own and with the whole route table.",
  ),
  debug_addr: accepted("", "Address of Go's profiler, which has no counterpart; `node --cpu-prof` profiles."),

  // === ours ===
  "viaduct.host": honoured(text, "0.0.0.0", "Address of the HTTP listener. Not in gorouter."),
  "viaduct.workers": honoured(
    integer(0, MAX_WORKERS),
    0,
    "Worker processes, as `go_max_procs`, which it comes before; 0 leaves it to that. Not in gorouter.",
  ),
  "viaduct.io_uring": honoured(
    boolean,
    true,
    "Connections without TLS read and write through Linux's io_uring, where the system lets it; `false`: through Node's sockets. Not in gorouter.",
  ),
  "viaduct.direct_tls": honoured(
    boolean,
    true,
    "TLS connections of clients go through io_uring too, and through Node's OpenSSL without Node's TLS sockets, where there is io_uring; `false`: through Node's TLS sockets. Not in gorouter.",
  ),
  "viaduct.access_log_format": honoured(
    oneOf(ACCESS_LOG_FORMATS, (value) => `${value} is not one of ${ACCESS_LOG_FORMATS.join(", ")}`),
    "classic",
    "Lines of the access log: gorouter's, or one JSON object each ([its fields](access-log.md)). Not in gorouter.",
  ),
  "viaduct.access_log_max_bytes": honoured(
    integer(0),
    0,
    "The access log's file is put aside at this size, as `FILE.1`, `FILE.2` and so on; 0 leaves that to logrotate. Not in gorouter.",
  ),
  "viaduct.access_log_old_files": honoured(
    integer(0, 1_000),
    5,
    "So many of them are kept. Not in gorouter.",
  ),
  "viaduct.options": honoured(
    optionSettings,
    {},
    "What options of routes may ask for, and `folder` with options of your own. Not in gorouter.",
  ),
  "viaduct.route_services_allowed_networks": honoured(
    checkedTexts(networkProblem),
    [],
    "Networks where route services may be although they are private or this machine, as `10.0.0.0/8`. Not in gorouter, which calls any address.",
  ),
} as const satisfies Readonly<Record<string, GorouterKey<unknown>>>;

export type GorouterKeyName = keyof typeof GOROUTER_KEYS;
export type GorouterValue<K extends GorouterKeyName> =
  (typeof GOROUTER_KEYS)[K] extends GorouterKey<infer T> ? T : never;

/** The list without the types of its values, for whoever treats all keys alike. */
export const gorouterKeys: ReadonlyMap<string, GorouterKey<unknown>> = new Map(
  Object.entries<GorouterKey<unknown>>(GOROUTER_KEYS),
);

export const gorouterKeyNames: readonly string[] = [...gorouterKeys.keys()];
