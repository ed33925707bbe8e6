import assert from "node:assert/strict";
import { test } from "node:test";
import type { ActualLrp } from "../../contracts/index.ts";
import { type Json, startApi, type TestApi } from "../testing.ts";

async function startedApp(api: TestApi, instances: number): Promise<{ guid: string; lrp: string }> {
  const guid = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv/shop" } },
    relationships: { space: { data: { guid: api.space } } },
  });
  await api.patch(`/v3/processes/${guid}`, { command: "run" });
  await api.post(`/v3/processes/${guid}/actions/scale`, { instances });
  await api.post(`/v3/apps/${guid}/actions/start`);
  return { guid, lrp: [...api.bbs.desired.keys()][0] ?? "" };
}

function actual(api: TestApi, lrp: string, index: number, more: Partial<ActualLrp>): ActualLrp {
  return {
    processGuid: lrp,
    index,
    domain: "cf-apps",
    instanceGuid: `instance-${index}`,
    cellId: "cell-1",
    state: "RUNNING",
    address: "127.0.0.1",
    instanceAddress: "127.0.1.1",
    ports: [{ containerPort: 8080, hostPort: 61_000 + index, hostTlsPort: 0 }],
    crashCount: 0,
    crashReason: "",
    placementError: "",
    sinceNs: String(BigInt(api.clock.nowMs() - 90_000) * 1_000_000n),
    routable: true,
    availabilityZone: "z1",
    ...more,
  };
}

test("stats show one element per wanted instance, whatever is reported", async (t) => {
  const api = await startApi(t);
  const { guid, lrp } = await startedApp(api, 5);
  api.bbs.actual = [
    actual(api, lrp, 0, {}),
    actual(api, lrp, 1, { state: "CLAIMED", routable: false }),
    actual(api, lrp, 2, { state: "CRASHED", crashReason: "exit status 1", routable: false }),
    actual(api, lrp, 3, { state: "UNCLAIMED", placementError: "no cell has joined", routable: false }),
  ];
  const resources = await api.list(`/v3/processes/${guid}/stats`);
  assert.deepEqual(
    resources.map((each) => [each.index, each.state, each.details]),
    [
      [0, "RUNNING", null],
      [1, "STARTING", null],
      [2, "CRASHED", "exit status 1"],
      [3, "DOWN", "no cell has joined"],
      [4, "DOWN", null],
    ],
  );
  assert.deepEqual(resources[0], {
    type: "web",
    index: 0,
    instance_guid: "instance-0",
    state: "RUNNING",
    uptime: 90,
    isolation_segment: null,
    details: null,
    routable: true,
    host: "127.0.0.1",
    instance_internal_ip: "127.0.1.1",
    instance_ports: [
      { external: 61_000, internal: 8080, external_tls_proxy_port: null, internal_tls_proxy_port: null },
    ],
    usage: {},
    mem_quota: 1024 * 2 ** 20,
    disk_quota: 1024 * 2 ** 20,
    log_rate_limit: -1,
    fds_quota: 16_384,
  });
  const keys = Object.keys(resources[0] ?? {});
  for (const each of resources.slice(1, 3))
    assert.deepEqual(Object.keys(each), keys, "clients read the same of one that starts or has crashed");
  assert.deepEqual(await api.list(`/v3/apps/${guid}/processes/web/stats`), resources);
});

test("a stopped app's instances are all down, even while their records last", async (t) => {
  const api = await startApi(t);
  const { guid, lrp } = await startedApp(api, 1);
  await api.post(`/v3/apps/${guid}/actions/stop`);
  api.bbs.actual = [actual(api, lrp, 0, {})];
  const [instance] = await api.list(`/v3/processes/${guid}/stats`);
  assert.equal(instance?.state, "DOWN");
});

