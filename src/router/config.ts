/**
 * Everything the HTTP router can be told, in one frozen value. `viaduct.yml` fills it through
 * {@link routerConfigFrom}; a gorouter configuration file is mapped onto the same value.
 */
import { operatorBalancers } from "../balancing/index.ts";
import { configInvalid } from "../kernel/errors/config.ts";
import { type ConfigOf, configSection, setting } from "../kernel/index.ts";
import type { OperatorLimits } from "../options/index.ts";
import type { AccessLogOptions } from "./access-log.ts";
import type { LoggregatorSettings } from "./loggregator-stream.ts";
import type { ErrorPage } from "./error-page.ts";
import { SHARDING_MODES, shardingProblem } from "./feeds/sharding.ts";
import { METRICS_DEFAULTS, type MetricsConfig } from "./metrics-config.ts";
import {
  ROUTE_SERVICES_DEFAULTS,
  type RouteServicesConfig,
  routeServicesSettings,
} from "./route-services/settings.ts";

import type { KeyPair, TlsListenerConfig } from "./tls/listener-config.ts";
import type { SyslogSettings } from "./syslog.ts";
import { tlsListenerFrom, tlsSettings } from "./tls/settings.ts";
import type { ForwardedClientCert } from "./xfcc.ts";

export const AZ_PREFERENCES = ["none", "locally-optimistic"] as const;

export const ACCESS_LOG_FORMATS = ["classic", "json"] as const;

/** Units are in the names; a limit or timeout of 0 is none, unless the comment says otherwise. */
export interface RouterConfig extends RouteServicesConfig, MetricsConfig {
  /** Address to listen on. */
  readonly host: string;
  readonly port: number;
  /** Name of the setting that holds the port, for the message when it is taken. */
  readonly portSetting: string;
  /** False: there is only the TLS listener. */
  readonly listensPlain: boolean;
  /** Null without a TLS listener. */
  readonly tls: TlsListenerConfig | null;
  /** Connections may begin with a PROXY protocol header, on both listeners. */
  readonly acceptsProxyHeader: boolean;
  /** Offered to clients on TLS, and spoken with endpoints that are registered for it. */
  readonly enablesHttp2: boolean;
  /** Plain connections read and write through io_uring where the system has it. */
  readonly usesIoUring: boolean;
  /** Clients' TLS connections go through it too, and through OpenSSL without Node's TLS sockets. */
  readonly usesDirectTls: boolean;

  /** Client side: the whole request head must have arrived this long after its first byte. */
  readonly readHeaderTimeoutMs: number;
  /** Client side: a connection without an exchange, and one whose peer stopped reading or sending, closes after this. */
  readonly frontendIdleTimeoutMs: number;
  /** Upstream side: TCP connect. */
  readonly endpointDialTimeoutMs: number;
  /** As `endpointDialTimeoutMs`, for upgrades. */
  readonly websocketDialTimeoutMs: number;
  readonly tlsHandshakeTimeoutMs: number;
  /** From handing the request to an endpoint to the last byte of its answer; not for upgraded connections. */
  readonly endpointTimeoutMs: number;
  /** Between TCP keep-alive probes on upstream connections. */
  readonly endpointKeepAliveProbeIntervalMs: number;

  /** Hard limit of the parser, and of `max_request_header_bytes`; never 0. */
  readonly maxRequestHeadBytes: number;
  /** Header lines of a request. */
  readonly maxRequestHeaders: number;
  /** Never 0. */
  readonly maxResponseHeadBytes: number;
  readonly maxResponseHeaders: number;

  /** Tries per exchange, ≥ 1. */
  readonly maxAttempts: number;
  /** Exchanges in flight per endpoint. */
  readonly maxInFlightPerEndpoint: number;
  /** False: every exchange has its own upstream connection. */
  readonly keepAliveToEndpoints: boolean;
  /** Idle upstream connections of the whole router. */
  readonly maxIdleConnections: number;
  readonly maxIdleConnectionsPerEndpoint: number;
  /** An upstream connection is closed after this long without an exchange. */
  readonly idleConnectionTimeoutMs: number;
  /** False: an exchange with `Expect: 100-continue` does not return its upstream connection to the pool. */
  readonly keepAliveAfterContinue: boolean;
  /** An endpoint that failed is avoided for a quarter of this. */
  readonly dropletStaleThresholdMs: number;

  /** For routes without a `loadbalancing` option. */
  readonly balancingAlgorithm: string;
  /** The first attempt prefers endpoints of this zone; "" has no preference. */
  readonly preferredZone: string;
  /** For routes without a `session-cookie` option. */
  readonly stickyCookieNames: readonly string[];
  /** Requests that authenticate by Negotiate go to the instance that challenged them, and to no other. */
  readonly stickyForAuthNegotiate: boolean;
  /** `__VCAP_ID__` is `Secure` also when the app's cookie is not. */
  readonly secureCookies: boolean;
  /** Verify endpoints' certificates: false skips it. */
  readonly verifyEndpointCertificates: boolean;
  /** PEM certificates that endpoints' certificates are checked against, besides the system's. */
  readonly endpointCaCertificates: readonly string[];
  /** Presented to endpoints that ask for one. */
  readonly endpointClientCertificate: KeyPair | null;

