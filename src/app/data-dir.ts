/**
 * The folder that survives: database, secrets, logs, and the lock that keeps two processes from using it at once.
 *
 *   viaduct.db       everything the control plane knows (SQLite)
 *   secrets.json     the admin's password and keys made at the first start; readable by the owner only
 *   up.json          where the running process listens; the command line reads it
 *   lock.db          locked by the process that has the folder
 *   lock.json        which one that is
 *   logs/            access log, process log, logs of the apps
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { dataDirInUse, dataDirUnusable, secretsUnreadable } from "../kernel/errors/app.ts";
import { systemReason, ViaductError } from "../kernel/index.ts";

export interface Secrets {
  readonly adminPassword: string;
  /** Signs what goes to route services, unless the configuration says what does. */
  readonly routeServicesSecret: string;
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
  const holderFile = join(path, "lock.json");
  const upFile = join(path, "up.json");
  const secretsFile = join(path, "secrets.json");
  let unlock: (() => void) | null = null;
  try {
    mkdirSync(logFolder, { recursive: true, mode: 0o700 });
    unlock = lock(join(path, "lock.db"));
    if (unlock === null) throw dataDirInUse({ path, pid: readHolder(holderFile) });
    const release = unlock;
    writeAtomically(holderFile, { pid: process.pid });
    const isNew = !existsSync(secretsFile);
    const known = isNew ? {} : readSecrets(secretsFile);
    const secrets = { ...newSecrets(), ...known };
    if (Object.keys(known).length < Object.keys(secrets).length) writeAtomically(secretsFile, secrets);
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
        rmSync(holderFile, { force: true });
        release();
      },
    };
  } catch (error) {
    unlock?.();
    if (error instanceof ViaductError) throw error;
    throw dataDirUnusable({ path, reason: systemReason(error) }, error);
  }
}

const newSecrets = (): Secrets => ({
  adminPassword: randomBytes(12).toString("base64url"),
  routeServicesSecret: randomBytes(24).toString("base64url"),
});

/** @returns what is there; the password always is, the rest may be younger than the folder */
function readSecrets(file: string): Partial<Secrets> {
  let parsed: Partial<Record<keyof Secrets, unknown>> | null;
  try {
    parsed = JSON.parse(readFileSync(file, "utf8")) as typeof parsed;
  } catch (error) {
    throw secretsUnreadable({ file, reason: systemReason(error) }, error);
  }
  const { adminPassword, routeServicesSecret } = parsed ?? {};
  if (typeof adminPassword !== "string" || adminPassword === "")
    throw secretsUnreadable({ file, reason: "there is no adminPassword" });
  const hasOther = typeof routeServicesSecret === "string" && routeServicesSecret !== "";
  return { adminPassword, ...(hasOther && { routeServicesSecret }) };
}

/** A reader sees the old file or the new one, never half of one. */
function writeAtomically(file: string, content: object): void {
  const temporary = `${file}.${process.pid}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(content, null, 2)}\n`, { mode: OWNER_ONLY });
  renameSync(temporary, file);
}

const SQLITE_BUSY = 5;

/**
 * SQLite's lock on a file is the system's: two that ask at once do not both get it, and it ends with its process, however
 * that ends. The file stays; were it removed, two processes could each lock one of its name.
 *
 * @returns what unlocks it; null when another process has it.
 */
function lock(file: string): (() => void) | null {
  const database = new DatabaseSync(file);
  try {
    database.exec("BEGIN EXCLUSIVE");
    return () => database.close();
  } catch (error) {
    database.close();
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY) return null;
    throw error;
  }
}

/** Null while it has not written its number yet, over that of a process that is gone. */
function readHolder(file: string): number | null {
  try {
    const { pid } = JSON.parse(readFileSync(file, "utf8")) as { pid?: unknown };
    if (typeof pid !== "number") return null;
    process.kill(pid, 0);
    return pid;
  } catch {
    return null;
  }
}
