// npm test: sets up, checks types, lint and format, then runs every test this machine can run.
// `npm test -- src/table` runs the tests below the given folders or files only, without the checks.
import "./setup.mjs";
import { spawnSync } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { pinnedNode, root } from "./pinned.mjs";

const node = pinnedNode();
const named = process.argv.slice(2);

if (named.length === 0) {
  const check = spawnSync(process.execPath, [join(root, "scripts", "check.mjs")], {
    stdio: "inherit",
    cwd: root,
  });
  if (check.status !== 0) process.exit(1);
}

const patterns = (named.length === 0 ? ["src", "test", "bench"] : named).map((path) =>
  isFolder(join(root, path)) ? `${path}/**/*.test.ts` : path,
);
const tests = spawnSync(
  node,
  // Two cores are what CI has; a file's tests share one process, so files are what runs side by side.
  ["--test", "--test-concurrency=2", "--test-timeout=120000", "--test-reporter=spec", ...patterns],
  { stdio: "inherit", cwd: root },
);

const missing = spawnSync(node, [join(root, "scripts", "missing-programs.ts")], {
  encoding: "utf8",
  cwd: root,
});
if (missing.stdout.trim() !== "") {
  console.log(`\nleft out, because these programs are not installed: ${missing.stdout.trim()}`);
  console.log("«.ci/run» installs them on Debian.");
}
process.exit(tests.status ?? 1);

function isFolder(path) {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
