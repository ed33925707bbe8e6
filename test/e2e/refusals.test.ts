/**
 * What an operator gets wrong at the start, with the program as it is: each is refused with the thing, the value and
 * the remedy, before anything is changed.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { runCli, startFoundation, temporaryHome } from "../support/viaduct.ts";

/** A port that somebody else has. */
async function takenPort(t: TestContext): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  return address.port;
}

for (const [role, setting] of [
  ["router", "router.port"],
  ["dns", "dns.port"],
  ["routing-api", "routing-api.port"],
] as const) {
  test(`a taken port of ${role} is named with the setting that changes it`, async (t) => {
    const port = await takenPort(t);
    const settings = { "router.port": "0", "dns.port": "0", [setting]: String(port) };
    const flags = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
    const result = await runCli(temporaryHome(t), ["up", ...flags]);
    assert.equal(result.code, 1);
    assert.match(result.stderr, new RegExp(`${role} cannot listen on 127\\.0\\.0\\.1:${port}.+${setting}`));
  });
}

test("every mistake of a configuration is reported at once, with line and remedy", async (t) => {
  const home = temporaryHome(t);
  const file = join(home, "viaduct.yml");
  writeFileSync(file, "router:\n  prot: 80\ndns:\n  idle_timeout: 30\n  port: 99999\n");
  const result = await runCli(home, ["up", "-c", file]);
  assert.equal(result.code, 1);
  assert.match(
    result.stderr,
    /router\.prot: there is no such key; did you mean «router\.port»\? \(.+line 2\)/,
  );
  assert.match(result.stderr, /dns\.idle_timeout: 30 has no unit; write "30s"\. \(.+line 4\)/);
  assert.match(result.stderr, /dns\.port: 99999 is outside 0–65535\. \(.+line 5\)/);
});

test("ports of a router group that are none are refused before anything is stored", async (t) => {
  const ports = "routing-api.reservable_ports=80-2000";
  const result = await runCli(temporaryHome(t), ["up", "--set", "router.port=0", "--set", ports]);
  assert.equal(result.code, 1);
  assert.match(
    result.stderr,
    /routing-api\.reservable_ports: "80-2000": port must be between 1024 and 65535; write it like 1024-1123,2000/,
  );
});

test("a configuration file that is not there is named", async (t) => {
  const result = await runCli(temporaryHome(t), ["up", "-c", "/nowhere/viaduct.yml"]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /\/nowhere\/viaduct\.yml cannot be read/);
});

test("a database file that is none is refused, named and left as it is", async (t) => {
  const home = temporaryHome(t);
  const file = join(home, "viaduct.db");
  writeFileSync(file, "this is not a database, it is somebody's notes\n".repeat(200));
  const before = readFileSync(file);
  const result = await runCli(home, ["up", "--set", "router.port=0", "--set", "dns.port=0"]);
  assert.equal(result.code, 1);
  assert.ok(result.stderr.includes(file), result.stderr);
  assert.match(result.stderr, /backup|move it/);
  assert.deepEqual(readFileSync(file), before);
});

test("a data folder that is in use is refused with the process that has it, which goes on", async (t) => {
  const foundation = await startFoundation(t);
  const result = await runCli(foundation.home, ["up", "--set", "router.port=0", "--set", "dns.port=0"]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, new RegExp(`in use by process ${foundation.up.pid}`));
  assert.equal((await foundation.get("localhost", "/v3/info")).status, 200);
});
