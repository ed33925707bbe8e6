import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { dataDirUnusable } from "../kernel/errors/app.ts";
import { accessLogUnwritable } from "../kernel/errors/router.ts";
import { openLogFiles } from "./log-files.ts";

const CONFIG = { logLevel: "info", logFileBytes: 200, oldLogFiles: 1 } as const;

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-logs-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("both logs stay within their size, however much is written", async (t) => {
  const folder = await folderOf(t);
  const files = await openLogFiles(CONFIG, {
    log: join(folder, "viaduct.log"),
    accessLog: join(folder, "access.log"),
  });
  for (let i = 0; i < 20; i++) {
    files.log.info({ i }, "a line of some length");
    files.accessLog?.write(`${"x".repeat(50)}\n`);
    // One file system call's time apart, so that the lines do not all come in one batch.
    await readdir(folder);
  }
  await files.close();
  for (const name of await readdir(folder)) {
    assert.match(name, /^(viaduct|access)\.log(\.1)?$/);
    assert.ok((await readFile(join(folder, name))).length < 20 * 120, name);
  }
});

test("a crash is the last line of the log", async (t) => {
  const folder = await folderOf(t);
  const path = join(folder, "viaduct.log");
  const files = await openLogFiles({ ...CONFIG, logFileBytes: 1e6 }, { log: path, accessLog: "" });
  assert.equal(files.accessLog, null);
  process.emit("uncaughtExceptionMonitor", new Error("boom"), "uncaughtException");
  await files.close();
  const last = JSON.parse((await readFile(path, "utf8")).trim()) as {
    message: string;
    err: { message: string };
  };
  assert.deepEqual([last.message, last.err.message], ["crashed", "boom"]);
});

test("a log that cannot be written is refused with its path before anything starts", async (t) => {
  const folder = await folderOf(t);
  await writeFile(join(folder, "a-file"), "");
  const good = join(folder, "good.log");
  const bad = join(folder, "a-file", "bad.log");
  await assert.rejects(openLogFiles(CONFIG, { log: bad, accessLog: "" }), (error) => {
    return dataDirUnusable.is(error) && error.message.includes(bad);
  });
  await assert.rejects(openLogFiles(CONFIG, { log: good, accessLog: bad }), (error) => {
    return accessLogUnwritable.is(error) && error.message.includes(bad);
  });
});
