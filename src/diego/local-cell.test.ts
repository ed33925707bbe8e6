import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { ActualLrp, DesiredLrp, LrpEvent } from "../contracts/index.ts";
import { configInvalid } from "../kernel/errors/config.ts";
import { loadConfig, silentLogger, systemClock } from "../kernel/index.ts";
import { openStore } from "../store/index.ts";
import { createBbs, createLocalCell, diegoSection } from "./index.ts";
import { DESCENDANTS, lrp, openFifo, withDescendants } from "./testing.ts";

const HELLO = fileURLToPath(new URL("../../examples/hello", import.meta.url));
const WEB: Partial<DesiredLrp> = { command: `exec "${process.execPath}" server.js`, directory: HELLO };

async function startCell(t: TestContext, flags: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-cell-"));
  let stop = async () => {};
  t.after(async () => {
    await stop();
    // Last: what is stopped still writes its log.
    await rm(folder, { recursive: true, maxRetries: 5 });
  });
  const clock = systemClock;
  const store = await openStore({ kind: "sqlite", path: ":memory:" }, { log: silentLogger, clock });
  t.after(() => store.close());
  const bbs = createBbs({ store, clock, log: silentLogger });
  const config = loadConfig([diegoSection], { flags }).get(diegoSection);
  const cell = createLocalCell({ bbs, config, log: silentLogger, clock, dataDir: folder });
  const events = watchEvents(bbs);
  await bbs.start();
  await cell.start();
  stop = async () => {
    await cell.stop();
    await bbs.stop();
  };
  return { bbs, cell, folder, ...events };
}

/** Waits for events; those before the call count as well, each once. */
function watchEvents(bbs: { subscribe(handler: (event: LrpEvent) => void): () => void }) {
  const unread: LrpEvent[] = [];
  let wake = () => {};
  bbs.subscribe((event) => {
    unread.push(event);
    wake();
  });
  const next = async <E extends LrpEvent>(wanted: (event: LrpEvent) => event is E): Promise<E> => {
    for (;;) {
      for (let event = unread.shift(); event !== undefined; event = unread.shift()) {
        if (wanted(event)) return event;
      }
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  type Changed = Extract<LrpEvent, { kind: "actual-changed" }>;
  return {
    running: async (): Promise<ActualLrp> =>
      (await next((e): e is Changed => e.kind === "actual-changed" && e.after.state === "RUNNING")).after,
    crashed: () =>
      next((e): e is Extract<LrpEvent, { kind: "actual-crashed" }> => e.kind === "actual-crashed"),
    removed: async () =>
      (await next((e): e is Extract<LrpEvent, { kind: "actual-removed" }> => e.kind === "actual-removed"))
        .actual,
  };
}

function get(host: string, port: number, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, path, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => (body += text));
      response.on("end", () => resolve(body));
    });
    sent.on("error", reject).end();
  });
}

test("instances of a web app become routable, each with a port and an address of its own", async (t) => {
  const { bbs, running } = await startCell(t);
  await bbs.desireLrp(
    lrp({
      ...WEB,
      instances: 2,
      environment: { VCAP_APPLICATION: '{"application_name":"shop"}' },
      healthCheck: { type: "http", endpoint: "/health" },
    }),
  );
  const instances = [await running(), await running()];
  for (const { index, address, instanceAddress, ports, routable, availabilityZone, cellId } of instances) {
    assert.equal(routable, true);
    assert.equal(availabilityZone, "local");
    assert.equal(cellId, "cell-local");
    const [port] = ports;
    assert.equal(port?.containerPort, 8080);
    for (const host of [address, instanceAddress]) {
      assert.equal(await get(host, port.hostPort, "/"), `hello from shop, instance ${index}\n`);
    }
  }
  assert.equal(new Set(instances.map((i) => i.ports[0]?.hostPort)).size, 2);
  if (process.platform === "linux") assert.equal(new Set(instances.map((i) => i.instanceAddress)).size, 2);
});

test("an instance that exits is told as crashed with its code, restarted at once, and its log says why", async (t) => {
  const { bbs, running, crashed } = await startCell(t);
  await bbs.desireLrp(lrp(WEB));
  const first = await running();
  await get(first.address, first.ports[0]?.hostPort ?? 0, "/crash");
  const { reason, actual } = await crashed();
  assert.equal(reason, "APP/PROC/WEB: Exited with status 1");
  assert.equal(actual.instanceGuid, first.instanceGuid);
  const second = await running();
  assert.equal(second.crashCount, 1);
  assert.notEqual(second.instanceGuid, first.instanceGuid);
  const lines = (await bbs.recentLogs("app-1", 100)).map(({ source, stream, text }) => [
    source,
    stream,
    text,
  ]);
  const has = (source: string, stream: string, text: RegExp) =>
    lines.some(([s, o, line]) => s === source && o === stream && text.test(line ?? ""));
  assert(has("CELL", "out", /^starting on port \d+: /));
  assert(has("APP/PROC/WEB", "err", /^asked to crash$/));
  assert(has("CELL", "err", /^crashed: APP\/PROC\/WEB: Exited with status 1$/));
});

