import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createTestHost, startFakeApi, writeUpFile } from "./fake-api.ts";
import { main } from "./index.ts";
import { commands } from "./list.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "bin", "viaduct.mjs");

test("--help lists every command with its summary and the exit codes", async (t) => {
  const host = createTestHost(t, null);
  assert.equal(await main(["--help"], host), 0);
  const text = host.readStdout();
  for (const { name, summary } of commands) assert.match(text, new RegExp(`^  ${name} +${summary}$`, "m"));
  assert.match(text, /2 {2}wrong usage/);
  assert.equal(await main([], host), 0);
  assert.equal(host.readStdout(), text, "no command at all shows the same");
});

test("--help reads no library and no command", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-trace-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const script = `
    import { registerHooks } from "node:module";
    registerHooks({ load(url, context, next) { if (url.startsWith("file:")) console.error("LOADED " + url); return next(url, context); } });
    const { main } = await import(${JSON.stringify(PROGRAM.replace("bin/viaduct.mjs", "src/cli/index.ts"))});
    process.exitCode = await main(["--help"]);`;
  const run = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  const loaded = [...run.stderr.matchAll(/^LOADED (.*)$/gm)].map(([, url]) => url ?? "");
  assert.ok(loaded.length > 0);
  assert.deepEqual(
    loaded.filter(
      (url) => url.includes("node_modules") || url.includes("/commands/") || url.endsWith("kernel/index.ts"),
    ),
    [],
  );
});

for (const { name, load } of commands) {
  test(`viaduct ${name} --help says how it is used, with examples that name it`, async (t) => {
    const host = createTestHost(t, null);
    assert.equal(await main([name, "--help"], host), 0);
    const text = host.readStdout();
    const command = (await load()).default;
    assert.ok(command.usage.startsWith(name));
    assert.ok(command.examples.length > 0);
    for (const example of command.examples) {
      assert.match(example.command, new RegExp(`viaduct ${name}\\b`));
      assert.ok(text.includes(example.command));
    }
  });
}

test("the help of a command is laid out like this", async (t) => {
  const host = createTestHost(t, null);
  assert.equal(await main(["help", "update-route"], host), 0);
  assert.equal(
    host.readStdout(),
    `viaduct update-route: change the options of a route

Usage:
  viaduct update-route HOST.DOMAIN[/PATH] [-o KEY=VALUE…] [--remove-option KEY…]

Flags:
  -o, --option KEY=VALUE   Set a route option; repeatable. «viaduct options» lists them.
  -r, --remove-option KEY  Remove an option; repeatable.
      --json               Print JSON for programs instead of text for people.
      --api URL            Talk to this API (default: VIADUCT_API, the last login, «viaduct up»).
  -h, --help               Show this text.

Examples:
  viaduct update-route shop.localhost -o loadbalancing=least-connection
    sets or replaces one option
  viaduct update-route shop.localhost --remove-option loadbalancing
    goes back to the default
`,
  );
});

