/**
 * What the command line reads and keeps in the data folder: `up.json`, written by `viaduct up`, and `cli.json`,
 * its own, with tokens and the target.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { getSystemErrorMessage } from "node:util";
import { nothingRunning, sessionUnwritable } from "../kernel/errors/cli.ts";
import type { ViaductError } from "../kernel/errors/define.ts";
import { Answer } from "./answer.ts";
import type { Host } from "./output.ts";

export interface UpFile {
  readonly path: string;
  readonly api: string;
  readonly uaa: string;
  readonly username: string;
  /** "" when the file names none. */
  readonly password: string;
  readonly pid: number;
  readonly dashboard: string;
  /** `127.0.0.1:8053`; "" without a DNS role. */
  readonly dns: string;
  /** Null when it says nothing of a router that answers questions. */
  readonly routerStatus: RouterAccess | null;
}

/** A router's status listener. */
export interface RouterAccess {
  /** `http://127.0.0.1:8082` */
  readonly url: string;
  readonly username: string;
  readonly password: string;
}

export interface Named {
  readonly guid: string;
  readonly name: string;
}

export interface Session {
  readonly api: string;
  /** Somebody asked for this API by `viaduct login`; else it is whatever runs here, and may move with it. */
  readonly isChosen: boolean;
  readonly uaa: string;
  readonly username: string;
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly organization: Named | null;
  readonly space: Named | null;
}

const OWNER_ONLY = 0o600;
const CHECKOUT = resolve(import.meta.dirname, "..", "..");

export function dataDirectory(host: Host): string {
  const { VIADUCT_HOME } = host.environment;
  return VIADUCT_HOME === undefined || VIADUCT_HOME === ""
    ? join(CHECKOUT, ".viaduct")
    : resolve(host.cwd, VIADUCT_HOME);
}

const upFilePath = (host: Host) => join(dataDirectory(host), "up.json");

/** Null when nothing runs here: no file, or one that is being written. */
export function readUpFile(host: Host): UpFile | null {
  const path = upFilePath(host);
  const up = readJson(path);
  if (up === null || !up.has("api") || !up.has("uaa")) return null;
  const passwordFile = up.find("passwordFile");
  return {
    path,
    api: up.text("api"),
    uaa: up.text("uaa"),
    username: up.has("username") ? up.text("username") : "admin",
    password: up.has("password")
      ? up.text("password")
      : typeof passwordFile === "string"
        ? readPassword(resolve(dirname(path), passwordFile))
        : "",
    pid: up.has("pid") ? up.number("pid") : 0,
    dashboard: up.has("dashboard") ? up.text("dashboard") : "",
    dns: up.has("dns") ? `${up.text("dns", "host")}:${up.number("dns", "port")}` : "",
    routerStatus: up.has("router", "status")
      ? {
          url: up.text("router", "status", "url"),
          username: up.text("router", "status", "username"),
          password: up.text("router", "status", "password"),
        }
      : null,
  };
}

/** What to tell somebody who named none and whom {@link readUpFile} gave none. */
export function nothingRunsHere(host: Host, what: "API" | "router"): ViaductError {
  const path = upFilePath(host);
  try {
    readFileSync(path);
    return nothingRunning({ what, path, reason: "does not say where one is" });
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    const reason = isMissing ? "does not exist" : `cannot be read (${reasonOf(error)})`;
    return nothingRunning({ what, path, reason }, error);
  }
}

export function readSession(host: Host): Session | null {
  const file = readJson(join(dataDirectory(host), "cli.json"));
  if (file === null || !file.has("api") || !file.has("uaa")) return null;
  const named = (key: string): Named | null =>
    file.has(key) ? { guid: file.text(key, "guid"), name: file.text(key, "name") } : null;
  return {
    api: file.text("api"),
    isChosen: file.find("isChosen") === true,
    uaa: file.text("uaa"),
    username: file.text("username"),
    accessToken: file.text("accessToken"),
    refreshToken: file.text("refreshToken"),
    organization: named("organization"),
    space: named("space"),
  };
}

/**
 * Replaces the file in one step, so that two commands at once leave one of both, never a mixture.
 * @throws sessionUnwritable
 */
export function writeSession(host: Host, session: Session | null): void {
  const path = join(dataDirectory(host), "cli.json");
  const temporary = `${path}.${process.pid}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(temporary, `${JSON.stringify(session ?? {}, null, 2)}\n`, { mode: OWNER_ONLY });
    renameSync(temporary, path);
  } catch (error) {
    throw sessionUnwritable({ path, reason: reasonOf(error) }, error);
  }
}

/** What a file system call says, as the kernel's `systemReason`; this file is read by every command, and that door is wide. */
const reasonOf = (error: unknown) =>
  getSystemErrorMessage(Number((error as NodeJS.ErrnoException).errno ?? 0));

function readJson(path: string): Answer | null {
  try {
    return new Answer(JSON.parse(readFileSync(path, "utf8")), path);
  } catch {
    // Missing, or not ours to repair: as good as not there.
    return null;
  }
}

/** A file with the password alone, or the JSON secrets of `viaduct up`. */
function readPassword(path: string): string {
  try {
    const text = readFileSync(path, "utf8");
    if (!text.startsWith("{")) return text.trim();
    const secrets: unknown = new Answer(JSON.parse(text), path).find("adminPassword");
    return typeof secrets === "string" ? secrets : "";
  } catch {
    return "";
  }
}
