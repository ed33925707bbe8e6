/**
 * Which processes an unpacked app has, and how they start. The first that says something wins:
 *
 *   Procfile                 its lines: `web: node server.js`
 *   package.json             its script `start`, with the commands of node_modules on the PATH
 *   server.js, app.js, …     run by Node
 *   one executable           run as it is
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** Commands by type of process; empty when nothing says how to start. */
export type ProcessTypes = Readonly<Record<string, string>>;

const MAX_FILE_BYTES = 256 * 1024;
const MAX_COMMAND = 4096;
const NODE_FILES = ["server.js", "server.mjs", "app.js", "index.js", "index.mjs"];

/** @returns what was found, and by what: `Procfile`. */
export async function detectProcesses(
  folder: string,
): Promise<{ readonly types: ProcessTypes; readonly by: string }> {
  const finders = [
    ["Procfile", fromProcfile],
    ["package.json", fromPackageJson],
    ["Node", fromNodeFile],
    ["executable", fromExecutable],
  ] as const;
  for (const [by, find] of finders) {
    const types = await find(folder);
    if (Object.keys(types).length > 0) return { types, by };
  }
  return { types: {}, by: "" };
}

async function fromProcfile(folder: string): Promise<ProcessTypes> {
  const lines = (await readText(join(folder, "Procfile"))).split(/\r?\n/);
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [, type, command = ""] = /^([A-Za-z0-9_-]{1,63}):\s*(\S.*)$/.exec(line) ?? [];
      return type === undefined || command.length > MAX_COMMAND ? [] : [[type, command.trim()]];
    }),
  );
}

async function fromPackageJson(folder: string): Promise<ProcessTypes> {
  let value: unknown;
  try {
    value = JSON.parse(await readText(join(folder, "package.json")));
  } catch {
    return {};
  }
  const start = (value as { scripts?: { start?: unknown } } | null)?.scripts?.start;
  if (typeof start !== "string" || start.trim() === "" || start.length > MAX_COMMAND) return {};
  // The script itself: npm need not be on the machine, and its signals would not reach the app.
  return { web: `export PATH="$PWD/node_modules/.bin:$PATH"; ${start}` };
}

async function fromNodeFile(folder: string): Promise<ProcessTypes> {
  const names = await readdir(folder);
  const file = NODE_FILES.find((name) => names.includes(name));
  return file === undefined ? {} : { web: `node ${file}` };
}

async function fromExecutable(folder: string): Promise<ProcessTypes> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith(".")) continue;
    const { mode } = await stat(join(folder, entry.name));
    if ((mode & 0o100) !== 0) found.push(entry.name);
  }
  const [name, ...others] = found;
  return name === undefined || others.length > 0 ? {} : { web: `'./${name.replaceAll("'", `'\\''`)}'` };
}

/** "" when there is no such file, or one too large to be meant. */
async function readText(path: string): Promise<string> {
  const about = await stat(path).catch(() => null);
  if (about === null || !about.isFile() || about.size > MAX_FILE_BYTES) return "";
  return readFile(path, "utf8");
}
