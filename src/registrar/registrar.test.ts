import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createMemoryBus, encodeRouterStart, SUBJECTS } from "../bus/index.ts";
import { createManualClock, silentLogger, systemClock } from "../kernel/index.ts";
import { type HealthResult, healthCheckRunner } from "./health-check.ts";
import { createRegistrar, type RegistrarOptions } from "./registrar.ts";
import type { RegistrarRoute } from "./types.ts";

const ROUTE: RegistrarRoute = {
  name: "api",
  uris: ["api.example.com"],
  registrationIntervalMs: 20_000,
  port: 8080,
};
const CHECK = { name: "alive", scriptPath: "check", timeoutMs: 10_000 };

async function startRegistrar(t: TestContext, options: Partial<RegistrarOptions> = {}) {
  const clock = createManualClock();
  const bus = createMemoryBus({ log: silentLogger, clock });
  const heard: string[] = [];
  for (const subject of [SUBJECTS.routerRegister, SUBJECTS.routerUnregister]) {
    bus.subscribe(subject, ({ data }) => heard.push(`${subject} ${Buffer.from(data).toString()}`));
  }
  const registrar = createRegistrar({
    routes: [ROUTE],
    bus,
    host: "10.0.0.5",
    clock,
    log: silentLogger,
    ...options,
  });
  await registrar.start();
  t.after(() => registrar.stop());
  /** Subject and URIs of what came since the last call. */
  const news = async () => {
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    return heard.splice(0).map((line) => {
      const { uris } = JSON.parse(line.slice(line.indexOf("{"))) as { uris: string[] };
      return `${line.split(" ")[0]?.replace("router.", "")} ${uris.join()}`;
    });
  };
  return { registrar, bus, clock, heard, news };
}

test("the body is route-registrar's", async (t) => {
  const full: RegistrarRoute = {
    ...ROUTE,
    tlsPort: 8443,
    serverCertDomainSan: "san",
    protocol: "http2",
    tags: { k: "v" },
    routeServiceUrl: "https://rs",
    options: { loadbalancing: "least-connection" },
    allowedSources: { any: true },
  };
  const { heard } = await startRegistrar(t, { routes: [full], availabilityZone: "z1" });
  await nextTurn();
  const body: unknown = JSON.parse(heard[0]?.replace("router.register ", "") ?? "");
  const { private_instance_id, ...rest } = body as Record<string, unknown>;
  assert.match(String(private_instance_id), /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    host: "10.0.0.5",
    port: 8080,
    tls_port: 8443,
    server_cert_domain_san: "san",
    protocol: "http2",
    uris: ["api.example.com"],
    tags: { k: "v" },
    route_service_url: "https://rs",
    availability_zone: "z1",
    options: { loadbalancing: "least-connection" },
    allowed_sources: { any: true },
  });
});

test("a route is registered at the start, at every interval, and unregistered at the stop", async (t) => {
  const { registrar, clock, news } = await startRegistrar(t);
  assert.deepEqual(await news(), ["register api.example.com"]);
  clock.advance(19_999);
  assert.deepEqual(await news(), []);
  clock.advance(1);
  assert.deepEqual(await news(), ["register api.example.com"]);
  await registrar.stop();
  assert.deepEqual(await news(), ["unregister api.example.com"]);
  clock.advance(60_000);
  assert.deepEqual(await news(), []);
});

test("a router that starts, or a bus that comes back, hears of every route at once", async (t) => {
  const { bus, news } = await startRegistrar(t);
  await news();
  const start = { id: "0-r", hosts: [], minimumRegisterIntervalInSeconds: 20, pruneThresholdInSeconds: 120 };
  bus.publish(SUBJECTS.routerStart, encodeRouterStart(start));
  assert.deepEqual(await news(), ["register api.example.com"]);
  bus.disconnect();
  bus.reconnect();
  assert.deepEqual(await news(), ["register api.example.com"]);
});

