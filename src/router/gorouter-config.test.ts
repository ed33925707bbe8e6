import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { ViaductError } from "../kernel/index.ts";
import { loadGorouterConfig } from "./gorouter-config.ts";
import { gorouterKeys } from "./gorouter-keys.ts";
import { HISTOGRAM_BUCKETS } from "./metrics-config.ts";
import { selfSigned } from "../../test/support/certificate.ts";
import { renderGorouterKeys } from "./gorouter-reference.ts";

const load = (text: string) => loadGorouterConfig(text, "gorouter.yml");

function problemsOf(text: string): readonly string[] {
  try {
    load(text);
  } catch (error) {
    assert.ok(error instanceof ViaductError && error.code === "config_invalid", String(error));
    return (error.details as { problems: readonly string[] }).problems;
  }
  return assert.fail("the file was accepted");
}

test("an empty file is gorouter's defaults", () => {
  const { config, feed, status, nats, logging, warnings, ...rest } = load("");
  assert.deepEqual(
    {
      port: config.port,
      host: config.host,
      maxAttempts: config.maxAttempts,
      endpointTimeoutMs: config.endpointTimeoutMs,
      websocketDialTimeoutMs: config.websocketDialTimeoutMs,
      keepAliveToEndpoints: config.keepAliveToEndpoints,
      maxIdleConnectionsPerEndpoint: config.maxIdleConnectionsPerEndpoint,
      maxRequestHeadBytes: config.maxRequestHeadBytes,
      balancingAlgorithm: config.balancingAlgorithm,
      verifyEndpointCertificates: config.verifyEndpointCertificates,
    },
    {
      port: 8081,
      host: "0.0.0.0",
      maxAttempts: 1,
      endpointTimeoutMs: 60_000,
      websocketDialTimeoutMs: 5_000,
      keepAliveToEndpoints: false,
      maxIdleConnectionsPerEndpoint: 2,
      maxRequestHeadBytes: 1_048_576,
      balancingAlgorithm: "round-robin",
      verifyEndpointCertificates: true,
    },
  );
  assert.equal(feed.dropletStaleThresholdMs, 120_000);
  assert.deepEqual(status, {
    host: "0.0.0.0",
    port: 8080,
    tls: null,
    routesPort: 8082,
    user: "",
    pass: "",
    isOldComponent: false,
    metricsPort: null,
    metricsTls: null,
  });
  assert.deepEqual(nats, {
    servers: ["localhost:4222"],
    user: "",
    pass: "",
    tls: null,
    pingIntervalMs: 20_000,
  });
  assert.deepEqual(logging, { level: "debug", timestampFormat: "unix-epoch", prefix: "gorouter.stdout" });
  assert.equal(rest.drainTimeoutMs, 60_000);
  assert.deepEqual(warnings, []);
});

/** What a deployment of Cloud Foundry writes, less what is refused. */
const DEPLOYED = `---
status:
  port: 8080
  user: router-status
  pass: 00017
  enable_nontls_health_checks: yes
  routes:
    port: 8082
nats:
  hosts:
    - hostname: q-s0.nats.default.cf.bosh
      port: 4222
    - {hostname: 10.0.0.3, port: 4223}
  user: nats
  pass: secret
  tls_enabled: false
logging:
  file: /var/vcap/sys/log/gorouter/gorouter.log
  syslog: vcap.gorouter
  level: info
  loggregator_enabled: true
  metron_address: localhost:3457
  format: {timestamp: rfc3339}
  redact_query_params: hash
  extra_access_log_fields: [backend_time, no_such_field]
port: 80
index: 2
pid_file: /var/vcap/data/gorouter/gorouter.pid
go_max_procs: -1
prune_stale_droplets_interval: 30s
droplet_stale_threshold: 120s
publish_active_apps_interval: 0s
suspend_pruning_if_nats_unavailable: true
endpoint_timeout: 900s
websocket_dial_timeout: 15s
start_response_delay_interval: 20s
secure_cookies: true
enable_ssl: false
ssl_port: 443
route_services_secret: ""
force_forwarded_proto_https: true
sanitize_forwarded_proto: true
disable_keep_alives: false
max_idle_conns: 100
max_idle_conns_per_host: 100
backends:
  max_conns: 500
  max_attempts: 3
extra_headers_to_log: [X-Request-Start]
access_log:
  file: /tmp/access.log
balancing_algorithm: least-connection
routing_table_sharding_mode: shared-and-segments
isolation_segments: [blue]
drain_wait: 20s
drain_timeout: 900s
empty_pool_response_code_503: true
empty_pool_timeout: 1m30s
hop_by_hop_headers_to_filter: [X-Forwarded-Proto]
http_rewrite:
  responses:
    add_headers_if_not_present:
      - name: Strict-Transport-Security
        value: max-age=31536000
    remove_headers:
      - name: X-Powered-By
enabel_http2: false
`;