test("a command that fails at once crashes three times and then waits", async (t) => {
  const { bbs, crashed } = await startCell(t);
  await bbs.desireLrp(lrp({ command: "exit 42" }));
  for (const count of [1, 2, 3]) assert.equal((await crashed()).actual.crashCount, count);
  const [actual] = await bbs.actualLrps();
  assert.equal(actual?.state, "CRASHED");
  assert.equal(actual.crashReason, "APP/PROC/WEB: Exited with status 42");
});

test("an app that never answers has crashed after its own start timeout", async (t) => {
  const { bbs, crashed } = await startCell(t);
  await bbs.desireLrp(lrp({ command: "sleep 1000", startTimeoutMs: 50 }));
  const { reason } = await crashed();
  assert.match(reason, /^instance never healthy after 0.05 s: no connection to 127.0.0.1:\d+: ECONNREFUSED$/);
});

test("an app whose folder is missing says so", async (t) => {
  const { bbs, crashed } = await startCell(t);
  await bbs.desireLrp(lrp({ directory: "/no/such/folder" }));
  assert.equal((await crashed()).reason, "cannot start: there is no directory /no/such/folder to start in");
});

test("an app without a port is running as soon as its process is", async (t) => {
  const { bbs, running } = await startCell(t);
  await bbs.desireLrp(
    lrp({ command: "sleep 1000", ports: [], healthCheck: { type: "process", endpoint: "" } }),
  );
  assert.deepEqual((await running()).ports, []);
});

test("stopping lets an app finish: it hears SIGTERM, and its record goes when it has exited", async (t) => {
  const { bbs, running, removed, folder } = await startCell(t);
  await bbs.desireLrp(lrp(WEB));
  await running();
  await bbs.removeDesiredLrp("process-1");
  assert.equal((await removed()).state, "RUNNING");
  assert.deepEqual(await bbs.actualLrps(), []);
  const texts = (await bbs.recentLogs("app-1", 100)).map(({ text }) => text);
  assert(texts.includes("told to stop"));
  assert.equal(texts.at(-1), "stopped");
  assert.deepEqual(await readdir(join(folder, "logs")), ["app-1.log"]);
});

test("an app that does not end after SIGTERM is killed when its grace is over", async (t) => {
  const { bbs, running, removed } = await startCell(t, { "diego.stop_grace": "50ms" });
  await bbs.desireLrp(
    lrp({
      command: `exec "${process.execPath}" -e '
        process.on("SIGTERM", () => {});
        require("node:net").createServer().listen(process.env.PORT);
      '`,
    }),
  );
  await running();
  await bbs.removeDesiredLrp("process-1");
  await removed();
  const texts = (await bbs.recentLogs("app-1", 100)).map(({ text }) => text);
  assert(texts.includes("still running 0.05 s after SIGTERM; killing it"));
});

test("shrinking stops the instance with the highest index", async (t) => {
  const { bbs, running, removed } = await startCell(t);
  await bbs.desireLrp(
    lrp({ command: "sleep 1000", instances: 2, healthCheck: { type: "process", endpoint: "" } }),
  );
  await running();
  await running();
  await bbs.updateDesiredLrp("process-1", { instances: 1 });
  assert.equal((await removed()).index, 1);
  assert.deepEqual(
    (await bbs.actualLrps()).map(({ index, state }) => [index, state]),
    [[0, "RUNNING"]],
  );
});

test("a retired instance is replaced by a new one in the same slot", async (t) => {
  const { bbs, running } = await startCell(t);
  await bbs.desireLrp(lrp({ command: "sleep 1000", healthCheck: { type: "process", endpoint: "" } }));
  const first = await running();
  await bbs.retireActualLrp("process-1", 0);
  const second = await running();
  assert.equal(second.index, 0);
  assert.notEqual(second.instanceGuid, first.instanceGuid);
});

test("an app that stops answering is unrouted as crashed, although its process lives", async (t) => {
  const { bbs, running, crashed } = await startCell(t, {
    "diego.liveness_interval": "10ms",
    "diego.stop_grace": "50ms",
  });
  await bbs.desireLrp(
    lrp({
      command: `exec "${process.execPath}" -e '
        const server = require("node:http").createServer((_, answer) => answer.writeHead(sick ? 500 : 200).end());
        let sick = false;
        server.on("request", () => { sick = true; });
        server.listen(process.env.PORT);
      '`,
      healthCheck: { type: "http", endpoint: "/" },
    }),
  );
  await running();
  assert.match(
    (await crashed()).reason,
    /^instance became unhealthy: GET \/ on .* answered 500 instead of 200$/,
  );
});