test("route files of other jobs come, change and go without disturbing what stays", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-routes-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const routeFile = (uri: string) =>
    `routes: [{ name: dynamic, port: 9090, uris: [${uri}], registration_interval: 1h }, { name: broken }]`;
  const { registrar, clock, heard, news } = await startRegistrar(t, {
    routes: [{ ...ROUTE, registrationIntervalMs: 3_600_000 }],
    dynamicConfigGlobs: [join(folder, "*.yml")],
  });
  /** Lets ten seconds pass and waits until something is said. */
  const scan = async () => {
    clock.advance(10_000);
    while (heard.length === 0) await nextTurn();
    return news();
  };
  await news();
  writeFileSync(join(folder, "a.yml"), routeFile("a.example.com"));
  writeFileSync(join(folder, "b.yml"), "routes: 5");
  writeFileSync(join(folder, "c.yml"), "{");
  writeFileSync(join(folder, "d.txt"), routeFile("d.example.com"));
  assert.deepEqual(await scan(), ["register a.example.com"]);
  writeFileSync(join(folder, "a.yml"), routeFile("b.example.com"));
  clock.advance(5_000);
  await news();
  assert.deepEqual(
    (await scan()).filter((line) => !line.includes("api.")),
    ["unregister a.example.com", "register b.example.com"],
  );
  await registrar.stop();
  assert.deepEqual((await news()).sort(), ["unregister api.example.com", "unregister b.example.com"]);
});

test("a route is registered only while its check succeeds, and unregistered a few times when it fails", async (t) => {
  let health: HealthResult = { isHealthy: false, reason: "exit status 1" };
  const { clock, news } = await startRegistrar(t, {
    routes: [{ ...ROUTE, healthCheck: CHECK }],
    unregistrationMessageLimit: 2,
    runHealthCheck: async () => health,
  });
  const tick = async () => {
    clock.advance(20_000);
    return (await news()).map((line) => line.split(" ")[0]);
  };
  await news();
  assert.deepEqual(await tick(), ["unregister"]);
  assert.deepEqual(await tick(), []);
  health = { isHealthy: true, reason: "" };
  assert.deepEqual(await tick(), ["register"]);
  health = { isHealthy: false, reason: "exit status 1" };
  assert.deepEqual([await tick(), await tick(), await tick()], [["unregister"], ["unregister"], []]);
});

test("a slow check is not started twice", async (t) => {
  let started = 0;
  const { clock } = await startRegistrar(t, {
    routes: [{ ...ROUTE, healthCheck: CHECK }],
    runHealthCheck: () => {
      started++;
      return new Promise(() => {});
    },
  });
  clock.advance(60_000);
  await nextTurn();
  assert.equal(started, 1);
});

// --- scripts ---

const never = new AbortController().signal;
const runScript = (scriptPath: string, timeoutMs = 10_000, stop = never) =>
  healthCheckRunner(systemClock)({ name: "n", scriptPath, timeoutMs }, stop);

for (const { script, want } of [
  { script: "exit 0", want: { isHealthy: true, reason: "" } },
  { script: "exit 3", want: { isHealthy: false, reason: "exit status 3" } },
  { script: "kill -TERM $$", want: { isHealthy: false, reason: "ended by SIGTERM" } },
  { script: "/nowhere/at/all", want: { isHealthy: false, reason: "exit status 127" } },
]) {
  test(`the script «${script}» is ${want.isHealthy ? "healthy" : `unhealthy: ${want.reason}`}`, async () => {
    assert.deepEqual(await runScript(script), want);
  });
}

/** Starts a script whose grandchild says who it is, and waits until it has. */
async function startStuckScript(t: TestContext, run: (script: string) => Promise<HealthResult>) {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-check-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "pid");
  const result = run(`sh -c 'echo $$ > ${file}.new && mv ${file}.new ${file}; sleep 1000' & wait`);
  while (!existsSync(file)) await nextTurn();
  const grandchild = Number(readFileSync(file, "utf8"));
  return { result, grandchild };
}

async function assertGone(pid: number): Promise<void> {
  for (;;) {
    try {
      // A zombie that nobody has reaped yet still answers; it runs nothing any more.
      if (readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ")) return;
    } catch {
      return;
    }
    await nextTurn();
  }
}

test("a script that takes too long is killed with everything it started", async (t) => {
  const clock = createManualClock();
  const { result, grandchild } = await startStuckScript(t, (scriptPath) =>
    healthCheckRunner(clock)({ name: "n", scriptPath, timeoutMs: 5_000 }, never),
  );
  clock.advance(5_000);
  assert.deepEqual(await result, { isHealthy: false, reason: "Script failed to exit within 5s" });
  await assertGone(grandchild);
});

test("stopping the registrar ends a check that is running, with everything it started", async (t) => {
  const stop = new AbortController();
  const { result, grandchild } = await startStuckScript(t, (script) =>
    runScript(script, 60_000, stop.signal),
  );
  stop.abort();
  assert.equal((await result).isHealthy, false);
  await assertGone(grandchild);
});
