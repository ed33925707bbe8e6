/** Opens an SQLite file and refuses, with a remedy, one that would fail later. */
import { closeSync, existsSync, openSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { storeCorrupt, storeFolderMissing, storeOpenFailed } from "../../kernel/errors/store.ts";
import { openingError, patiently } from "./errors.ts";

/**
 * Largest file that is checked page by page at every start. `quick_check` reads about 500 MB/s here, so this costs
 * at most 70 ms; a larger file is checked for its header, its length and its schema only.
 */
const FULL_CHECK_BYTES = 32 * 1024 * 1024;

export const MEMORY = ":memory:";

/** @throws storeFolderMissing, storeNotWritable, storeCorrupt, storeLocked, storeOpenFailed */
export async function openDatabase(path: string): Promise<DatabaseSync> {
  if (path !== MEMORY && !existsSync(dirname(path))) {
    throw storeFolderMissing({ path, folder: dirname(path) });
  }
  let database: DatabaseSync | undefined;
  try {
    if (path !== MEMORY) makeFile(path);
    const opened = new DatabaseSync(path, { enableForeignKeyConstraints: true, timeout: 0 });
    database = opened;
    // NORMAL keeps the file whole through a power cut; that acknowledged commits survive one is the flusher's part.
    await patiently(path, () => opened.exec("pragma journal_mode = wal; pragma synchronous = normal"));
    await patiently(path, () => check(opened, path));
    return opened;
  } catch (error) {
    database?.close();
    throw openingError(path, error);
  }
}

/** The file holds password hashes and signing keys; the -wal and -shm files inherit its mode. */
function makeFile(path: string): void {
  if (existsSync(path)) {
    if (!statSync(path).isFile()) throw storeOpenFailed({ path, reason: "it is not a file" });
    // Not opened here: closing it again would drop the locks of a connection this process may have on it.
    return;
  }
  closeSync(openSync(path, "wx", 0o600));
}

function check(database: DatabaseSync, path: string): void {
  if (path === MEMORY) return;
  const number = (pragma: string) =>
    Number(Object.values(database.prepare(`pragma ${pragma}`).get() ?? {})[0]);
  const bytes = number("page_count") * number("page_size");
  // With a -wal file that still holds pages, the database may rightly be longer than its main file.
  const walBytes = existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0;
  if (walBytes === 0 && statSync(path).size < bytes) {
    throw storeCorrupt({ path, reason: `the file is cut off: ${statSync(path).size} of ${bytes} bytes` });
  }
  if (bytes > FULL_CHECK_BYTES) {
    database.prepare("select count(*) from sqlite_schema").get();
    return;
  }
  const result = database.prepare("pragma quick_check(1)").get()?.["quick_check"];
  if (result !== "ok") throw storeCorrupt({ path, reason: String(result) });
}
