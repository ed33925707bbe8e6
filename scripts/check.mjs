// Types, lint and format of the whole tree. Prints only what is wrong; exits 1 when anything is.
import "./setup.mjs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "./pinned.mjs";

const tools = [
  { name: "types", command: ["tsc", "--pretty", "false"] },
  { name: "lint", command: ["oxlint", "--quiet"] },
  { name: "format", command: ["biome", "format", "--colors=off"] },
];

let failed = 0;
for (const { name, command } of tools) {
  const [program = "", ...args] = command;
  const run = spawnSync(join(root, "node_modules", ".bin", program), args, { cwd: root, encoding: "utf8" });
  if (run.status === 0) continue;
  failed++;
  console.error(
    `${name}: ${command.join(" ")} found problems\n${run.stdout ?? ""}${run.stderr ?? ""}${run.error ?? ""}`,
  );
}
if (failed > 0) process.exit(1);
console.log("types, lint and format are clean");
