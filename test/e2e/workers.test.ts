/**
 * A router of several processes on one port: it is one router to clients, load balancers and operators, and loses no
 * request when its workers are replaced.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { Agent } from "node:http";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { createAuthority, type IssuedPair } from "../support/authority.ts";
import { startNats } from "../support/nats.ts";
import { ask, HOST, spawnRouter, startApp, startLoad } from "./router-processes.ts";

const TIMEOUT = { timeout: 120_000 };
const TWO_WORKERS = { viaduct: { host: "127.0.0.1", workers: 2 } };
const natsAt = (port: number) => ({ nats: { hosts: [{ hostname: "127.0.0.1", port }] } });
/** Registrars have this long to answer a new worker. */
const PRELOAD = { start_response_delay_interval: "1s" };

/** The value of a metric. */
async function metric(statusPort: number, name: string): Promise<number> {
  const { body } = await ask(statusPort, { path: "/metrics", login: true });
  const line = body.split("\n").find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

const ANSWERED = 'responses{status_group="2xx"}';

/** Resolves when the process is not there any more. */
async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function waitUntil(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

test("workers share the port, and are one router to whoever asks", TIMEOUT, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const app = await startApp(t, nats.port, (_request, response) => response.end("hello"));
  const router = spawnRouter(t, (folder) => ({
    ...TWO_WORKERS,
    ...PRELOAD,
    ...natsAt(nats.port),
    access_log: { file: join(folder, "access.log") },
    pid_file: join(folder, "router.pid"),
  }));
  const { port, health, status } = await router.ports();
  assert.equal((await ask(health, { path: "/health" })).body, "ok\n");
  const file = (name: string) => readFileSync(join(router.folder, name), "utf8");
  await waitUntil(() => existsSync(join(router.folder, "router.pid")));
  assert.equal(file("router.pid"), `${router.child.pid}\n`);

  const requestIds: string[] = [];
  for (let i = 0; i < 40; i++) requestIds.push((await ask(port)).requestId);
  // One connection to the app for each worker that has carried something.
  assert.equal(app.connections.size, 2);

  assert.equal(await metric(status, ANSWERED), 40);
  assert.equal(await metric(status, "total_routes"), 1);
  const routes = JSON.parse((await ask(status, { path: "/routes", login: true })).body) as object;
  assert.deepEqual(Object.keys(routes), [HOST]);
  for (const id of requestIds) {
    assert.equal((await ask(status, { path: `/verdicts/${id}`, login: true })).status, 200, id);
  }
  const { verdicts } = JSON.parse((await ask(status, { path: "/verdicts?last=40", login: true })).body) as {
    readonly verdicts: readonly { readonly requestId: string; readonly endedAtMs: number }[];
  };
  assert.deepEqual(new Set(verdicts.map(({ requestId }) => requestId)), new Set(requestIds));
  assert.deepEqual(
    verdicts,
    verdicts.toSorted((a, b) => b.endedAtMs - a.endedAtMs),
  );
  assert.equal((await ask(status, { path: "/verdicts?last=none", login: true })).status, 400);
  assert.equal((await ask(status, { path: "/verdicts/unknown", login: true })).status, 404);
  const explained = await ask(status, { path: `/explain?url=${HOST}`, login: true });
  const { endpoints } = JSON.parse(explained.body) as { readonly endpoints: readonly object[] };
  assert.equal(endpoints.length, 1);
  assert.equal((await ask(status, { path: "/routes" })).status, 401);

  // A log rotation.
  renameSync(join(router.folder, "access.log"), join(router.folder, "access.log.1"));
  router.child.kill("SIGHUP");
  await router.log.line("tls-reload-skipped", 2);
  for (let i = 0; i < 40; i++) await ask(port);

  router.child.kill("SIGTERM");
  assert.deepEqual(await router.exit, [0, null]);
  const [before, after] = ["access.log.1", "access.log"].map((name) => file(name).trimEnd().split("\n"));
  assert.deepEqual([before?.length, after?.length], [40, 40]);
  for (const line of [...(before ?? []), ...(after ?? [])])
    assert.match(line, /^shop\.example\.com - \[.* x_cf_routererror:"-"$/);
  assert.equal(existsSync(join(router.folder, "router.pid")), false);
  assert.deepEqual(
    ["gorouter.started", "gorouter.stopping", "gorouter.stopped", "gorouter.exited"].map(
      (message) => router.log.messages().filter((one) => one === message).length,
    ),
    [1, 1, 1, 1],
  );
});

test("SIGUSR2 replaces the workers under load, and no client sees it", TIMEOUT, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  await startApp(t, nats.port, (_request, response) => response.end("hello"));
  const router = spawnRouter(t, { ...TWO_WORKERS, ...PRELOAD, ...natsAt(nats.port) });
  const { port, status } = await router.ports();
  const idle = new Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => idle.destroy());
  assert.equal((await ask(port, { agent: idle })).connection, "");

  const load = startLoad(t, { keeping: 12, reconnecting: 6, port: () => port });
  await load.more(200);
  router.child.kill("SIGUSR2");
  await router.log.line("workers-restart-started");
  router.child.kill("SIGUSR2");
  await router.log.line("workers-restart-ignored");
  await router.log.line("workers-restart-ended");
  await router.log.line("worker-leaving", 2);
  // It was idle all the time; its worker has a successor, and waits for it.
  const last = await ask(port, { agent: idle });
  assert.deepEqual([last.body, last.connection], ["hello", "close"]);
  await router.log.line("worker-replaced", 2);
  await load.more(200);
  await load.stop();

  assert.deepEqual(load.failures, []);
  assert.equal(await metric(status, ANSWERED), load.answers + 2);
  const pids = router.workerPids();
  assert.equal(new Set(pids).size, 4);
  for (const pid of pids.slice(0, 2)) await gone(pid);
});

