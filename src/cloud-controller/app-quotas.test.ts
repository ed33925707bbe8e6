import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Json, startApi, type TestApi } from "./testing.ts";

const related = (guid: string) => ({ data: { guid } });

/** An app of the lifecycle that needs no droplet. */
async function newApp(api: TestApi, name: string): Promise<string> {
  const guid = await api.create("/v3/apps", {
    name,
    lifecycle: { type: "local", data: { directory: "/tmp" } },
    relationships: { space: related(api.space) },
  });
  await api.patch(`/v3/processes/${guid}`, { command: "run" });
  return guid;
}

/** A foundation whose space or organization has these limits of apps. */
async function limited(t: TestContext, kind: "organization" | "space", apps: object): Promise<TestApi> {
  const api = await startApi(t);
  await api.create(`/v3/${kind}_quotas`, {
    name: "small",
    apps,
    relationships:
      kind === "organization"
        ? { organizations: { data: [{ guid: api.organization }] } }
        : { organization: related(api.organization), spaces: { data: [{ guid: api.space }] } },
  });
  return api;
}

const scale = (api: TestApi, app: string, size: object) =>
  api.post(`/v3/processes/${app}/actions/scale`, size);
const start = (api: TestApi, app: string) => api.post(`/v3/apps/${app}/actions/start`);

for (const { kind, limits, size, text } of [
  {
    kind: "organization",
    limits: { total_memory_in_mb: 512 },
    size: { instances: 3 },
    text: "memory quota_exceeded",
  },
  {
    kind: "space",
    limits: { total_memory_in_mb: 512 },
    size: { instances: 3 },
    text: "memory space_quota_exceeded",
  },
  {
    kind: "organization",
    limits: { per_process_memory_in_mb: 256 },
    size: { memory_in_mb: 257 },
    text: "memory instance_memory_limit_exceeded",
  },
  {
    kind: "space",
    limits: { per_process_memory_in_mb: 256 },
    size: { memory_in_mb: 257 },
    text: "memory space_instance_memory_limit_exceeded",
  },
  {
    kind: "organization",
    limits: { total_instances: 2 },
    size: { instances: 3 },
    text: "app_instance_limit app_instance_limit_exceeded",
  },
  {
    kind: "space",
    limits: { total_instances: 2 },
    size: { instances: 3 },
    text: "app_instance_limit space_app_instance_limit_exceeded",
  },
  {
    kind: "organization",
    limits: { log_rate_limit_in_bytes_per_second: 1000 },
    size: { log_rate_limit_in_bytes_per_second: 501 },
    text: "log_rate_limit exceeds organization log rate quota",
  },
  {
    kind: "space",
    limits: { log_rate_limit_in_bytes_per_second: 1000 },
    size: { log_rate_limit_in_bytes_per_second: -1 },
    text: "log_rate_limit exceeds space log rate quota",
  },
] as const) {
  test(`scaling over ${kind} limit ${JSON.stringify(limits)} is refused, and changes nothing`, async (t) => {
    const api = await limited(t, kind, limits);
    const app = await newApp(api, "shop");
    const fitting = { instances: 2, memory_in_mb: 256, log_rate_limit_in_bytes_per_second: 500 };
    assert.equal((await scale(api, app, fitting)).status, 202);
    assert.equal((await start(api, app)).status, 200);
    const refused = await scale(api, app, size);
    assert.deepEqual([refused.status, refused.details], [422, [text]]);
    const { instances, memory_in_mb, log_rate_limit_in_bytes_per_second } = (
      await api.get(`/v3/processes/${app}`)
    ).body as { [key in keyof typeof fitting]?: Json };
    assert.deepEqual({ instances, memory_in_mb, log_rate_limit_in_bytes_per_second }, fitting);
  });
}

