/** What h2spec, an independent judge of servers by the words of HTTP/2's and HPACK's standards, says of the TLS listener. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { needs } from "../support/needs.ts";
import { startHttp2Router } from "./http2-support.ts";
import { script } from "./support.ts";

/** What it tries with requests that are in order needs a few bytes of answer, of a method with a body too. */
const BODY = "enough for windows of a few bytes\n";

/** A busy machine is no reason to fail: nothing that passes waits for it. */
const TIMEOUT_SECONDS = 20;

script("every case of h2spec passes, the strict ones included", async (t) => {
  const h2spec = needs(t, "h2spec");
  if (h2spec === null) return;
  const endpoint = createServer((request, response) => {
    request.resume().once("end", () => response.end(BODY));
  }).listen(0, "127.0.0.1");
  t.after(() => {
    endpoint.closeAllConnections();
    endpoint.close();
  });
  await once(endpoint, "listening");
  const { port } = endpoint.address() as AddressInfo;
  // The name that it asks for is the address that it connects to.
  const router = await startHttp2Router(t, { routes: [{ uri: "127.0.0.1", ports: [port] }] });
  if (router === null) return;

  const args = ["--tls", "--insecure", "--strict", "--timeout", String(TIMEOUT_SECONDS)];
  args.push("--port", String(router.router.tlsPort));
  const report = await new Promise<string>((resolve) => {
    const child = execFile(h2spec, args, (error, stdout) => resolve(`${error?.message ?? ""}${stdout}`));
    t.signal.addEventListener("abort", () => child.kill());
  });
  const [, count] = /^(\d+) tests, \1 passed, 0 skipped, 0 failed$/m.exec(report) ?? [];
  assert.ok(Number(count) >= 146, report);
  assert.equal(router.router.counters.activeExchanges, 0, "nothing is left behind");
});
