import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const run = promisify(execFile);
const program = join(import.meta.dirname, "..", "..", "bin", "viaduct.mjs");

/** What bash would offer for the last word; the API's options are `trim-path` and `retries`. */
async function offered(...words: readonly string[]): Promise<readonly string[]> {
  const { stdout: script } = await run(process.execPath, [program, "completion", "bash"]);
  const shell = `${script}
viaduct() { printf 'trim-path\\nretries\\n'; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _viaduct; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run("bash", ["-c", shell, "bash", ...words]);
  return stdout.split("\n").filter((word) => word !== "");
}

for (const { words, want } of [
  { words: ["viaduct", "update-ro"], want: ["update-route"] },
  { words: ["viaduct", "update-route", "--remove"], want: ["--remove-option"] },
  { words: ["viaduct", "update-route", "shop.localhost", "-o", ""], want: ["trim-path=", "retries="] },
  { words: ["viaduct", "run", "--option", "tr"], want: ["trim-path="] },
  { words: ["viaduct", "update-route", "shop.localhost", "--remove-option", "r"], want: ["retries"] },
]) {
  test(`bash completes «${words.join(" ")}» with ${want.join(", ")}`, async () =>
    assert.deepEqual(await offered(...words), want));
}
