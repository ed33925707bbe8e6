import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { uploadTooLarge, zipInvalid } from "../../kernel/errors/bits.ts";
import { needs } from "../../../test/support/needs.ts";
import { Bits } from "./store.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-bits-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What rows would name; tests add to it. */
async function open(t: TestContext, maxPackageBytes = 1_000_000) {
  const wanted = new Set<string>();
  const folder = folderOf(t);
  const bits = new Bits({ folder, maxPackageBytes, maxUnpackedBytes: 1_000_000, wanted: async () => wanted });
  await bits.open();
  const upload = async (path: string) => {
    const incoming = bits.receive();
    try {
      await incoming.write(readFileSync(path));
      await incoming.end();
      return await incoming.keep(async (sha256) => {
        wanted.add(sha256);
        return sha256;
      });
    } finally {
      await incoming.drop();
    }
  };
  return { bits, folder, wanted, upload };
}

/** A zip made by the program of that name, links kept as links. */
function zip(t: TestContext, folder: string): string {
  const path = join(folderOf(t), "app.zip");
  execFileSync("zip", ["-qry", path, "."], { cwd: folder });
  return path;
}

test("an upload that is given up leaves no file, however early that is", async (t) => {
  const { bits, folder } = await open(t);
  // Given up while its file was being made, one of 25 stayed.
  for (let i = 0; i < 600; i++) await bits.receive().drop();
  assert.deepEqual(readdirSync(join(folder, "incoming")), []);
});

test("an upload is unpacked once, with rights and links, for everybody who pushes the same", async (t) => {
  if (!needs(t, "zip")) return;
  const app = folderOf(t);
  await mkdir(join(app, "lib"));
  await writeFile(join(app, "run"), "#!/bin/sh\n", { mode: 0o755 });
  await writeFile(join(app, "lib", "big"), "x".repeat(300_000));
  await writeFile(join(app, "empty"), "");
  await symlink("lib/big", join(app, "link"));
  const { bits, upload } = await open(t);
  const archive = zip(t, app);
  const sha256 = await upload(archive);
  assert.equal(await upload(archive), sha256);
  const [folder, again] = await Promise.all([bits.stage(sha256), bits.stage(sha256)]);
  assert.equal(again, folder);
  assert.equal(readFileSync(join(folder, "link"), "utf8").length, 300_000);
  assert.equal(readlinkSync(join(folder, "link")), "lib/big");
  assert.equal(statSync(join(folder, "run")).mode & 0o777, 0o755);
  assert.equal(statSync(join(folder, "empty")).size, 0);
});

test("a link out of the folder is refused, and nothing of the archive stays", async (t) => {
  if (!needs(t, "zip")) return;
  const app = folderOf(t);
  await symlink("../../../../etc/passwd", join(app, "link"));
  const { bits, upload } = await open(t);
  const sha256 = await upload(zip(t, app));
  await assert.rejects(bits.stage(sha256), (error) => zipInvalid.is(error) && /outside/.test(error.message));
  assert.equal(existsSync(bits.dropletPath(sha256)), false);
});

test("a file that is damaged inside is refused", async (t) => {
  if (!needs(t, "zip")) return;
  const app = folderOf(t);
  await writeFile(join(app, "data"), Buffer.from(Array.from({ length: 5_000 }, (_, i) => (i * 7919) % 251)));
  const archive = zip(t, app);
  const bytes = readFileSync(archive);
  bytes[200] = (bytes[200] ?? 0) ^ 0xff;
  await writeFile(archive, bytes);
  const { bits, upload } = await open(t);
  const sha256 = await upload(archive);
  await assert.rejects(bits.stage(sha256), (error) => zipInvalid.is(error));
});

test("what is no archive, or too large, is not kept", async (t) => {
  const { bits, upload } = await open(t, 100);
  const path = join(folderOf(t), "file");
  await writeFile(path, "hello");
  await assert.rejects(upload(path), (error) => zipInvalid.is(error));
  await writeFile(path, "x".repeat(101));
  await assert.rejects(upload(path), (error) => uploadTooLarge.is(error));
  await bits.sweep();
});

test("bits that no row names any more are swept, those in use are not", async (t) => {
  if (!needs(t, "zip")) return;
  const app = folderOf(t);
  await writeFile(join(app, "a"), "a");
  const { bits, wanted, upload } = await open(t);
  const sha256 = await upload(zip(t, app));
  await bits.stage(sha256);
  await bits.sweep();
  assert(existsSync(bits.dropletPath(sha256)));
  wanted.clear();
  await bits.using(sha256, async () => {
    await bits.sweep();
    assert(existsSync(bits.packagePath(sha256)));
  });
  await bits.sweep();
  assert(!existsSync(bits.packagePath(sha256)));
  assert(!existsSync(bits.dropletPath(sha256)));
});
