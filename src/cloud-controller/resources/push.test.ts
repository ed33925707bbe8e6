/** Packages, builds, droplets and deployments together: what a push is, call by call. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { needs } from "../../../test/support/needs.ts";
import { serving, startApi, type TestApi } from "../testing.ts";

/** A zip file with these files; those whose text begins with «#!» may be executed. */
function zip(t: TestContext, files: Readonly<Record<string, string>>): Buffer {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-push-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text, { mode: text.startsWith("#!") ? 0o755 : 0o644 });
  }
  execFileSync("zip", ["-qr", "app.zip", "."], { cwd: folder });
  return readFileSync(join(folder, "app.zip"));
}

const upload = (api: TestApi, guid: string, bits: Buffer, resources = "[]", token = "admin") =>
  api.request({
    method: "POST",
    url: `/v3/packages/${guid}/upload`,
    headers: { authorization: `bearer ${token}`, "content-type": "multipart/form-data; boundary=b" },
    payload: Buffer.concat([
      Buffer.from(`--b\r\nContent-Disposition: form-data; name="resources"\r\n\r\n${resources}\r\n`),
      Buffer.from('--b\r\nContent-Disposition: form-data; name="bits"; filename="a.zip"\r\n\r\n'),
      bits,
      Buffer.from("\r\n--b--\r\n"),
    ]),
  });

const newApp = (api: TestApi, name = "shop") =>
  api.create("/v3/apps", { name, relationships: { space: { data: { guid: api.space } } } });
const newPackage = (api: TestApi, app: string) =>
  api.create("/v3/packages", { type: "bits", relationships: { app: { data: { guid: app } } } });

/** Uploads and stages; the droplet's GUID. */
async function stage(api: TestApi, app: string, bits: Buffer): Promise<string> {
  const source = await newPackage(api, app);
  const uploaded = await upload(api, source, bits);
  assert.equal(uploaded.status, 200, uploaded.details.join());
  assert.equal(uploaded.body.state, "READY");
  const build = await api.post("/v3/builds", { package: { guid: source } });
  assert.equal(build.status, 201, build.details.join());
  assert.equal(build.body.state, "STAGED", String(build.body.error));
  return String(build.body.droplet?.guid);
}

const setDroplet = (api: TestApi, app: string, droplet: string) =>
  api.patch(`/v3/apps/${app}/relationships/current_droplet`, { data: { guid: droplet } });

test("a process is of the droplet only when the droplet says so, whatever it is called", async (t) => {
  if (needs(t, "zip") === null) return;
  const api = await startApi(t);
  const app = await newApp(api);
  await setDroplet(api, app, await stage(api, app, zip(t, { Procfile: "web: ./serve\n" })));
  await api.request({
    method: "POST",
    url: `/v3/spaces/${api.space}/actions/apply_manifest`,
    headers: { authorization: "bearer admin", "content-type": "application/x-yaml" },
    payload: "applications: [{name: shop, processes: [{type: constructor}]}]",
  });
  const process = await api.get(`/v3/apps/${app}/processes/constructor`);
  assert.deepEqual([process.status, process.body.command], [200, null]);
  assert.deepEqual((await api.post(`/v3/apps/${app}/actions/start`)).details, [
    `Process 'constructor' has no command; set one with PATCH /v3/processes/${process.body.guid}.`,
  ]);
});

test("of uploads to one package at the same time one is kept, and what fails beside it breaks nothing", async (t) => {
  if (needs(t, "zip") === null) return;
  const api = await startApi(t);
  const source = await newPackage(api, await newApp(api));
  const bits = [zip(t, { a: "1" }), zip(t, { b: "2" }), Buffer.from("no zip"), Buffer.from("none")];
  const replies = await Promise.all(bits.map((each) => upload(api, source, each)));
  assert.deepEqual(replies.map(({ status }) => status).toSorted(), [200, 422, 422, 422]);
  assert.deepEqual(
    replies.slice(0, 2).flatMap(({ details }) => details),
    ["Bits have already been uploaded; create another package."],
  );
  const kept = replies.find(({ status }) => status === 200);
  const now = await api.get(`/v3/packages/${source}`);
  assert.deepEqual([now.body.state, now.body.data], ["READY", kept?.body.data]);
});