test("what options may ask for stands in a section of our own, and its mistakes are told at once", () => {
  const { config, optionFolder } = load(
    "viaduct: {options: {folder: /opt/options, max_retries: 3, max_idle_timeout: 10m}}",
  );
  assert.equal(optionFolder, "/opt/options");
  assert.deepEqual(config.optionLimits, { folder: "/opt/options", maxRetries: 3, maxIdleTimeoutMs: 600_000 });
  assert.deepEqual(problemsOf("viaduct: {options: {max_retry: 3, max_idle_timeout: 10}}"), [
    'viaduct.options: there is no max_retry; did you mean max_retries?; max_idle_timeout: 10 has no unit; write "10s" (gorouter.yml, line 1)',
  ]);
  assert.deepEqual(problemsOf("viaduct: {options: many}"), [
    "viaduct.options: is not a map of settings (gorouter.yml, line 1)",
  ]);
});

test("a deployed file is taken as it is", () => {
  const { config, feed, status, nats, logging, emptyPoolTimeoutMs, warnings, ...rest } = load(DEPLOYED);
  assert.equal(config.port, 80);
  assert.equal(config.websocketDialTimeoutMs, 15_000);
  assert.equal(config.keepAliveToEndpoints, true);
  assert.equal(config.maxInFlightPerEndpoint, 500);
  assert.equal(config.maxAttempts, 3);
  assert.equal(config.balancingAlgorithm, "least-connection");
  assert.equal(config.secureCookies, true);
  assert.deepEqual(config.stickyCookieNames, ["JSESSIONID"]);
  assert.equal(config.forceForwardedProtoHttps, true);
  assert.deepEqual(config.hopByHopHeadersToFilter, ["x-forwarded-proto"]);
  assert.deepEqual(config.addResponseHeaders, [
    { name: "Strict-Transport-Security", value: "max-age=31536000" },
  ]);
  assert.deepEqual(config.removeResponseHeaders, ["x-powered-by"]);
  assert.equal(config.accessLogFile, "/tmp/access.log");
  assert.deepEqual(feed, {
    index: 2,
    startResponseDelayIntervalMs: 20_000,
    dropletStaleThresholdMs: 120_000,
    pruneStaleDropletsIntervalMs: 30_000,
    suspendPruningIfNatsUnavailable: true,
    routingTableShardingMode: "shared-and-segments",
    isolationSegments: ["blue"],
    balancingAlgorithm: "least-connection",
    enableHttp2: true,
  });
  assert.equal(status.pass, "00017");
  assert.deepEqual(nats.servers, ["q-s0.nats.default.cf.bosh:4222", "10.0.0.3:4223"]);
  assert.deepEqual(config.accessLogOptions, {
    extraFields: ["backend_time"],
    extraHeaders: ["X-Request-Start"],
    hideForwardedFor: false,
    hideSourceIp: false,
    redactQueryParams: "hash",
  });
  assert.deepEqual(logging, { level: "info", timestampFormat: "rfc3339", prefix: "vcap.gorouter" });
  assert.equal(emptyPoolTimeoutMs, 90_000);
  assert.deepEqual(rest, {
    healthyThresholdMs: 0,
    drainWaitMs: 20_000,
    drainTimeoutMs: 900_000,
    pidFile: "/var/vcap/data/gorouter/gorouter.pid",
    optionFolder: "",
    publishActiveAppsIntervalMs: 0,
    routingApi: null,
    workers: 1,
  });
  assert.deepEqual(warnings, [
    "logging.file: is unknown; did you mean logging.level? (gorouter.yml, line 18)",
    "enabel_http2: is unknown; did you mean enable_http2? (gorouter.yml, line 67)",
  ]);
});

