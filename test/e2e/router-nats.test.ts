/**
 * The router in gorouter's place: its own process layout, gorouter's configuration file, a real NATS server and a
 * real app, driven as an operator and a registrar would.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, get as httpGet, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createNetServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test, type TestContext } from "node:test";
import { runRouterRole } from "../../src/app/router-role.ts";
import { type Bus, encodeRegister, SUBJECTS } from "../../src/bus/index.ts";
import { followLog } from "../support/follow-log.ts";
import { connectRegistrar, startNats } from "../support/nats.ts";

function configFile(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-router-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "gorouter.yml");
  writeFileSync(path, text);
  return path;
}

/** All listeners on the loopback address and on ports that are free. */
const config = (natsPort: number, more = "") => `
port: 0
viaduct: {host: 127.0.0.1}
status: {host: 127.0.0.1, port: 0, user: ops, pass: secret, routes: {port: 0}}
nats:
  hosts: [{hostname: 127.0.0.1, port: ${natsPort}}]
start_response_delay_interval: 10ms
droplet_stale_threshold: 120s
logging: {syslog: vcap.gorouter, level: info}
${more}`;

/** A running role in this process. */
async function startRole(t: TestContext, text: string) {
  const log = followLog();
  const signals = new EventEmitter();
  const exit = runRouterRole({ configPath: configFile(t, text), sink: log, signals });
  t.after(async () => {
    signals.emit("SIGTERM");
    await exit;
  });
  const port = Number((await log.line("gorouter.started")).data["port"]);
  const ports = (await log.line("status-listeners-started")).data as { health: number; routes: number };
  return {
    log,
    signals,
    exit,
    port,
    get: (host: string, path = "/") => get(port, path, host),
    health: async () => (await get(ports.health, "/health", "health")).status,
    routes: async () => {
      const answer = await get(ports.routes, "/routes", "x", {
        authorization: `Basic ${Buffer.from("ops:secret").toString("base64")}`,
      });
      return JSON.parse(answer.body) as Record<string, unknown[]>;
    },
  };
}

async function get(port: number, path: string, host: string, headers: Record<string, string> = {}) {
  const request = httpGet({ host: "127.0.0.1", port, path, headers: { host, ...headers }, agent: false });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode,
    headers: response.headers,
    body: Buffer.concat(chunks).toString(),
  };
}

async function startApp(t: TestContext, answer: RequestListener): Promise<number> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

async function startRegistrar(t: TestContext, natsPort: number): Promise<Bus> {
  const bus = await connectRegistrar(t, natsPort);
  return bus;
}

test("an app that is registered over NATS is served until it is unregistered", {
  timeout: 30_000,
}, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const appPort = await startApp(t, (request, response) =>
    response.end(`hello ${request.headers.host} ${request.headers["x-cf-instanceid"]}`),
  );
  const router = await startRole(t, config(nats.port, "index: 7\n"));
  const registrar = await startRegistrar(t, nats.port);

  assert.equal((await router.get("shop.example.com")).status, 404);
  const body = encodeRegister({
    host: "127.0.0.1",
    port: appPort,
    uris: ["Shop.example.com", "example.com/shop"],
    app: "c1b0",
    privateInstanceId: "9a2f",
    tags: { component: "registrar" },
    options: { loadbalancing: "least-connection" },
  });
  registrar.publish(SUBJECTS.routerRegister, body);
  await router.log.line("endpoint-registered", 2);
  const answer = await router.get("shop.example.com");
  assert.deepEqual([answer.status, answer.body], [200, "hello shop.example.com 9a2f"]);
  assert.equal((await router.get("example.com", "/shop/cart?id=1")).status, 200);
  assert.equal((await router.get("example.com", "/shopping")).status, 404);
  assert.deepEqual(await router.routes(), {
    "shop.example.com": [
      {
        address: `127.0.0.1:${appPort}`,
        availability_zone: "",
        protocol: "http1",
        tls: false,
        ttl: 120,
        tags: { component: "registrar" },
        private_instance_id: "9a2f",
        load_balancing_algorithm: "least-connection",
      },
    ],
    "example.com/shop": (await router.routes())["shop.example.com"],
  });

  registrar.publish(SUBJECTS.routerUnregister, body);
  await router.log.line("endpoint-unregistered", 2);
  const gone = await router.get("shop.example.com");
  assert.equal(gone.status, 404);
  assert.equal(gone.headers["x-cf-routererror"], "unknown_route");
});

test("it starts in gorouter's order and is healthy only at the end", { timeout: 30_000 }, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const pidFile = join(mkdtempSync(join(tmpdir(), "viaduct-pid-")), "router.pid");
  t.after(() => rmSync(join(pidFile, ".."), { recursive: true }));
  const router = await startRole(t, config(nats.port, `pid_file: ${pidFile}\n`));
  assert.deepEqual(router.log.messages(), [
    "Successfully-connected-to-nats",
    "status-listeners-started",
    "subscriber-starting",
    "subscriber-started",
    "Sleeping before returning success on /health endpoint to preload routing table",
    "tcp-listener-started",
    "tls-listener-not-enabled",
    "gorouter.started",
  ]);
  assert.equal(router.log.lines[0]?.source, "vcap.gorouter.nats");
  assert.equal(await router.health(), 200);
  assert.equal(readFileSync(pidFile, "utf8"), `${process.pid}\n`);

  router.signals.emit("SIGTERM");
  router.signals.emit("SIGTERM");
  assert.equal(await router.exit, 0);
  assert.deepEqual(router.log.messages().slice(8), [
    "gorouter.signal.ignored",
    "gorouter.stopping",
    "gorouter.stopped",
    "gorouter.exited",
  ]);
  assert.equal(existsSync(pidFile), false);
});

