/**
 * The folder that survives: database, secrets, logs, and the lock that keeps two processes from using it at once.
 *
 *   viaduct.db       everything the control plane knows (SQLite)
 *   secrets.json     the admin's password and keys made at the first start; readable by the owner only
 *   up.json          where the running process listens; the command line reads it
 *   lock.json        which process has the folder
 *   logs/            access log, process log, logs of the apps
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dataDirInUse, dataDirUnusable, secretsUnreadable } from "../kernel/errors/app.ts";
import { systemReason, ViaductError } from "../kernel/index.ts";

export interface Secrets {
  readonly adminPassword: string;
}

export interface DataDir {
  readonly path: string;
  readonly databaseFile: string;
  readonly secretsFile: string;
  readonly logFolder: string;
  readonly secrets: Secrets;
  /** True when this start made the folder's secrets, which is when they have to be shown. */
  readonly isNew: boolean;
  /** Tells the command line where the running process listens. */
  publish(up: object): void;
  /** Gives the folder free again. */
  release(): void;
}

const OWNER_ONLY = 0o600;

/**
 * Makes or opens the folder and takes its lock.
 * @throws dataDirUnusable, dataDirInUse, secretsUnreadable
 */
export function openDataDir(path: string): DataDir {
  const logFolder = join(path, "logs");
  const lockFile = join(path, "lock.json");
  const upFile = join(path, "up.json");
  const secretsFile = join(path, "secrets.json");
  const isNew = !existsSync(secretsFile);
  let secrets: Secrets;
  try {
    mkdirSync(logFolder, { recursive: true, mode: 0o700 });
    takeLock(lockFile, path);
    secrets = isNew ? newSecrets() : readSecrets(secretsFile);
    if (isNew) writeAtomically(secretsFile, secrets);
  } catch (error) {
    if (error instanceof ViaductError) throw error;
    throw dataDirUnusable({ path, reason: systemReason(error) }, error);
  }

  return {
    path,
    databaseFile: join(path, "viaduct.db"),
    secretsFile,
    logFolder,
    secrets,
    isNew,
    publish: (up) => writeAtomically(upFile, up),
    release() {
      rmSync(upFile, { force: true });
      rmSync(lockFile, { force: true });
    },
  };
}

function newSecrets(): Secrets {
  return { adminPassword: randomBytes(12).toString("base64url") };
}

function readSecrets(file: string): Secrets {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof parsed === "object" && parsed !== null && "adminPassword" in parsed) {
      const { adminPassword } = parsed;
      if (typeof adminPassword === "string" && adminPassword !== "") return { adminPassword };
    }
  } catch (error) {
    throw secretsUnreadable({ file, reason: systemReason(error) }, error);
  }
  throw secretsUnreadable({ file, reason: "there is no adminPassword" });
}

/** A reader sees the old file or the new one, never half of one. */
function writeAtomically(file: string, content: object): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: OWNER_ONLY });
  renameSync(temporary, file);
}

// After a kill -9 the lock stays behind. A process with the same number may be another program by then, so
// the lock carries when its holder started, where the system tells that.
function takeLock(lockFile: string, path: string): void {
  const holder = readLock(lockFile);
  if (holder !== null && holder.pid !== process.pid && startOf(holder.pid) === holder.startedAt) {
    throw dataDirInUse({ path, pid: holder.pid });
  }
  writeAtomically(lockFile, { pid: process.pid, startedAt: startOf(process.pid) });
}

function readLock(file: string): { pid: number; startedAt: string } | null {
  try {
    const parsed = JSON.parse(readFileSync(file, "utf8")) as { pid?: unknown; startedAt?: unknown };
    if (typeof parsed.pid !== "number" || typeof parsed.startedAt !== "string") return null;
    return { pid: parsed.pid, startedAt: parsed.startedAt };
  } catch {
    // No lock, or one that was never completely written: nobody holds the folder.
    return null;
  }
}

/** When a process started, in the system's own words; "gone" when there is no such process. */
function startOf(pid: number): string {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return "gone";
  }
  try {
    // /proc/PID/stat, counted behind the name, which may hold spaces: field 3 is the state, 22 clock ticks since boot.
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A killed process stays as a zombie until its parent asks for it; in a container nobody may ever ask.
    if (fields[0] === "Z" || fields[0] === "X") return "gone";
    return fields[19] ?? "unknown";
  } catch {
    return "unknown";
  }
}