  /** What becomes of `X-Forwarded-Client-Cert`. */
  readonly forwardedClientCert: ForwardedClientCert;
  /** Always announce `X-Forwarded-Proto: https`. */
  readonly forceForwardedProtoHttps: boolean;
  /** Replace an `X-Forwarded-Proto` that the client sent. */
  readonly sanitizeForwardedProto: boolean;
  /** Names dropped from a client's `Connection` list, so that it cannot have them removed; lower case. */
  readonly hopByHopHeadersToFilter: readonly string[];
  /** What options of routes may ask for; what is missing has its default. */
  readonly optionLimits: OperatorLimits;
  /** Response headers added when the endpoint did not send them. */
  readonly addResponseHeaders: readonly { readonly name: string; readonly value: string }[];
  /** Response headers removed; lower case. */
  readonly removeResponseHeaders: readonly string[];
  /** User agent that is answered with the router's health before any lookup; "" never. */
  readonly healthcheckUserAgent: string;

  /** Bodies of the router's own errors; null sends a line of text. */
  readonly errorPage: ErrorPage | null;
  /** B3 headers towards endpoints. */
  readonly tracesB3: boolean;
  /** `traceparent` and `tracestate` towards endpoints. */
  readonly tracesW3c: boolean;
  /** Of the own entry in `tracestate`; "" without. */
  readonly w3cTenantId: string;
  /** Who sends it in `X-Vcap-Trace` is told which router and endpoint served; "" nobody is. */
  readonly traceKey: string;

  /** File of the access log; "" writes none (a sink may still be passed in). */
  readonly accessLogFile: string;
  /** Name of that setting, for messages. */
  readonly accessLogSetting: string;
  readonly accessLogFormat: (typeof ACCESS_LOG_FORMATS)[number];
  readonly accessLogOptions: Partial<AccessLogOptions>;
  /** Null leaves its size to others. */
  readonly accessLogRotation: { readonly maxBytes: number; readonly oldFiles: number } | null;
  /** Gets every line of the access log too; null does not. */
  readonly syslog: SyslogSettings | null;
  /** Is told of exchanges, for the logs and metrics of apps; null is not. */
  readonly loggregator: LoggregatorSettings | null;
  /** Lines are written at the latest this long after the exchange ended. */
  readonly accessLogFlushMs: number;
}

