/** The router in gorouter's place with `enable_ssl`: certificates change while clients are connected. */
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connect } from "node:tls";
import { runRouterRole } from "../../src/app/router-role.ts";
import { createAuthority, type IssuedPair } from "../support/authority.ts";

interface LogLine {
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const GET = "GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n";

/** JSON is YAML. */
const configWith = ({ certificate, key }: IssuedPair) =>
  JSON.stringify({
    port: 0,
    viaduct: { host: "127.0.0.1" },
    status: { host: "127.0.0.1", port: 0, routes: { port: 0 } },
    nats: { hosts: [] },
    start_response_delay_interval: "10ms",
    logging: { level: "info" },
    enable_ssl: true,
    ssl_port: 0,
    tls_pem: [{ cert_chain: certificate, private_key: key }],
    cipher_suites: "ECDHE-ECDSA-AES128-GCM-SHA256",
    client_cert_validation: "none",
  });

async function startRole(t: TestContext, text: string) {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-router-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const configPath = join(folder, "gorouter.yml");
  writeFileSync(configPath, text);

  const signals = new EventEmitter();
  const lines: LogLine[] = [];
  let wake = () => {};
  const sink = {
    write(line: string) {
      lines.push(JSON.parse(line) as LogLine);
      wake();
    },
  };
  const exit = runRouterRole({ configPath, sink, signals });
  t.after(async () => {
    signals.emit("SIGTERM");
    await exit;
  });
  const line = async (message: string): Promise<LogLine> => {
    for (;;) {
      const found = lines.find((candidate) => candidate.message === message);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  await line("gorouter.started");
  return {
    line,
    port: Number((await line("tls-listener-started")).data["port"]),
    reload(text: string) {
      writeFileSync(configPath, text);
      signals.emit("SIGHUP");
    },
  };
}

async function connectTo(t: TestContext, port: number) {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  return {
    name: socket.getPeerCertificate().subject.CN,
    async ask(): Promise<string> {
      socket.write(GET);
      const [chunk] = (await once(socket, "data")) as [Buffer];
      return chunk.toString("latin1").split("\r\n")[0] ?? "";
    },
  };
}

test("SIGHUP takes new certificates from the file, cuts nobody, and ignores a file that is no good", async (t) => {
  const authority = createAuthority(t);
  if (authority === null) return;
  const router = await startRole(t, configWith(authority.issue({ subject: "/CN=old" })));
  const before = await connectTo(t, router.port);
  assert.equal(before.name, "old");

  router.reload(configWith({ certificate: "x", key: "y" }));
  const failed = await router.line("tls-reload-failed");
  assert.match(String(failed.data["error"]), /tls_pem: Error loading key pair: /);
  assert.equal((await connectTo(t, router.port)).name, "old");

  router.reload(configWith(authority.issue({ subject: "/CN=new" })));
  await router.line("tls-reloaded");
  const after = await connectTo(t, router.port);
  assert.equal(after.name, "new");
  for (const client of [before, after]) assert.equal(await client.ask(), "HTTP/1.1 404 Not Found");
});
