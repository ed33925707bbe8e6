/** A PostgreSQL server of one test: its own folder, a Unix socket, no port, gone when the test ends. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { promisify } from "node:util";
import { Client } from "pg";
import { needs } from "./needs.ts";

const run = promisify(execFile);
const ADMIN = "viaduct";

// Ends the server and its folder also when this process is killed: the pipe to its standard input closes then.
const KEEPER = `
folder="$1"; shift
"$@" & server=$!
cat > /dev/null
kill -QUIT "$server"
wait "$server"
rm -rf "$folder"`;

export interface PostgresServer {
  /** Of the database `postgres`; {@link newDatabase} gives one that nobody else uses. */
  readonly url: string;
  /** URL of a new, empty database. */
  newDatabase(): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts a server (about two seconds) and stops it after the test `t`; start one per file.
 * @returns null after marking the test as skipped where PostgreSQL is not installed.
 */
export async function startPostgres(t: TestContext): Promise<PostgresServer | null> {
  const initdb = needs(t, "initdb");
  if (initdb === null) return null;
  // The server is beside it; what is on the PATH may be a link.
  const programs = dirname(await realpath(initdb));
  const folder = await mkdtemp(join(tmpdir(), "viaduct-postgres-"));
  const data = join(folder, "data");
  // PostgreSQL refuses to run as root.
  const user = process.getuid?.() === 0 ? await unprivilegedUser() : null;
  if (user !== null) await chown(folder, user.uid, user.gid);

  try {
    await run(
      initdb,
      ["-D", data, "-U", ADMIN, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
      {
        ...user,
        cwd: folder,
      },
    );
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const settings = [
    "listen_addresses=",
    `unix_socket_directories=${folder}`,
    "fsync=off",
    "shared_buffers=16MB",
  ];
  const server = spawn(
    "sh",
    [
      "-c",
      KEEPER,
      "sh",
      folder,
      join(programs, "postgres"),
      "-D",
      data,
      ...settings.flatMap((s) => ["-c", s]),
    ],
    { ...user, cwd: folder, stdio: ["pipe", "ignore", "pipe"] },
  );
  const ended = once(server, "exit");
  const stop = async () => {
    server.stdin.end();
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  t.after(stop);

  const said: string[] = [];
  const ready = Promise.withResolvers<void>();
  const lines = createInterface({ input: server.stderr });
  lines.on("line", (line) => {
    said.push(line);
    if (line.includes("ready to accept connections")) ready.resolve();
  });
  lines.on("close", () => ready.reject(new Error(`PostgreSQL did not start:\n${said.join("\n")}`)));
  await ready.promise;

  const urlOf = (database: string) => `postgres://${ADMIN}@/${database}?host=${encodeURIComponent(folder)}`;
  let count = 0;
  return {
    url: urlOf("postgres"),
    async newDatabase() {
      count += 1;
      const name = `test_${count}`;
      const admin = new Client(urlOf("postgres"));
      await admin.connect();
      await admin.query(`create database ${name}`);
      await admin.end();
      return urlOf(name);
    },
    stop,
  };
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  const accounts = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  const account = ["postgres", "nobody"].map((name) => accounts.find((one) => one[0] === name)).find(Boolean);
  if (account === undefined) throw new Error("running as root, and there is no user postgres or nobody");
  return { uid: Number(account[2]), gid: Number(account[3]) };
}