const ROUTING_API = `
routing_api: {uri: "https://routing-api.example.com", port: 3001}
oauth: {token_endpoint: uaa.example.com, port: 8443, client_name: gorouter, client_secret: s3cret}
`;

test("routes are fetched from the Routing API that the file names, with a token for its client", () => {
  const { routingApi } = load(`${ROUTING_API}prune_stale_droplets_interval: 40s\n`);
  assert.deepEqual(
    {
      url: routingApi?.url,
      tls: routingApi?.tls,
      oauth: routingApi?.oauth,
      prune: routingApi?.pruneStaleDropletsIntervalMs,
      stale: routingApi?.dropletStaleThresholdMs,
    },
    {
      url: "https://routing-api.example.com:3001",
      tls: {},
      oauth: {
        url: "https://uaa.example.com:8443/oauth/token",
        client: { name: "gorouter", secret: "s3cret" },
        tls: { rejectUnauthorized: true },
        maxRetries: 3,
        retryIntervalMs: 5_000,
        expirationBufferMs: 30_000,
      },
      prune: 40_000,
      stale: 120_000,
    },
  );
  const fetcher = load(
    `${ROUTING_API}token_fetcher_max_retries: 7\ntoken_fetcher_retry_interval: 1s\ntoken_fetcher_expiration_buffer_time: 5\n`,
  ).routingApi?.oauth;
  assert.deepEqual(
    [fetcher?.maxRetries, fetcher?.retryIntervalMs, fetcher?.expirationBufferMs],
    [7, 1_000, 5_000],
  );
});

test("a Routing API without tokens needs no UAA, and one without a port is none", () => {
  const open = load("routing_api: {uri: http://10.0.0.1, port: 3000, auth_disabled: true}").routingApi;
  assert.deepEqual([open?.url, open?.oauth], ["http://10.0.0.1:3000", null]);
  const { routingApi, warnings } = load("routing_api: {uri: http://10.0.0.1}");
  assert.equal(routingApi, null);
  assert.deepEqual(warnings, [
    "routing_api.uri: has no effect without routing_api.port; its routes are not fetched (gorouter.yml, line 1)",
  ]);
});

test("the UAA's authorities are a file, or the certificates themselves", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-uaa-ca-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
  const path = join(folder, "ca.pem");
  writeFileSync(path, pem);
  const authoritiesOf = (value: string) =>
    load(`${ROUTING_API.trimEnd().slice(0, -1)}, ca_certs: ${JSON.stringify(value)}}`).routingApi?.oauth?.tls
      .ca;
  assert.equal(authoritiesOf(path), pem);
  assert.equal(authoritiesOf(pem), pem);
});

test("route services are as the file says, and are tried at least once", () => {
  const { config } = load(`
route_services_secret: new
route_services_secret_decrypt_only: old
route_services_timeout: 2m
route_services_recommend_https: true
route_services_hairpinning: true
route_services_hairpinning_allowlist: ["*.apps.example.com"]
route_services: {max_attempts: 0, strict_signature_validation: true}
viaduct: {route_services_allowed_networks: [10.0.0.0/8]}
`);
  const { routeServicesSecret, routeServicesSecretDecryptOnly, routeServicesTimeoutMs } = config;
  assert.deepEqual([routeServicesSecret, routeServicesSecretDecryptOnly], ["new", "old"]);
  assert.equal(routeServicesTimeoutMs, 120_000);
  assert.equal(config.routeServicesRecommendHttps, true);
  assert.equal(config.routeServicesHairpinning, true);
  assert.deepEqual(config.routeServicesHairpinningAllowlist, ["*.apps.example.com"]);
  assert.equal(config.routeServicesMaxAttempts, 1);
  assert.equal(config.routeServicesStrictSignatures, true);
  assert.deepEqual(config.routeServicesAllowedNetworks, ["10.0.0.0/8"]);
  assert.equal(load("route_services: {max_attempts: 4}").config.routeServicesMaxAttempts, 4);
});

