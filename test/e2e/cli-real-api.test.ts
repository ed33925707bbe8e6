/**
 * The command line against the real API, a real BBS and real processes: what the commands send and what they read
 * is what the cloud controller takes and gives. No router: the API is reached directly.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createTokenIssuer } from "../../src/auth/index.ts";
import { type Host, main } from "../../src/cli/index.ts";
import { cloudControllerSection, createCloudController } from "../../src/cloud-controller/index.ts";
import { createBbs, createLocalCell, diegoSection } from "../../src/diego/index.ts";
import { createLifecycle, loadConfig, silentLogger, systemClock } from "../../src/kernel/index.ts";
import { createRouteTable } from "../../src/routing-api/index.ts";
import { openStore } from "../../src/store/index.ts";

const folder = import.meta.dirname;
const log = silentLogger;
const clock = systemClock;
const SERVER = `"${process.execPath}" -e "require('http').createServer((q, s) => s.end('hi')).listen(process.env.PORT); console.log('listening')"`;

async function start(t: TestContext) {
  const home = mkdtempSync(join(tmpdir(), "viaduct-cli-"));
  t.after(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));
  const config = loadConfig([cloudControllerSection, diegoSection], {
    flags: {
      "cloud-controller.local_lifecycle": "true",
      "cloud-controller.admin_password": "s3cret",
      "diego.stop_grace": "1s",
    },
  });
  const store = await openStore({ kind: "sqlite", path: join(home, "viaduct.db") }, { log, clock });
  const issuer = createTokenIssuer({
    store,
    clock,
    issuer: "http://localhost/uaa/oauth/token",
    accessTokenTtlMs: 600_000,
    refreshTokenTtlMs: 6_000_000,
  });
  const routeTable = createRouteTable({ store, clock, log });
  const bbs = createBbs({ store, clock, log });
  const cell = createLocalCell({ bbs, config: config.get(diegoSection), log, clock, dataDir: home });
  const controller = createCloudController({
    config: config.get(cloudControllerSection),
    store,
    verifier: issuer,
    issuer,
    bbs,
    routeTable,
    liveness: routeTable,
    operator: { maxResponseTimeoutMs: 900_000 },
    log,
    clock,
  });
  const lifecycle = createLifecycle([routeTable, bbs, cell, controller], log);
  await lifecycle.start();
  t.after(async () => {
    await lifecycle.shutdown(0);
    await store.close();
  });
  const api = `http://localhost:${controller.port}`;
  writeFileSync(
    join(home, "up.json"),
    JSON.stringify({ api, uaa: `${api}/uaa`, username: "admin", password: "s3cret" }),
  );

  const run = async (...argv: string[]) => {
    const written = { stdout: "", stderr: "" };
    const host: Host = {
      stdout: { write: (text) => (written.stdout += text) },
      stderr: { write: (text) => (written.stderr += text) },
      environment: { VIADUCT_HOME: home },
      cwd: folder,
      ask: async () => null,
    };
    return { code: await main(argv, host), ...written };
  };
  const ok = async (...argv: string[]) => {
    const result = await run(...argv);
    assert.equal(result.code, 0, `viaduct ${argv.join(" ")}: ${result.stderr}`);
    return result.stdout;
  };
  return { api, run, ok, routeTable };
}

test("an app is run, changed, looked at, stopped and deleted through the real API", async (t) => {
  const { api, run, ok, routeTable } = await start(t);
  const shop = [
    "run",
    "--name",
    "shop",
    "--instances",
    "2",
    "--route",
    "shop.localhost/api",
    "-o",
    "loadbalancing=least-connection",
    "--env",
    "A=1",
  ];
  const { port } = new URL(api);
  assert.equal(await ok(...shop, "--", SERVER), `http://shop.localhost:${port}/api\n`);

  const before = JSON.parse(await ok("app", "shop", "--json"));
  assert.equal(before.command, SERVER);
  assert.equal(before.directory, folder);
  assert.deepEqual(
    before.instances.map(({ state }: { state: string }) => state),
    ["RUNNING", "RUNNING"],
  );
  await ok(...shop, "--", SERVER);
  const after = JSON.parse(await ok("app", "shop", "--json"));
  assert.deepEqual(
    after.instances.map(({ address }: { address: string }) => address),
    before.instances.map(({ address }: { address: string }) => address),
    "the same line again restarts nothing",
  );

  const [route] = JSON.parse(await ok("routes", "--json"));
  assert.equal(route.route, "shop.localhost/api");
  assert.deepEqual(route.options, { loadbalancing: "least-connection" });
  assert.deepEqual(
    route.destinations.map(({ app }: { app: string }) => app),
    ["shop"],
  );
  assert.deepEqual([...routeTable.reservations()].length, 1);

  await ok("update-route", "shop.localhost/api", "--remove-option", "loadbalancing", "-o", "trim-path=true");
  assert.match(await ok("route", "shop.localhost/api"), /trim-path=true/);
  const refused = await run(
    "update-route",
    "shop.localhost/api",
    "-o",
    "loadbalancing=random",
    "-o",
    "speed=high",
  );
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^viaduct: .*speed/m);
  assert.match(refused.stderr, /^viaduct: .*[Ll]oadbalancing must be one of/m);
  assert.match(
    refused.stderr,
    /^viaduct: {3}route \S+, option loadbalancing, value "random"; allowed: round-robin, /m,
  );
  const forPrograms = await run("update-route", "shop.localhost/api", "-o", "loadbalancing=random", "--json");
  const [error] = JSON.parse(forPrograms.stdout).errors;
  assert.deepEqual([forPrograms.code, error.code, error.about.value], [1, 10008, "random"]);
  const updated = await ok("update-route", "shop.localhost/api", "-o", "trim-path=true", "--json");
  const mapped = await ok("map-route", "shop", "shop.localhost/api", "--json");
  assert.deepEqual(JSON.parse(updated), JSON.parse(mapped));
  assert.deepEqual(JSON.parse(mapped).options, { "trim-path": "true" });

  assert.equal(await ok("map-internal-route", "shop", "shop.apps.internal"), "shop.apps.internal\n");
  await ok("scale", "shop", "--instances", "1");
  assert.match(await ok("apps"), /^shop {3}started {3}1\/1/m);
  await ok("restart", "shop");
  assert.match(await ok("logs", "shop", "--recent"), /OUT listening/);
  await ok("stop", "shop");
  assert.match(await ok("apps"), /^shop {3}stopped {3}0\/1/m);
  await ok("start", "shop");
  await ok("unmap-route", "shop", "shop.localhost/api");
  await ok("map-route", "shop", "shop.localhost/api");
  await ok("delete", "shop", "--routes");
  assert.equal(await ok("apps", "--json"), "[]\n");
  assert.equal(await ok("routes", "--json"), "[]\n");
});

test("the same run twice at once makes one app and one route, and both succeed", async (t) => {
  const { ok, run } = await start(t);
  const line = ["run", "--name", "twin", "--route", "twin.localhost", "--no-wait", "--", "true"];
  const results = await Promise.all([1, 2, 3].map(() => run(...line)));
  assert.deepEqual(
    results.map(({ code }) => code),
    [0, 0, 0],
    results.map(({ stderr }) => stderr).join(""),
  );
  assert.equal((JSON.parse(await ok("apps", "--json")) as unknown[]).length, 1);
  assert.equal((JSON.parse(await ok("routes", "--json")) as unknown[]).length, 1);
});

test("an app that crashes fails its run, with its last words and the reason", async (t) => {
  const { run } = await start(t);
  const result = await run("run", "--name", "broken", "--", "echo there is no DATABASE_URL >&2; exit 3");
  assert.equal(result.code, 1);
  assert.match(result.stderr, /\[APP\/PROC\/WEB\/0\] ERR there is no DATABASE_URL\n/);
  assert.match(
    result.stderr,
    /viaduct: broken did not start: instance 0: .*3.*; see «viaduct logs broken --recent»/,
  );
});

test("options, domains, status, target and curl are answered by the real API", async (t) => {
  const { ok, run } = await start(t);
  const options = JSON.parse(await ok("options", "--json"));
  assert.ok(options.some(({ name }: { name: string }) => name === "loadbalancing"));
  assert.match(await ok("options"), /^loadbalancing /m);
  assert.match(await ok("domains"), /^apps\.internal +internal +everybody$/m);
  assert.match(await ok("status"), /^user: +admin$/m);
  assert.match(await ok("target"), /^space: +dev$/m);
  assert.match(await ok("curl", "/v3/organizations"), /"name":"viaduct"/);
  const missing = await run("map-route", "nothing", "shop.localhost");
  assert.match(missing.stderr, /there is no app «nothing»/);
  const refused = await run("curl", "/v3/apps", "-X", "POST", "-d", "{}");
  assert.equal(refused.code, 1);
  assert.match(refused.stdout, /CF-UnprocessableEntity/);
});