test("without the flag, only administrators upload files", async (t) => {
  const api = await startApi(t);
  const source = await newPackage(api, await newApp(api));
  await api.patch("/v3/feature_flags/app_bits_upload", { enabled: false });
  const { token } = await api.user("organization_user", "space_developer");
  const refused = await upload(api, source, Buffer.from("no zip"), "[]", token);
  assert.deepEqual([refused.status, refused.details], [403, ["Feature Disabled: app_bits_upload"]]);
  assert.equal((await upload(api, source, Buffer.from("no zip"))).status, 422);
  const match = async (user?: string) =>
    (await api.post("/v3/resource_matches", { resources: [] }, user)).status;
  assert.deepEqual([await match(token), await match()], [403, 201]);
});

test("the droplets of a package that nobody made are not there", async (t) => {
  const api = await startApi(t);
  const source = await newPackage(api, await newApp(api));
  assert.deepEqual(await api.list(`/v3/packages/${source}/droplets`), []);
  assert.deepEqual((await api.get("/v3/packages/nothing/droplets")).details, ["Package not found"]);
  const { token } = await api.user("organization_user");
  assert.equal((await api.get(`/v3/packages/${source}/droplets`, token)).status, 404);
});

test("what is pushed becomes a droplet that the app runs, in copies of its own", async (t) => {
  if (needs(t, "zip") === null) return;
  const api = await startApi(t);
  const app = await newApp(api);
  const droplet = await stage(
    api,
    app,
    zip(t, { Procfile: "web: ./serve\nworker: ./work --fast\n", serve: "#!/bin/sh\n" }),
  );
  assert.equal((await api.get(`/v3/apps/${app}/droplets/current`)).status, 404);
  assert.equal((await setDroplet(api, app, droplet)).status, 200);
  const current = await api.get(`/v3/apps/${app}/droplets/current`);
  assert.deepEqual(current.body.process_types, { web: "./serve", worker: "./work --fast" });
  const { token } = await api.user("organization_user", "space_auditor");
  for (const path of [`/v3/apps/${app}/droplets/current`, `/v3/droplets/${droplet}`]) {
    assert.deepEqual((await api.get(path, token)).body.process_types, {
      redacted_message: "[PRIVATE DATA HIDDEN]",
    });
  }
  const [, worker] = await api.list(`/v3/apps/${app}/processes?order_by=created_at`);
  assert.deepEqual([worker?.type, worker?.instances], ["worker", 0]);
  assert.equal((await api.get(`/v3/apps/${app}/processes/web`)).body.command, "./serve");
  assert.equal((await api.post(`/v3/apps/${app}/actions/start`)).status, 200);
  const [lrp, idle] = [...api.bbs.desired.values()];
  assert.equal(lrp?.command, "./serve");
  assert.equal(lrp?.ownCopy, true);
  assert(existsSync(join(lrp?.directory ?? "", "Procfile")));
  assert.equal(idle?.instances, 0);
});

test("a push leaves events of the package, the build, the droplet, its processes and the deployment", async (t) => {
  if (needs(t, "zip") === null) return;
  const api = await startApi(t);
  const app = await newApp(api);
  const bits = zip(t, { Procfile: "web: ./serve\nworker: ./work\n" });
  const droplet = await stage(api, app, bits);
  await setDroplet(api, app, droplet);
  const started = await api.create("/v3/deployments", { relationships: { app: { data: { guid: app } } } });
  const rolling = await api.create("/v3/deployments", { relationships: { app: { data: { guid: app } } } });
  assert.equal((await api.post(`/v3/deployments/${rolling}/actions/cancel`)).status, 200);
  const other = await stage(api, app, bits);
  await api.delete(`/v3/droplets/${other}`);
  const [source] = await api.list("/v3/packages?order_by=-created_at");
  await api.delete(`/v3/packages/${source?.guid}`);
  const failing = await newPackage(api, app);
  await upload(api, failing, zip(t, { "index.html": "hello" }));
  await api.post("/v3/builds", { package: { guid: failing } });
  const events = await api.list(`/v3/audit_events?target_guids=${app}`);
  const staging = ["package.create", "package.upload", "build.create", "build.staged", "droplet.create"];
  assert.deepEqual(
    events.map(({ type }) => String(type).replace("audit.app.", "")),
    [
      "create",
      ...staging,
      "droplet.mapped",
      "process.create",
      "deployment.create",
      "deployment.create",
      "deployment.cancel",
      ...staging,
      "droplet.delete",
      "package.delete",
      "package.create",
      "package.upload",
      "build.create",
      "build.failed",
    ],
  );
  const dataOf = (type: string) =>
    events.find((event) => String(event.type) === `audit.app.${type}`)?.["data"];
  assert.equal(Reflect.get(dataOf("droplet.create") ?? {}, "droplet_guid"), droplet);
  assert.equal(Reflect.get(dataOf("deployment.create") ?? {}, "deployment_guid"), started);
});