test("one instance is stopped by its index", async (t) => {
  const api = await startApi(t);
  const { guid, lrp } = await startedApp(api, 2);
  api.bbs.actual = [actual(api, lrp, 1, {})];
  assert.equal((await api.delete(`/v3/apps/${guid}/processes/web/instances/1`)).status, 204);
  assert.equal(api.bbs.calls.at(-1), `retire ${lrp} 1`);
  assert.equal((await api.delete(`/v3/processes/${guid}/instances/7`)).status, 404);
});

test("sizes that cannot be are refused in upstream's words", async (t) => {
  const api = await startApi(t);
  const { guid } = await startedApp(api, 1);
  const cases = [
    { body: { instances: -1 }, details: "Instances must be greater than or equal to 0" },
    { body: { instances: 1.5 }, details: "Instances must be an integer" },
    { body: { instances: "2" }, details: "Instances is not a number" },
    { body: { memory_in_mb: 0 }, details: "Memory in mb must be greater than 0" },
    { body: { disk_in_mb: 2 ** 31 }, details: "Disk in mb must be less than or equal to 2147483647" },
    { body: { memory: 1 }, details: "Unknown field(s): 'memory'" },
    {
      body: { instances: 1001 },
      details:
        "Instances must be less than or equal to 1000; an operator may set cloud-controller.max_instances",
    },
  ];
  for (const { body, details } of cases) {
    const reply = await api.post(`/v3/processes/${guid}/actions/scale`, body);
    assert.equal(reply.status, 422);
    assert.deepEqual(reply.details, [details]);
  }
  assert.equal((await api.get(`/v3/processes/${guid}`)).body.instances, 1);
});

test("more instances than anybody could show are shown as far as the setting goes", async (t) => {
  const api = await startApi(t, { flags: { "cloud-controller.max_instances": "3" } });
  const { guid } = await startedApp(api, 2);
  const instances = 2_147_483_647;
  await api.store.db.updateTable("processes").set({ instances }).where("guid", "=", guid).execute();
  assert.equal((await api.list(`/v3/processes/${guid}/stats`)).length, 3);
  const { body } = await api.get(`/v3/apps/${guid}/processes/web?embed=process_instances`);
  assert.deepEqual([body.instances, (body["process_instances"] as unknown as Json[]).length], [instances, 3]);
});

test("health checks are checked, and of one type keep what is not mentioned", async (t) => {
  const api = await startApi(t);
  const { guid } = await startedApp(api, 1);
  const patch = (health_check: object) => api.patch(`/v3/processes/${guid}`, { health_check });
  const http = await patch({ type: "http", data: { endpoint: "/health", timeout: 30 } });
  assert.deepEqual(http.body.health_check, {
    type: "http",
    data: { timeout: 30, invocation_timeout: null, interval: null, endpoint: "/health" },
  });
  const longer = await patch({ data: { timeout: 60 } });
  assert.equal(longer.body.health_check?.data?.endpoint, "/health");
  const port = await patch({ type: "port" });
  assert.deepEqual(port.body.health_check?.data, { timeout: 60, invocation_timeout: null, interval: null });
  assert.deepEqual((await patch({ type: "ping" })).details, [
    'Health check type must be "port", "process", or "http"',
  ]);
  assert.deepEqual((await patch({ type: "port", data: { endpoint: "/x" } })).details, [
    'Health check type must be "http" to set a health check HTTP endpoint',
  ]);
  for (const endpoint of ["/健康", "/a\u0001b", "/a b", "/a#b", "a"]) {
    assert.deepEqual((await patch({ type: "http", data: { endpoint } })).details, [
      "Health check endpoint must be a valid URI path",
    ]);
  }
  assert.deepEqual((await patch({ data: { timeout: 0 } })).details, [
    "Health check timeout must be a whole number of seconds from 1",
  ]);
});

