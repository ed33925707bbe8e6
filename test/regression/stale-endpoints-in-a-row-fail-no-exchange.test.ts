import assert from "node:assert/strict";
import { deadPort, script, startEndpoint, startRouter } from "../wire/support.ts";

const GET = "GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Three stale endpoints, three attempts: request after request met the same three, and failed.
script("with twice as many stale endpoints as attempts, every request finds the live one", async (t) => {
  const live = await startEndpoint(t);
  const stale = await Promise.all(Array.from({ length: 6 }, deadPort));
  const router = await startRouter(t, {
    config: { maxAttempts: 3 },
    routes: [{ uri: "shop.example.com", ports: [...stale, live.port] }],
  });
  const statuses: string[] = [];
  void serve();
  for (let i = 0; i < 20; i++) {
    const client = await router.connect();
    client.send(GET);
    statuses.push((await client.message()).slice(9, 12));
    client.end();
  }
  assert.deepEqual(new Set(statuses), new Set(["200"]));
  const tried = router.log.filter(({ message }) => message === "backend-endpoint-failed");
  assert.equal(tried.length, stale.length, "each stale endpoint was met once");

  async function serve() {
    for (;;) {
      const upstream = await live.accept();
      void (async () => {
        for (;;) {
          await upstream.message();
          upstream.send(OK);
        }
      })().catch(() => {});
    }
  }
});
