import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { needs } from "../../test/support/needs.ts";
import { readIgnores } from "./ignored-files.ts";
import { zipFolder } from "./zip-folder.ts";

function app(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-zip-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "lib"));
  writeFileSync(join(folder, "lib", "größe.txt"), "x".repeat(100_000));
  writeFileSync(join(folder, "run"), "#!/bin/sh\n");
  chmodSync(join(folder, "run"), 0o755);
  symlinkSync("lib/größe.txt", join(folder, "link"));
  writeFileSync(join(folder, "notes.tmp"), "");
  return folder;
}

test("another program finds the archive sound, with rights and links", async (t) => {
  const zip = needs(t, "zip");
  if (zip === null) return;
  const folder = app(t);
  const { archive, files } = await zipFolder(folder, readIgnores("*.tmp"));
  assert.equal(files, 3);
  assert(archive.length < 2_000, "it is packed");
  const path = join(folder, "app.zip");
  writeFileSync(path, archive);
  assert.match(execFileSync(zip, ["-T", path]).toString(), /OK/);
});

test("equal folders give equal archives, whenever their files were written", async (t) => {
  const [one, two] = [app(t), app(t)];
  utimesSync(join(two, "run"), 1, 1);
  const archives = await Promise.all([one, two].map((folder) => zipFolder(folder, readIgnores(""))));
  assert.deepEqual(archives[0], archives[1]);
});
