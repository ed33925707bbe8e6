/**
 * A configuration file as a deployment of Cloud Foundry templates it, with every key that gorouter knows, against
 * real NATS with TLS and a password; and the log lines that operators and their tools wait for.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get as httpGet, type IncomingMessage, type RequestListener } from "node:http";
import { get as httpsGet, type RequestOptions } from "node:https";
import { createServer as createNetServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { parse } from "yaml";
import { type Bus, connectNats, encodeRegister, SUBJECTS } from "../../src/bus/index.ts";
import { silentLogger, systemClock } from "../../src/kernel/index.ts";
import { gorouterKeyNames } from "../../src/router/index.ts";
import { type Authority, createAuthority } from "../support/authority.ts";
import { startGorouter } from "../support/gorouter.ts";
import { startNats } from "../support/nats.ts";
import { startRoutingApiV1, startUaa } from "../support/routing-api-v1.ts";

interface Deployment {
  readonly folder: string;
  readonly authority: Authority;
  readonly server: { readonly certificate: string; readonly key: string };
  readonly client: { readonly certificate: string; readonly key: string };
  readonly natsPort: number;
  readonly routingApiPort: number;
  readonly uaaPort: number;
  readonly statusTlsPort: number;
}

const pem = (given: string) => JSON.stringify(given);

const deployed = (given: Deployment) => `---
status:
  host: 127.0.0.1
  port: 0
  user: router-status
  pass: secret
  enable_nontls_health_checks: true
  enable_deprecated_varz_healthz_endpoints: false
  routes:
    port: 0
  tls:
    port: ${given.statusTlsPort}
    certificate: ${pem(given.server.certificate)}
    key: ${pem(given.server.key)}
nats:
  hosts:
  - hostname: localhost
    port: ${given.natsPort}
  user: nats
  pass: nats-password
  tls_enabled: true
  ca_certs: ${pem(given.authority.certificate)}
  cert_chain: ${pem(given.client.certificate)}
  private_key: ${pem(given.client.key)}
nats_client_ping_interval: 20s
logging:
  syslog: vcap.gorouter
  syslog_addr: "127.0.0.1:514"
  syslog_network: udp
  syslog_truncate: 0
  level: info
  loggregator_enabled: true
  metron_address: localhost:3457
  disable_log_forwarded_for: false
  disable_log_source_ip: false
  redact_query_params: none
  format:
    timestamp: rfc3339
  extra_access_log_fields: [backend_time, dial_time]
port: 0
index: 1
zone: z1
pid_file: ${given.folder}/gorouter.pid
go_max_procs: -1
trace_key: open-sesame
access_log:
  file: ${given.folder}/access.log
  enable_streaming: false
extra_headers_to_log: [X-Deployed]
debug_addr: 127.0.0.1:17002
prune_stale_droplets_interval: 30s
droplet_stale_threshold: 120s
publish_start_message_interval: 30s
publish_active_apps_interval: 0s
suspend_pruning_if_nats_unavailable: true
start_response_delay_interval: 20ms
endpoint_timeout: 900s
endpoint_dial_timeout: 5s
websocket_dial_timeout: 5s
tls_handshake_timeout: 10s
endpoint_keep_alive_probe_interval: 1s
frontend_idle_timeout: 900s
read_header_timeout: 0s
route_services_timeout: 60s
drain_wait: 0s
drain_timeout: 10s
load_balancer_healthy_threshold: 0s
healthcheck_user_agent: HTTP-Monitor/1.1
healthcheck_poll_interval: 10s
healthcheck_timeout: 5s
secure_cookies: true
sticky_session_cookie_names: [JSESSIONID, SESSION]
sticky_sessions_for_auth_negotiate: false
oauth:
  token_endpoint: 127.0.0.1
  port: ${given.uaaPort}
  client_name: gorouter
  client_secret: gorouter-secret
  skip_ssl_validation: false
  ca_certs: ${given.folder}/uaa-ca.pem
token_fetcher_max_retries: 3
token_fetcher_retry_interval: 5s
token_fetcher_expiration_buffer_time: 30
routing_api:
  uri: https://127.0.0.1
  port: ${given.routingApiPort}
  auth_disabled: false
  ca_certs: ${pem(given.authority.certificate)}
  cert_chain: ${pem(given.client.certificate)}
  private_key: ${pem(given.client.key)}
route_services_secret: a-secret
route_services_secret_decrypt_only: an-older-secret
route_services_recommend_https: true
route_services_hairpinning: false
route_services_hairpinning_allowlist: []
route_services_internal_server_port: 7070
route_services:
  max_attempts: 3
  strict_signature_validation: false
  cert_chain: ${pem(given.client.certificate)}
  private_key: ${pem(given.client.key)}
backends:
  max_attempts: 3
  max_conns: 500
  cert_chain: ${pem(given.client.certificate)}
  private_key: ${pem(given.client.key)}
disable_http: false
enable_ssl: true
ssl_port: 0
tls_pem:
- cert_chain: ${pem(given.server.certificate)}
  private_key: ${pem(given.server.key)}
cipher_suites: ECDHE-ECDSA-AES128-GCM-SHA256:TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
min_tls_version: TLSv1.2
max_tls_version: TLSv1.3
client_cert_validation: request
client_ca_certs: ${pem(given.authority.certificate)}
only_trust_client_ca_certs: true
enable_verify_client_certificate_metadata: true
verify_client_certificate_metadata:
- issuer_in_chain:
    common_name: Test Authority
    organization: [Viaduct]
  valid_cert_subjects:
  - common_name: gorouter
forwarded_client_cert: sanitize_set
ca_certs:
- ${pem(given.authority.certificate)}
skip_ssl_validation: false
enable_proxy: true
enable_http2: true
enable_http1_concurrent_read_write: true
force_forwarded_proto_https: false
sanitize_forwarded_proto: true
hop_by_hop_headers_to_filter: [X-Forwarded-For]
disable_keep_alives: false
max_idle_conns: 100
max_idle_conns_per_host: 100
keep_alive_100_continue_requests: false
max_request_header_bytes: 1048576
max_request_headers: 0
max_response_header_bytes: 0
max_response_headers: 0
balancing_algorithm: least-connection
balancing_algorithm_az_preference: locally-optimistic
empty_pool_response_code_503: true
empty_pool_timeout: 30s
html_error_template_file: ${given.folder}/error.html
http_rewrite:
  responses:
    add_headers_if_not_present:
    - name: Strict-Transport-Security
      value: max-age=31536000
    remove_headers:
    - name: X-Powered-By
routing_table_sharding_mode: shared-and-segments
isolation_segments: [blue]
tracing:
  enable_zipkin: true
  enable_w3c: true
  w3c_tenant_id: tenant
prometheus:
  enabled: true
  port: 0
  cert_path: ${given.folder}/server.pem
  key_path: ${given.folder}/server.key
  ca_path: ${given.folder}/uaa-ca.pem
  meters:
    route_lookup_time_histogram_buckets: [10000, 20000]
    gorouter_time_histogram_buckets: [1, 2, 4]
    routing_response_latency_histogram_buckets: [1, 2, 4]
    route_registration_latency_histogram_buckets: [0.1, 0.5]
    http_latency_histogram_buckets: [0.1, 0.7]
per_request_metrics_reporting: true
per_app_prometheus_http_metrics_reporting: true
enable_envelope_v1_metrics: false
send_http_start_stop_server_event: false
send_http_start_stop_client_event: false
route_latency_metric_muzzle_duration: 20s
viaduct:
  host: 127.0.0.1
`;

/** Names of all settings, lists as one. */
function keysOf(tree: object, prefix = ""): string[] {
  return Object.entries(tree).flatMap(([name, value]: [string, unknown]) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? keysOf(value, `${prefix}${name}.`)
      : [prefix + name],
  );
}

