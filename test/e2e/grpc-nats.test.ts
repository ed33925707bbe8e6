/**
 * A service of HTTP/2 on TLS, registered over a real NATS server as a cell would, called by curl and by node:http2 through
 * the router in gorouter's place; and the switch that turns HTTP/2 off.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { runRouterRole } from "../../src/app/router-role.ts";
import { encodeRegister, SUBJECTS } from "../../src/bus/index.ts";
import { createAuthority } from "../support/authority.ts";
import { followLog } from "../support/follow-log.ts";
import { connectRegistrar, startNats } from "../support/nats.ts";
import { needs } from "../support/needs.ts";
import { HOST, startHttp2Endpoint } from "../wire/http2-support.ts";

const SAN = "instance-guid";

async function start(t: TestContext, isHttp2: boolean) {
  const nats = await startNats(t);
  const authority = createAuthority(t);
  const curl = needs(t, "curl");
  if (nats === null || authority === null || curl === null) return null;
  const { certificate, key } = authority.issue({ subject: "/CN=router", alternativeNames: `DNS:${HOST}` });
  const folder = mkdtempSync(join(tmpdir(), "viaduct-router-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const configPath = join(folder, "gorouter.yml");
  // JSON is YAML.
  const config = {
    port: 0,
    viaduct: { host: "127.0.0.1" },
    status: { host: "127.0.0.1", port: 0, routes: { port: 0 } },
    nats: { hosts: [{ hostname: "127.0.0.1", port: nats.port }] },
    start_response_delay_interval: "10ms",
    logging: { level: "info" },
    enable_ssl: true,
    ssl_port: 0,
    tls_pem: [{ cert_chain: certificate, private_key: key }],
    cipher_suites: "ECDHE-ECDSA-AES128-GCM-SHA256",
    client_cert_validation: "none",
    ca_certs: [authority.certificate],
    enable_http2: isHttp2,
    disable_keep_alives: false,
  };
  writeFileSync(configPath, JSON.stringify(config));
  const log = followLog();
  const signals = new EventEmitter();
  const exit = runRouterRole({ configPath, sink: log, signals });
  t.after(async () => {
    signals.emit("SIGTERM");
    await exit;
  });
  await log.line("gorouter.started");
  const { port } = (await log.line("tls-listener-started")).data as { port: number };

  const endpoint = await startHttp2Endpoint(
    t,
    (stream, headers) => {
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.end(`${stream.session?.alpnProtocol} ${headers["x-cf-applicationid"]}`);
    },
    { authority, name: SAN },
  );
  const bus = await connectRegistrar(t, nats.port);
  bus.publish(
    SUBJECTS.routerRegister,
    encodeRegister({
      host: "127.0.0.1",
      tlsPort: endpoint.port,
      serverCertDomainSan: SAN,
      uris: [HOST],
      protocol: "http2",
      app: "app-guid",
      privateInstanceId: "instance-guid",
    }),
  );
  await log.line("endpoint-registered");
  const ask = async (...flags: readonly string[]) => {
    const target = ["--resolve", `${HOST}:${port}:127.0.0.1`, `https://${HOST}:${port}/`];
    const { stdout } = await promisify(execFile)(curl, ["-sk", "-D", "-", ...flags, ...target]);
    return stdout;
  };
  return { ask, endpoint };
}

test("a service registered for HTTP/2 is reached over it, by clients of either protocol", {
  timeout: 30_000,
}, async (t) => {
  const started = await start(t, true);
  if (started === null) return;
  assert.match(
    await started.ask("--http2"),
    /^HTTP\/2 200 \r\n[^]*content-type: application\/grpc\r\n[^]*\r\n\r\nh2 app-guidgrpc-status: 0/,
  );
  assert.match(await started.ask("--http1.1"), /^HTTP\/1\.1 200 OK\r\n[^]*h2 app-guid/);
  assert.equal(started.endpoint.sessions.length, 1, "both came over one session");
});

test("enable_http2: false speaks HTTP/1.1 with clients, and with endpoints registered for HTTP/2", {
  timeout: 30_000,
}, async (t) => {
  const started = await start(t, false);
  if (started === null) return;
  // Node's servers of HTTP/2 answer this to whoever agreed to no protocol.
  assert.match(await started.ask("--http2"), /^HTTP\/1\.1 403 /);
  assert.equal(started.endpoint.sessions.length, 0);
});