test(
  "a worker that is killed is missed by nobody who comes afterwards, and comes back",
  TIMEOUT,
  async (t) => {
    const router = spawnRouter(t, TWO_WORKERS);
    const { port, health, status } = await router.ports();
    for (let i = 0; i < 10; i++) await ask(port);
    assert.equal(await metric(status, "rejected_requests"), 10);

    const [pid] = router.workerPids();
    process.kill(pid as number, "SIGKILL");
    const { data } = await router.log.line("worker-ended");
    assert.deepEqual([data["pid"], data["ended"]], [pid, "SIGKILL"]);
    for (let i = 0; i < 20; i++) assert.equal((await ask(port)).status, 404);
    assert.equal((await ask(health, { path: "/health" })).status, 200);
    await router.log.line("worker-started", 3);
    // What it had counted when somebody last looked stays counted.
    assert.equal(await metric(status, "rejected_requests"), 30);
  },
);

test(
  "without any worker the router is unhealthy and refuses clients, until one can start again",
  TIMEOUT,
  async (t) => {
    const router = spawnRouter(t, (folder) => {
      mkdirSync(join(folder, "log"));
      return { ...TWO_WORKERS, access_log: { file: join(folder, "log", "access.log") } };
    });
    const { port, health } = await router.ports();
    const healthNow = async () => (await ask(health, { path: "/health" })).status;
    renameSync(join(router.folder, "log"), join(router.folder, "moved"));
    for (const pid of router.workerPids()) process.kill(pid, "SIGKILL");
    const { data } = await router.log.line("worker-not-started");
    assert.match(String(data["error"]), /cannot start: .*access\.log/);
    await router.log.line("worker-ended", 2);
    assert.equal(await healthNow(), 503);
    await assert.rejects(ask(port), { code: "ECONNREFUSED" });

    mkdirSync(join(router.folder, "log"));
    await router.log.line("worker-started", 3);
    assert.equal(await healthNow(), 200);
    assert.equal((await ask(port)).status, 404);
  },
);

