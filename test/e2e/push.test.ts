/**
 * `cf push` for real: a folder becomes an app that serves, on the whole product. With our own command line, and call by
 * call as the official one makes them, because that one is not on every machine.
 */
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readIgnores } from "../../src/cli/ignored-files.ts";
import { zipFolder } from "../../src/cli/zip-folder.ts";
import { type Foundation, startFoundation } from "../support/viaduct.ts";

/** Says which version it is; finishes what it answers before it leaves, as apps should. */
const server = (version: string) => `
const server = require("node:http").createServer((request, response) => {
  const { CF_INSTANCE_INDEX: index } = process.env;
  require("node:fs").writeFileSync("written-by-" + index, "x");
  response.end(JSON.stringify({ version: ${JSON.stringify(version)}, index, url: request.url, cwd: process.cwd() }));
});
server.listen(process.env.PORT, () => console.log("version ${version} listens"));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
`;

function folderOf(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-app-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  write(folder, files);
  return folder;
}

function write(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
}

/** Says when something is so, by asking again. */
async function until<T>(ask: () => Promise<T | null>): Promise<T> {
  for (let tries = 0; tries < 200; tries++) {
    const answer = await ask();
    if (answer !== null) return answer;
    await sleep(50);
  }
  throw new Error("it never came to be");
}

test("a folder is uploaded, staged, started, served, replaced without a gap, and removed", async (t) => {
  const foundation = await startFoundation(t, { settings: { "diego.stop_grace": "2s" } });
  const { up, home, get, cli, ok } = foundation;
  const folder = folderOf(t, {
    "server.js": server("1"),
    "secret.txt": "stays at home",
    ".cfignore": "*.txt\n",
    "manifest.yml": `
applications:
- name: shop
  memory: 128M
  instances: 2
  env: { COLOUR: red }
  routes:
  - route: shop.localhost
    options: { loadbalancing: round-robin }
`,
  });

  await t.test("viaduct push prints its progress and the address, and the app answers there", async () => {
    const { code, stdout, stderr } = await cli("push", folder);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `http://shop.localhost:${up.router.port}\n`);
    assert.match(stderr, /shop: 1 files of .*\nshop: staged\n(?:.*\n)*shop: 2 of 2 instances running/);
    const answers = [
      JSON.parse((await get("shop.localhost")).body),
      JSON.parse((await get("shop.localhost")).body),
    ];
    assert.deepEqual(answers.map(({ index }) => index).toSorted(), ["0", "1"]);
    assert.notEqual(answers[0].cwd, answers[1].cwd, "each instance has a copy of its own");
    assert(!readdirSync(answers[0].cwd).includes("secret.txt"));
  });

  await t.test("its lines are there with the platform's and the routers'", async () => {
    // The access log is written in batches.
    const text = await until(async () => {
      const printed = await ok("logs", "shop", "--recent");
      return printed.includes("[RTR/") ? printed : null;
    });
    assert.match(text, /\[STG\/0\] OUT Staged; how to start was read from Node/);
    assert.match(text, /\[API\/0\] OUT Restarted app shop/);
    assert.match(text, /\[APP\/PROC\/WEB\/1\] OUT version 1 listens/);
    assert.match(text, /\[CELL\/0\] OUT healthy/);
    assert.match(text, /\[RTR\/\d\] OUT shop\.localhost.*"GET \/ HTTP\/1\.1" 200/);
  });

  await t.test("a manifest that was written down and is applied again changes nothing", async () => {
    const before = await ok("create-app-manifest", "shop", "-p", "-");
    const file = join(folder, "again.yml");
    await ok("create-app-manifest", "shop", "-p", file);
    assert.equal(readFileSync(file, "utf8"), before);
    await ok("apply-manifest", "-f", file);
    assert.equal(await ok("create-app-manifest", "shop", "-p", "-"), before);
    assert.equal(JSON.parse((await get("shop.localhost")).body).version, "1");
  });

  await t.test("a rolling push loses no request", async () => {
    write(folder, { "server.js": server("2") });
    let isDone = false;
    const seen = new Map<string, number>();
    const client = async () => {
      while (!isDone) {
        const { status, body } = await get("shop.localhost");
        const key = status === 200 ? `version ${JSON.parse(body).version}` : `status ${status}`;
        seen.set(key, (seen.get(key) ?? 0) + 1);
      }
    };
    const clients = Promise.all([client(), client(), client()]);
    const { code, stderr } = await cli("push", folder, "--strategy", "rolling");
    isDone = true;
    await clients;
    assert.equal(code, 0, stderr);
    assert.deepEqual([...seen.keys()].toSorted(), ["version 1", "version 2"], JSON.stringify([...seen]));
    assert.equal(JSON.parse((await get("shop.localhost")).body).version, "2");
  });

  await t.test("--no-route, --random-route and --no-start do what they say", async () => {
    await ok("push", folder, "-n", "hidden", "--no-route", "--no-start");
    const hidden = JSON.parse(await ok("app", "hidden", "--json"));
    assert.deepEqual([hidden.state, hidden.routes], ["STOPPED", []]);
    const other = folderOf(t, { run: "" });
    writeFileSync(join(other, "server.mjs"), "");
    const [dice] = JSON.parse(
      await ok(
        "push",
        folder,
        "-n",
        "dice",
        "--random-route",
        "-f",
        join(folder, "again.yml"),
        "--no-start",
        "--json",
      ),
    );
    assert.equal(dice.name, "dice");
  });

  await t.test("what cannot be pushed says why, and leaves nothing half done", async () => {
    const empty = await cli("push", folderOf(t, {}));
    assert.equal(empty.code, 1);
    assert.match(empty.stderr, /nothing to push in .*there is no file/);
    const silent = await cli("push", folderOf(t, { "index.html": "hello" }), "-n", "silent");
    assert.equal(silent.code, 1);
    assert.match(silent.stderr, /silent cannot be staged: NoAppDetectedError.*Procfile/);
    const many = await cli(
      "push",
      folderOf(t, { "manifest.yml": "applications: [{name: a}, {name: b}]" }),
      "-i",
      "2",
    );
    assert.equal(many.code, 2);
    assert.match(many.stderr, /has 2 apps, and flags are about one; name it with -n NAME/);
    const odd = folderOf(t, {
      "server.js": "",
      "manifest.yml":
        "applications: [{name: odd, routes: [{route: odd.localhost, options: {loadbalancing: magic}}]}]",
    });
    const refused = await cli("push", odd);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /Cannot use loadbalancing value 'magic' for Route 'odd\.localhost'/);
    assert.doesNotMatch(await ok("apps"), /\bodd\b/);
  });

  await t.test("the calls of the official command line end the same way", () => replayPush(t, foundation));

  await t.test("nothing of an app is left when it is deleted", async () => {
    for (const name of ["shop", "hidden", "dice", "silent", "trio"]) await cli("delete", name);
    await until(async () => {
      const left =
        readdirSync(join(home, "bits", "droplets")).length +
        readdirSync(join(home, "bits", "packages")).length;
      return left === 0 ? true : null;
    });
    await until(async () => (readFolders(join(home, "instances")).length === 0 ? true : null));
  });
});

