/**
 * Reads a gorouter configuration file: the drop-in's front page. The keys themselves are in `gorouter-keys.ts`.
 *
 * All problems are reported at once, each with its line. Unknown keys are no problem, because gorouter ignores
 * them too, but they are said, with the nearest known name.
 */
import { readFileSync } from "node:fs";
import { isAlias, isMap, isScalar, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { configInvalid } from "../kernel/errors/config.ts";
import { nearestName, systemReason } from "../kernel/index.ts";
import { EXTRA_ACCESS_LOG_FIELDS, type ExtraAccessLogField } from "./access-log.ts";
import type { LoggregatorSettings } from "./loggregator-stream.ts";
import { ROUTER_DEFAULTS, type RouterConfig } from "./config.ts";
import { compileErrorPage, type ErrorPage } from "./error-page.ts";
import type { ClassicFeedConfig } from "./feeds/classic.ts";
import type { HistogramBuckets, MetricsConfig } from "./metrics-config.ts";
import type { RoutingApiFeedConfig } from "./feeds/routing-api.ts";
import { shardingProblem } from "./feeds/sharding.ts";
import { mapRoutingApi } from "./gorouter-routing-api.ts";
import { isFraming } from "./http-rewrite.ts";
import type { RouteServicesConfig } from "./route-services/settings.ts";
import {
  GOROUTER_KEYS,
  type GorouterKey,
  type GorouterKeyName,
  gorouterKeys,
  type GorouterValue,
} from "./gorouter-keys.ts";
import { type Given, hostAndPortOf } from "./gorouter-values.ts";
import type { SyslogSettings } from "./syslog.ts";
import { type TracingConfig, tracingHeadersToLog } from "./tracing.ts";
import { mapTlsListener } from "./tls/gorouter-tls.ts";
import { checkKeyPair } from "./tls/key-pair.ts";
import type { KeyPair } from "./tls/listener-config.ts";

const MIB = 1024 * 1024;
/** Cap and default of `max_request_header_bytes`. */
const MAX_REQUEST_HEAD_BYTES = MIB;
/** What Go's transport takes of a response head when it is not told. */
const DEFAULT_RESPONSE_HEAD_BYTES = 10 * MIB;

export interface StatusConfig {
  readonly host: string;
  /** Port of the plain health listener; null without one. */
  readonly port: number | null;
  /** Null without a certificate. */
  readonly tls: { readonly port: number; readonly certificate: string; readonly key: string } | null;
  /** `/routes`, on the loopback address. */
  readonly routesPort: number;
  readonly user: string;
  readonly pass: string;
  /** The plain health listener answers as that of old components: `/varz`, `/healthz` and `/routes` too. */
  readonly isOldComponent: boolean;
  /** Null without a metrics listener. */
  readonly metricsPort: number | null;
  /** PEM texts; clients of the metrics listener need a certificate under `ca`. Null is plain. */
  readonly metricsTls: { readonly cert: string; readonly key: string; readonly ca: string } | null;
}

export interface NatsSettings {
  /** `host:port`; empty runs without NATS. */
  readonly servers: readonly string[];
  readonly user: string;
  readonly pass: string;
  /** PEM texts; "" inside when not given. Null without TLS. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string } | null;
  readonly pingIntervalMs: number;
}

export interface GorouterConfig {
  readonly config: RouterConfig;
  readonly feed: Omit<ClassicFeedConfig, "localAddress">;
  /** Null without a Routing API. */
  readonly routingApi: RoutingApiFeedConfig | null;
  readonly status: StatusConfig;
  readonly nats: NatsSettings;
  readonly logging: {
    readonly level: GorouterValue<"logging.level">;
    readonly timestampFormat: GorouterValue<"logging.format.timestamp">;
    /** Beginning of `source`. */
    readonly prefix: string;
  };
  /** For the table: how long an emptied classic pool answers 503; 0 forgets it at once. */
  readonly emptyPoolTimeoutMs: number;
  /** Between becoming healthy and writing the pid file: load balancers need a while to see it. */
  readonly healthyThresholdMs: number;
  readonly drainWaitMs: number;
  readonly drainTimeoutMs: number;
  /** "" writes none. */
  readonly pidFile: string;
  /** Between two lists of the apps that had requests; 0 publishes none. */
  readonly publishActiveAppsIntervalMs: number;
  /** Folder with options of the operator's own; "" for none. */
  readonly optionFolder: string;
  /** Processes that serve; 1 is this one alone. */
  readonly workers: number;
  /** Sentences for the log. */
  readonly warnings: readonly string[];
}

/**
 * @param path  How the file is called in problems.
 * @throws configInvalid with all problems
 */
export function loadGorouterConfig(text: string, path: string): GorouterConfig {
  const file = readFile(text, path);
  const config = mapConfig(file);
  if (file.problems.length > 0) throw configInvalid({ problems: file.problems });
  return Object.freeze(config);
}

/** The file as read: values by key, and where each stands. */
export interface GorouterFile {
  get<K extends GorouterKeyName>(key: K): GorouterValue<K>;
  /** Notes a problem with a key, at its line when it is in the file. */
  problem(key: GorouterKeyName, sentence: string): void;
  /** The same for what gorouter takes too, but nobody can have meant. */
  warn(key: GorouterKeyName, sentence: string): void;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

function readFile(text: string, path: string): GorouterFile {
  const values = new Map<string, unknown>();
  const places = new Map<string, string>();
  const problems: string[] = [];
  const warnings: string[] = [];
  const withoutEffect: string[] = [];

  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const place = (node: unknown) => {
    const offset = isScalar(node) ? node.range?.[0] : undefined;
    return offset === undefined ? path : `${path}, line ${lines.linePos(offset).line}`;
  };
  for (const error of document.errors) {
    const line = error.linePos?.[0].line;
    problems.push(`${error.message.split("\n")[0]} (${line === undefined ? path : `${path}, line ${line}`})`);
  }

  const take = (name: string, key: GorouterKey<unknown>, given: Given, where: string) => {
    places.set(name, where);
    if (given.value === null) return;
    const parsed = key.kind.parse(given);
    if ("problem" in parsed) {
      problems.push(`${name}: ${parsed.problem} (${where})`);
      return;
    }
    values.set(name, parsed.value);
    const isDefault = JSON.stringify(parsed.value) === JSON.stringify(key.default);
    if (key.state === "accepted" && !isDefault) withoutEffect.push(name);
  };

  const walk = (map: YAMLMap, prefix: string) => {
    for (const pair of map.items) {
      const name = prefix + (isScalar(pair.key) ? String(pair.key.value) : "");
      const where = place(pair.key);
      const node = isAlias(pair.value) ? pair.value.resolve(document) : (pair.value as Node | null);
      const key = gorouterKeys.get(name);
      const isGroup =
        key === undefined && [...gorouterKeys.keys()].some((known) => known.startsWith(`${name}.`));
      if (key !== undefined) take(name, key, givenBy(node), where);
      else if (isGroup && isMap(node)) walk(node, `${name}.`);
      else if (isGroup) {
        const isNull = node === undefined || node === null || (isScalar(node) && node.value === null);
        if (!isNull) problems.push(`${name}: is not a map of settings (${where})`);
      } else {
        const near = nearestName(name, [...gorouterKeys.keys()]);
        const sentence = `${name}: is unknown${near === null ? "" : `; did you mean ${near}?`} (${where})`;
        // Our own keys have no history of being ignored.
        (name.startsWith("viaduct.") ? problems : warnings).push(sentence);
      }
    }
  };
  const givenBy = (node: Node | null | undefined): Given => ({
    value: (node?.toJS(document) as unknown) ?? null,
    source: isScalar(node) ? (node.source ?? null) : null,
  });

  if (document.errors.length === 0) {
    if (isMap(document.contents)) walk(document.contents, "");
    else if (document.contents !== null) problems.push(`the file is not a map of settings (${path})`);
  }
  if (withoutEffect.length > 0) warnings.push(`accepted, without effect here: ${withoutEffect.join(", ")}`);

  const said = (key: string, sentence: string) => `${key}: ${sentence} (${places.get(key) ?? path})`;
  return {
    problems,
    warnings,
    get: (name) =>
      (values.has(name) ? values.get(name) : GOROUTER_KEYS[name].default) as GorouterValue<typeof name>,
    problem: (name, sentence) => void problems.push(said(name, sentence)),
    warn: (name, sentence) => void warnings.push(said(name, sentence)),
  };
}

function mapConfig(file: GorouterFile): GorouterConfig {
  const { get } = file;
  const staleMs = Math.max(get("droplet_stale_threshold"), get("start_response_delay_interval"));
  const endpointTimeoutMs = get("endpoint_timeout");

  if (get("disable_http") && !get("enable_ssl")) {
    file.problem(
      "disable_http",
      "neither http nor https listener is enabled: router.enable_ssl: false, router.disable_http: true",
    );
  }
  const config = mapRouter(file, staleMs);
  const feed = {
    index: get("index"),
    startResponseDelayIntervalMs: get("start_response_delay_interval"),
    dropletStaleThresholdMs: staleMs,
    pruneStaleDropletsIntervalMs: get("prune_stale_droplets_interval"),
    suspendPruningIfNatsUnavailable: get("suspend_pruning_if_nats_unavailable"),
    routingTableShardingMode: get("routing_table_sharding_mode"),
    isolationSegments: get("isolation_segments"),
    balancingAlgorithm: get("balancing_algorithm"),
    enableHttp2: get("enable_http2"),
  };
  const problem = shardingProblem(feed);
  if (problem !== null) file.problem("routing_table_sharding_mode", problem);
  return {
    config,
    feed,
    routingApi: mapRoutingApi(file, feed),
    status: mapStatus(file),
    nats: mapNats(file),
    logging: {
      level: get("logging.level"),
      timestampFormat: get("logging.format.timestamp"),
      prefix: get("logging.syslog") || "gorouter.stdout",
    },
    emptyPoolTimeoutMs: get("empty_pool_response_code_503") ? get("empty_pool_timeout") : 0,
    healthyThresholdMs: get("load_balancer_healthy_threshold"),
    drainWaitMs: get("drain_wait"),
    drainTimeoutMs: get("drain_timeout") || endpointTimeoutMs,
    pidFile: get("pid_file"),
    publishActiveAppsIntervalMs: get("publish_active_apps_interval"),
    optionFolder: get("viaduct.options").folder ?? "",
    workers: get("viaduct.workers") || Math.max(1, get("go_max_procs")),
    warnings: file.warnings,
  };
}

function mapRouter(file: GorouterFile, dropletStaleThresholdMs: number): RouterConfig {
  const { get } = file;
  const maxRequestHeadBytes = get("max_request_header_bytes");
  const tracing = {
    tracesB3: get("tracing.enable_zipkin"),
    tracesW3c: get("tracing.enable_w3c"),
    w3cTenantId: get("tracing.w3c_tenant_id"),
  };
  return Object.freeze({
    ...ROUTER_DEFAULTS,
    optionLimits: get("viaduct.options"),
    host: get("viaduct.host"),
    usesIoUring: get("viaduct.io_uring"),
    usesDirectTls: get("viaduct.direct_tls"),
    port: get("port"),
    portSetting: "port",
    readHeaderTimeoutMs: get("read_header_timeout"),
    frontendIdleTimeoutMs: get("frontend_idle_timeout"),
    endpointDialTimeoutMs: get("endpoint_dial_timeout"),
    websocketDialTimeoutMs: get("websocket_dial_timeout") || get("endpoint_dial_timeout"),
    tlsHandshakeTimeoutMs: get("tls_handshake_timeout"),
    endpointTimeoutMs: get("endpoint_timeout"),
    endpointKeepAliveProbeIntervalMs: get("endpoint_keep_alive_probe_interval"),
    maxRequestHeadBytes:
      maxRequestHeadBytes === 0
        ? MAX_REQUEST_HEAD_BYTES
        : Math.min(maxRequestHeadBytes, MAX_REQUEST_HEAD_BYTES),
    maxRequestHeaders: get("max_request_headers"),
    maxResponseHeadBytes: get("max_response_header_bytes") || DEFAULT_RESPONSE_HEAD_BYTES,
    maxResponseHeaders: get("max_response_headers"),
    maxAttempts: Math.max(1, get("backends.max_attempts")),
    maxInFlightPerEndpoint: get("backends.max_conns"),
    keepAliveToEndpoints: !get("disable_keep_alives"),
    maxIdleConnections: get("max_idle_conns"),
    maxIdleConnectionsPerEndpoint: get("max_idle_conns_per_host"),
    keepAliveAfterContinue: get("keep_alive_100_continue_requests"),
    dropletStaleThresholdMs,
    balancingAlgorithm: get("balancing_algorithm"),
    preferredZone: get("balancing_algorithm_az_preference") === "none" ? "" : get("zone"),
    stickyCookieNames: get("sticky_session_cookie_names"),
    stickyForAuthNegotiate: get("sticky_sessions_for_auth_negotiate"),
    secureCookies: get("secure_cookies"),
    verifyEndpointCertificates: !get("skip_ssl_validation"),
    endpointCaCertificates: get("ca_certs"),
    endpointClientCertificate: mapEndpointCertificate(file),
    listensPlain: !get("disable_http"),
    tls: mapTlsListener(file),
    acceptsProxyHeader: get("enable_proxy"),
    enablesHttp2: get("enable_http2"),
    forwardedClientCert: get("forwarded_client_cert"),
    forceForwardedProtoHttps: get("force_forwarded_proto_https"),
    sanitizeForwardedProto: get("sanitize_forwarded_proto"),
    hopByHopHeadersToFilter: get("hop_by_hop_headers_to_filter").map((name) => name.toLowerCase()),
    addResponseHeaders: rewrittenHeaders(file, "http_rewrite.responses.add_headers_if_not_present"),
    removeResponseHeaders: rewrittenHeaders(file, "http_rewrite.responses.remove_headers").map(({ name }) =>
      name.toLowerCase(),
    ),
    healthcheckUserAgent: get("healthcheck_user_agent"),
    errorPage: readErrorPage(file),
    ...tracing,
    traceKey: get("trace_key"),
    ...mapAccessLog(file, tracing),
    ...mapMetrics(file),
    ...mapRouteServices(file),
  });
}

type RewriteKey = `http_rewrite.responses.${"add_headers_if_not_present" | "remove_headers"}`;

/** Less those that Go's server writes by itself, whatever the file says. */
function rewrittenHeaders(file: GorouterFile, key: RewriteKey): RouterConfig["addResponseHeaders"] {
  const headers = file.get(key);
  for (const { name } of headers) {
    if (isFraming(name))
      file.warn(key, `${name} frames messages, which is the router's business; it is ignored`);
  }
  return headers.filter(({ name }) => !isFraming(name));
}

type AccessLogConfig = Pick<
  RouterConfig,
  | "accessLogFile"
  | "accessLogSetting"
  | "accessLogFormat"
  | "accessLogOptions"
  | "accessLogRotation"
  | "syslog"
  | "loggregator"
>;

function mapAccessLog(file: GorouterFile, tracing: TracingConfig): AccessLogConfig {
  const { get } = file;
  const maxBytes = get("viaduct.access_log_max_bytes");
  return {
    accessLogFile: get("access_log.file"),
    accessLogSetting: "access_log.file",
    accessLogFormat: get("viaduct.access_log_format"),
    accessLogOptions: {
      extraFields: get("logging.extra_access_log_fields").filter(isExtraField),
      extraHeaders: [...get("extra_headers_to_log"), ...tracingHeadersToLog(tracing)],
      hideForwardedFor: get("logging.disable_log_forwarded_for"),
      hideSourceIp: get("logging.disable_log_source_ip"),
      redactQueryParams: get("logging.redact_query_params"),
    },
    accessLogRotation: maxBytes === 0 ? null : { maxBytes, oldFiles: get("viaduct.access_log_old_files") },
    syslog: get("access_log.enable_streaming") ? mapSyslog(file) : null,
    loggregator: get("logging.loggregator_enabled") ? mapLoggregator(file) : null,
  };
}

function mapLoggregator({ get }: GorouterFile): LoggregatorSettings | null {
  const address = hostAndPortOf(get("logging.metron_address"));
  return address === null
    ? null
    : { ...address, index: get("index"), sendsHttpEvents: get("send_http_start_stop_server_event") };
}

function mapSyslog({ get }: GorouterFile): SyslogSettings | null {
  const address = hostAndPortOf(get("logging.syslog_addr"));
  return address === null
    ? null
    : {
        ...address,
        network: get("logging.syslog_network"),
        appName: get("logging.syslog") || "gorouter",
        maxLineBytes: get("logging.syslog_truncate"),
      };
}

function mapRouteServices(file: GorouterFile): RouteServicesConfig {
  const { get } = file;
  const [certChain, privateKey] = [get("route_services.cert_chain"), get("route_services.private_key")];
  if (certChain !== "" || privateKey !== "") {
    checkKeyPair(certChain, privateKey, (reason) =>
      file.problem("route_services.cert_chain", `Error loading route services key pair: ${reason}`),
    );
  }
  return {
    routeServicesSecret: get("route_services_secret"),
    routeServicesSecretDecryptOnly: get("route_services_secret_decrypt_only"),
    routeServicesTimeoutMs: get("route_services_timeout"),
    routeServicesRecommendHttps: get("route_services_recommend_https"),
    routeServicesHairpinning: get("route_services_hairpinning"),
    routeServicesHairpinningAllowlist: get("route_services_hairpinning_allowlist"),
    routeServicesMaxAttempts: Math.max(1, get("route_services.max_attempts")),
    routeServicesStrictSignatures: get("route_services.strict_signature_validation"),
    routeServicesCertChain: certChain,
    routeServicesPrivateKey: privateKey,
    routeServicesAllowedNetworks: get("viaduct.route_services_allowed_networks"),
  };
}

function mapEndpointCertificate(file: GorouterFile): KeyPair | null {
  const [certificate, key] = [file.get("backends.cert_chain"), file.get("backends.private_key")];
  if (certificate === "" && key === "") return null;
  checkKeyPair(certificate, key, (reason) =>
    file.problem("backends.cert_chain", `Error loading key pair: ${reason}`),
  );
  return { certificate, key };
}

function readErrorPage(file: GorouterFile): ErrorPage | null {
  const path = file.get("html_error_template_file");
  if (path === "") return null;
  // Byte for byte, as it will be sent.
  const template = readNamedFile(file, "html_error_template_file", "latin1");
  if (template === "") return null;
  const verdict = compileErrorPage(template);
  if (verdict.ok) return verdict.page;
  file.problem("html_error_template_file", `${path}: ${verdict.problem}`);
  return null;
}

function mapStatus(file: GorouterFile): StatusConfig {
  const { get } = file;
  const [certificate, key, tlsPort] = [
    get("status.tls.certificate"),
    get("status.tls.key"),
    get("status.tls.port"),
  ];
  const hasTls = certificate !== "" || key !== "";
  if (hasTls && key === "") file.problem("status.tls.key", "router.status.tls.key must be provided");
  if (hasTls && certificate === "") {
    file.problem("status.tls.certificate", "router.status.tls.certificate must be provided");
  }
  if (hasTls && tlsPort === 0) file.problem("status.tls.port", "router.status.tls.port must not be 0");
  if (certificate !== "" && key !== "") {
    checkKeyPair(certificate, key, (reason) =>
      file.problem("status.tls.certificate", `Error loading key pair: ${reason}`),
    );
  }
  const isPlain = get("status.enable_nontls_health_checks");
  if (!isPlain && !hasTls) {
    file.problem(
      "status.enable_nontls_health_checks",
      "Neither TLS nor non-TLS health endpoints are enabled. Refusing to start gorouter.",
    );
  }
  return {
    host: get("status.host"),
    port: isPlain ? get("status.port") : null,
    tls: hasTls ? { port: tlsPort, certificate, key } : null,
    routesPort: get("status.routes.port"),
    user: get("status.user"),
    pass: get("status.pass"),
    isOldComponent: isPlain && get("status.enable_deprecated_varz_healthz_endpoints"),
    metricsTls: mapMetricsTls(file),
    metricsPort: get("prometheus.enabled") || get("prometheus.port") !== 0 ? get("prometheus.port") : null,
  };
}

const METRICS_FILES = ["prometheus.cert_path", "prometheus.key_path", "prometheus.ca_path"] as const;

function mapMetricsTls(file: GorouterFile): StatusConfig["metricsTls"] {
  const named = METRICS_FILES.filter((name) => file.get(name) !== "");
  if (named.length === 0) return null;
  const [cert, key, ca] = METRICS_FILES.map((name) => {
    const path = file.get(name);
    if (path === "") {
      file.problem(
        name,
        `is missing; without it metrics would be readable by anybody, although ${named.join(" and ")} ask for TLS`,
      );
    }
    return path === "" ? "" : readNamedFile(file, name, "utf8");
  }) as [string, string, string];
  if (cert !== "" && key !== "") {
    checkKeyPair(cert, key, (reason) =>
      file.problem("prometheus.cert_path", `Error loading key pair: ${reason}`),
    );
  }
  return { cert, key, ca };
}

/** "" after noting why it cannot be read. */
function readNamedFile(file: GorouterFile, key: PathKey, encoding: "utf8" | "latin1"): string {
  try {
    return readFileSync(file.get(key), encoding);
  } catch (error) {
    file.problem(key, `cannot be read: ${systemReason(error)}`);
    return "";
  }
}

type PathKey = "html_error_template_file" | (typeof METRICS_FILES)[number];

/** gorouter's names of histograms, and ours. */
const BUCKET_KEYS = {
  routeLookupTime: "prometheus.meters.route_lookup_time_histogram_buckets",
  gorouterTime: "prometheus.meters.gorouter_time_histogram_buckets",
  responseLatency: "prometheus.meters.routing_response_latency_histogram_buckets",
  registrationLatency: "prometheus.meters.route_registration_latency_histogram_buckets",
  httpLatency: "prometheus.meters.http_latency_histogram_buckets",
} as const satisfies Record<keyof HistogramBuckets, GorouterKeyName>;

function mapMetrics({ get }: GorouterFile): MetricsConfig {
  const buckets = Object.entries(BUCKET_KEYS).map(([name, key]) => {
    const given = get(key);
    return [name, given.length === 0 ? GOROUTER_KEYS[key].default : given] as const;
  });
  return {
    histogramBuckets: Object.fromEntries(buckets) as Record<keyof HistogramBuckets, readonly number[]>,
    countsLatencyPerApp: get("per_app_prometheus_http_metrics_reporting"),
    registrationLatencyAfterMs: get("route_latency_metric_muzzle_duration"),
  };
}

function mapNats(file: GorouterFile): NatsSettings {
  const { get } = file;
  const [ca, cert, key] = [get("nats.ca_certs"), get("nats.cert_chain"), get("nats.private_key")];
  const isTls = get("nats.tls_enabled");
  if (isTls && (cert !== "" || key !== "")) {
    checkKeyPair(cert, key, (reason) =>
      file.problem("nats.cert_chain", `Error loading NATS key pair: ${reason}`),
    );
  }
  return {
    servers: get("nats.hosts").map(({ hostname, port }) => `${hostname}:${port}`),
    user: get("nats.user"),
    pass: get("nats.pass"),
    tls: isTls ? { ca, cert, key } : null,
    pingIntervalMs: get("nats_client_ping_interval"),
  };
}

function isExtraField(name: string): name is ExtraAccessLogField {
  return (EXTRA_ACCESS_LOG_FIELDS as readonly string[]).includes(name);
}