/** NATS as deployments run it: a password, and certificates on both sides. */
async function startTlsNats(t: TestContext, authority: Authority, server: Pair) {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-nats-tls-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, content: string) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const files = ["--tlscacert", write("ca.pem", authority.certificate), "--tlscert"];
  files.push(write("server.pem", server.certificate), "--tlskey", write("server.key", server.key));
  return startNats(t, ["--user", "nats", "--pass", "nats-password", "--tlsverify", ...files]);
}

async function freePort(): Promise<number> {
  const server = createNetServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function startApp(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function startRegistrar(t: TestContext, options: { port: number; authority?: Authority; pair?: Pair }) {
  const { port, authority, pair } = options;
  const bus = await connectNats({
    servers: [`localhost:${port}`],
    user: authority === undefined ? "" : "nats",
    pass: authority === undefined ? "" : "nats-password",
    ...(authority !== undefined &&
      pair !== undefined && {
        tls: { ca: authority.certificate, cert: pair.certificate, key: pair.key },
      }),
    name: "registrar",
    pingIntervalMs: 20_000,
    log: silentLogger,
    clock: systemClock,
    reconnectPauseMs: 10,
  });
  t.after(() => bus.close());
  return bus;
}

type Pair = Deployment["client"];

async function ask(options: RequestOptions, isTls = true) {
  const request = (isTls ? httpsGet : httpGet)({ host: "127.0.0.1", agent: false, ...options });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  return { status: response.statusCode, headers: response.headers, body: await text(response) };
}

test("a deployment's file with every key of gorouter's is taken as it is, and served by", {
  timeout: 60_000,
}, async (t) => {
  const authority = createAuthority(t);
  if (authority === null) return;
  const names = "DNS:localhost,DNS:*.example.com,IP:127.0.0.1";
  const server = authority.issue({ subject: "/CN=platform", alternativeNames: names });
  const client = authority.issue({ subject: "/CN=gorouter" });
  const tls = { cert: server.certificate, key: server.key };
  const routingApi = await startRoutingApiV1(t, {
    tls: { ...tls, ca: authority.certificate, requestCert: true },
    check: async (authorization) => (authorization === "bearer good" ? null : "Token is expired"),
  });
  const uaa = await startUaa(t, { tls, grant: async () => ({ access_token: "good", expires_in: 600 }) });
  const statusTlsPort = await freePort();

  let config = "";
  const prepare = (folder: string, natsPort: number) => {
    writeFileSync(join(folder, "uaa-ca.pem"), authority.certificate);
    writeFileSync(join(folder, "server.pem"), server.certificate);
    writeFileSync(join(folder, "server.key"), server.key);
    writeFileSync(join(folder, "error.html"), "<h1>{{ .Status }}</h1>");
    config = deployed({
      folder,
      authority,
      server,
      client,
      natsPort,
      statusTlsPort,
      routingApiPort: routingApi.port,
      uaaPort: uaa.port,
    });
    return config;
  };
  const nats = await startTlsNats(t, authority, server);
  if (nats === null) return;
  const appPort = await startApp(t, (request, response) => {
    response.setHeader("X-Powered-By", "itself");
    response.end(
      `${request.headers["x-forwarded-proto"]} ${request.headers["x-forwarded-client-cert"] !== undefined}`,
    );
  });
  const router = startGorouter(t, (own) => prepare(own, nats.port));
  const { log, signals, exit, folder } = router;
  const started = await router.started();
  assert.equal(started.log_level, "info");

  const given = new Set(keysOf(parse(config) as object));
  const missing = gorouterKeyNames.filter((name) => !given.has(name) && !name.startsWith("viaduct."));
  assert.deepEqual(missing, []);
  const warnings = log.lines.filter(({ message }) => message === "config-warning");
  assert.deepEqual(
    warnings.map(({ data }) => data["warning"]),
    [`accepted, without effect here: ${WITHOUT_EFFECT.join(", ")}`],
  );

  const registrar = await startRegistrar(t, { port: nats.port, authority, pair: client });
  const fields = { host: "127.0.0.1", port: appPort, uris: ["shop.example.com"], app: "shop-guid" };
  registrar.publish(
    SUBJECTS.routerRegister,
    encodeRegister({ ...fields, isolationSegment: "red", uris: ["red.example.com"] }),
  );
  registrar.publish(SUBJECTS.routerRegister, encodeRegister({ ...fields, isolationSegment: "blue" }));
  await log.line("endpoint-registered");

  const port = Number(started.data["port"]);
  const sslPort = Number((await log.line("tls-listener-started")).data["port"]);
  const shop = { headers: { host: "shop.example.com", "x-deployed": "yes" } };
  const plain = await ask({ ...shop, port }, false);
  assert.deepEqual([plain.status, plain.body], [200, "http false"]);
  assert.equal(plain.headers["x-powered-by"], undefined);
  assert.equal(plain.headers["strict-transport-security"], "max-age=31536000");
  const secure = { port: sslPort, ca: authority.certificate, servername: "shop.example.com" };
  const pair = { cert: client.certificate, key: client.key };
  assert.equal((await ask({ ...shop, ...secure, ...pair })).body, "https true");
  const red = await ask({ port, headers: { host: "red.example.com" } }, false);
  assert.deepEqual([red.status, red.body], [404, "<h1>404</h1>"]);
  const probe = { headers: { host: "any", "user-agent": "HTTP-Monitor/1.1" } };
  assert.equal((await ask({ ...probe, port }, false)).body, "ok\n");

  const ports = (await log.line("status-listeners-started")).data;
  const health = { path: "/health", ca: authority.certificate };
  assert.equal((await ask({ ...health, port: Number(ports["health"]) }, false)).status, 200);
  assert.equal((await ask({ ...health, port: Number(ports["healthTls"]) })).status, 200);
  const metricsAt = { path: "/metrics", port: Number(ports["metrics"]), ca: authority.certificate };
  const metrics = (await ask({ ...metricsAt, ...pair })).body;
  assert.match(metrics, /^http_latency_seconds_bucket\{source_id="shop-guid",le="0\.7"\} 2$/m);
  await assert.rejects(ask(metricsAt), /ECONNRESET|certificate required/);

  assert.equal(readFileSync(join(folder, "gorouter.pid"), "utf8"), `${process.pid}\n`);
  signals.emit("SIGUSR1");
  assert.equal(await exit, 0);
  assert.equal(existsSync(join(folder, "gorouter.pid")), false);
  const accessLog = readFileSync(join(folder, "access.log"), "utf8");
  assert.match(accessLog, /app_id:"shop-guid".* backend_time:[\d.]+ dial_time:[\d.]+ .*x_deployed:"yes"/);
});

/** What the file above sets to something else than the default, and nothing here reads. */
const WITHOUT_EFFECT = ["debug_addr", "enable_envelope_v1_metrics", "send_http_start_stop_client_event"];

// === the log ===

const configOf = (natsPort: number) => `
port: 0
viaduct: {host: 127.0.0.1}
status: {host: 127.0.0.1, port: 0, user: ops, pass: secret, routes: {port: 0}}
nats: {hosts: [{hostname: localhost, port: ${natsPort}}]}
nats_client_ping_interval: 100ms
start_response_delay_interval: 10ms
prune_stale_droplets_interval: 100ms
droplet_stale_threshold: 60s
suspend_pruning_if_nats_unavailable: true
drain_timeout: 100ms
logging: {syslog: vcap.gorouter, level: debug}
`;

/** Source, level and fields of every line of the reference that a run of the router writes. */
const LINES: readonly { message: string; source: string; level: number; fields: readonly string[] }[] = [
  { message: "Successfully-connected-to-nats", source: "nats", level: 1, fields: ["nats-hosts"] },
  { message: "subscriber-starting", source: "subscriber", level: 1, fields: [] },
  { message: "subscriber-started", source: "subscriber", level: 1, fields: [] },
  {
    message: "Sleeping before returning success on /health endpoint to preload routing table",
    source: "",
    level: 1,
    fields: ["sleep_time_seconds"],
  },
  { message: "tcp-listener-started", source: "router", level: 1, fields: ["port"] },
  { message: "tls-listener-not-enabled", source: "router", level: 1, fields: [] },
  { message: "gorouter.started", source: "", level: 1, fields: ["port"] },
  {
    message: "validation-error",
    source: "subscriber",
    level: 2,
    fields: ["error", "payload", "subject"],
  },
  { message: "route-registered", source: "subscriber", level: 1, fields: ["uri"] },
  {
    message: "endpoint-registered",
    source: "subscriber",
    level: 1,
    fields: ["uri", "backend", "application_id", "isolation_segment", "route_service_url"],
  },
  {
    message: "invalid-endpoint-load-balancing-algorithm-provided-keeping-pool-lb-algo",
    source: "subscriber",
    level: 2,
    fields: ["endpointLBAlgorithm", "poolLBAlgorithm"],
  },
  {
    message: "endpoint-not-unregistered",
    source: "subscriber",
    level: 1,
    fields: ["uri", "backend", "application_id", "isolation_segment", "route_service_url"],
  },
  {
    message: "endpoint-unregistered",
    source: "subscriber",
    level: 1,
    fields: ["uri", "backend", "application_id", "isolation_segment", "route_service_url"],
  },
  { message: "route-unregistered", source: "subscriber", level: 1, fields: ["uri"] },
  {
    message: "pruned-route",
    source: "subscriber",
    level: 1,
    fields: ["uri", "endpoints", "isolation_segment"],
  },
  { message: "status", source: "router", level: 1, fields: ["status", "body"] },
  { message: "nats-connection-disconnected", source: "nats", level: 2, fields: ["nats-host"] },
  { message: "nats-connection-still-disconnected", source: "nats", level: 1, fields: ["nats-host"] },
  { message: "prune-suspended", source: "subscriber", level: 1, fields: [] },
  { message: "nats-connection-reconnected", source: "nats", level: 1, fields: ["nats-host"] },
  { message: "gorouter-draining", source: "", level: 1, fields: ["wait", "timeout"] },
  { message: "gorouter.signal.ignored", source: "", level: 1, fields: ["signal"] },
  { message: "router.drain.timed-out", source: "router", level: 2, fields: ["requests-in-flight"] },
  { message: "gorouter.stopping", source: "", level: 1, fields: [] },
  { message: "gorouter.stopped", source: "", level: 1, fields: ["took"] },
  { message: "gorouter.exited", source: "", level: 1, fields: [] },
];

test("the log has every line that operators wait for, with gorouter's fields", {
  timeout: 60_000,
}, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const asked = Promise.withResolvers<void>();
  const appPort = await startApp(t, () => asked.resolve());
  const { log, signals, exit, started } = startGorouter(t, configOf(nats.port));
  const port = Number((await started()).data["port"]);
  const registrar = await startRegistrar(t, { port: nats.port });
  await live(registrar, log, port, appPort);

  await nats.stop();
  await log.line("nats-connection-still-disconnected");
  await log.line("prune-suspended");
  await nats.restart();
  await log.line("nats-connection-reconnected");

  const cut = assert.rejects(ask({ port, headers: { host: "slow.example.com" } }, false));
  await asked.promise;
  signals.emit("SIGUSR1");
  signals.emit("SIGTERM");
  assert.equal(await exit, 0);
  await cut;

  for (const { message, source, level, fields } of LINES) {
    const line = log.lines.find((other) => other.message === message);
    assert.ok(line !== undefined, `no line ${message}`);
    const { data } = line;
    assert.equal(line.source, source === "" ? "vcap.gorouter" : `vcap.gorouter.${source}`, message);
    assert.equal(line.log_level, level, message);
    for (const field of fields)
      assert.ok(field in data, `${message} has no ${field}: ${JSON.stringify(data)}`);
  }
});

/** What registrars and clients do, right and wrong. */
async function live(
  registrar: Bus,
  log: ReturnType<typeof startGorouter>["log"],
  port: number,
  appPort: number,
) {
  const fields = { host: "127.0.0.1", port: appPort, uris: ["shop.example.com"] };
  const publish = (subject: string, more: object = {}) =>
    registrar.publish(subject, encodeRegister({ ...fields, ...more }));
  registrar.publish(SUBJECTS.routerRegister, "{");
  await log.line("validation-error");
  publish(SUBJECTS.routerRegister, { options: { loadbalancing: "fastest" } });
  await log.line("endpoint-registered");
  publish(SUBJECTS.routerUnregister, { port: 1 });
  await log.line("endpoint-not-unregistered");
  publish(SUBJECTS.routerUnregister);
  await log.line("route-unregistered");
  publish(SUBJECTS.routerRegister, { uris: ["stale.example.com"], staleThresholdInSeconds: 1 });
  publish(SUBJECTS.routerRegister, { uris: ["refused.example.com"], port: await freePort() });
  publish(SUBJECTS.routerRegister, { uris: ["slow.example.com"] });
  await log.line("route-registered", 4);
  assert.equal((await ask({ port, headers: { host: "refused.example.com" } }, false)).status, 502);
  await log.line("pruned-route");
}