test("kill -9 of the cell's process leaves no descendant of any instance, and the next start runs them again", async (t) => {
  const fifo = await openFifo(t);
  const folder = await mkdtemp(join(tmpdir(), "viaduct-cell-"));
  t.after(() => rm(folder, { recursive: true }));
  const script = fileURLToPath(new URL("testing-cell.ts", import.meta.url));
  const start = (command: string) => {
    const child = spawn(process.execPath, [script, folder, command], {
      stdio: ["pipe", "inherit", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    return child;
  };
  const first = start(`${withDescendants(fifo.path)} echo $CF_INSTANCE_INDEX >&9; wait`);
  const heard: string[] = [];
  while (heard.length < 2 * (DESCENDANTS.length + 1)) heard.push(await fifo.line());
  assert(heard.includes("0") && heard.includes("1"));
  first.kill("SIGKILL");
  await fifo.ended();

  const again = await openFifo(t);
  await rm(fifo.path);
  // The command has the path of the first pipe in it.
  await symlink(again.path, fifo.path);
  const second = start("");
  const back: string[] = [];
  while (back.length < 2 * (DESCENDANTS.length + 1)) back.push(await again.line());
  second.kill("SIGKILL");
  await again.ended();
  assert.match(await readFile(join(folder, "logs", "app-1.log"), "utf8"), /\[CELL\/0\] OUT starting/);
});

test("stopping the cell stops its instances and leaves no temporary files", async (t) => {
  const { bbs, cell, running, folder } = await startCell(t);
  await bbs.desireLrp(lrp(WEB));
  await running();
  await cell.stop();
  assert.deepEqual(await readdir(join(folder, "instances")), []);
  const log = await readFile(join(folder, "logs", "app-1.log"), "utf8");
  assert.match(log, /\[CELL\/0\] OUT stopped\n$/);
});

test("a port range that ends before it begins is a configuration error that names both settings", async (t) => {
  await assert.rejects(
    startCell(t, { "diego.first_port": "2000", "diego.last_port": "1999" }),
    (error) =>
      configInvalid.is(error) && /diego\.last_port: 1999 is below diego\.first_port 2000/.test(error.message),
  );
});

test("an instance that runs gets traffic only while its readiness check says so", async (t) => {
  const { bbs, running } = await startCell(t);
  const script = `
    let isReady = false;
    require("node:http").createServer((request, answer) => {
      if (request.url === "/flip") isReady = !isReady;
      answer.writeHead(request.url === "/ready" && !isReady ? 503 : 200).end();
    }).listen(process.env.PORT);`;
  await bbs.desireLrp(
    lrp({
      command: `exec "${process.execPath}" -e '${script}'`,
      healthCheck: { type: "port", endpoint: "" },
      readinessCheck: { type: "http", endpoint: "/ready", intervalMs: 10 },
    }),
  );
  const first = await running();
  assert.equal(first.routable, false, "it runs, and is not ready yet");
  await get(first.address, first.ports[0]?.hostPort ?? 0, "/flip");
  const ready = await running();
  assert.deepEqual([ready.routable, ready.instanceGuid], [true, first.instanceGuid]);
  await get(first.address, first.ports[0]?.hostPort ?? 0, "/flip");
  const again = await running();
  assert.deepEqual([again.routable, again.crashCount], [false, 0], "it is left alone, without traffic");
});

test("with a copy of its own, an instance changes nothing but that, and the copy goes with it", async (t) => {
  const { bbs, folder, running, removed } = await startCell(t);
  const source = await mkdtemp(join(tmpdir(), "viaduct-droplet-"));
  t.after(() => rm(source, { recursive: true }));
  await symlink("nowhere", join(source, "link"));
  await bbs.desireLrp(
    lrp({
      command: 'echo mine > written; test "$PWD" = "$HOME" && exec sleep 1000',
      directory: source,
      ownCopy: true,
      instances: 2,
      healthCheck: { type: "process", endpoint: "" },
    }),
  );
  const instances = [await running(), await running()];
  assert.deepEqual(await readdir(source), ["link"]);
  for (const { instanceGuid } of instances) {
    assert((await readdir(join(folder, "instances", instanceGuid, "app"))).includes("link"));
  }
  await bbs.removeDesiredLrp("process-1");
  await removed();
  await removed();
  assert.equal((await bbs.actualLrps()).length, 0);
});
