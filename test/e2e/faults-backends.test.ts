/** Backends that die, hang, lie and move, under load through a router in gorouter's place: what clients see of it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { startNats } from "../support/nats.ts";
import {
  type Answer,
  ask,
  type Backend,
  CLIENTS,
  HOST,
  type Load,
  startBackend,
  startLoad,
  startRegistrar,
  startRouter,
} from "./faults.ts";

const LIMIT = { timeout: 60_000 };
const ATTEMPTS = "backends: {max_attempts: 3}\n";
/** A mark lasts a quarter of the threshold: half a second. Nobody is pruned meanwhile. */
const SHORT_MARKS = `droplet_stale_threshold: 2s\nprune_stale_droplets_interval: 600s\n${ATTEMPTS}`;
/** Enough for every client, and every backend, to have had a dozen. */
const SOME = 300;

async function start(t: TestContext, settings = ATTEMPTS) {
  const nats = await startNats(t);
  if (nats === null) return null;
  const router = await startRouter(t, nats.port, settings);
  const registrar = await startRegistrar(t, nats.port);
  const failed = () =>
    router.log.lines
      .filter(({ message }) => message === "backend-endpoint-failed")
      .map(({ data }) => (data["route-endpoint"] as { Addr?: string }).Addr ?? "");
  return {
    ...router,
    nats,
    registrar,
    async register(...backends: readonly Pick<Backend, "name" | "port">[]) {
      const before = router.log.messages().filter((message) => message === "endpoint-registered").length;
      for (const backend of backends) registrar.register(backend);
      await router.log.line("endpoint-registered", before + backends.length);
    },
    failed,
    /** Resolves when the log names them all: lines come later than answers. */
    async untilFailed(...backends: readonly Pick<Backend, "port">[]) {
      const isFailed = ({ port }: Pick<Backend, "port">) => failed().includes(`127.0.0.1:${port}`);
      while (!backends.every(isFailed)) {
        await router.log.line("backend-endpoint-failed", failed().length + 1);
      }
    },
  };
}

const servedBy = (backend: Backend) => (answer: Answer) => answer.body.startsWith(`${backend.name} `);

function assertNoErrors(load: Load): void {
  assert.deepEqual([...load.outcomes.keys()], ["200"]);
}

test(
  "a backend that is killed under load costs no client an answer, though nobody unregisters it",
  LIMIT,
  async (t) => {
    const router = await start(t);
    if (router === null) return;
    const [victim, survivor] = [await startBackend(t, "victim"), await startBackend(t, "survivor")];
    await router.register(victim, survivor);
    const load = startLoad(t, router.port);
    await load.seen(SOME, servedBy(victim));
    await victim.kill();
    await load.seen(SOME, servedBy(survivor));
    await load.stop();
    assertNoErrors(load);
    await router.untilFailed(victim);
  },
);

test(
  "a backend that comes back on the same port serves again without being registered again",
  LIMIT,
  async (t) => {
    const router = await start(t, SHORT_MARKS);
    if (router === null) return;
    const [restarted, other] = [await startBackend(t, "restarted"), await startBackend(t, "other")];
    await router.register(restarted, other);
    const load = startLoad(t, router.port);
    await load.seen(SOME, servedBy(restarted));
    await restarted.kill();
    await load.seen(SOME, servedBy(other));
    const again = await startBackend(t, "again", { port: restarted.port });
    await load.seen(SOME, servedBy(again));
    await load.stop();
    assertNoErrors(load);
  },
);

test(
  "half of the pool dies within a moment: no client sees an error, whoever is next in turn",
  LIMIT,
  async (t) => {
    const router = await start(t);
    if (router === null) return;
    const backends = await Promise.all(Array.from({ length: 8 }, (_, i) => startBackend(t, `b${i}`)));
    await router.register(...backends);
    const load = startLoad(t, router.port);
    await load.seen(SOME);
    // Neighbours in the order of the pool, in the same millisecond: a request may meet all of them one after the other,
    // and be broken off more often than there are attempts (`docs/decisions/0007-refused-connections-cost-no-attempt.md`).
    const dead = backends.slice(0, 4);
    await Promise.all(dead.map((backend) => backend.kill()));
    await load.seen(SOME);
    await load.stop();
    assertNoErrors(load);
    await router.untilFailed(...dead);
    assert.deepEqual(new Set(router.failed()), new Set(dead.map(({ port }) => `127.0.0.1:${port}`)));
  },
);

