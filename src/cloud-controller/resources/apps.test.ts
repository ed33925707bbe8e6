import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const inSpace = (api: TestApi) => ({ relationships: { space: { data: { guid: api.space } } } });
const local = { lifecycle: { type: "local", data: { directory: "/srv/shop" } } };

async function localApp(api: TestApi, command = "node server.js"): Promise<string> {
  const guid = await api.create("/v3/apps", { name: "shop", ...local, ...inSpace(api) });
  assert.equal((await api.patch(`/v3/processes/${guid}`, { command })).status, 200);
  return guid;
}

const running = (api: TestApi) => [...api.bbs.desired.values()];

test("an app begins stopped, with a web process of the same GUID", async (t) => {
  const api = await startApi(t);
  const reply = await api.post("/v3/apps", {
    name: "shop",
    environment_variables: { COLOUR: "red" },
    metadata: { labels: { tier: "web" }, annotations: { note: "hello" } },
    ...inSpace(api),
  });
  assert.equal(reply.status, 201);
  const { guid, links, ...rest } = reply.body;
  assert.deepEqual(rest, {
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    name: "shop",
    state: "STOPPED",
    lifecycle: { type: "buildpack", data: { buildpacks: [], stack: "cflinuxfs4" } },
    relationships: { space: { data: { guid: api.space } }, current_droplet: { data: null } },
    metadata: { labels: { tier: "web" }, annotations: { note: "hello" } },
  });
  assert.deepEqual(links?.start, {
    href: `http://localhost:8080/v3/apps/${guid}/actions/start`,
    method: "POST",
  });
  const process = await api.get(`/v3/apps/${guid}/processes/web`);
  assert.equal(process.body.guid, guid);
  assert.equal(process.body.memory_in_mb, 1024);
  assert.deepEqual((await api.get(`/v3/apps/${guid}/environment_variables`)).body.var, { COLOUR: "red" });
});

test("what an app cannot be is refused in upstream's words", async (t) => {
  const api = await startApi(t);
  await api.create("/v3/apps", { name: "taken", ...inSpace(api) });
  const cases: readonly { name: string; body: object; details: readonly string[]; code?: number }[] = [
    { name: "no name", body: inSpace(api), details: ["Name can't be blank"] },
    { name: "an empty name", body: { name: "", ...inSpace(api) }, details: ["Name can't be blank"] },
    {
      name: "a name that is no text",
      body: { name: 1, ...inSpace(api) },
      details: ["Name must be a string"],
    },
    {
      name: "a name that exists, in other letters",
      body: { name: "Taken", ...inSpace(api) },
      details: ["App with the name 'Taken' already exists."],
      code: 10016,
    },
    {
      name: "an unknown space",
      body: { name: "x", relationships: { space: { data: { guid: "nowhere" } } } },
      details: ["Invalid space. Ensure that the space exists and you have access to it."],
    },
    {
      name: "an unknown lifecycle",
      body: { name: "x", lifecycle: { type: "magic", data: {} }, ...inSpace(api) },
      details: ["Lifecycle type is not included in the list: buildpack, local"],
    },
    {
      name: "a relative folder",
      body: { name: "x", lifecycle: { type: "local", data: { directory: "srv" } }, ...inSpace(api) },
      details: ['Lifecycle Directory must be an absolute path, and is "srv"'],
    },
    {
      name: "variables that are ours to set",
      body: { name: "x", environment_variables: { VCAP_X: "1", PORT: "1", VMC_A: "1" }, ...inSpace(api) },
      details: [
        "Environment variables cannot start with VCAP_",
        "Environment variables cannot set PORT",
        "Environment variables cannot start with VMC_",
      ],
    },
    {
      name: "variables that are no text",
      body: { name: "x", environment_variables: { A: 1 }, ...inSpace(api) },
      details: ["Non-string value in environment variable for key 'A', value '1'"],
    },
  ];
  for (const { name, body, details, code = 10008 } of cases) {
    await t.test(name, async () => {
      const reply = await api.post("/v3/apps", body);
      assert.deepEqual(reply.details, details);
      assert.equal(reply.status, 422);
      assert.equal(reply.body.errors?.["0"]?.code, code);
    });
  }
});

