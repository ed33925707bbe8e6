import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rename, rm, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { RotatingFile, type RotatingFileOptions } from "./rotating-file.ts";

async function openFile(t: TestContext, some: Partial<RotatingFileOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-rotating-"));
  t.after(() => rm(folder, { recursive: true }));
  const errors: Error[] = [];
  const path = join(folder, "some.log");
  const onError = (error: Error) => void errors.push(error);
  const file = new RotatingFile({ path, maxBytes: 1_000, oldFiles: 2, onError, ...some });
  return { folder, path, file, errors };
}

test("lines given one by one come into the file in their order", async (t) => {
  const { file, path, errors } = await openFile(t);
  for (let i = 0; i < 5; i++) file.write(`${i}\n`);
  await file.flush();
  assert.equal(await readFile(path, "utf8"), "0\n1\n2\n3\n4\n");
  assert.deepEqual(errors, []);
});

test("at its size the file is put aside, and only so many are kept", async (t) => {
  const { file, folder } = await openFile(t, { maxBytes: 4, oldFiles: 2 });
  for (let i = 0; i < 9; i++) {
    file.write(`${i}\n`);
    await file.flush();
  }
  const texts: Record<string, string> = {};
  for (const name of await readdir(folder)) texts[name] = await readFile(join(folder, name), "utf8");
  assert.deepEqual(texts, { "some.log": "8\n", "some.log.1": "6\n7\n", "some.log.2": "4\n5\n" });
});

test("without old files the full file is removed", async (t) => {
  const { file, folder } = await openFile(t, { maxBytes: 4, oldFiles: 0 });
  file.write("12345\n");
  await file.flush();
  assert.deepEqual(await readdir(folder), []);
});

test("what was in the file before counts towards its size", async (t) => {
  const { file, path, folder } = await openFile(t, { maxBytes: 20 });
  await writeFile(path, "x".repeat(19));
  file.write("y");
  await file.flush();
  assert.deepEqual(await readdir(folder), ["some.log.1"]);
});

test("a file that somebody moved, removed or emptied is simply begun anew", async (t) => {
  const { file, path, errors } = await openFile(t, { maxBytes: 9 });
  const write = async (text: string) => {
    file.write(text);
    await file.flush();
  };
  await write("one\n");
  await rename(path, `${path}.moved`);
  await write("two\n");
  assert.equal(await readFile(path, "utf8"), "two\n");
  await rm(path);
  await write("three\n");
  await truncate(path);
  await write("four\n");
  assert.equal(await readFile(path, "utf8"), "four\n");
  assert.deepEqual(errors, []);
});

test("a text with one character per byte is written byte by byte", async (t) => {
  const { file, path } = await openFile(t, { encoding: "latin1" });
  file.write("\u00e4\u00ff\n");
  await file.flush();
  assert.deepEqual([...(await readFile(path))], [0xe4, 0xff, 0x0a]);
});

test("a folder that is missing is made, and others than owner and group cannot read the file", async (t) => {
  const { folder } = await openFile(t);
  const path = join(folder, "a", "b", "some.log");
  const file = new RotatingFile({ path, maxBytes: 100, oldFiles: 1, onError: assert.fail });
  file.write("1\n");
  await file.flush();
  assert.equal((await stat(path)).mode & 0o007, 0);
});

test("trouble is told once, and again after a time without trouble", async (t) => {
  const { folder } = await openFile(t);
  const parent = join(folder, "parent");
  const errors: Error[] = [];
  const onError = (error: Error) => void errors.push(error);
  const file = new RotatingFile({ path: join(parent, "some.log"), maxBytes: 10, oldFiles: 1, onError });
  const writeTwice = async () => {
    for (let i = 0; i < 2; i++) {
      file.write("1\n");
      await file.flush();
    }
  };
  await writeFile(parent, "a file, where a folder should be");
  await assert.rejects(file.check(), { code: "ENOTDIR" });
  await writeTwice();
  assert.equal(errors.length, 1);
  await rm(parent);
  await writeTwice();
  assert.equal(errors.length, 1);
  await rm(parent, { recursive: true });
  await writeFile(parent, "");
  await writeTwice();
  assert.equal(errors.length, 2);
});

test("what waits for a disk that is behind is bounded, and the loss is told", async (t) => {
  const { file, path, errors } = await openFile(t, { maxBytes: 1e9 });
  const megabyte = "x".repeat(1024 * 1024);
  // Nothing is written before this turn ends.
  for (let i = 0; i < 40; i++) file.write(megabyte);
  assert.ok(file.waitingChars <= 18 * megabyte.length);
  assert.deepEqual(
    errors.map((error) => error.message),
    ["the disk is behind; lines are lost"],
  );
  await file.flush();
  assert.equal(file.waitingChars, 0);
  assert.ok((await stat(path)).size <= 19 * megabyte.length);
});

test("the last words of a process are written at once, with what was on its way", async (t) => {
  const { file, path } = await openFile(t);
  file.write("begun\n");
  await Promise.resolve();
  file.write("last\n");
  file.flushSync();
  // In the same turn: in a later one the batch on its way would be there again.
  assert.equal(readFileSync(path, "utf8"), "begun\nlast\n");
  await file.flush();
});

test("several processes with one file put it aside once each time, and lose no line", async (t) => {
  const { file, path, folder } = await openFile(t, { maxBytes: 40, oldFiles: 99 });
  const others = [1, 2].map(() => new RotatingFile({ path, maxBytes: 40, oldFiles: 99, onError: () => {} }));
  const wanted = new Set<string>();
  for (let i = 0; i < 60; i++) {
    for (const [n, one] of [file, ...others].entries()) {
      one.write(`${i} of ${n}\n`);
      wanted.add(`${i} of ${n}`);
    }
    await Promise.all([file, ...others].map((one) => one.flush()));
  }
  const names = (await readdir(folder)).filter((name) => !name.endsWith(".rotating"));
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  const found = texts.join("").split("\n").slice(0, -1);
  assert.equal(found.length, wanted.size);
  assert.deepEqual(new Set(found), wanted);
  assert.ok(
    texts.every((text) => text !== ""),
    "no file was put aside empty",
  );
});

test("a rotation that was killed halfway holds up the next one for a while only", async (t) => {
  const { file, path, folder } = await openFile(t, { maxBytes: 4 });
  await writeFile(`${path}.rotating`, "");
  const write = async () => {
    file.write("12345\n");
    await file.flush();
  };
  await write();
  assert.deepEqual((await readdir(folder)).toSorted(), ["some.log", "some.log.rotating"]);
  const old = new Date(Date.now() - 60_000);
  await utimes(`${path}.rotating`, old, old);
  await write();
  await write();
  assert.deepEqual(await readdir(folder), ["some.log.1"]);
});
