/**
 * What an operator sees of a router of two processes besides its traffic: /varz, the apps that are active, and its access
 * log as JSON, in a file and as a stream. All of it is that of one router.
 */
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { inflateSync } from "node:zlib";
import { type Bus, SUBJECTS } from "../../src/bus/index.ts";
import { createManualClock } from "../../src/kernel/index.ts";
import { startGorouter } from "../support/gorouter.ts";
import { startNats } from "../support/nats.ts";
import { ask, HOST, spawnRouter, startApp } from "./router-processes.ts";

const APP = "11111111-2222-3333-4444-555555555555";
const REQUESTS = 40;

interface VarzFacts {
  readonly requests: number;
  readonly responses_2xx: number;
  readonly droplets: number;
  readonly urls: number;
  readonly top10_app_requests: readonly { readonly application_id: string; readonly rpm: number }[];
  readonly tags: { readonly component: Readonly<Record<string, VarzFacts>> };
}

/** The first list of active apps that has any. */
function activeApps(bus: Bus): Promise<readonly string[]> {
  return new Promise((resolve) => {
    bus.subscribe(SUBJECTS.routerActiveApps, ({ data }) => {
      const apps = JSON.parse(inflateSync(data).toString()) as readonly string[];
      if (apps.length > 0) resolve(apps);
    });
  });
}