test("the stale threshold is raised to the start delay", () => {
  const { feed, config } = load("droplet_stale_threshold: 10s\nstart_response_delay_interval: 20s\n");
  assert.equal(feed.dropletStaleThresholdMs, 20_000);
  assert.equal(config.dropletStaleThresholdMs, 20_000);
});

test("an emptied pool is kept only with both settings", () => {
  assert.equal(load("empty_pool_timeout: 30s").emptyPoolTimeoutMs, 0);
  assert.equal(load("empty_pool_response_code_503: true").emptyPoolTimeoutMs, 0);
});

test("limits of 0 are the hard limits, and larger ones are cut", () => {
  assert.equal(load("max_response_header_bytes: 0").config.maxResponseHeadBytes, 10 * 1_048_576);
  assert.equal(load("max_request_header_bytes: 99999999").config.maxRequestHeadBytes, 1_048_576);
  assert.equal(load("max_request_header_bytes: 4096").config.maxRequestHeadBytes, 4_096);
});

test("an error page is read and checked with the file that names it", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-error-page-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "error.html");
  const loadIt = () => load(`html_error_template_file: ${path}`);
  const refused = (problem: string) =>
    assert.throws(loadIt, ({ message }: Error) => message.includes(`html_error_template_file: ${problem}`));
  refused("cannot be read: no such file or directory");
  writeFileSync(path, "{{ range .Header }}");
  refused(`${path}: «{{ range .Header }}» in line 1 is not understood`);
  writeFileSync(path, "<h1>{{ .Status }}</h1>");
  const values = { status: 502, statusText: "", message: "", header: () => "" };
  assert.equal(loadIt().config.errorPage?.(values), "<h1>502</h1>");
  assert.equal(load("").config.errorPage, null);
});

test("tracing adds its headers to the access log, and a tenant has to fit into one", () => {
  const { config } = load(
    "extra_headers_to_log: [accept]\ntracing: {enable_w3c: true, w3c_tenant_id: t1}\ntrace_key: open",
  );
  assert.deepEqual(config.accessLogOptions.extraHeaders, ["accept", "traceparent", "tracestate"]);
  assert.deepEqual(
    [config.tracesB3, config.tracesW3c, config.w3cTenantId, config.traceKey],
    [false, true, "t1", "open"],
  );
  assert.throws(
    () => load('tracing: {w3c_tenant_id: "a=b"}'),
    /w3c_tenant_id: "a=b" is no tenant; use lower-case/,
  );
});

test("an empty list of NATS hosts runs without NATS", () => {
  assert.deepEqual(load("nats: {hosts: []}").nats.servers, []);
});