const wrong: readonly { argv: readonly string[]; says: string }[] = [
  { argv: ["rotues"], says: "there is no command «rotues»; did you mean «viaduct routes»?" },
  { argv: ["--jsn"], says: "there is no flag --jsn before a command; see «viaduct --help»" },
  { argv: ["xyzzyplugh"], says: "there is no command «xyzzyplugh»; see «viaduct --help»" },
  { argv: ["apps", "--jsno"], says: "«viaduct apps» has no flag --jsno; did you mean «--json»?" },
  { argv: ["apps", "--json=yes"], says: "--json takes no value; leave «=yes» out" },
  { argv: ["app"], says: "«viaduct app» needs NAME; see «viaduct app --help»" },
  { argv: ["app", "a", "b"], says: "«viaduct app» does not take «b»; see «viaduct app --help»" },
  { argv: ["scale", "a", "--instances"], says: "--instances needs a value (N); see «viaduct scale --help»" },
  {
    argv: ["scale", "a", "--instances", "--json"],
    says: "--instances needs a value (N); see «viaduct scale --help»",
  },
  { argv: ["scale", "a", "-i", "two"], says: "--instances «two» is no count; write --instances 2" },
  {
    argv: ["run", "-n", "a", "-m", "1T", "--", "b"],
    says: "--memory «1T» is no size; write --memory 256M or --memory 1G",
  },
  {
    argv: ["run", "-n", "a", "-m", "0", "--", "b"],
    says: "--memory «0» is no size; write --memory 256M or --memory 1G",
  },
  { argv: ["start", "a", "--timeout", "5"], says: "--timeout «5» is no duration; write one like 30s" },
  {
    argv: ["map-route", "a", "b.c", "--app-port", "99999"],
    says: "--app-port «99999» is no port of an app (1024 to 65535); write --app-port 8080",
  },
  { argv: ["map-route", "a", "b.c", "-o", "x"], says: "--option «x» is no pair; write --option KEY=VALUE" },
  {
    argv: ["map-route", "a", "b.c", "-o", "x=1", "-o", "x=2"],
    says: "--option «x» is there twice; leave one of them out",
  },
  {
    argv: ["update-route", "b.c", "-o", "x=1", "-r", "x"],
    says: "«x» is to be set and removed; leave --option or --remove-option out",
  },
  { argv: ["run", "--", "true"], says: "«viaduct run» needs a name for the app; add --name NAME" },
  {
    argv: ["run", "-n", "a", "-o", "b=c", "--", "d"],
    says: "--option belongs to a route; add --route HOST.DOMAIN",
  },
  { argv: ["run", "-n", "a"], says: "«viaduct run» needs COMMAND; see «viaduct run --help»" },
  {
    argv: ["update-route", "a.b"],
    says: "«viaduct update-route» has nothing to change; add -o KEY=VALUE or --remove-option KEY",
  },
  { argv: ["router"], says: "«viaduct router» needs its configuration; name the file with -c FILE" },
  {
    argv: ["apps", "--api", "ftp://x"],
    says: "--api «ftp://x» is no URL; write one like https://api.example.com",
  },
  {
    argv: ["config", "chekc"],
    says: "there is no «viaduct config chekc»; write «config check» or «config explain»",
  },
];
for (const { argv, says } of wrong) {
  test(`wrong usage, exit code 2: viaduct ${argv.join(" ")}`, async (t) => {
    const host = createTestHost(t, null);
    assert.equal(await main(argv, host), 2);
    assert.equal(host.readStderr(), `viaduct: ${says}\n`);
    assert.equal(host.readStdout(), "");
  });
}

test("without anything running, a command says what to start, and fails with 1", async (t) => {
  const host = createTestHost(t, null);
  assert.equal(await main(["apps"], host), 1);
  assert.match(
    host.readStderr(),
    /^viaduct: no API to talk to: .*up\.json does not exist; start Viaduct with «viaduct up»/,
  );
});

test("without anything running, a question to the router says how to name one", async (t) => {
  const host = createTestHost(t, null);
  assert.equal(await main(["explain"], host), 1);
  assert.match(
    host.readStderr(),
    /^viaduct: no router to talk to: .*up\.json does not exist; .* or name one with --router URL/,
  );
  writeFileSync(join(host.home, "up.json"), "{}");
  assert.equal(await main(["explain"], host), 1);
  assert.match(host.readStderr(), /up\.json does not say where one is;/);
  rmSync(join(host.home, "up.json"));
  mkdirSync(join(host.home, "up.json"));
  assert.equal(await main(["apps"], host), 1);
  assert.match(host.readStderr(), /up\.json cannot be read \(illegal operation on a directory\);/);
});

test("the password of the Viaduct that runs here goes to its own UAA only", async (t) => {
  const host = createTestHost(t, null);
  const up = { api: "http://localhost:1", uaa: "http://localhost:1/another", pid: 1 };
  writeFileSync(join(host.home, "up.json"), JSON.stringify(up));
  assert.equal(await main(["apps"], host), 1);
  assert.equal(
    host.readStderr(),
    "viaduct: not logged in to http://localhost:1; run «viaduct login --api http://localhost:1»\n",
  );
});

test("a login that cannot be kept says where and why", async (t) => {
  const host = createTestHost(t, await startFakeApi(t));
  mkdirSync(join(host.home, `cli.json.${process.pid}`));
  assert.equal(await main(["apps"], host), 1);
  assert.match(
    host.readStderr(),
    /^viaduct: .*cli\.json, which keeps the login, cannot be written: illegal operation on a directory; let this user/,
  );
});

test("an API that is gone is named, with the reason", async (t) => {
  const host = createTestHost(t, null, { VIADUCT_API: "http://localhost:1" });
  assert.equal(await main(["login", "-u", "a", "-p", "b"], host), 1);
  assert.match(
    host.readStderr(),
    /^viaduct: the API at http:\/\/localhost:1 does not answer \(ECONNREFUSED\);/,
  );
});

