import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { type Peer, script, startRouter } from "./support.ts";

/** Answers after a moment, so that there are always exchanges in flight when it dies. */
const SERVER = `
  require("node:http").createServer((request, response) => setTimeout(() => response.end("ok"), 3))
    .listen(0, "127.0.0.1", function () { console.log(this.address().port); });
`;
const CLIENTS = 20;
const REQUESTS_EACH = 60;

async function startServer(
  t: TestContext,
): Promise<{ readonly port: number; readonly process: ChildProcess }> {
  const child = spawn(process.execPath, ["-e", SERVER], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  return { port: Number(String(line)), process: child };
}

script("kill -9 of one of two instances under load: no client sees an error", async (t) => {
  const [victim, survivor] = [await startServer(t), await startServer(t)];
  const router = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: [victim.port, survivor.port] }],
  });
  const statuses = new Map<string, number>();
  let answered = 0;
  const run = async (client: Peer) => {
    for (let i = 0; i < REQUESTS_EACH; i++) {
      client.send("GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n");
      const head = await client.until("\r\n\r\n");
      await client.bytes(2);
      const status = head.slice(9, 12);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (++answered === (CLIENTS * REQUESTS_EACH) / 3) victim.process.kill("SIGKILL");
    }
  };
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => router.connect()));
  await Promise.all(clients.map(run));
  assert.deepEqual([...statuses], [["200", CLIENTS * REQUESTS_EACH]]);
  assert.ok(router.router.counters.retries > 0, "some were in flight at the instance that died");
});