const refusals: { text: string; problem: string | RegExp }[] = [
  { text: "- port: 1", problem: "the file is not a map of settings (gorouter.yml)" },
  { text: "port: [", problem: /^Flow sequence .*\(gorouter\.yml, line \d\)$/ },
  { text: "port: 1\nport: 2", problem: /unique.*line 2\)$/ },
  {
    text: "port: http",
    problem: 'port: "http" is not a whole number; write one 0–65535 (gorouter.yml, line 1)',
  },
  { text: "\nport: 70000", problem: "port: 70000 is outside 0–65535 (gorouter.yml, line 2)" },
  { text: "status: 8080", problem: "status: is not a map of settings (gorouter.yml, line 1)" },
  {
    text: "secure_cookies: 1\ndisable_keep_alives: 1",
    problem: /^disable_keep_alives: 1 is neither true nor false/,
  },
  {
    text: "endpoint_timeout: 30",
    problem: 'endpoint_timeout: 30 has no unit; write "30s" (gorouter.yml, line 1)',
  },
  { text: "endpoint_timeout: soon", problem: /"soon" is no duration; write one like "30s"/ },
  { text: "nats: {hosts: [{hostname: a}]}", problem: /^nats\.hosts: undefined is not a port 1–65535/ },
  { text: "nats: {hosts: [{port: 4222}]}", problem: /^nats\.hosts: undefined is not a hostname/ },
  { text: "nats: {hosts: [a]}", problem: /^nats\.hosts: "a" is not a map in a list/ },
  {
    text: "balancing_algorithm: hash",
    problem:
      "balancing_algorithm: Invalid load balancing algorithm hash. Allowed values are [round-robin least-connection] (gorouter.yml, line 1)",
  },
  {
    text: "balancing_algorithm_az_preference: near",
    problem: /Invalid load balancing AZ preference near\. Allowed values are \[none locally-optimistic\]/,
  },
  {
    text: "forwarded_client_cert: maybe",
    problem:
      /Invalid forwarded client cert mode: maybe\. Allowed values are \[always_forward forward sanitize_set\]/,
  },
  {
    text: "routing_table_sharding_mode: none",
    problem: /Invalid sharding mode: none\. Allowed values are \[all segments shared-and-segments\]/,
  },
  {
    text: "routing_table_sharding_mode: segments",
    problem: /Expected isolation segments; routing table sharding mode set to segments and none provided\./,
  },
  {
    text: "logging: {redact_query_params: some}",
    problem: /Invalid query param redaction mode: some\. Allowed values are \[none all hash\]/,
  },
  {
    text: "load_balancer_healthy_threshold: -5s",
    problem: /Invalid load balancer healthy threshold: -5s/,
  },
  {
    text: "disable_http: true",
    problem:
      /neither http nor https listener is enabled: router\.enable_ssl: false, router\.disable_http: true/,
  },
  {
    text: "status: {enable_nontls_health_checks: false}",
    problem: /Neither TLS nor non-TLS health endpoints are enabled\. Refusing to start gorouter\./,
  },
  { text: "status: {tls: {certificate: x}}", problem: /router\.status\.tls\.key must be provided/ },
  { text: "status: {tls: {key: x}}", problem: /router\.status\.tls\.certificate must be provided/ },
  { text: "status: {tls: {certificate: x, key: x}}", problem: /Error loading key pair: / },
  { text: "status: {tls: {port: 0, key: x}}", problem: /router\.status\.tls\.port must not be 0/ },
  {
    text: "nats: {tls_enabled: true, cert_chain: x, private_key: x}",
    problem: /^nats\.cert_chain: Error loading NATS key pair: /,
  },
  {
    text: "http_rewrite: {responses: {remove_headers: [{name: 'a b'}]}}",
    problem: /"a b" is not a header name/,
  },
  {
    text: 'http_rewrite: {responses: {add_headers_if_not_present: [{name: a, value: "b\\r\\nc: d"}]}}',
    problem: /is not a header value/,
  },
  {
    text: "route_services_hairpinning_allowlist: [service]",
    problem:
      /invalid route service hairpinning allowlist entry: service\. Must be wildcard \(\*\.domain\.com\) or FQDN \(hostname\.domain\.com\)/,
  },
  {
    text: "route_services: {cert_chain: x}",
    problem: /^route_services\.cert_chain: Error loading route services key pair: /,
  },
  {
    text: "viaduct: {route_services_allowed_networks: [10.0.0.0]}",
    problem: /"10\.0\.0\.0" is not a network; write one like 10\.0\.0\.0\/8/,
  },
  {
    text: "routing_api: {uri: routing-api.example.com, port: 3001, auth_disabled: true}",
    problem: /^routing_api\.uri: routing-api\.example\.com is not «https:\/\/HOST» or «http:\/\/HOST»/,
  },
  {
    text: "routing_api: {uri: https://a, port: 1}",
    problem: /^oauth\.token_endpoint: oauth\.token_endpoint and oauth\.port are needed/,
  },
  {
    text: "routing_api: {uri: https://a, port: 1, auth_disabled: true, cert_chain: x, private_key: x}",
    problem: /^routing_api\.cert_chain: Error loading key pair: /,
  },
  {
    text: "routing_api: {uri: https://a, port: 1}\noauth: {token_endpoint: b, port: 2, ca_certs: /none}",
    problem: /^oauth\.ca_certs: cannot be read: no such file or directory.*line 2\)$/,
  },
  {
    text: "prometheus: {meters: {gorouter_time_histogram_buckets: [2, 1]}}",
    problem:
      /^prometheus\.meters\.gorouter_time_histogram_buckets: \[2,1\] is not a list of numbers, each greater/,
  },
  {
    text: "prometheus: {cert_path: /none}",
    problem: /^prometheus\.cert_path: cannot be read: no such file or directory/,
  },
  { text: "viaduct: {hots: ::1}", problem: /^viaduct\.hots: is unknown; did you mean viaduct\.host\?/ },
];
for (const { text, problem } of refusals) {
  test(`a file is refused with a sentence: ${text.replaceAll("\n", " ⏎ ")}`, () => {
    const problems = problemsOf(text);
    const hit = problems.some((sentence) =>
      typeof problem === "string" ? sentence === problem : problem.test(sentence),
    );
    assert.ok(hit, problems.join("\n"));
  });
}