/** The `router:` section of `viaduct.yml`. */
export const routerSection = configSection("router", {
  host: setting.string({ key: "host", default: "0.0.0.0", describe: "Address the router listens on." }),
  port: setting.port({ key: "port", default: 8080, describe: "Port for HTTP traffic." }),
  workers: setting.integer({
    key: "workers",
    default: 1,
    minimum: 1,
    maximum: 1,
    why: "all roles are one process here; a router of several is «viaduct router» with viaduct.workers",
    describe:
      "Processes that carry traffic; more than one only where the router runs alone, see `viaduct.workers`.",
  }),
  enablesHttp2: setting.boolean({
    key: "enable_http2",
    default: true,
    describe:
      "Offers HTTP/2 to clients on the TLS listener, and speaks it with endpoints that are registered with protocol http2; `false` speaks HTTP/1.1 with all of them.",
  }),
  usesIoUring: setting.boolean({
    key: "io_uring",
    default: true,
    describe:
      "Connections without TLS read and write through Linux's io_uring, which costs less CPU; where it is missing or forbidden, and with `false`, through Node's sockets.",
  }),
  usesDirectTls: setting.boolean({
    key: "direct_tls",
    default: true,
    describe:
      "TLS connections of clients go through io_uring too, and through Node's OpenSSL without Node's TLS sockets, which costs less CPU and memory; where there is no io_uring, and with `false`, through Node's TLS sockets.",
  }),
  readHeaderTimeoutMs: setting.duration({
    key: "read_header_timeout",
    default: "30s",
    describe:
      "A client must have sent the whole request head this long after its first byte; 0 waits for ever.",
  }),
  frontendIdleTimeoutMs: setting.duration({
    key: "frontend_idle_timeout",
    default: "900s",
    describe: "Closes client connections that are quiet for this long.",
  }),
  endpointDialTimeoutMs: setting.duration({
    key: "endpoint_dial_timeout",
    default: "5s",
    describe: "Longest wait for a TCP connection to an endpoint.",
  }),
  tlsHandshakeTimeoutMs: setting.duration({
    key: "tls_handshake_timeout",
    default: "10s",
    describe: "Longest wait for a TLS handshake with an endpoint.",
  }),
  endpointTimeoutMs: setting.duration({
    key: "endpoint_timeout",
    default: "900s",
    describe:
      "Longest time for an endpoint's whole answer; 0 is no limit. Upgraded connections are not affected.",
  }),
  maxRequestHeadBytes: setting.bytes({
    key: "max_request_header_bytes",
    default: "1 MiB",
    describe: "Longest request head; a longer one is answered with 431.",
  }),
  maxRequestHeaders: setting.integer({
    key: "max_request_headers",
    default: 0,
    describe: "Most header lines of a request; 0 is no limit.",
  }),
  maxAttempts: setting.integer({
    key: "max_attempts",
    default: 3,
    minimum: 1,
    describe:
      "Endpoints tried for one request, when trying again is safe. From 2 on, those that refuse the connection count only when no other is left that is not known to have failed, up to 10 in all.",
  }),
  maxInFlightPerEndpoint: setting.integer({
    key: "max_conns",
    default: 0,
    describe: "Most requests in flight at one endpoint; 0 is no limit.",
  }),
  maxIdleConnections: setting.integer({
    key: "max_idle_conns",
    default: 1_000,
    describe: "Idle connections to endpoints that the router keeps.",
  }),
  maxIdleConnectionsPerEndpoint: setting.integer({
    key: "max_idle_conns_per_host",
    default: 100,
    describe: "Idle connections that the router keeps to one endpoint.",
  }),
  balancingAlgorithm: setting.oneOf({
    key: "balancing_algorithm",
    default: "round-robin",
    values: operatorBalancers,
    describe: "How an endpoint is picked for routes without a loadbalancing option.",
  }),
  azPreference: setting.oneOf({
    key: "balancing_algorithm_az_preference",
    default: "none",
    values: AZ_PREFERENCES,
    describe:
      "`locally-optimistic`: the first attempt goes to an endpoint of the router's own zone while there is one.",
  }),
  zone: setting.string({ key: "zone", default: "", describe: "Availability zone of this router." }),
  stickyCookieNames: setting.list({
    key: "sticky_session_cookie_names",
    default: ["JSESSIONID"],
    describe: "Cookies of apps that make their sessions sticky, for routes without a session-cookie option.",
  }),
  stickyForAuthNegotiate: setting.boolean({
    key: "sticky_sessions_for_auth_negotiate",
    default: false,
    describe:
      "Requests with `Authorization: Negotiate` go to the instance that challenged them, and to no other.",
  }),
  secureCookies: setting.boolean({
    key: "secure_cookies",
    default: false,
    describe: "Marks the router's `__VCAP_ID__` cookie as Secure even when the app's session cookie is not.",
  }),
  routingTableShardingMode: setting.oneOf({
    key: "routing_table_sharding_mode",
    default: "all",
    values: SHARDING_MODES,
    describe:
      "Which routes the router takes: all, those of its isolation segments, or these and the shared ones. `segments` leaves out our own API too, because it is in none. The DNS server of the same process knows the same routes.",
  }),
  isolationSegments: setting.list({
    key: "isolation_segments",
    default: [],
    describe: "Isolation segments of this router.",
  }),
  accessLogFile: setting.string({
    key: "access_log",
    default: "",
    describe: "File that gets one line per request; empty writes none.",
  }),
  accessLogFormat: setting.oneOf({
    key: "access_log_format",
    default: "classic",
    values: ACCESS_LOG_FORMATS,
    describe: "Lines as gorouter writes them, or one JSON object each (docs/reference/access-log.md).",
  }),
  ...tlsSettings,
  ...routeServicesSettings,
});

/** What `viaduct.yml` does not offer, because nobody needs it there. */
export const ROUTER_DEFAULTS = Object.freeze({
  ...ROUTE_SERVICES_DEFAULTS,
  ...METRICS_DEFAULTS,
  portSetting: "router.port",
  accessLogSetting: "router.access_log",
  endpointKeepAliveProbeIntervalMs: 1_000,
  maxResponseHeadBytes: 1024 * 1024,
  maxResponseHeaders: 0,
  keepAliveToEndpoints: true,
  idleConnectionTimeoutMs: 90_000,
  keepAliveAfterContinue: false,
  dropletStaleThresholdMs: 120_000,
  verifyEndpointCertificates: true,
  endpointCaCertificates: [],
  endpointClientCertificate: null,
  listensPlain: true,
  tls: null,
  acceptsProxyHeader: false,
  forwardedClientCert: "always_forward",
  forceForwardedProtoHttps: false,
  sanitizeForwardedProto: false,
  hopByHopHeadersToFilter: [],
  optionLimits: {},
  addResponseHeaders: [],
  removeResponseHeaders: [],
  healthcheckUserAgent: "",
  errorPage: null,
  tracesB3: false,
  tracesW3c: false,
  w3cTenantId: "",
  traceKey: "",
  accessLogFormat: "classic",
  accessLogOptions: {},
  accessLogRotation: null,
  syslog: null,
  loggregator: null,
  accessLogFlushMs: 100,
} satisfies Partial<RouterConfig>);

/** @throws configInvalid when a file it names is no good */
export function routerConfigFrom(section: ConfigOf<typeof routerSection>): RouterConfig {
  const problem = shardingProblem(section);
  if (problem !== null) {
    throw configInvalid({ problems: [`router.routing_table_sharding_mode: ${problem}`] });
  }
  return Object.freeze({
    ...ROUTER_DEFAULTS,
    ...section,
    websocketDialTimeoutMs: section.endpointDialTimeoutMs,
    tls: tlsListenerFrom(section),
    preferredZone: section.azPreference === "none" ? "" : section.zone,
  });
}
