/**
 * The whole product as a user runs it: `viaduct up` as a process of its own on free ports, and the command line
 * against it.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

export const checkout = resolve(import.meta.dirname, "..", "..");

export const programOf = (tree: string) => join(tree, "bin", "viaduct.mjs");

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface UpFile {
  readonly api: string;
  readonly dashboard: string;
  readonly dns: { readonly host: string; readonly port: number };
  readonly router: { readonly host: string; readonly port: number };
  readonly username: string;
  readonly pid: number;
}

export interface Foundation {
  readonly home: string;
  readonly up: UpFile;
  /** Everything the process printed before it was ready. */
  readonly banner: string;
  /** A request through the router; `host` is the Host header without port. */
  get(host: string, path?: string, headers?: Record<string, string>): Promise<Answer>;
  /** `viaduct ARGUMENTS…` against this foundation. */
  cli(...args: string[]): Promise<CliResult>;
  /** As `cli`, and fails the test when the exit code is not 0. */
  ok(...args: string[]): Promise<string>;
  /** `viaduct run` of the hello example as app «shop» at shop.localhost. */
  runShop(...flags: string[]): Promise<string>;
  signal(signal: NodeJS.Signals): Promise<void>;
}

/** The last word means nothing to the app; it tells this process's instances from those of other tests. */
export const HELLO = [process.execPath, "examples/hello/server.js", `test-${process.pid}`] as const;

/** A folder of its own for one foundation's data, removed after the test. */
export function temporaryHome(t: TestContext): string {
  const home = mkdtempSync(join(tmpdir(), "viaduct-e2e-"));
  t.after(() => rmSync(home, { recursive: true, force: true, maxRetries: 5 }));
  return home;
}

export interface FoundationOptions {
  /** Data folder; left out, a new one. */
  readonly home?: string;
  /** Another copy of the tree than this one. */
  readonly tree?: string;
  /** `{ "store.url": "postgres://…" }` */
  readonly settings?: Readonly<Record<string, string>>;
}

/** Starts `viaduct up` on free ports and resolves when it says that it is ready. */
export async function startFoundation(t: TestContext, options: FoundationOptions = {}): Promise<Foundation> {
  const home = options.home ?? temporaryHome(t);
  const settings = { "router.port": "0", "dns.port": "0", ...options.settings };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const tree = options.tree ?? checkout;
  const child = spawn(process.execPath, [programOf(tree), "up", ...flags], {
    cwd: tree,
    env: { ...process.env, VIADUCT_HOME: home, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  t.after(() => end(child, "SIGKILL"));
  const banner = await readUntilReady(child);
  const up = JSON.parse(readFileSync(join(home, "up.json"), "utf8")) as UpFile;
  const cli = (...args: string[]) => runCli(home, args, tree);
  const ok = async (...args: string[]) => {
    const result = await cli(...args);
    if (result.code !== 0) {
      throw new Error(
        `viaduct ${args.join(" ")} ended with ${result.code}\n${result.stdout}${result.stderr}`,
      );
    }
    return result.stdout;
  };
  return {
    home,
    up,
    banner,
    cli,
    get: (host, path = "/", headers = {}) => get(up.router.port, host, path, headers),
    ok,
    runShop: (...flags) => ok("run", "--name", "shop", "--route", "shop.localhost", ...flags, "--", ...HELLO),
    signal: (signal) => end(child, signal),
  };
}

/** Of the login that `viaduct up` prints. */
export const adminPasswordOf = ({ home }: Pick<Foundation, "home">): string =>
  (JSON.parse(readFileSync(join(home, "secrets.json"), "utf8")) as { adminPassword: string }).adminPassword;

async function readUntilReady(child: ChildProcess): Promise<string> {
  if (child.stdout === null || child.stderr === null) throw new Error("no pipes");
  const printed: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => printed.push(line));
  const lines = createInterface({ input: child.stdout });
  return new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      printed.push(line);
      // The banner's last line tells how to end it.
      if (line.includes("Ctrl-C")) resolve(printed.join("\n"));
    });
    child.once("exit", (code) =>
      reject(new Error(`viaduct up ended with ${code} before it was ready\n${printed.join("\n")}`)),
    );
  });
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  await ended;
}

export function runCli(home: string, args: readonly string[], tree = checkout): Promise<CliResult> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [programOf(tree), ...args],
      { cwd: tree, env: { ...process.env, VIADUCT_HOME: home, NO_COLOR: "1" } },
      (error, stdout, stderr) =>
        resolve({
          code: error === null ? 0 : typeof error.code === "number" ? error.code : 1,
          stdout,
          stderr,
        }),
    );
  });
}

// A connection per request, as `curl` makes them.
export function get(
  port: number,
  host: string,
  path: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request(
      { host: "127.0.0.1", port, path, headers: { ...headers, host }, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    call.on("error", reject);
    call.end();
  });
}
