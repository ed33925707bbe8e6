import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
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

test("a folder that a living process holds is refused with its number", async (t) => {
  const path = temporaryFolder(t);
  const module = new URL("./data-dir.ts", import.meta.url).href;
  const script = `import(${JSON.stringify(module)}).then((m) => { m.openDataDir(process.argv[1]); console.log("held"); setInterval(() => {}, 1000); })`;
  const holder = spawn(process.execPath, ["-e", script, path], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => holder.kill("SIGKILL"));
  await once(holder.stdout, "data");
  assert.throws(
    () => openDataDir(path),
    (error) => dataDirInUse.is(error) && error.details.pid === holder.pid,
  );
});

test("the lock of a process that was killed is taken over, also when its number is somebody else's now", (t) => {
  const path = temporaryFolder(t);
  writeFileSync(join(path, "lock.json"), JSON.stringify({ pid: 1, startedAt: "0" }));
  openDataDir(path).release();
  writeFileSync(join(path, "lock.json"), JSON.stringify({ pid: 2 ** 22 + 1, startedAt: "5" }));
  openDataDir(path).release();
});

test("a holder that was killed and that nobody has waited for holds nothing", async (t) => {
  const path = temporaryFolder(t);
  // The shell becomes «sleep», which never waits for the child that the shell started.
  const script = "sleep 0.05 & echo $!; exec sleep 60";
  const parent = spawn("/bin/sh", ["-c", script], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => parent.kill("SIGKILL"));
  const [line] = (await once(parent.stdout, "data")) as [Buffer];
  const pid = Number(line.toString());
  const stat = () => readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
  if (!existsSync(`/proc/${pid}/stat`)) return t.skip("skipped: this system has no /proc");
  const startedAt = stat()[21];
  while (stat()[2] !== "Z") await new Promise(setImmediate);
  writeFileSync(join(path, "lock.json"), JSON.stringify({ pid, startedAt }));
  openDataDir(path).release();
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