test("a primary that is killed takes its workers with it", TIMEOUT, async (t) => {
  const router = spawnRouter(t, TWO_WORKERS);
  const { port } = await router.ports();
  const held = connectTcp(port, "127.0.0.1");
  t.after(() => held.destroy());
  await once(held, "connect");
  router.child.kill("SIGKILL");
  for (const pid of router.workerPids()) await gone(pid);
  const next = createServer().listen(port, "127.0.0.1");
  t.after(() => next.close());
  await once(next, "listening");
});

const refusals = [
  {
    name: "NATS that is not there",
    settings: natsAt(1),
    message: "nats-connection-error",
    error: /no connection to NATS at 127\.0\.0\.1:1 .* change nats\.hosts$/,
  },
  {
    name: "an access log that cannot be written",
    settings: { access_log: { file: "/nowhere/access.log" } },
    message: "gorouter.exited-with-failure",
    error: /\/nowhere\/access\.log/,
  },
];
for (const { name, settings, message, error } of refusals) {
  test(`${name} ends the start of all workers, with one line that says so`, TIMEOUT, async (t) => {
    const router = spawnRouter(t, { ...TWO_WORKERS, ...settings });
    assert.deepEqual(await router.exit, [1, null]);
    const fatal = router.log.lines.filter((line) => line.log_level === 3);
    assert.deepEqual(
      fatal.map((line) => line.message),
      [message],
    );
    assert.match(String(fatal[0]?.data["error"]), error);
    assert.ok(!router.log.messages().includes("gorouter.started"));
  });
}

test("a port that is taken ends the start before there are workers", TIMEOUT, async (t) => {
  const other = createServer().listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const router = spawnRouter(t, { ...TWO_WORKERS, port });
  assert.deepEqual(await router.exit, [1, null]);
  assert.match(String(router.log.lines.at(-1)?.data["error"]), /another process has it.* set port to/);
});

test(
  "draining is everybody's: unhealthy at once, what is in flight ends well, then nobody listens",
  TIMEOUT,
  async (t) => {
    const nats = await startNats(t);
    if (nats === null) return;
    const held = Promise.withResolvers<() => void>();
    await startApp(t, nats.port, (_request, response) => held.resolve(() => response.end("finished")));
    const router = spawnRouter(t, {
      ...TWO_WORKERS,
      ...PRELOAD,
      ...natsAt(nats.port),
      drain_wait: "300ms",
      drain_timeout: "60s",
    });
    const { port, health } = await router.ports();
    const slow = ask(port);
    const finish = await held.promise;
    router.child.kill("SIGUSR1");
    const { data } = await router.log.line("gorouter-draining");
    assert.deepEqual(data, { wait: "0.3s", timeout: "60s" });
    assert.equal((await ask(health, { path: "/health" })).status, 503);
    router.child.kill("SIGTERM");
    await router.log.line("gorouter.signal.ignored");
    await refused(port);
    finish();
    assert.deepEqual([(await slow).body, (await slow).connection], ["finished", "close"]);
    assert.deepEqual(await router.exit, [0, null]);
    for (const pid of router.workerPids()) await gone(pid);
  },
);

/** Resolves when nobody listens on the port any more. */
async function refused(port: number): Promise<void> {
  for (;;) {
    const socket = connectTcp(port, "127.0.0.1");
    const [error] = (await Promise.race([once(socket, "connect"), once(socket, "error")]).catch(
      (cause: unknown) => [cause],
    )) as [NodeJS.ErrnoException | undefined];
    socket.destroy();
    if (error?.code === "ECONNREFUSED") return;
  }
}

