import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { dataDirInUse, dataDirUnusable, secretsUnreadable } from "../kernel/errors/app.ts";
import { openDataDir } from "./data-dir.ts";

function temporaryFolder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "viaduct-data-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("the first start makes a password that later starts keep, in a file only its owner can read", (t) => {
  const path = temporaryFolder(t);
  const first = openDataDir(path);
  assert.equal(first.isNew, true);
  assert.ok(first.secrets.adminPassword.length >= 16);
  assert.equal(statSync(first.secretsFile).mode & 0o777, 0o600);
  first.release();
  const second = openDataDir(path);
  assert.equal(second.isNew, false);
  assert.equal(second.secrets.adminPassword, first.secrets.adminPassword);
});

test("a folder that is older than one of its secrets gets that one, and keeps the others", (t) => {
  const path = temporaryFolder(t);
  const first = openDataDir(path);
  first.release();
  writeFileSync(first.secretsFile, JSON.stringify({ adminPassword: "as it was" }));
  const second = openDataDir(path);
  assert.equal(second.secrets.adminPassword, "as it was");
  assert.ok(second.secrets.routeServicesSecret.length >= 32);
  second.release();
  assert.deepEqual(openDataDir(path).secrets, second.secrets);
});

/** A process that opens the folder when it is told to, and says what came of it. */
async function startOpener(t: TestContext, path: string) {
  const module = new URL("./data-dir.ts", import.meta.url).href;
  const script = `
    import { openDataDir } from ${JSON.stringify(module)};
    console.log("ready");
    process.stdin.once("data", () => {
      try { openDataDir(process.argv[1]); console.log("held"); } catch (error) { console.log(error.code); }
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, path], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  await once(child.stdout, "data");
  return {
    pid: child.pid,
    async open() {
      child.stdin.write("now");
      return String((await once(child.stdout, "data"))[0]).trim();
    },
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

test("a folder that a living process holds is refused with its number, one whose holder was killed is not", async (t) => {
  const path = temporaryFolder(t);
  const holder = await startOpener(t, path);
  assert.equal(await holder.open(), "held");
  assert.throws(
    () => openDataDir(path),
    (error) => dataDirInUse.is(error) && error.details.pid === holder.pid,
  );
  await holder.kill();
  openDataDir(path).release();
});

test("of eight processes that open a folder at once, one that was killed in it before, exactly one gets it", async (t) => {
  const path = temporaryFolder(t);
  const before = await startOpener(t, path);
  await before.open();
  await before.kill();
  const openers = await Promise.all(Array.from({ length: 8 }, () => startOpener(t, path)));
  const outcomes = await Promise.all(openers.map((opener) => opener.open()));
  assert.deepEqual(outcomes.sort(), [...Array.from({ length: 7 }, () => "data_dir_in_use"), "held"]);
});

test("a holder that has not said its number yet is another process", async (t) => {
  const path = temporaryFolder(t);
  const holder = await startOpener(t, path);
  await holder.open();
  // What a process left behind that was killed.
  writeFileSync(join(path, "lock.json"), JSON.stringify({ pid: 2 ** 22 + 1 }));
  assert.throws(() => openDataDir(path), /is in use by another process; stop that process, or choose/);
});

test("a file in place of the folder is named", (t) => {
  const file = join(temporaryFolder(t), "file");
  writeFileSync(file, "");
  assert.throws(
    () => openDataDir(file),
    (error) => dataDirUnusable.is(error) && error.message.includes(file),
  );
});

test("secrets that cannot be read are never replaced by new ones", (t) => {
  const path = temporaryFolder(t);
  writeFileSync(join(path, "secrets.json"), "{");
  assert.throws(() => openDataDir(path), secretsUnreadable.is);
  assert.equal(readFileSync(join(path, "secrets.json"), "utf8"), "{");
});

test("a folder that this user may look into but not write is named, with the reason", (t) => {
  const path = temporaryFolder(t);
  // What stands in the way of a write for root, too.
  mkdirSync(join(path, `lock.json.${process.pid}.tmp`));
  assert.throws(
    () => openDataDir(path),
    (error) => dataDirUnusable.is(error) && error.message.includes(`${path} cannot be used: `),
  );
});

test("what is wrong with the secrets is said", (t) => {
  const path = temporaryFolder(t);
  writeFileSync(join(path, "secrets.json"), "{}");
  assert.throws(() => openDataDir(path), /secrets of this data folder \(there is no adminPassword\)/);
  rmSync(join(path, "secrets.json"));
  mkdirSync(join(path, "secrets.json"));
  assert.throws(() => openDataDir(path), /secrets of this data folder \(illegal operation on a directory\)/);
});