test("the local lifecycle is there only where the operator allows it", async (t) => {
  const api = await startApi(t, { flags: { "cloud-controller.local_lifecycle": "false" } });
  const reply = await api.post("/v3/apps", { name: "shop", ...local, ...inSpace(api) });
  assert.deepEqual(reply.details, ["Lifecycle type is not included in the list: buildpack"]);
});

test("an app without droplet, or without command, does not start and says why", async (t) => {
  const api = await startApi(t);
  const buildpack = await api.create("/v3/apps", { name: "bp", ...inSpace(api) });
  const reply = await api.post(`/v3/apps/${buildpack}/actions/start`);
  assert.equal(reply.status, 422);
  assert.deepEqual(reply.details, ["Assign a droplet before starting this app."]);
  const silent = await api.create("/v3/apps", { name: "silent", ...local, ...inSpace(api) });
  assert.deepEqual((await api.post(`/v3/apps/${silent}/actions/start`)).details, [
    `Process 'web' has no command; set one with PATCH /v3/processes/${silent}.`,
  ]);
  assert.equal((await api.get(`/v3/apps/${silent}`)).body.state, "STOPPED");
});

test("a start desires one LRP per process with everything the cell needs", async (t) => {
  const api = await startApi(t);
  const guid = await localApp(api);
  await api.patch(`/v3/apps/${guid}/environment_variables`, { var: { COLOUR: "red" } });
  const { body } = await api.post(`/v3/apps/${guid}/actions/start`);
  assert.equal(body.state, "STARTED");
  const [lrp, ...others] = running(api);
  assert.deepEqual(others, []);
  assert.match(lrp?.processGuid ?? "", new RegExp(`^${guid}-[0-9a-f-]{36}$`));
  assert.equal(lrp?.domain, "cf-apps");
  assert.equal(lrp?.command, "node server.js");
  assert.equal(lrp?.directory, "/srv/shop");
  assert.equal(lrp?.instances, 1);
  assert.deepEqual(lrp?.ports, [8080]);
  assert.equal(lrp?.logGuid, guid);
  assert.deepEqual(lrp?.healthCheck, { type: "port", endpoint: "/" });
  assert.deepEqual(lrp?.routes, { "cf-router": [], "tcp-router": [], "internal-router": [] });
  const { COLOUR, MEMORY_LIMIT, VCAP_SERVICES, VCAP_APPLICATION } = lrp?.environment ?? {};
  assert.deepEqual(
    { COLOUR, MEMORY_LIMIT, VCAP_SERVICES },
    { COLOUR: "red", MEMORY_LIMIT: "1024m", VCAP_SERVICES: "{}" },
  );
  const application = JSON.parse(VCAP_APPLICATION ?? "{}");
  assert.equal(application.application_id, guid);
  assert.equal(application.application_name, "shop");
  assert.equal(application.space_name, "dev");
  assert.equal(application.organization_name, "viaduct");
  assert.deepEqual(application.limits, { fds: 16_384, mem: 1024, disk: 1024 });
  assert.equal(lrp?.metricTags["process_id"], guid);
  assert.equal(lrp?.metricTags["organization_id"], api.organization);
  assert.equal(lrp?.metricTags["space_id"], api.space);
});

test("starting what runs changes nothing; a restart is a new version; a stop removes it", async (t) => {
  const api = await startApi(t);
  const guid = await localApp(api);
  await api.post(`/v3/apps/${guid}/actions/start`);
  const [first] = running(api);
  await api.post(`/v3/apps/${guid}/actions/start`);
  assert.deepEqual(running(api), [first]);
  api.bbs.calls.length = 0;
  await api.post(`/v3/apps/${guid}/actions/restart`);
  const [second] = running(api);
  assert.notEqual(second?.processGuid, first?.processGuid);
  assert.deepEqual(api.bbs.calls, [`remove ${first?.processGuid}`, `desire ${second?.processGuid}`]);
  assert.equal((await api.post(`/v3/apps/${guid}/actions/stop`)).body.state, "STOPPED");
  assert.deepEqual(running(api), []);
});

