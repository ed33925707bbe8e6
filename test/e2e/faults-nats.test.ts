/** NATS killed and started again under load: traffic goes on, and the table is right as soon as NATS is back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startNats } from "../support/nats.ts";
import { startBackend, startLoad, startRegistrar, startRouter, until } from "./faults.ts";

const LIMIT = { timeout: 60_000 };
const SOME = 300;
/**
 * More than an attempt to connect may take: while the registrar's hangs, which was begun when the server was not quite there,
 * the router may be back already, and nobody renews what it has.
 */
const STALE_SECONDS = 5;
const LOOKS_PER_SECOND = 5;
const NEW = "new.example.com";
const OLD = "old.example.com";

for (const suspends of [true, false]) {
  const name = suspends
    ? "NATS is killed with pruning suspended: no client sees an error, and after the heal what changed meanwhile is in force"
    : "NATS is killed with pruning on: routes age and go, and come back with the first registration after the heal";
  test(name, LIMIT, async (t) => {
    const nats = await startNats(t);
    if (nats === null) return;
    const router = await startRouter(
      t,
      nats.port,
      `suspend_pruning_if_nats_unavailable: ${suspends}
droplet_stale_threshold: ${STALE_SECONDS}s
prune_stale_droplets_interval: ${1_000 / LOOKS_PER_SECOND}ms
backends: {max_attempts: 3}
`,
    );
    const registrar = await startRegistrar(t, nats.port);
    const [backend, other] = [await startBackend(t, "one"), await startBackend(t, "two")];
    registrar.register(backend);
    registrar.register(other);
    registrar.register(other, OLD);
    await router.log.line("endpoint-registered", 3);
    // At once: on a busy machine a threshold passes while some hundred answers come.
    const load = startLoad(t, router.port);
    await nats.stop();
    await router.log.line("nats-connection-disconnected");
    if (suspends) {
      await load.seen(SOME);
      // Longer than the threshold.
      await router.log.line("prune-suspended", STALE_SECONDS * LOOKS_PER_SECOND + 1);
      await backend.kill();
      await load.seen(SOME);
    } else {
      await load.stop();
      await router.log.line("pruned-route", 2);
      await until(router.port, OLD, ({ outcome }) => outcome === "404 unknown_route");
    }

    // What it says while it is still away itself is lost.
    const registrarIsBack = new Promise<void>((resolve) => {
      registrar.bus.onStatus((status) => {
        if (status === "connected") resolve();
      });
    });
    await nats.restart();
    const healedAtMs = performance.now();
    await Promise.all([router.log.line("nats-connection-reconnected"), registrarIsBack]);
    registrar.unregister(other, OLD);
    registrar.register(other, NEW);
    await until(router.port, NEW, ({ body }) => body === "two two");
    await until(router.port, OLD, ({ outcome }) => outcome === "404 unknown_route");
    t.diagnostic(`the table was right ${(performance.now() - healedAtMs).toFixed(0)} ms after the heal`);
    await load.stop();
    assert.deepEqual([...load.outcomes.keys()], ["200"]);
  });
}
