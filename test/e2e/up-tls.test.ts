/** `viaduct up` with a TLS listener whose certificate is renewed while it runs. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { createAuthority } from "../support/authority.ts";
import { startFoundation, temporaryHome } from "../support/viaduct.ts";

const GET = "GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n";
const PATIENCE = 2_000;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function connectTo(t: TestContext, port: number): Promise<TLSSocket> {
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  return socket;
}
const nameOf = (socket: TLSSocket) => socket.getPeerCertificate().subject.CN;

async function status(socket: TLSSocket): Promise<string> {
  socket.write(GET);
  return String(((await once(socket, "data")) as [Buffer])[0]).slice(9, 12);
}

test("SIGHUP takes a renewed certificate, leaves connections alone, and a bad file changes nothing", async (t) => {
  const authority = createAuthority(t);
  if (authority === null) return;
  const home = temporaryHome(t);
  const files = { certificate: join(home, "certificate.pem"), key: join(home, "key.pem") };
  const renew = (name: string) => {
    const pair = authority.issue({ subject: `/CN=${name}` });
    writeFileSync(files.certificate, pair.certificate);
    writeFileSync(files.key, pair.key);
  };
  renew("first");
  const port = await freePort();
  const { up } = await startFoundation(t, {
    home,
    settings: {
      "router.tls_port": String(port),
      "router.tls_certificate": files.certificate,
      "router.tls_key": files.key,
    },
  });
  /** Resolves when the log says so; each look is a connection, so that time passes. */
  const logged = async (message: string) => {
    for (let i = 0; i < PATIENCE; i++) {
      if (readFileSync(join(home, "logs", "viaduct.log"), "utf8").includes(`"${message}"`)) return;
      (await connectTo(t, port)).destroy();
    }
    assert.fail(`no line ${message}`);
  };
  const early = await connectTo(t, port);
  assert.equal(nameOf(early), "first");

  renew("second");
  process.kill(up.pid, "SIGHUP");
  await logged("tls-reloaded");
  assert.equal(nameOf(await connectTo(t, port)), "second");
  assert.equal(await status(early), "404");

  writeFileSync(files.key, "no key");
  process.kill(up.pid, "SIGHUP");
  await logged("tls-reload-failed");
  const late = await connectTo(t, port);
  assert.deepEqual([nameOf(late), await status(late)], ["second", "404"]);
});
