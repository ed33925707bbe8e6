/**
 * Nobody ever gets a byte of somebody else's: clients of every kind at once through a router as a process, with bodies
 * both ways that say whose they are, endpoints that break off and clients that do.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { encodeRegister, type RegisterFields, SUBJECTS } from "../../src/bus/index.ts";
import { createAuthority, type IssuedPair } from "../support/authority.ts";
import { connectRegistrar, startNats } from "../support/nats.ts";
import { CLIENTS, type Tally } from "./integrity-clients.ts";
import { createDice } from "./integrity-pattern.ts";
import { spawnRouter } from "./router-processes.ts";

/** Of each kind of client. `VIADUCT_INTEGRITY_REQUESTS=20000 VIADUCT_INTEGRITY_SEED=2` looks for longer, and elsewhere. */
const REQUESTS = Number(process.env["VIADUCT_INTEGRITY_REQUESTS"] ?? 120);
/** Of each kind, at once. */
const PARALLEL = 4;
const SAN = "origin-guid";
const LIMIT = { timeout: REQUESTS * 4_000 };
/** Of what the clients do. */
const SEED = Number(process.env["VIADUCT_INTEGRITY_SEED"] ?? 1);

/** The router, and an app behind each kind of connection that it makes to endpoints. */
async function start(t: TestContext, viaduct: object) {
  const nats = await startNats(t);
  const authority = createAuthority(t);
  if (nats === null || authority === null) return null;
  const front = authority.issue({ subject: "/CN=router", alternativeNames: "DNS:*.example.com" });
  const router = spawnRouter(t, {
    nats: { hosts: [{ hostname: "127.0.0.1", port: nats.port }] },
    enable_ssl: true,
    ssl_port: 0,
    tls_pem: [{ cert_chain: front.certificate, private_key: front.key }],
    cipher_suites: "ECDHE-ECDSA-AES128-GCM-SHA256",
    max_tls_version: "TLSv1.3",
    client_cert_validation: "none",
    ca_certs: [authority.certificate],
    viaduct: { host: "127.0.0.1", ...viaduct },
  });
  const { port } = await router.ports();
  const tlsPort = Number((await router.log.line("tls-listener-started")).data["port"]);
  const bus = await connectRegistrar(t, nats.port);

  const origin = await startOrigin(
    t,
    authority.issue({ subject: "/CN=origin", alternativeNames: `DNS:${SAN}` }),
  );
  const endpoints: Readonly<Record<string, Partial<RegisterFields>>> = {
    "plain.example.com": { port: origin.plain },
    "tls.example.com": { tlsPort: origin.tls, serverCertDomainSan: SAN },
    "http2.example.com": { port: origin.http2, protocol: "http2" },
  };
  for (const [host, fields] of Object.entries(endpoints)) {
    const message = encodeRegister({ host: "127.0.0.1", uris: [host], ...fields });
    bus.publish(SUBJECTS.routerRegister, message);
  }
  const hosts = Object.keys(endpoints);
  await router.log.line("endpoint-registered", hosts.length);
  return { router, target: { port, tlsPort, hosts, upgradingHost: "plain.example.com" } };
}

async function startOrigin(t: TestContext, { certificate, key }: IssuedPair) {
  const program = join(import.meta.dirname, "integrity-origin.ts");
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  child.stdin.end(JSON.stringify({ cert: certificate, key }));
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  const [plain = 0, tls = 0, http2 = 0] = line.split(" ").map(Number);
  return { plain, tls, http2 };
}

for (const [road, viaduct] of [
  ["through the ring and OpenSSL", {}],
  ["through Node's sockets", { io_uring: false, direct_tls: false }],
] as const) {
  test(`no client gets a byte of another's, and nothing of any stays, ${road}`, LIMIT, async (t) => {
    const started = await start(t, viaduct);
    if (started === null) return;
    const { router, target } = started;
    const tallies = Object.entries(CLIENTS).map(([name, client], kind) => ({
      name,
      client,
      kind,
      tally: { wrong: [], whole: 0, failedAsTold: 0, brokenOff: 0 } as Tally,
    }));
    await Promise.all(
      tallies.flatMap(({ client, tally, kind }) =>
        Array.from({ length: PARALLEL }, (_, i) =>
          client(target, createDice(SEED * 1_000 + kind * PARALLEL + i), tally, REQUESTS / PARALLEL),
        ),
      ),
    );
    for (const { name, tally } of tallies) {
      t.diagnostic(`${name}: ${JSON.stringify(tally)}`);

      assert.deepEqual(tally.wrong, [], `${name}, VIADUCT_INTEGRITY_SEED=${SEED}`);
      assert.ok(tally.whole > REQUESTS / 4, `${name}: ${tally.whole} whole answers`);
    }

    // An exchange that has not ended would be waited for.
    router.child.kill("SIGUSR1");
    assert.deepEqual(await router.exit, [0, null]);
    assert.ok(!router.log.messages().includes("router.drain.timed-out"));
  });
}