test("only what runs counts: a stopped app may be any size, and is refused at its start", async (t) => {
  const api = await limited(t, "organization", { total_memory_in_mb: 512, total_instances: 1 });
  const app = await newApp(api, "shop");
  assert.equal((await scale(api, app, { instances: 2, memory_in_mb: 512 })).status, 202);
  assert.deepEqual((await start(api, app)).details, [
    "memory quota_exceeded",
    "app_instance_limit app_instance_limit_exceeded",
  ]);
  assert.equal((await api.get(`/v3/apps/${app}`)).body.state, "STOPPED");
  assert.equal(api.bbs.desired.size, 0);
  await scale(api, app, { instances: 1 });
  assert.equal((await start(api, app)).status, 200);
  const other = await newApp(api, "other");
  assert.equal((await start(api, other)).status, 422, "the first app has all there is");
  await api.post(`/v3/apps/${app}/actions/stop`);
  await scale(api, other, { memory_in_mb: 512 });
  assert.equal((await start(api, other)).status, 200, "what stops gives back");
});

test("who is over a limit that came later may take less and may restart, and may not take more", async (t) => {
  const api = await startApi(t);
  const app = await newApp(api, "shop");
  await scale(api, app, { instances: 5, memory_in_mb: 100 });
  await start(api, app);
  await api.create("/v3/organization_quotas", {
    name: "small",
    apps: { total_memory_in_mb: 200 },
    relationships: { organizations: { data: [{ guid: api.organization }] } },
  });
  assert.equal((await scale(api, app, { instances: 4 })).status, 202);
  assert.equal((await api.post(`/v3/apps/${app}/actions/restart`)).status, 200);
  assert.deepEqual((await scale(api, app, { instances: 5 })).details, ["memory quota_exceeded"]);
});

test("an app that may log as much as it likes may be given a rate, be it over a limit that came later", async (t) => {
  const api = await startApi(t);
  const app = await newApp(api, "shop");
  await start(api, app);
  await api.create("/v3/organization_quotas", {
    name: "small",
    apps: { log_rate_limit_in_bytes_per_second: 100 },
    relationships: { organizations: { data: [{ guid: api.organization }] } },
  });
  const rate = (bytes: number) => scale(api, app, { log_rate_limit_in_bytes_per_second: bytes });
  assert.equal((await rate(200)).status, 202);
  const text = "log_rate_limit exceeds organization log rate quota";
  assert.deepEqual((await rate(201)).details, [text]);
  assert.deepEqual((await rate(-1)).details, [text]);
});

test("a deployment needs room for the instances that run beside the old ones", async (t) => {
  const api = await limited(t, "organization", { total_instances: 2 });
  const app = await newApp(api, "shop");
  await scale(api, app, { instances: 2 });
  await start(api, app);
  const droplet = await api.store.db.selectFrom("droplets").select("guid").executeTakeFirst();
  assert.equal(droplet, undefined);
  const deploy = () => api.post("/v3/deployments", { relationships: { app: related(app) } });
  assert.deepEqual((await deploy()).details, ["app_instance_limit app_instance_limit_exceeded"]);
  await scale(api, app, { instances: 1 });
  assert.equal((await deploy()).status, 201);
});

test("a manifest that wants more than the quota leaves is not in force, and says of which application", async (t) => {
  const api = await limited(t, "space", { total_memory_in_mb: 512 });
  const app = await newApp(api, "shop");
  await scale(api, app, { memory_in_mb: 512 });
  await start(api, app);
  const answer = await api.request({
    method: "POST",
    url: `/v3/spaces/${api.space}/actions/apply_manifest`,
    headers: { authorization: "bearer admin", "content-type": "application/x-yaml" },
    payload: "applications: [{name: new}, {name: shop, instances: 2}]",
  });
  const job = await api.get(new URL(String(answer.headers["location"])).pathname);
  assert.equal(job.body.state, "FAILED");
  assert.match(JSON.stringify(job.body), /For application 'shop': memory space_quota_exceeded/);
  assert.equal((await api.list("/v3/apps")).length, 1);
});

test("the largest numbers that a size may have are added up", async (t) => {
  const api = await limited(t, "organization", { total_memory_in_mb: 512 });
  const huge = 2_147_483_647;
  for (const name of ["one", "two", "three"]) {
    const app = await newApp(api, name);
    await scale(api, app, { instances: huge, memory_in_mb: huge, log_rate_limit_in_bytes_per_second: huge });
    assert.deepEqual((await start(api, app)).details, ["memory quota_exceeded"]);
  }
});
