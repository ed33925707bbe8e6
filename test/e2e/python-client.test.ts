/**
 * An API client that others wrote, cloudfoundry-client for Python, against `viaduct up`: it follows links, pages and jobs
 * in its own way, and knows nothing of us.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { readIgnores } from "../../src/cli/ignored-files.ts";
import { zipFolder } from "../../src/cli/zip-folder.ts";
import { needs } from "../support/needs.ts";
import { adminPasswordOf, checkout, startFoundation } from "../support/viaduct.ts";

const run = promisify(execFile);

interface Section {
  readonly title: string;
  readonly error: string | null;
}

test("the Python client finds an API as it knows it", { timeout: 120_000 }, async (t) => {
  const program = needs(t, "cloudfoundry-client");
  if (program === null) return;
  const foundation = await startFoundation(t);
  const { up, home } = foundation;
  const { archive } = await zipFolder(join(checkout, "examples", "hello"), readIgnores(""));
  const folder = join(home, "python");
  mkdirSync(folder);
  writeFileSync(join(folder, "app.zip"), archive);
  // The interpreter that has the client lies beside its program.
  const python = join(dirname(realpathSync(program)), "python");
  const script = join(import.meta.dirname, "python-client.py");
  const words = [
    script,
    up.api,
    adminPasswordOf(foundation),
    String(up.router.port),
    join(folder, "app.zip"),
  ];
  const { stdout } = await run(python, words, { env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" } });
  const sections = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Section);
  assert.equal(sections.length, 9);
  for (const { title, error } of sections) await t.test(title, () => assert.equal(error, null));
});