test("a change of command, memory or environment waits for the restart", async (t) => {
  const api = await startApi(t);
  const guid = await localApp(api);
  await api.post(`/v3/apps/${guid}/actions/start`);
  const [before] = running(api);
  await api.patch(`/v3/processes/${guid}`, { command: "node other.js" });
  await api.patch(`/v3/apps/${guid}/environment_variables`, { var: { A: "1" } });
  await api.post(`/v3/processes/${guid}/actions/scale`, { memory_in_mb: 256 });
  assert.deepEqual(running(api), [before]);
  await api.post(`/v3/apps/${guid}/actions/restart`);
  const [after] = running(api);
  assert.equal(after?.command, "node other.js");
  assert.equal(after?.environment["A"], "1");
  assert.equal(after?.environment["MEMORY_LIMIT"], "256m");
  assert.equal(after?.memoryMb, 256);
});

test("the number of instances, routes and the name change what runs, without a restart", async (t) => {
  const api = await startApi(t);
  const guid = await localApp(api);
  await api.post(`/v3/apps/${guid}/actions/start`);
  const [{ processGuid } = { processGuid: "" }] = running(api);
  const lrp = () => api.bbs.desired.get(processGuid);
  const scaled = await api.post(`/v3/processes/${guid}/actions/scale`, { instances: 3 });
  assert.equal(scaled.status, 202);
  assert.equal(scaled.body.instances, 3);
  assert.equal(lrp()?.instances, 3);

  const route = async (host: string, domain: string, more: object = {}) => {
    const made = await api.create("/v3/routes", {
      host,
      ...more,
      relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: domain } } },
    });
    await api.post(`/v3/routes/${made}/destinations`, { destinations: [{ app: { guid } }] });
    return made;
  };
  const shop = await route("shop", api.domain, { options: { loadbalancing: "least-connection" } });
  await route("shop", api.internalDomain);
  assert.deepEqual(lrp()?.routes, {
    "cf-router": [
      {
        hostnames: ["shop.localhost"],
        port: 8080,
        protocol: "http1",
        options: { loadbalancing: "least-connection" },
      },
    ],
    "tcp-router": [],
    "internal-router": [{ hostname: "shop.apps.internal" }],
  });
  const { body } = await api.get(`/v3/apps/${guid}/env`);
  assert.deepEqual(body.application_env_json?.VCAP_APPLICATION?.uris, [
    "shop.localhost",
    "shop.apps.internal",
  ]);

  await api.patch(`/v3/routes/${shop}`, { options: { loadbalancing: null } });
  assert.deepEqual(lrp()?.routes["cf-router"], [
    { hostnames: ["shop.localhost"], port: 8080, protocol: "http1" },
  ]);
  await api.patch(`/v3/apps/${guid}`, { name: "store" });
  assert.equal(lrp()?.metricTags["app_name"], "store");
  await api.delete(`/v3/routes/${shop}`);
  assert.deepEqual(lrp()?.routes["cf-router"], []);
  assert.equal(api.bbs.desired.size, 1);
});

test("a deleted app stops, and its name is free", async (t) => {
  const api = await startApi(t);
  const guid = await localApp(api);
  await api.post(`/v3/apps/${guid}/actions/start`);
  assert.equal((await api.delete(`/v3/apps/${guid}`)).status, 202);
  assert.deepEqual(running(api), []);
  assert.equal((await api.get(`/v3/apps/${guid}`)).status, 404);
  assert.equal((await api.get(`/v3/processes/${guid}`)).status, 404);
  await api.create("/v3/apps", { name: "shop", ...inSpace(api) });
});