test("buckets of histograms are the file's, and an empty list is the default", () => {
  const { config } = load(`
prometheus:
  meters:
    gorouter_time_histogram_buckets: [1, 2.5, 10]
    http_latency_histogram_buckets: []
per_app_prometheus_http_metrics_reporting: true
route_latency_metric_muzzle_duration: 5s
`);
  assert.deepEqual(config.histogramBuckets, { ...HISTOGRAM_BUCKETS, gorouterTime: [1, 2.5, 10] });
  assert.equal(config.countsLatencyPerApp, true);
  assert.equal(config.registrationLatencyAfterMs, 5_000);
});

test("metrics are behind TLS when the file names certificates, and never by half", (t) => {
  const certificate = selfSigned(t);
  if (certificate === null) return;
  const { certificatePath, keyPath } = certificate;
  const { status } = load(
    `prometheus: {enabled: true, cert_path: ${certificatePath}, key_path: ${keyPath}, ca_path: ${certificatePath}}`,
  );
  assert.deepEqual(status.metricsTls, {
    cert: certificate.certificate,
    key: certificate.key,
    ca: certificate.certificate,
  });
  assert.deepEqual(problemsOf(`prometheus: {cert_path: ${certificatePath}, key_path: ${keyPath}}`), [
    "prometheus.ca_path: is missing; without it metrics would be readable by anybody, although prometheus.cert_path and prometheus.key_path ask for TLS (gorouter.yml)",
  ]);
});

test("headers that frame messages are neither added nor removed, and it is said", () => {
  const { config, warnings } = load(
    "http_rewrite:\n  responses:\n    remove_headers: [{name: Content-Length}, {name: Server}]\n" +
      "    add_headers_if_not_present: [{name: transfer-encoding, value: x}, {name: X-A, value: b}]\n",
  );
  assert.deepEqual(config.removeResponseHeaders, ["server"]);
  assert.deepEqual(config.addResponseHeaders, [{ name: "X-A", value: "b" }]);
  assert.deepEqual(warnings, [
    "http_rewrite.responses.add_headers_if_not_present: transfer-encoding frames messages, which is the router's business; it is ignored (gorouter.yml, line 4)",
    "http_rewrite.responses.remove_headers: Content-Length frames messages, which is the router's business; it is ignored (gorouter.yml, line 3)",
  ]);
});

test("the health checker's user agent is gorouter's unless the file says otherwise", () => {
  assert.equal(load("").config.healthcheckUserAgent, "HTTP-Monitor/1.1");
  assert.equal(load("healthcheck_user_agent: probe/2").config.healthcheckUserAgent, "probe/2");
});

test("all problems are reported at once", () => {
  assert.equal(
    problemsOf("port: x\ndisable_http: true\nendpoint_timeout: 3\nbalancing_algorithm: y").length,
    4,
  );
});

test("an anchored value is read where it is used", () => {
  const { config } = load("endpoint_timeout: &t 7s\nendpoint_dial_timeout: *t\n");
  assert.equal(config.endpointDialTimeoutMs, 7_000);
});

test("a null is the default", () => {
  const { config, nats } = load("port:\nnats:\nstatus:\n  routes:\nlogging: ~\n");
  assert.equal(config.port, 8081);
  assert.deepEqual(nats.servers, ["localhost:4222"]);
});

