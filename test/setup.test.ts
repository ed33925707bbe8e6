/** The set-up of a checkout: once, again when the lock file says something else, and never without a reason. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";

const ROOT = join(import.meta.dirname, "..");
const AN_HOUR_S = 3_600;

/** A checkout with nothing but the scripts and a lock file, and an `npm` that only says that it was called. */
function checkout(t: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "viaduct-setup-"));
  t.after(() => rmSync(root, { recursive: true }));
  const at = (...path: string[]) => join(root, ...path);
  for (const folder of ["scripts", "programs", "node_modules"]) mkdirSync(at(folder));
  cpSync(join(ROOT, "viaduct"), at("viaduct"));
  cpSync(join(ROOT, "scripts", "setup.mjs"), at("scripts", "setup.mjs"));
  writeFileSync(at("package-lock.json"), "{}");
  writeFileSync(at("programs", "npm"), `#!/bin/sh\necho "$*" >> "${at("calls")}"\n`);
  chmodSync(at("programs", "npm"), 0o755);
  writeFileSync(at("calls"), "");

  const run = (command: readonly string[], path: string) => {
    const [program = "", ...args] = command;
    const { status, stderr } = spawnSync(program, args, {
      encoding: "utf8",
      env: { ...process.env, PATH: path },
    });
    return { status, stderr };
  };
  return {
    at,
    run,
    setUp: (path = [at("programs"), process.env["PATH"]].join(delimiter)) =>
      run([process.execPath, at("scripts", "setup.mjs")], path),
    installations: () => readFileSync(at("calls"), "utf8").split("\n").length - 1,
    /** As a checkout by git leaves it: written just now. */
    makeLockNewer: () => {
      const soon = Date.now() / 1_000 + AN_HOUR_S;
      utimesSync(at("package-lock.json"), soon, soon);
    },
  };
}

test("the first set-up installs, the next one does not", (t) => {
  const { setUp, installations } = checkout(t);
  assert.equal(setUp().status, 0);
  assert.equal(installations(), 1);
  assert.deepEqual(setUp(), { status: 0, stderr: "" });
  assert.equal(installations(), 1);
});

test("a lock file that is newer but says the same installs nothing", (t) => {
  const { at, setUp, installations, makeLockNewer } = checkout(t);
  setUp();
  makeLockNewer();
  assert.deepEqual(setUp(), { status: 0, stderr: "" });
  assert.equal(installations(), 1);
  assert.match(readFileSync(at("node_modules", ".viaduct-setup"), "utf8"), /^[0-9a-f]{64}\n$/);
});

test("a lock file that says something else installs again", (t) => {
  const { at, setUp, installations, makeLockNewer } = checkout(t);
  setUp();
  writeFileSync(at("package-lock.json"), '{"packages":{}}');
  makeLockNewer();
  assert.match(setUp().stderr, /installing the pinned Node/);
  assert.equal(installations(), 2);
});

test("a checkout whose modules are linked from another one leaves that one's stamp as it is", (t) => {
  const { at, setUp, makeLockNewer } = checkout(t);
  setUp();
  linkSync(at("node_modules", ".viaduct-setup"), at("of-another"));
  const before = statSync(at("of-another")).mtimeMs;
  writeFileSync(at("package-lock.json"), '{"packages":{}}');
  makeLockNewer();
  setUp();
  assert.equal(statSync(at("of-another")).mtimeMs, before);
  assert.notEqual(
    readFileSync(at("of-another"), "utf8"),
    readFileSync(at("node_modules", ".viaduct-setup"), "utf8"),
  );
});

test("a machine without npm, or without Node, is told what to install", (t) => {
  const { at, run, setUp } = checkout(t);
  const withoutNpm = setUp(at("scripts"));
  assert.equal(withoutNpm.status, 1);
  assert.match(withoutNpm.stderr, /npm cannot be run \(spawnSync npm ENOENT\); install it beside Node/);

  // The programs that the script itself needs, and no Node.
  mkdirSync(at("bin"));
  writeFileSync(at("bin", "dirname"), '#!/bin/sh\nprintf "%s\\n" "${2%/*}"\n');
  chmodSync(at("bin", "dirname"), 0o755);
  const withoutNode = run(["/bin/sh", at("viaduct"), "up"], at("bin"));
  assert.equal(withoutNode.status, 1);
  assert.match(withoutNode.stderr, /no «node» on the PATH; install any Node 20 or newer, with npm/);
});