const malformed: { name: string; body: string | Uint8Array }[] = [
  { name: "nothing", body: "" },
  { name: "bytes that are no text", body: Uint8Array.of(0xff, 0xfe, 0, 0x80) },
  { name: "text", body: "register me" },
  { name: "cut JSON", body: '{"host":"127.0.0.1","port":' },
  { name: "two objects", body: '{"host":"a"}{"host":"b"}' },
  { name: "null", body: "null" },
  { name: "a number", body: "42" },
  { name: "a list", body: '["shop.example.com"]' },
  { name: "no host", body: '{"port":1,"uris":["a.b"]}' },
  { name: "a host that is no text", body: '{"host":{},"port":1,"uris":["a.b"]}' },
  { name: "no port", body: '{"host":"127.0.0.1","uris":["a.b"]}' },
  { name: "a port as text", body: '{"host":"127.0.0.1","port":"1","uris":["a.b"]}' },
  { name: "a port out of range", body: '{"host":"127.0.0.1","port":65536,"uris":["a.b"]}' },
  { name: "a negative port", body: '{"host":"127.0.0.1","port":-1,"uris":["a.b"]}' },
  { name: "a fraction of a port", body: '{"host":"127.0.0.1","port":1.5,"uris":["a.b"]}' },
  { name: "uris as text", body: '{"host":"127.0.0.1","port":1,"uris":"a.b"}' },
  { name: "a uri that is no text", body: '{"host":"127.0.0.1","port":1,"uris":[1]}' },
  { name: "a uri without a host", body: '{"host":"127.0.0.1","port":1,"uris":["/path"]}' },
  { name: "tags of numbers", body: '{"host":"127.0.0.1","port":1,"uris":["a.b"],"tags":{"a":1}}' },
  { name: "tags as a list", body: '{"host":"127.0.0.1","port":1,"uris":["a.b"],"tags":[]}' },
  {
    name: "a threshold as text",
    body: '{"host":"127.0.0.1","port":1,"uris":["a.b"],"stale_threshold_in_seconds":"1"}',
  },
  {
    name: "a plain-text route service",
    body: '{"host":"127.0.0.1","port":1,"uris":["a.b"],"route_service_url":"http://rs"}',
  },
  { name: "deep nesting", body: '{"host":'.repeat(20_000) },
];

test("malformed messages are logged one by one, make no route, and the router stays up", {
  timeout: 30_000,
}, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const appPort = await startApp(t, (_request, response) => response.end("still here"));
  const router = await startRole(t, config(nats.port));
  const registrar = await startRegistrar(t, nats.port);
  for (const [i, { name, body }] of malformed.entries()) {
    registrar.publish(SUBJECTS.routerRegister, body);
    const line = await router.log.line("validation-error", i + 1);
    assert.ok(String(line.data["error"]).length > 0, name);
    assert.equal(line.data["subject"], "router.register", name);
    assert.equal(line.log_level, 2, name);
  }
  assert.deepEqual(await router.routes(), {});
  assert.equal(await router.health(), 200);
  registrar.publish(
    SUBJECTS.routerRegister,
    encodeRegister({ host: "127.0.0.1", port: appPort, uris: ["a.b"] }),
  );
  await router.log.line("endpoint-registered");
  assert.equal((await router.get("a.b")).body, "still here");
});

test("without NATS it keeps serving; when NATS is back it asks everybody to register again", {
  timeout: 60_000,
}, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const appPort = await startApp(t, (_request, response) => response.end("hello"));
  const router = await startRole(t, config(nats.port, "suspend_pruning_if_nats_unavailable: true\n"));
  const registrar = await startRegistrar(t, nats.port);
  const register = (uri: string) =>
    registrar.publish(
      SUBJECTS.routerRegister,
      encodeRegister({ host: "127.0.0.1", port: appPort, uris: [uri] }),
    );
  register("before.example.com");
  await router.log.line("endpoint-registered");

  await nats.stop();
  await router.log.line("nats-connection-disconnected");
  assert.equal((await router.get("before.example.com")).body, "hello");
  assert.equal(await router.health(), 200);

  // The registrar is back first, as its pause is shorter, and so it hears the router asking.
  const asked = Promise.withResolvers<{ pruneThresholdInSeconds: number }>();
  registrar.subscribe(SUBJECTS.routerStart, ({ data }) =>
    asked.resolve(JSON.parse(Buffer.from(data).toString()) as { pruneThresholdInSeconds: number }),
  );
  await nats.restart();
  await router.log.line("nats-connection-reconnected");
  assert.equal((await asked.promise).pruneThresholdInSeconds, 120);
  register("after.example.com");
  await router.log.line("endpoint-registered", 2);
  assert.equal((await router.get("after.example.com")).body, "hello");
  assert.equal((await router.get("before.example.com")).body, "hello");
});