test("variables merge, and null removes one", async (t) => {
  const api = await startApi(t);
  const guid = await localApp(api);
  const patch = (variables: object) =>
    api.patch(`/v3/apps/${guid}/environment_variables`, { var: variables });
  await patch({ A: "1", B: "2" });
  assert.deepEqual((await patch({ A: null, C: "3" })).body.var, { B: "2", C: "3" });
  assert.deepEqual((await patch({ D: [1] })).details, [
    "Non-string value in environment variable for key 'D', value '[1]'",
  ]);
  assert.deepEqual((await patch({ "X=Y": "1" })).details, ["Var key 'X=Y' cannot contain '='"]);
  assert.deepEqual((await api.patch(`/v3/apps/${guid}/environment_variables`, {})).details, [
    "Var can't be blank",
  ]);
});

test("an app's lifecycle keeps its type, and its folder may move", async (t) => {
  const api = await startApi(t);
  const guid = await localApp(api);
  const moved = await api.patch(`/v3/apps/${guid}`, { lifecycle: { data: { directory: "/srv/new" } } });
  assert.deepEqual(moved.body.lifecycle, { type: "local", data: { directory: "/srv/new" } });
  const changed = await api.patch(`/v3/apps/${guid}`, { lifecycle: { type: "buildpack", data: {} } });
  assert.deepEqual(changed.details, ["Lifecycle type cannot be changed"]);
});

test("a droplet is assigned only where it belongs", async (t) => {
  const api = await startApi(t);
  const guid = await localApp(api);
  assert.deepEqual((await api.get(`/v3/apps/${guid}/relationships/current_droplet`)).details, [
    "Droplet not found",
  ]);
  const reply = await api.patch(`/v3/apps/${guid}/relationships/current_droplet`, {
    data: { guid: "nothing" },
  });
  assert.deepEqual(reply.details, [
    "Unable to assign current droplet. Ensure the droplet exists and belongs to this app.",
  ]);
});

test("who sees an app's environment is told so, and a flag hides it from users or from everybody", async (t) => {
  const api = await startApi(t);
  const app = await api.create("/v3/apps", { name: "shop", ...inSpace(api) });
  const developer = await api.user("organization_user", "space_developer");
  const auditor = await api.user("organization_user", "space_auditor");
  const permissions = async (token?: string) => (await api.get(`/v3/apps/${app}/permissions`, token)).body;
  assert.deepEqual(await permissions(developer.token), { read_basic_data: true, read_sensitive_data: true });
  assert.deepEqual(await permissions(auditor.token), { read_basic_data: true, read_sensitive_data: false });
  const flag = (name: string, enabled: boolean) => api.patch(`/v3/feature_flags/${name}`, { enabled });
  for (const path of ["env", "environment_variables"]) {
    const ask = async (token?: string) => (await api.get(`/v3/apps/${app}/${path}`, token)).details.join();
    assert.equal(await ask(developer.token), "");
    await flag("space_developer_env_var_visibility", false);
    assert.equal(await ask(developer.token), "Feature Disabled: space_developer_env_var_visibility");
    assert.equal(await ask("reader:r"), "");
    assert.equal(await ask(), "");
    await flag("space_developer_env_var_visibility", true);
    await flag("env_var_visibility", false);
    assert.equal(await ask(), "Feature Disabled: env_var_visibility");
    await flag("env_var_visibility", true);
  }
});

test("apps, spaces, organizations and services have names that stand on one line and can be seen", async (t) => {
  const api = await startApi(t);
  const space = { space: { data: { guid: api.space } } };
  const organization = { organization: { data: { guid: api.organization } } };
  const bodies: readonly [path: string, body: object][] = [
    ["/v3/apps", { relationships: space }],
    ["/v3/spaces", { relationships: organization }],
    ["/v3/organizations", {}],
    ["/v3/service_instances", { type: "user-provided", relationships: space }],
  ];
  for (const [path, body] of bodies) {
    for (const name of ["  ", "a\nb", "a\tb", "\u001b[2J"]) {
      assert.deepEqual(
        (await api.post(path, { ...body, name })).details,
        ["Name must have a character that is no space, and no control characters"],
        path,
      );
    }
    assert.equal((await api.post(path, { ...body, name: "Größe 👩‍🚀, 100 %" })).status, 201);
  }
});