async function startUdpServer(t: TestContext) {
  const socket = createSocket("udp4");
  const lines: string[] = [];
  let wake = () => {};
  socket.on("message", (bytes) => {
    lines.push(bytes.toString());
    wake();
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.after(() => socket.close());
  return {
    port: socket.address().port,
    async lines(count: number) {
      while (lines.length < count) await new Promise<void>((resolve) => (wake = resolve));
      return lines;
    },
  };
}

async function waitUntil(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

test("two workers have one /varz, one access log and one stream", { timeout: 120_000 }, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const fields = { app: APP, tags: { component: "shop" } };
  const { bus } = await startApp(t, nats.port, (_request, response) => response.end("hello"), fields);
  const active = activeApps(bus);
  await bus.flush();
  const [syslog, agent] = [await startUdpServer(t), await startUdpServer(t)];
  const settings = (folder: string) => ({
    index: 3,
    viaduct: { host: "127.0.0.1", workers: 2, access_log_format: "json" },
    start_response_delay_interval: "1s",
    nats: { hosts: [{ hostname: "127.0.0.1", port: nats.port }] },
    status: {
      host: "127.0.0.1",
      port: 0,
      user: "ops",
      pass: "secret",
      routes: { port: 0 },
      enable_deprecated_varz_healthz_endpoints: true,
    },
    publish_active_apps_interval: "200ms",
    access_log: { file: join(folder, "access.log"), enable_streaming: true },
    logging: {
      syslog: "vcap.gorouter",
      level: "info",
      syslog_addr: `127.0.0.1:${syslog.port}`,
      syslog_network: "udp",
      loggregator_enabled: true,
      metron_address: `127.0.0.1:${agent.port}`,
    },
  });
  const router = spawnRouter(t, settings);
  const { port, health } = await router.ports();
  const requestIds = new Set<string>();
  for (let i = 0; i < REQUESTS; i++) requestIds.add((await ask(port)).requestId);

  const varz = async () => JSON.parse((await ask(health, { path: "/varz", login: true })).body) as VarzFacts;
  const facts = (of: VarzFacts) => [of.requests, of.responses_2xx];
  const before = await varz();
  assert.deepEqual(facts(before), [REQUESTS, REQUESTS]);
  assert.deepEqual(facts(before.tags.component["shop"] as VarzFacts), [REQUESTS, REQUESTS]);
  assert.deepEqual([before.urls, before.droplets], [1, 1]);
  assert.deepEqual(before.top10_app_requests, [{ application_id: APP, rps: 0, rpm: REQUESTS }]);
  assert.equal((await ask(health, { path: "/varz" })).status, 401);
  assert.equal((await ask(health, { path: "/healthz" })).body, "ok");
  assert.equal((await ask(health, { path: "/whatever" })).body, "ok\n");
  assert.deepEqual(await active, [APP]);

  const streamed = await syslog.lines(REQUESTS);
  const message = /^<14>1 \S+Z \S+ vcap\.gorouter \d+ - - (\{.*\})$/;
  const idOf = (json: string) => (JSON.parse(json) as Record<string, string>)["vcap_request_id"];
  assert.deepEqual(new Set(streamed.map((line) => idOf(message.exec(line)?.[1] ?? "{}"))), requestIds);

  const envelopes = await agent.lines(2 * REQUESTS);
  const ofLog = envelopes.filter((envelope) => envelope.includes("RTR"));
  assert.ok(ofLog.every((envelope) => envelope.includes(APP)));
  const ofRequests = envelopes.filter((envelope) => envelope.includes(`http://${HOST}/`));
  assert.deepEqual([ofLog.length, ofRequests.length], [REQUESTS, REQUESTS]);

  // Rotated from outside, while the configuration file is broken: that is no reason to write to the old file for ever.
  const file = (name: string) => readFileSync(join(router.folder, name), "utf8").split("\n").slice(0, -1);
  renameSync(join(router.folder, "access.log"), join(router.folder, "access.log.1"));
  router.writeConfig({ ...settings(router.folder), port: "none" });
  router.child.kill("SIGHUP");
  await router.log.line("tls-reload-failed");
  router.writeConfig(settings(router.folder));
  await waitUntil(() => existsSync(join(router.folder, "access.log")));

  router.child.kill("SIGUSR2");
  await router.log.line("workers-restart-ended");
  await router.log.line("worker-replaced", 2);
  const after = await varz();
  assert.deepEqual(facts(after), [REQUESTS, REQUESTS], "what ended workers have counted is not lost");

  router.child.kill("SIGTERM");
  await router.exit;
  // What was not written yet is in the new file.
  const logged = ["access.log.1", "access.log"].flatMap((name) => file(name).map(idOf));
  assert.equal(logged.length, REQUESTS);
  assert.deepEqual(new Set(logged), requestIds);
});

test("the pid file comes when load balancers have had time to see that the router is healthy", async (t) => {
  const clock = createManualClock();
  const router = startGorouter(
    t,
    (folder) => `
port: 0
viaduct: {host: 127.0.0.1}
status: {host: 127.0.0.1, port: 0, routes: {port: 0}}
nats: {hosts: []}
load_balancer_healthy_threshold: 20s
pid_file: ${folder}/router.pid
logging: {level: info}
`,
    { clock },
  );
  await router.started();
  const { data } = await router.log.line("status-listeners-started");
  const isUp = async () => (await ask(Number(data["health"]), { path: "/health" })).status;
  assert.equal(await isUp(), 200);
  const pidFile = join(router.folder, "router.pid");
  clock.advance(19_999);
  assert.equal(await isUp(), 200);
  assert.equal(existsSync(pidFile), false);
  clock.advance(1);
  await waitUntil(() => existsSync(pidFile));
  router.signals.emit("SIGTERM");
  assert.equal(await router.exit, 0);
  assert.equal(existsSync(pidFile), false);
});

const rotating = (file: string) => `
port: 0
viaduct: {host: 127.0.0.1, access_log_max_bytes: 1000, access_log_old_files: 50}
status: {host: 127.0.0.1, port: 0, routes: {port: 0}}
nats: {hosts: []}
access_log: {file: ${file}}
logging: {level: info}
`;

test("a router that is told a size puts its access log aside by itself, and loses no line", async (t) => {
  const router = startGorouter(t, (folder) => rotating(join(folder, "access.log")));
  const port = Number((await router.started()).data["port"]);
  const requestIds = new Set<string>();
  const firstFile = join(router.folder, "access.log.1");
  while (!existsSync(firstFile)) requestIds.add((await ask(port)).requestId);
  requestIds.add((await ask(port)).requestId);
  router.signals.emit("SIGTERM");
  assert.equal(await router.exit, 0);
  const files = readdirSync(router.folder).filter((name) => name.startsWith("access.log"));
  const lines = files.flatMap((name) =>
    readFileSync(join(router.folder, name), "utf8").split("\n").slice(0, -1),
  );
  assert.equal(lines.length, requestIds.size);
  for (const line of lines) {
    assert.ok(requestIds.has(/ vcap_request_id:"([^"]+)"/.exec(line)?.[1] ?? ""), line);
  }
  assert.ok(readFileSync(firstFile).length >= 1_000);
});

test("an access log that cannot be written keeps the router from starting, whoever rotates it", async (t) => {
  const router = startGorouter(t, rotating("/nowhere/access.log"));
  assert.equal(await router.exit, 1);
  assert.match(
    String(router.log.lines.at(-1)?.data["error"]),
    /\/nowhere\/access\.log cannot be opened: no such file or directory; .* or change access_log\.file$/,
  );
});

test("a pid file that cannot be written ends the start with its name and what to do", async (t) => {
  const router = startGorouter(
    t,
    () => `
port: 0
viaduct: {host: 127.0.0.1}
status: {host: 127.0.0.1, port: 0, routes: {port: 0}}
nats: {hosts: []}
pid_file: /nowhere/router.pid
`,
  );
  assert.equal(await router.exit, 1);
  const { message, data } = router.log.lines.at(-1) ?? assert.fail("it said nothing");
  assert.equal(message, "gorouter.exited-with-failure");
  assert.equal(
    data["error"],
    "the file /nowhere/router.pid cannot be written: no such file or directory; let this user write there, or change pid_file",
  );
});