test("the program itself passes exit codes on and prints plainly into a pipe", () => {
  const run = (...args: string[]) => spawnSync(process.execPath, [PROGRAM, ...args], { encoding: "utf8" });
  assert.equal(run("--help").status, 0);
  const unknown = run("nonsense");
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /^viaduct: /);
  assert.match(run("version").stdout, /^viaduct \d+\.\d+\.\d+ \(Node 26\./);
});

test("the first command logs in with the local password; later ones reuse the token", async (t) => {
  const api = await startFakeApi(t);
  const host = createTestHost(t, api);
  assert.equal(await main(["apps"], host), 0, host.readStderr());
  assert.equal(await main(["apps"], host), 0);
  assert.deepEqual(api.grants, ["password"]);
  assert.equal(statSync(join(host.home, "cli.json")).mode & 0o777, 0o600);
});

test("a token that is no longer valid is refreshed once; a dead refresh token falls back to the password", async (t) => {
  const api = await startFakeApi(t);
  const host = createTestHost(t, api);
  await main(["apps"], host);
  api.expireTokens();
  assert.equal(await main(["apps"], host), 0);
  api.expireTokens({ refreshTokensToo: true });
  assert.equal(await main(["apps"], host), 0);
  assert.deepEqual(api.grants, ["password", "refresh_token", "refresh_token", "password"]);
});

test("login to a named API lasts until logout and wins over the local one", async (t) => {
  const [local, remote] = [await startFakeApi(t), await startFakeApi(t)];
  const host = createTestHost(t, local);
  assert.equal(await main(["login", "--api", remote.url, "-u", "ada", "-p", "wrong"], host), 1);
  assert.match(
    host.readStderr(),
    /refused to log in ada: Bad credentials; check the user name and the password/,
  );
  assert.equal(await main(["login", "--api", remote.url, "-u", "ada", "-p", remote.password], host), 0);
  assert.match(host.readStderr(), /targeted acme\/dev/);
  await main(["target", "--json"], host);
  assert.deepEqual(JSON.parse(host.readStdout()), {
    api: remote.url,
    user: "ada",
    organization: "acme",
    space: "dev",
  });
  await main(["logout"], host);
  await main(["target", "--json"], host);
  assert.equal(JSON.parse(host.readStdout()).api, local.url);
});

test("a login that fails for a reason of the API's own does not blame the password", async (t) => {
  const api = await startFakeApi(t);
  const host = createTestHost(t, api);
  api.uaaTrouble = "the disk is full";
  assert.equal(await main(["apps"], host), 1);
  assert.equal(host.readStderr(), `viaduct: ${api.url}/uaa cannot log anybody in now: the disk is full\n`);
});

test("a Viaduct that comes back on another port is found again", async (t) => {
  const [before, after] = [await startFakeApi(t), await startFakeApi(t)];
  const host = createTestHost(t, before);
  assert.equal(await main(["apps"], host), 0);
  writeUpFile(host.home, after);
  assert.equal(await main(["target", "--json"], host), 0);
  assert.equal(JSON.parse(host.readStdout()).api, after.url);
});

test("a password is never asked for where nobody can answer", async (t) => {
  const api = await startFakeApi(t);
  const host = createTestHost(t, api);
  assert.equal(await main(["login", "-u", "admin"], host), 2);
  assert.match(
    host.readStderr(),
    /no password was given, and there is no terminal to ask on; set VIADUCT_PASSWORD/,
  );
});

test("the completion script for bash knows commands and their flags", async (t) => {
  const host = createTestHost(t, null);
  assert.equal(await main(["completion", "bash"], host), 0);
  const script = `${host.readStdout()}
    COMP_WORDS=(viaduct "$1" "$2"); COMP_CWORD=$3; _viaduct; echo "\${COMPREPLY[@]}"`;
  const complete = (...words: string[]) =>
    spawnSync("bash", ["-c", script, "bash", ...words], { encoding: "utf8" }).stdout.trim();
  assert.equal(complete("map", "", "1"), "map-route map-internal-route");
  assert.equal(complete("scale", "--i", "2"), "--instances");
  assert.equal(await main(["completion", "fish"], host), 2);
  assert.match(host.readStderr(), /there is no completion for «fish»; choose bash or zsh/);
});
