/** What SQLite's result codes mean here. See https://www.sqlite.org/rescode.html */
import { setTimeout as pause } from "node:timers/promises";
import { ViaductError } from "../../kernel/index.ts";
import {
  storeCorrupt,
  storeFailed,
  storeLocked,
  storeNotWritable,
  storeOpenFailed,
} from "../../kernel/errors/store.ts";

/** How long a statement waits for another process that writes. */
export const BUSY_TIMEOUT_MS = 5_000;
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 25;

// Primary result codes: the low byte of an extended code.
const SQLITE_PERM = 3;
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;
// Extended result codes.
const CONSTRAINT_FOREIGNKEY = 787;
const CONSTRAINT_PRIMARYKEY = 1555;
const CONSTRAINT_UNIQUE = 2067;

/**
 * Runs a statement again while another process holds the database. SQLite's own waiting would stop this thread, and
 * with it everything else the process serves.
 * @throws storeLocked after {@link BUSY_TIMEOUT_MS}; what `run` throws, named by {@link queryError}
 */
export async function patiently<T>(path: string, run: () => T): Promise<T> {
  let deadlineMs: number | null = null;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return run();
    } catch (error) {
      if (!isBusy(error)) throw queryError(path, error);
      deadlineMs ??= performance.now() + BUSY_TIMEOUT_MS;
      if (performance.now() >= deadlineMs) throw queryError(path, error);
      await pause(pauseMs);
    }
  }
}

/** The extended result code, or null when the error is not SQLite's. */
function resultCode(error: unknown): number | null {
  const { code, errcode } = (error ?? {}) as { code?: unknown; errcode?: unknown };
  return code === "ERR_SQLITE_ERROR" && typeof errcode === "number" ? errcode : null;
}

const isBusy = (error: unknown) => ((resultCode(error) ?? 0) & 0xff) === SQLITE_BUSY;

export function isUniqueViolation(error: unknown): boolean {
  const code = resultCode(error);
  return code === CONSTRAINT_UNIQUE || code === CONSTRAINT_PRIMARYKEY;
}

export function isForeignKeyViolation(error: unknown): boolean {
  return resultCode(error) === CONSTRAINT_FOREIGNKEY;
}

/** Names a failure of a running database; what the caller may decide about (a constraint) stays as it is. */
export function queryError(path: string, error: unknown): unknown {
  const code = resultCode(error);
  if (code === null) return error;
  const reason = (error as Error).message;
  switch (code & 0xff) {
    case SQLITE_BUSY:
      return storeLocked({ path, afterMs: BUSY_TIMEOUT_MS }, error);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return storeCorrupt({ path, reason }, error);
    case SQLITE_PERM:
    case SQLITE_READONLY:
    // The file itself is open by then: it is the -wal file beside it that cannot be made.
    case SQLITE_CANTOPEN:
      return storeNotWritable({ path, reason }, error);
    case SQLITE_IOERR:
    case SQLITE_FULL:
      return storeFailed({ where: path, reason }, error);
    default:
      return error;
  }
}

/** Names a failure to open; every one is the operator's to mend. */
export function openingError(path: string, error: unknown): unknown {
  const named = queryError(path, error);
  if (named instanceof ViaductError) return named;
  const code = (error as NodeJS.ErrnoException | null)?.code;
  const reason = error instanceof Error ? error.message : String(error);
  return code === "EACCES" || code === "EPERM" || code === "EROFS"
    ? storeNotWritable({ path, reason: code }, error)
    : storeOpenFailed({ path, reason }, error);
}