test("what was pushed, and what was on its way, goes on after the whole product was killed", async (t) => {
  const first = await startFoundation(t);
  const folder = folderOf(t, { "server.js": server("1") });
  await first.ok("push", folder, "-n", "shop", "-i", "2");
  write(folder, { "server.js": server("2") });
  // Killed in the middle of a deployment: its first step is on disk, the rest is to be done.
  const pushing = first.cli("push", folder, "-n", "shop", "--strategy", "rolling");
  await until(async () =>
    JSON.parse((await first.get("shop.localhost")).body).version === "2" ? true : null,
  );
  await first.signal("SIGKILL");
  await pushing;
  const second = await startFoundation(t, { home: first.home });
  await until(async () => {
    const answers = [];
    for (let i = 0; i < 4; i++) answers.push(await second.get("shop.localhost"));
    return answers.every(({ status, body }) => status === 200 && JSON.parse(body).version === "2")
      ? true
      : null;
  });
  const { instances } = JSON.parse(await second.ok("app", "shop", "--json"));
  assert.deepEqual(
    instances.map(({ state }: { state: string }) => state),
    ["RUNNING", "RUNNING"],
  );
});

const readFolders = (path: string) => (existsSync(path) ? readdirSync(path) : []);

/** `cf push` with a manifest of three routes with different options, as `CF_TRACE=true` shows it. */
async function replayPush(t: TestContext, { up, home, get }: Foundation): Promise<void> {
  const { adminPassword } = JSON.parse(readFileSync(join(home, "secrets.json"), "utf8"));
  const send = async (
    method: string,
    path: string,
    body?: string | Buffer | object,
    type = "application/json",
  ) => {
    const payload =
      body === undefined || typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const answer = await fetch(`${up.api}${path}`, {
      method,
      headers: { "content-type": type, ...(token !== "" && { authorization: `bearer ${token}` }) },
      ...(payload !== undefined && { body: payload }),
    });
    const text = await answer.text();
    assert(answer.status < 400, `${method} ${path} answered ${answer.status}: ${text}`);
    return {
      status: answer.status,
      headers: answer.headers,
      body: text.startsWith("{") ? JSON.parse(text) : text,
    };
  };
  let token = "";
  const form = `grant_type=password&username=admin&password=${adminPassword}`;
  const login = await fetch(`${up.api}/uaa/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa("cf:")}`, "content-type": "application/x-www-form-urlencoded" },
    body: form,
  });
  token = ((await login.json()) as { access_token: string }).access_token;

  const [space] = (await send("GET", "/v3/spaces")).body.resources;
  const manifest = `
applications:
- name: trio
  routes:
  - { route: one.localhost, options: { loadbalancing: least-connection } }
  - { route: two.localhost/deep, options: { loadbalancing: hash, hash_header: X-User } }
  - { route: three.localhost }
`;
  const yaml = "application/x-yaml";
  const difference = await send("POST", `/v3/spaces/${space.guid}/manifest_diff`, manifest, yaml);
  assert.deepEqual([difference.status, difference.body.diff[0].op], [201, "add"]);
  const applied = await send("POST", `/v3/spaces/${space.guid}/actions/apply_manifest`, manifest, yaml);
  assert.equal(applied.status, 202);
  const job = await send("GET", new URL(applied.headers.get("location") ?? "").pathname);
  assert.deepEqual([job.body.state, job.body.errors], ["COMPLETE", []]);
  const [app] = (await send("GET", `/v3/apps?names=trio&space_guids=${space.guid}`)).body.resources;

  const relationships = { app: { data: { guid: app.guid } } };
  const source = (await send("POST", "/v3/packages", { type: "bits", relationships })).body;
  assert.equal(source.state, "AWAITING_UPLOAD");
  const matches = await send("POST", "/v3/resource_matches", {
    resources: [
      { path: "server.js", mode: "644", size_in_bytes: 99_999, checksum: { value: "a".repeat(40) } },
    ],
  });
  assert.deepEqual(matches.body.resources, []);
  const { archive } = await zipFolder(folderOf(t, { "server.js": server("trio") }), readIgnores(""));
  const upload = new FormData();
  upload.append("resources", "[]");
  upload.append("bits", new Blob([new Uint8Array(archive)]), "bits.zip");
  const encoded = new Response(upload);
  const uploadType = encoded.headers.get("content-type") ?? "";
  const { pathname } = new URL(source.links.upload.href);
  await send("POST", pathname, Buffer.from(await encoded.arrayBuffer()), uploadType);
  assert.equal((await send("GET", `/v3/packages/${source.guid}`)).body.state, "READY");

  const build = (await send("POST", "/v3/builds", { package: { guid: source.guid } })).body;
  const staged = (await send("GET", `/v3/builds/${build.guid}`)).body;
  assert.equal(staged.state, "STAGED");
  await send("PATCH", `/v3/apps/${app.guid}/relationships/current_droplet`, {
    data: { guid: staged.droplet.guid },
  });
  await send("POST", `/v3/apps/${app.guid}/actions/restart`);
  const [process] = (await send("GET", `/v3/apps/${app.guid}/processes`)).body.resources;
  await until(async () => {
    const [instance] = (await send("GET", `/v3/processes/${process.guid}/stats`)).body.resources;
    return instance.state === "RUNNING" ? instance : null;
  });
  // What the summary at the end asks for.
  assert.equal((await send("GET", `/v3/apps/${app.guid}/droplets/current`)).body.guid, staged.droplet.guid);
  const routes = (await send("GET", `/v3/apps/${app.guid}/routes`)).body.resources;
  assert.deepEqual(
    routes.map(({ url, options }: { url: string; options: object }) => [url, options]),
    [
      ["one.localhost", { loadbalancing: "least-connection" }],
      ["two.localhost/deep", { loadbalancing: "hash", hash_header: "X-User" }],
      ["three.localhost", {}],
    ],
  );
  for (const [name, path] of [
    ["one.localhost", "/"],
    ["two.localhost", "/deep/x"],
    ["three.localhost", "/"],
  ] as const) {
    const answer = await until(async () => {
      const { status, body } = await get(name, path);
      return status === 200 ? JSON.parse(body) : null;
    });
    assert.deepEqual([answer.version, answer.url], ["trio", path]);
  }
  const logs = await send(
    "GET",
    `/api/v1/read/${app.guid}?descending=true&envelope_types=LOG&limit=1000&start_time=-1`,
  );
  const sources = new Set(
    logs.body.envelopes.batch.map((each: { tags: { source_type: string } }) => each.tags.source_type),
  );
  for (const name of ["API", "STG", "CELL", "APP/PROC/WEB"]) assert(sources.has(name), `no line of ${name}`);

  // cf restart-app-instance, and cf push --strategy rolling of what runs already.
  await send("DELETE", `/v3/processes/${process.guid}/instances/0`);
  const deployment = (
    await send("POST", "/v3/deployments", {
      droplet: { guid: staged.droplet.guid },
      strategy: "rolling",
      relationships,
    })
  ).body;
  const done = await until(async () => {
    const { status } = (await send("GET", `/v3/deployments/${deployment.guid}`)).body;
    return status.value === "FINALIZED" ? status : null;
  });
  assert.equal(done.reason, "DEPLOYED");
}