test("the readiness check is changed beside the health check", async (t) => {
  const api = await startApi(t);
  const { guid } = await startedApp(api, 1);
  const patch = (data: object) =>
    api.patch(`/v3/processes/${guid}`, { readiness_health_check: { type: "http", data } });
  assert.equal((await patch({ endpoint: "/ready" })).body.readiness_health_check?.data?.endpoint, "/ready");
  assert.deepEqual((await patch({ endpoint: "ready" })).details, [
    "Readiness health check endpoint must be a valid URI path",
  ]);
  assert.deepEqual((await patch({ timeout: 60 })).details, [
    "Readiness health check Data Unknown field(s): 'timeout'",
  ]);
});

test("a process is changed under its app's path as under its own", async (t) => {
  const api = await startApi(t);
  const { guid } = await startedApp(api, 1);
  const reply = await api.patch(`/v3/apps/${guid}/processes/web`, { command: "serve" });
  assert.deepEqual([reply.status, reply.body.guid, reply.body.command], [200, guid, "serve"]);
  assert.deepEqual((await api.patch(`/v3/apps/${guid}/processes/cron`, { command: "x" })).details, [
    "Process not found",
  ]);
});

test("lists hide commands, the process itself shows its own", async (t) => {
  const api = await startApi(t);
  const { guid } = await startedApp(api, 1);
  const [listed] = await api.list(`/v3/apps/${guid}/processes`);
  assert.equal(listed?.command, "[PRIVATE DATA HIDDEN IN LISTS]");
  for (const path of [`/v3/processes/${guid}`, `/v3/apps/${guid}/processes/web`]) {
    assert.equal((await api.get(path)).body.command, "run");
  }
  assert.deepEqual((await api.patch(`/v3/processes/${guid}`, { command: "" })).details, [
    "Command must be between 1 and 4096 characters",
  ]);
});

for (const { role, sees } of [
  { role: "space_developer", sees: true },
  { role: "space_supporter", sees: false },
  { role: "space_auditor", sees: false },
  { role: "space_manager", sees: false },
]) {
  test(`a ${role} ${sees ? "sees" : "does not see"} the command of a process`, async (t) => {
    const api = await startApi(t);
    const { guid } = await startedApp(api, 1);
    const { token } = await api.user("organization_user", role);
    const wanted = sees ? "run" : "[PRIVATE DATA HIDDEN]";
    for (const path of [`/v3/processes/${guid}`, `/v3/apps/${guid}/processes/web`]) {
      assert.equal((await api.get(path, token)).body.command, wanted);
    }
    const scaled = await api.post(`/v3/processes/${guid}/actions/scale`, { instances: 2 }, token);
    if (scaled.status === 202) assert.equal(scaled.body.command, wanted);
    else assert.equal(scaled.status, 403);
  });
}

test("an unknown type of process is not found", async (t) => {
  const api = await startApi(t);
  const { guid } = await startedApp(api, 1);
  assert.deepEqual((await api.get(`/v3/apps/${guid}/processes/worker`)).details, ["Process not found"]);
});

test("instances are embedded in processes for who asks, as the cf CLI does for its list of apps", async (t) => {
  const api = await startApi(t);
  const { guid, lrp } = await startedApp(api, 2);
  api.bbs.actual = [actual(api, lrp, 0, {})];
  const since = Math.floor((api.clock.nowMs() - 90_000) / 1000);
  const expected = [
    { index: 0, state: "RUNNING", since },
    { index: 1, state: "DOWN", since: 0 },
  ];
  const [listed] = await api.list(`/v3/processes?app_guids=${guid}&embed=process_instances`);
  assert.deepEqual(listed?.["process_instances"], expected);
  const one = await api.get(`/v3/apps/${guid}/processes/web?embed=process_instances`);
  assert.deepEqual(one.body["process_instances"], expected);
  const [plain] = await api.list(`/v3/processes?app_guids=${guid}`);
  assert.equal(plain?.["process_instances"], undefined);
  assert.deepEqual((await api.get("/v3/processes?embed=sidecars")).details, [
    "The query parameter is invalid: Invalid embedded resource: 'sidecars'. Valid embedded resources are: 'process_instances'",
  ]);
});
