import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import type { ViaductError } from "../../kernel/index.ts";
import { MEMORY, openDatabase } from "./connection.ts";
import { patiently } from "./errors.ts";

test("a new database has a write-ahead log, keeps foreign keys and is for its owner only", async (t) => {
  const path = join(await newFolder(t), "viaduct.db");
  const database = await openDatabase(path);
  t.after(() => database.close());
  const pragma = (name: string) => Object.values(database.prepare(`pragma ${name}`).get() ?? {})[0];
  assert.deepEqual([pragma("journal_mode"), pragma("synchronous"), pragma("foreign_keys")], ["wal", 1, 1]);
  for (const file of [path, `${path}-wal`, `${path}-shm`]) {
    assert.equal(((await stat(file)).mode & 0o777).toString(8), "600", file);
  }
});

test("a database in memory needs no file", async () => {
  const database = await openDatabase(MEMORY);
  database.exec("create table t (a)");
  database.close();
});

test("an empty file is an empty database", async (t) => {
  const path = join(await newFolder(t), "viaduct.db");
  await writeFile(path, "");
  (await openDatabase(path)).close();
});

const unusable: readonly {
  readonly name: string;
  /** Gets the path of a good database of some 200 pages. */
  readonly spoil: (path: string) => Promise<unknown>;
  readonly code: string;
  readonly reason: RegExp;
}[] = [
  {
    name: "text",
    spoil: (path) => writeFile(path, "once upon a time\n".repeat(100)),
    code: "store_corrupt",
    reason:
      /is no SQLite database \(file is not a database\); move it away to start empty, or restore a backup$/,
  },
  {
    name: "noise",
    spoil: (path) => writeFile(path, randomBytes(100_000)),
    code: "store_corrupt",
    reason: /file is not a database/,
  },
  {
    name: "a database that is cut off",
    spoil: async (path) => truncate(path, Math.floor((await stat(path)).size / 2)),
    code: "store_corrupt",
    reason: /the file is cut off: \d+ of \d+ bytes|malformed/,
  },
  {
    name: "a database with noise in its middle",
    spoil: async (path) => {
      const file = await open(path, "r+");
      await file.write(randomBytes(20_000), 0, 20_000, 50 * 4096);
      await file.close();
    },
    code: "store_corrupt",
    reason: /malformed|Tree \d+|Page \d+|btree/,
  },
  {
    name: "a folder",
    spoil: async (path) => {
      await rm(path);
      await mkdir(path);
    },
    code: "store_open_failed",
    reason: /it is not a file/,
  },
];
for (const { name, spoil, code, reason } of unusable) {
  test(`${name} in place of the database is refused with the path and a remedy, and is left as it was`, async (t) => {
    const path = join(await newFolder(t), "viaduct.db");
    const database = await openDatabase(path);
    database.exec("create table t (a integer primary key, b blob)");
    for (let i = 0; i < 200; i++) database.prepare("insert into t (b) values (randomblob(3500))").run();
    database.close();
    await spoil(path);
    const before = await readFile(path).catch(() => null);
    await assert.rejects(openDatabase(path), (error: ViaductError) => {
      assert.equal(error.code, code);
      assert(error.message.includes(path), error.message);
      assert.match(error.message, reason);
      return true;
    });
    assert.deepEqual(await readFile(path).catch(() => null), before);
  });
}

test("a missing folder is named", async (t) => {
  const folder = join(await newFolder(t), "not", "there");
  await assert.rejects(openDatabase(join(folder, "viaduct.db")), {
    code: "store_folder_missing",
    message: `the database ${folder}/viaduct.db cannot be opened: there is no folder ${folder}; create it or choose another path`,
  });
});

test("a file or folder that this user may not write is refused with the remedy", async (t) => {
  const folder = await newFolder(t);
  const [file, fileInFolder] = [join(folder, "file.db"), join(folder, "folder.db")];
  for (const path of [file, fileInFolder]) (await openDatabase(path)).close();
  await chmod(file, 0o444);
  await chmod(fileInFolder, 0o666);
  await chmod(folder, 0o555);
  try {
    for (const path of [file, fileInFolder, join(folder, "new.db")]) {
      await assert.rejects(
        asNobody(() => openDatabase(path)),
        (error: ViaductError) => {
          assert.equal(error.code, "store_not_writable");
          assert(error.message.includes(path));
          assert.match(error.message, /give this user write access to the file and its folder$/);
          return true;
        },
      );
    }
  } finally {
    await chmod(folder, 0o755);
  }
});

test("what another process locks is waited for, and meanwhile this one goes on", async (t) => {
  const path = join(await newFolder(t), "viaduct.db");
  const [here, elsewhere] = [await openDatabase(path), new DatabaseSync(path)];
  t.after(() => [here, elsewhere].forEach((database) => database.close()));
  elsewhere.exec("begin immediate");
  const written = patiently(path, () => here.exec("create table t (a)"));
  // Runs only if the thread is free.
  setImmediate(() => elsewhere.exec("commit"));
  await written;
});

async function newFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-sqlite-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Nothing is forbidden to root: the check runs as somebody else until it first waits, which is all it does. */
function asNobody<T>(run: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return run();
  process.seteuid?.(65_534);
  try {
    return run();
  } finally {
    process.seteuid?.(0);
  }
}
