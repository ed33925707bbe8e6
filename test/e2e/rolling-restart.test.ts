/**
 * Two routers behind a load balancer are replaced one after the other, as an operator's deployment does it: the balancer
 * goes by their health, clients keep their connections, and no request is lost.
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { startNats } from "../support/nats.ts";
import { ask, type RouterChild, spawnRouter, startApp, startLoad } from "./router-processes.ts";

type Ports = Awaited<ReturnType<RouterChild["ports"]>>;

/** Asks the routers for their health again and again, and sends clients to those that are healthy, in turn. */
function startBalancer(t: TestContext, routers: () => readonly Ports[]) {
  let healthy: readonly Ports[] = routers();
  let turn = 0;
  let isOver = false;
  const isHealthy = async ({ health }: Ports) => {
    try {
      return (await ask(health, { path: "/health" })).status === 200;
    } catch {
      return false;
    }
  };
  const checking = (async () => {
    while (!isOver) {
      const all = routers();
      const states = await Promise.all(all.map(isHealthy));
      healthy = all.filter((_, i) => states[i]);
    }
  })();
  t.after(async () => {
    isOver = true;
    await checking;
  });
  return {
    next(): number {
      const router = healthy[turn++ % healthy.length];
      assert.ok(router !== undefined, "no router is healthy");
      return router.port;
    },
    /** Resolves when clients are sent to exactly these. */
    async settles(on: readonly Ports[]): Promise<void> {
      while (healthy.length !== on.length || !on.every((one) => healthy.includes(one))) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

test("two routers are replaced in turn under load, and no request is lost", {
  timeout: 180_000,
}, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const held: (() => void)[] = [];
  await startApp(t, nats.port, (request, response) => {
    if (request.url === "/slow") held.push(() => response.end("finished"));
    else response.end("hello");
  });
  const start = () =>
    spawnRouter(t, {
      viaduct: { host: "127.0.0.1" },
      nats: { hosts: [{ hostname: "127.0.0.1", port: nats.port }] },
      start_response_delay_interval: "1s",
      // The balancer asks many times in this time.
      drain_wait: "2s",
      drain_timeout: "60s",
    });
  const routers = [start(), start()];
  const ports = await Promise.all(routers.map((router) => router.ports()));
  const balancer = startBalancer(t, () => ports);
  const load = startLoad(t, { keeping: 10, reconnecting: 4, port: () => balancer.next() });
  await load.more(200);

  for (const [i, router] of routers.entries()) {
    const { port } = ports[i] as Ports;
    const slow = ask(port, { path: "/slow" });
    while (held.length === 0) await load.more(1);
    router.child.kill("SIGUSR1");
    await router.log.line("gorouter-draining");
    const other = ports.filter((_, number) => number !== i);
    await balancer.settles(other);
    // Whoever still comes is served, and asked to go.
    const late = await ask(port);
    assert.deepEqual([late.status, late.connection], [200, "close"]);
    await load.more(100);
    held.pop()?.();
    assert.equal((await slow).body, "finished");
    assert.deepEqual(await router.exit, [0, null]);
    assert.ok(!router.log.messages().includes("router.drain.timed-out"));

    const next = start();
    ports[i] = await next.ports();
    await balancer.settles(ports);
    await load.more(200);
  }
  await load.stop();
  assert.deepEqual(load.failures, []);
});