test("no file makes the loader fail otherwise than with its list of problems", () => {
  const keys = fc.constantFrom(...gorouterKeys.keys());
  const body = fc.array(fc.tuple(keys, fc.jsonValue()), { maxLength: 8 });
  fc.assert(
    fc.property(body, (entries) => {
      const tree: Record<string, unknown> = {};
      for (const [key, value] of entries) {
        const path = key.split(".");
        let map = tree;
        for (const part of path.slice(0, -1)) {
          const next = map[part];
          map = (
            typeof next === "object" && next !== null && !Array.isArray(next) ? next : (map[part] = {})
          ) as Record<string, unknown>;
        }
        map[path.at(-1) ?? ""] = value;
      }
      try {
        load(JSON.stringify(tree));
      } catch (error) {
        assert.ok(error instanceof ViaductError, String(error));
      }
    }),
  );
});

test("every default is what its own kind would take", () => {
  for (const [name, key] of gorouterKeys) {
    if (key.kind.name === "duration") continue;
    const source = typeof key.default === "object" ? null : String(key.default);
    assert.deepEqual(key.kind.parse({ value: key.default, source }), { value: key.default }, name);
  }
});

test("the committed reference page is what the list says", () => {
  const page = new URL("../../docs/reference/gorouter-config.md", import.meta.url);
  assert.ok(readFileSync(page, "utf8") === renderGorouterKeys(), "it is out of date; run «npm run docs»");
});

test("the access log is a file, a stream to syslog, or both, in one of two forms and rotated by whom one likes", () => {
  const plain = load("access_log: {file: /var/log/access.log}").config;
  assert.deepEqual(
    [plain.accessLogFile, plain.accessLogFormat, plain.accessLogRotation, plain.syslog],
    ["/var/log/access.log", "classic", null, null],
  );
  const { config } = load(`
access_log: {enable_streaming: true}
logging: {syslog: vcap.gorouter, syslog_addr: "[::1]:1514", syslog_network: tcp, syslog_truncate: 2048}
viaduct: {access_log_format: json, access_log_max_bytes: 1000000, access_log_old_files: 2}
`);
  assert.equal(config.accessLogFormat, "json");
  assert.deepEqual(config.accessLogRotation, { maxBytes: 1_000_000, oldFiles: 2 });
  assert.deepEqual(config.syslog, {
    network: "tcp",
    host: "::1",
    port: 1_514,
    appName: "vcap.gorouter",
    maxLineBytes: 2_048,
  });
  assert.deepEqual(load("access_log: {enable_streaming: yes}").config.syslog, {
    network: "udp",
    host: "127.0.0.1",
    port: 514,
    appName: "gorouter",
    maxLineBytes: 0,
  });
  assert.deepEqual(problemsOf('logging: {syslog_addr: "localhost", syslog_network: unixgram}'), [
    'logging.syslog_addr: "localhost" is no address; write one like "127.0.0.1:514" (gorouter.yml, line 1)',
    "logging.syslog_network: unixgram is not one of udp, tcp (gorouter.yml, line 1)",
  ]);
});

test("an agent of Loggregator is sent lines only when the file says so", () => {
  assert.equal(load("logging: {metron_address: 10.0.0.1:3457}").config.loggregator, null);
  assert.deepEqual(load("index: 2\nlogging: {loggregator_enabled: true}").config.loggregator, {
    host: "localhost",
    port: 3_457,
    index: 2,
    sendsHttpEvents: true,
  });
});

test("only a plain health listener is that of an old component", (t) => {
  const pair = selfSigned(t);
  if (pair === null) return;
  const deprecated = "enable_deprecated_varz_healthz_endpoints: true";
  assert.equal(load(`status: {${deprecated}}`).status.isOldComponent, true);
  const tls = JSON.stringify({ certificate: pair.certificate, key: pair.key });
  const withoutPlain = `status: {${deprecated}, enable_nontls_health_checks: false, tls: ${tls}}`;
  assert.equal(load(withoutPlain).status.isOldComponent, false);
});