test(
  "a backend that resets before its answer's head is complete is replaced by another, GET and repeatable POST",
  LIMIT,
  async (t) => {
    const router = await start(t);
    if (router === null) return;
    const broken = await startBackend(t, "broken", { behaviour: "resets in the head" });
    const good = await startBackend(t, "good");
    await router.register(broken, good);
    const load = startLoad(t, router.port);
    await load.seen(SOME);
    await load.stop();
    assertNoErrors(load);
  },
);

test(
  "a backend that resets after its answer's head: the client has the head, and the connection ends",
  LIMIT,
  async (t) => {
    const router = await start(t);
    if (router === null) return;
    const broken = await startBackend(t, "broken", { behaviour: "resets after the head" });
    await router.register(broken);
    const client = connect(router.port, "127.0.0.1");
    t.after(() => client.destroy());
    let received = "";
    const hasBody = Promise.withResolvers<void>();
    client.on("data", (chunk) => {
      received += chunk.toString("latin1");
      if (received.endsWith("\r\n\r\nab")) hasBody.resolve();
    });
    client.on("error", () => {});
    const ended = once(client, "close");
    client.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
    await hasBody.promise;
    broken.process.kill("SIGUSR2");
    await ended;
    assert.match(
      received,
      /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nab$/,
      "nothing is made up after half an answer",
    );
    await router.untilFailed(broken);
    assert.deepEqual(router.failed(), [`127.0.0.1:${broken.port}`]);
  },
);

test(
  "a backend that takes requests and hangs: each of them is a 502 after endpoint_timeout, and no other",
  LIMIT,
  async (t) => {
    const router = await start(t, `endpoint_timeout: 300ms\n${ATTEMPTS}`);
    if (router === null) return;
    const [hanging, good] = [
      await startBackend(t, "hanging", { behaviour: "hangs" }),
      await startBackend(t, "good"),
    ];
    await router.register(hanging, good);
    const load = startLoad(t, router.port);
    await load.seen(2 * CLIENTS, ({ outcome }) => outcome !== "200");
    await load.stop();
    const timeouts = "502 endpoint_failure (context deadline exceeded)";
    assert.deepEqual([...load.outcomes.keys()].sort(), ["200", timeouts]);
    await router.log.line("backend-request-timeout", load.outcomes.get(timeouts));
    const logged = router.log.messages().filter((message) => message === "backend-request-timeout");
    assert.equal(load.outcomes.get(timeouts), logged.length, "one for each request that reached it");
  },
);

test(
  "a backend that takes no connections costs a dial timeout once, and no client an answer",
  LIMIT,
  async (t) => {
    const router = await start(t, `endpoint_dial_timeout: 500ms\n${ATTEMPTS}`);
    if (router === null) return;
    const [full, good] = [await startBackend(t, "full", { backlog: 1 }), await startBackend(t, "good")];
    // Stopped, and its queue of connections filled: the kernel answers no further one.
    full.process.kill("SIGSTOP");
    const fillers: Socket[] = Array.from({ length: 8 }, () => connect(full.port, "127.0.0.1"));
    for (const filler of fillers) filler.on("error", () => {});
    t.after(() => fillers.forEach((filler) => filler.destroy()));
    await Promise.all(fillers.slice(0, 2).map((filler) => once(filler, "connect")));
    await router.register(full, good);
    const load = startLoad(t, router.port);
    await router.log.line("backend-endpoint-failed");
    await load.seen(SOME);
    await load.stop();
    assertNoErrors(load);
    const line = await router.log.line("backend-endpoint-failed");
    assert.equal(line.data["error"], `dial tcp 127.0.0.1:${full.port}: i/o timeout`);
  },
);

test(
  "two backends that swap their addresses: no errors, and each is called by its own name once it is registered",
  LIMIT,
  async (t) => {
    const router = await start(t);
    if (router === null) return;
    const [left, right] = [await startBackend(t, "left"), await startBackend(t, "right")];
    const third = await startBackend(t, "third");
    await router.register(left, right, third);
    const load = startLoad(t, router.port);
    await load.seen(SOME);
    await left.kill();
    await right.kill();
    const newLeft = await startBackend(t, "left", { port: right.port });
    const newRight = await startBackend(t, "right", { port: left.port });
    for (const backend of [newLeft, newRight]) router.registrar.register(backend);
    await router.registrar.bus.flush();
    await load.seen(SOME, ({ body }) => body === "left left");
    await load.seen(SOME, ({ body }) => body === "right right");
    await load.stop();
    assertNoErrors(load);
    for (let i = 0; i < 6; i++) {
      const { body } = await ask(router.port, false);
      const [name, instance] = body.split(" ");
      assert.equal(name, instance);
    }
  },
);