test("draining turns health off, finishes what is in flight, and ends", { timeout: 30_000 }, async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const held = Promise.withResolvers<() => void>();
  const appPort = await startApp(t, (_request, response) => held.resolve(() => response.end("finished")));
  const router = await startRole(t, config(nats.port, "drain_wait: 50ms\ndrain_timeout: 20s\n"));
  const registrar = await startRegistrar(t, nats.port);
  registrar.publish(
    SUBJECTS.routerRegister,
    encodeRegister({ host: "127.0.0.1", port: appPort, uris: ["slow.example.com"] }),
  );
  await router.log.line("endpoint-registered");
  const slow = router.get("slow.example.com");
  const finish = await held.promise;

  router.signals.emit("SIGUSR1");
  const line = await router.log.line("gorouter-draining");
  assert.deepEqual(line.data, { wait: "0.05s", timeout: "20s" });
  assert.equal(await router.health(), 503);
  finish();
  assert.equal((await slow).body, "finished");
  assert.equal(await router.exit, 0);
  assert.ok(!router.log.messages().includes("router.drain.timed-out"));
  await assert.rejects(router.get("slow.example.com"), { code: "ECONNREFUSED" });
});

async function failedStart(t: TestContext, text: string) {
  const log = followLog();
  const code = await runRouterRole({
    configPath: configFile(t, text),
    sink: log,
    signals: new EventEmitter(),
  });
  return { code, last: log.lines.at(-1) };
}

test("a NATS server that is not there ends the start, with its address and the setting", async (t) => {
  const { code, last } = await failedStart(t, config(1));
  assert.equal(code, 1);
  assert.equal(last?.message, "nats-connection-error");
  assert.equal(last?.log_level, 3);
  assert.equal(
    last?.data["error"],
    "no connection to NATS at 127.0.0.1:1 after 3 tries: connection refused; start it or change nats.hosts",
  );
});

test("a bad configuration ends the start, with every problem and its line", async (t) => {
  const { code, last } = await failedStart(t, "port: http\ndisable_http: true\n");
  assert.equal(code, 1);
  assert.equal(last?.message, "Error loading config:");
  const error = String(last?.data["error"]);
  assert.match(error, /port: "http" is not a whole number.*line 1\)/);
  assert.match(error, /disable_http: neither http nor https.*line 2\)/);
});

test("a port that is taken ends the start, with the setting to change", async (t) => {
  const other = createNetServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const { port } = other.address() as AddressInfo;
  const { code, last } = await failedStart(
    t,
    `port: ${port}\nviaduct: {host: 127.0.0.1}\nnats: {hosts: []}\nstatus: {port: 0, routes: {port: 0}}\n`,
  );
  assert.equal(code, 1);
  assert.equal(last?.message, "gorouter.exited-with-failure");
  assert.match(
    String(last?.data["error"]),
    new RegExp(`127.0.0.1:${port}: another process has it.* set port to`),
  );
});

test("a signal while it waits for registrations ends it without opening the listener", async (t) => {
  const nats = await startNats(t);
  if (nats === null) return;
  const log = followLog();
  const signals = new EventEmitter();
  const exit = runRouterRole({
    configPath: configFile(t, config(nats.port).replace("10ms", "600s")),
    sink: log,
    signals,
  });
  await log.line("Sleeping before returning success on /health endpoint to preload routing table");
  signals.emit("SIGINT");
  assert.equal(await exit, 0);
  assert.ok(!log.messages().includes("tcp-listener-started"));
  assert.equal(log.messages().at(-1), "gorouter.exited");
});

for (const signal of ["SIGTERM", "SIGUSR1"] as const) {
  test(`as a process of its own it ends with 0 on ${signal}`, { timeout: 30_000 }, async (t) => {
    const path = configFile(t, config(1).replace(/hosts: \[.*\]/, "hosts: []"));
    const child = spawn("./viaduct", ["router", "-c", path], {
      cwd: join(import.meta.dirname, "..", ".."),
      stdio: ["ignore", "pipe", "pipe"],
    });
    t.after(() => child.kill("SIGKILL"));
    const log = followLog();
    createInterface({ input: child.stdout }).on("line", (line) => log.write(line));
    // Node would answer SIGUSR1 by opening its debugger to whoever is on the machine.
    const complaints: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => complaints.push(line));
    const exit = once(child, "exit");
    const { data } = await log.line("gorouter.started");
    assert.equal((await get(Number(data["port"]), "/", "nobody.example.com")).status, 404);
    child.kill(signal);
    assert.deepEqual(await exit, [0, null]);
    await log.line("gorouter.exited");
    assert.equal(log.messages().includes("gorouter-draining"), signal === "SIGUSR1");
    assert.deepEqual(complaints, []);
  });
}
