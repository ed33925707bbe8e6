// Installs what this checkout needs, once: everything package-lock.json names, the pinned Node among it.
// Plain JavaScript, because it runs on whatever Node ≥ 20 the machine has.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const stamp = join(root, "node_modules", ".viaduct-setup");
const lock = join(root, "package-lock.json");

// Times first, because «viaduct» can look at nothing else without starting a Node. A checkout of git makes files new whose
// content is old, so after that it is what the lock file says that counts.
const isNewer = existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lock).mtimeMs;
if (!isNewer) {
  if (!existsSync(stamp) || readFileSync(stamp, "utf8").trim() !== digestOf(lock)) install();
  // A file of its own, because node_modules may be linked from another checkout, which has a stamp of its own.
  writeFileSync(`${stamp}.new`, `${digestOf(lock)}\n`);
  renameSync(`${stamp}.new`, stamp);
}

function digestOf(file) {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

function install() {
  const major = Number(process.versions.node.split(".")[0]);
  if (major < 20) {
    console.error(`viaduct: Node ${process.versions.node} is too old to set up; install Node 20 or newer`);
    process.exit(1);
  }
  console.error("viaduct: installing the pinned Node and the libraries (once, about 400 MB) …");
  // Not «npm ci»: it refuses a lock file that leaves out optional packages for other platforms, and which of
  // those a registry offers differs from mirror to mirror. Versions and hashes still come from the lock file.
  const npm = spawnSync(
    "npm",
    ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
    {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  if (npm.error !== undefined) {
    console.error(`viaduct: npm cannot be run (${npm.error.message}); install it beside Node and try again.`);
    process.exit(1);
  }
  if (npm.status !== 0) {
    console.error("viaduct: «npm install» failed; its message is above. Check the network and try again.");
    process.exit(npm.status ?? 1);
  }
}