test("a configuration that is no good replaces nobody", TIMEOUT, async (t) => {
  const router = spawnRouter(t, TWO_WORKERS);
  const { port } = await router.ports();
  const bad = [
    { change: { port: "http" }, error: /port: "http" is not a whole number/ },
    { change: { port: port + 1 }, error: /host, ports and listeners are the primary's/ },
    { change: { access_log: { file: "/nowhere/access.log" } }, error: /worker 0 cannot start: .*\/nowhere/ },
  ];
  for (const [i, { change, error }] of bad.entries()) {
    router.writeConfig({ ...TWO_WORKERS, port: 0, ...change });
    router.child.kill("SIGUSR2");
    const line = await router.log.line("workers-restart-failed", i + 1);
    assert.match(String(line.data["error"]), error);
    assert.equal(line.data["replaced"], 0);
  }
  assert.equal(router.workerPids().length, 2);
  assert.equal((await ask(port)).status, 404);
});

// === TLS ===

const tlsWith = ({ certificate, key }: IssuedPair) => ({
  ...TWO_WORKERS,
  enable_ssl: true,
  ssl_port: 0,
  tls_pem: [{ cert_chain: certificate, private_key: key }],
  cipher_suites: "ECDHE-ECDSA-AES128-GCM-SHA256",
  client_cert_validation: "none",
});

/** A handshake, perhaps with a session from before. TLS 1.2: its ticket is there with the handshake. */
async function shakeHands(t: TestContext, port: number, session?: Buffer) {
  const socket: TLSSocket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, session });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  const found = {
    /** Not shown again when a session is resumed. */
    name: socket.getPeerCertificate().subject?.CN,
    isResumed: socket.isSessionReused(),
    session: socket.getSession(),
  };
  socket.destroy();
  return found;
}

test("any worker resumes a TLS session, until the certificates of all are reloaded", TIMEOUT, async (t) => {
  const authority = createAuthority(t);
  if (authority === null) return;
  const router = spawnRouter(t, tlsWith(authority.issue({ subject: "/CN=old" })));
  await router.ports();
  const port = Number((await router.log.line("tls-listener-started")).data["port"]);
  const first = await shakeHands(t, port);
  assert.deepEqual([first.name, first.isResumed], ["old", false]);
  for (let i = 0; i < 20; i++) assert.equal((await shakeHands(t, port, first.session)).isResumed, true);

  router.writeConfig(tlsWith(authority.issue({ subject: "/CN=new" })));
  router.child.kill("SIGHUP");
  await router.log.line("tls-reloaded", 2);
  for (let i = 0; i < 20; i++) {
    const { name, isResumed } = await shakeHands(t, port, first.session);
    assert.deepEqual([name, isResumed], ["new", false]);
  }

  // A worker that comes later has them too.
  process.kill(router.workerPids()[0] as number, "SIGKILL");
  await router.log.line("worker-started", 3);
  const after = await shakeHands(t, port);
  assert.equal(after.name, "new");
  for (let i = 0; i < 20; i++) {
    assert.equal((await shakeHands(t, port, after.session)).isResumed, true);
  }

  router.writeConfig({ ...TWO_WORKERS, enable_ssl: true });
  router.child.kill("SIGHUP");
  await router.log.line("tls-reload-failed");
  assert.equal(router.log.messages().filter((message) => message === "tls-reload-failed").length, 1);
});

test("a router of one process has nobody to replace, says so, and serves on", TIMEOUT, async (t) => {
  const router = spawnRouter(t, { viaduct: { host: "127.0.0.1" }, go_max_procs: 1 });
  const { port } = await router.ports();
  router.child.kill("SIGUSR2");
  const { data } = await router.log.line("workers-restart-skipped");
  assert.match(String(data["reason"]), /one process only/);
  assert.equal((await ask(port)).status, 404);
  assert.deepEqual(router.workerPids(), []);
});

test("a positive go_max_procs is the number of workers", TIMEOUT, async (t) => {
  const router = spawnRouter(t, { viaduct: { host: "127.0.0.1" }, go_max_procs: 3 });
  await router.ports();
  assert.equal(router.workerPids().length, 3);
});