const starts: readonly { name: string; files: Record<string, string>; command: RegExp }[] = [
  {
    name: "a start script",
    files: { "package.json": '{"scripts":{"start":"node x.js"}}' },
    command: /; node x\.js$/,
  },
  { name: "a server.js", files: { "server.js": "" }, command: /^node server\.js$/ },
  { name: "one executable", files: { "it's": "#!/bin/sh\n", data: "" }, command: /^'\.\/it'\\''s'$/ },
];
for (const { name, files, command } of starts) {
  test(`how an app starts is read from ${name}`, async (t) => {
    if (needs(t, "zip") === null) return;
    const api = await startApi(t);
    const droplet = await stage(api, await newApp(api), zip(t, files));
    const { body } = await api.get(`/v3/droplets/${droplet}`);
    assert.match(String(body.process_types?.web), command);
  });
}

test("an app that nothing says how to start is not staged, unless it has a command", async (t) => {
  if (needs(t, "zip") === null) return;
  const api = await startApi(t);
  const app = await newApp(api);
  const source = await newPackage(api, app);
  const bits = zip(t, { "index.html": "hello" });
  await upload(api, source, bits);
  const failed = await api.post("/v3/builds", { package: { guid: source } });
  assert.equal(failed.body.state, "FAILED");
  assert.match(String(failed.body.error), /^NoAppDetectedError - .*Procfile.*-c/);
  await api.patch(`/v3/processes/${app}`, { command: "busybox httpd -f" });
  assert.equal((await api.post("/v3/builds", { package: { guid: source } })).body.state, "STAGED");
});

test("a build says who asked for it", async (t) => {
  if (needs(t, "zip") === null) return;
  const api = await startApi(t);
  const source = await newPackage(api, await newApp(api));
  await upload(api, source, zip(t, { "server.js": "" }));
  const { guid, token } = await api.user("space_developer");
  const built = await api.post("/v3/builds", { package: { guid: source } }, token);
  // In these tests a user is called by the GUID.
  assert.deepEqual(built.body["created_by"], { guid, name: guid, email: guid });
});

test("an upload that cannot be unpacked says why, fails its package, and may be tried again", async (t) => {
  if (needs(t, "zip") === null) return;
  const api = await startApi(t);
  const source = await newPackage(api, await newApp(api));
  const refused = await upload(api, source, Buffer.from("hello"));
  assert.equal(refused.status, 422);
  assert.match(refused.details.join(), /no zip file .* no end record/);
  const { body } = await api.get(`/v3/packages/${source}`);
  assert.equal(body.state, "FAILED");
  assert.match(String(body.data?.error), /no end record/);
  const bits = zip(t, { "server.js": "" });
  assert.match(
    (await upload(api, source, bits, '[{"checksum":{"value":"a"}}]')).details.join(),
    /names resources that were not matched/,
  );
  assert.equal((await upload(api, source, bits)).status, 200);
  assert.match((await upload(api, source, bits)).details.join(), /already been uploaded/);
});

test("an upload that is no form says so, in upstream's words for it", async (t) => {
  const api = await startApi(t);
  const source = await newPackage(api, await newApp(api));
  for (const type of ["application/json", "multipart/form-data", "multipart/form-data; boundary=b"]) {
    const reply = await api.request({
      method: "POST",
      url: `/v3/packages/${source}/upload`,
      headers: { authorization: "bearer admin", "content-type": type },
      payload: "{}",
    });
    assert.equal(reply.status, 400, type);
    assert.equal(reply.body.errors?.["0"]?.title, "CF-AppBitsUploadInvalid");
  }
});

test("labels of what belongs to an app go with it", async (t) => {
  const api = await startApi(t);
  const app = await newApp(api);
  const metadata = { labels: { tier: "web" } };
  const relationships = { app: { data: { guid: app } } };
  await api.create("/v3/packages", { type: "bits", relationships, metadata });
  await api.delete(`/v3/apps/${app}`);
  assert.deepEqual(await api.store.db.selectFrom("metadata").selectAll().execute(), []);
});

test("bits go when the app goes, and only the newest packages and droplets are kept", async (t) => {
  if (needs(t, "zip") === null) return;
  const api = await startApi(t);
  const app = await newApp(api);
  const first = await stage(api, app, zip(t, { "server.js": "0" }));
  await setDroplet(api, app, first);
  for (let i = 1; i <= 7; i++) await stage(api, app, zip(t, { "server.js": String(i) }));
  const droplets = await api.list(`/v3/apps/${app}/droplets`);
  assert.equal(droplets.length, 6, "the newest five and the current one");
  assert(droplets.some(({ guid }) => String(guid) === first));
  assert.equal((await api.list(`/v3/apps/${app}/packages`)).length, 5);
  await api.post(`/v3/apps/${app}/actions/start`);
  const folder = [...api.bbs.desired.values()][0]?.directory ?? "";
  assert(existsSync(folder));
  await api.delete(`/v3/apps/${app}`);
  await api.swept();
  assert(!existsSync(folder));
});

test("only who may write an app may push to it", async (t) => {
  const api = await startApi(t);
  const app = await newApp(api);
  const { token } = await api.user("space_auditor");
  const body = { type: "bits", relationships: { app: { data: { guid: app } } } };
  assert.equal((await api.post("/v3/packages", body, token)).status, 403);
  const source = await newPackage(api, app);
  assert.equal((await api.post("/v3/builds", { package: { guid: source } })).status, 422);
  const outsider = await api.user();
  assert.equal((await api.get(`/v3/packages/${source}`, outsider.token)).status, 404);
});

// --- deployments ---

/** A started app of three instances, and what makes its instances come up. */
async function runningApp(t: TestContext) {
  const api = await startApi(t);
  const app = await newApp(api);
  const first = await stage(api, app, zip(t, { "server.js": "1" }));
  const second = await stage(api, app, zip(t, { "server.js": "2" }));
  await setDroplet(api, app, first);
  await api.post(`/v3/processes/${app}/actions/scale`, { instances: 3 });
  await api.post(`/v3/apps/${app}/actions/start`);
  const [old = ""] = api.bbs.desired.keys();
  /** Sizes of all versions; then every desired instance runs. */
  const sizes = () => Object.fromEntries([...api.bbs.desired].map(([guid, lrp]) => [guid, lrp.instances]));
  const run = async (skip = "") => {
    api.bbs.actual = [...api.bbs.desired.values()].flatMap(({ processGuid, instances }) =>
      processGuid === skip ? [] : Array.from({ length: instances }, (_, i) => serving(processGuid, i)),
    );
    await api.deploy();
  };
  await run();
  const deploy = (droplet: string, options = {}) =>
    api.post("/v3/deployments", {
      droplet: { guid: droplet },
      strategy: "rolling",
      options,
      relationships: { app: { data: { guid: app } } },
    });
  return { api, app, first, second, old, sizes, run, deploy };
}

test("a rolling deployment takes an instance away only when another serves in its place", async (t) => {
  if (needs(t, "zip") === null) return;
  const { api, app, second, old, sizes, run, deploy } = await runningApp(t);
  const made = await deploy(second);
  assert.equal(made.status, 201, made.details.join());
  assert.deepEqual(made.body.status?.value, "ACTIVE");
  const next = [...api.bbs.desired.keys()].find((guid) => guid !== old) ?? "";
  assert.deepEqual(sizes(), { [old]: 3, [next]: 1 });
  await run(next);
  assert.deepEqual(sizes(), { [old]: 3, [next]: 1 }, "nothing goes before it serves");
  assert.deepEqual((await api.post(`/v3/processes/${app}/actions/scale`, { instances: 9 })).details, [
    "Cannot scale this process while a deployment is in flight.",
  ]);
  await run();
  assert.deepEqual(sizes(), { [old]: 2, [next]: 2 });
  await run();
  assert.deepEqual(sizes(), { [old]: 1, [next]: 3 });
  await run();
  assert.deepEqual(sizes(), { [next]: 3 });
  const done = await api.get(`/v3/deployments/${made.body.guid}`);
  assert.deepEqual(done.body.status?.reason, "DEPLOYED");
  assert.deepEqual(done.body.new_processes, [{ guid: app, type: "web" }]);
  assert.equal((await api.get(`/v3/apps/${app}/droplets/current`)).body.guid, second);
});

test("a deployment is refused that would change no instance at a time, or more than can be kept", async (t) => {
  if (needs(t, "zip") === null) return;
  const { second, deploy } = await runningApp(t);
  for (const maxInFlight of [0, 1.5, "2", 2_147_483_648, 1e300]) {
    const answer = await deploy(second, { max_in_flight: maxInFlight });
    assert.equal(answer.status, 422, String(maxInFlight));
    assert.deepEqual(answer.details, ["Max in flight must be a positive integer greater than 0"]);
  }
});

test("a deployment that is cancelled goes back to the version and droplet before", async (t) => {
  if (needs(t, "zip") === null) return;
  const { api, app, first, second, old, sizes, run, deploy } = await runningApp(t);
  const { body } = await deploy(second, { max_in_flight: 2 });
  await run();
  const next = [...api.bbs.desired.keys()].find((guid) => guid !== old) ?? "";
  assert.deepEqual(sizes(), { [old]: 1, [next]: 3 });
  assert.deepEqual((await api.post(`/v3/deployments/${body.guid}/actions/continue`)).details, [
    "Cannot continue a deployment with status: ACTIVE and reason: DEPLOYING",
  ]);
  const cancelled = await api.post(`/v3/deployments/${body.guid}/actions/cancel`);
  assert.equal(cancelled.body.status?.reason, "CANCELING");
  await run();
  await run();
  assert.deepEqual(sizes(), { [old]: 3 });
  assert.equal((await api.get(`/v3/deployments/${body.guid}`)).body.status?.reason, "CANCELED");
  assert.equal((await api.get(`/v3/apps/${app}/droplets/current`)).body.guid, first);
  assert.deepEqual((await api.post(`/v3/deployments/${body.guid}/actions/cancel`)).details, [
    "Cannot cancel a FINALIZED deployment.",
  ]);
});

test("a second deployment supersedes the first, and a restart ends whatever is on its way", async (t) => {
  if (needs(t, "zip") === null) return;
  const { api, app, first, second, old, sizes, run, deploy } = await runningApp(t);
  const one = await deploy(second);
  const two = await deploy(first);
  assert.equal((await api.get(`/v3/deployments/${one.body.guid}`)).body.status?.reason, "SUPERSEDED");
  assert.deepEqual(
    Object.values(sizes()),
    [3, 1],
    "the version that serves stays, the one that did not is gone",
  );
  assert(api.bbs.desired.has(old));
  await run();
  await api.post(`/v3/apps/${app}/actions/restart`);
  assert.equal((await api.get(`/v3/deployments/${two.body.guid}`)).body.status?.reason, "CANCELED");
  assert.deepEqual(Object.values(sizes()), [3]);
});

test("a stopped app is simply started by a deployment", async (t) => {
  if (needs(t, "zip") === null) return;
  const { api, app, second, deploy } = await runningApp(t);
  await api.post(`/v3/apps/${app}/actions/stop`);
  const { body } = await deploy(second);
  assert.deepEqual(body.status?.value, "FINALIZED");
  assert.equal((await api.get(`/v3/apps/${app}`)).body.state, "STARTED");
  assert.equal(api.bbs.desired.size, 1);
});
