import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "../testing.ts";

test("collections outside routing are empty lists, and nothing is in them", async (t) => {
  const api = await startApi(t);
  const collections = [
    "app_usage_events",
    "buildpacks",
    "route_policies",
    "security_groups",
    "service_brokers",
    "service_credential_bindings",
    "service_offerings",
    "service_plans",
    "service_usage_events",
    "tasks",
  ];
  for (const name of collections) {
    const reply = await api.get(`/v3/${name}?per_page=5000&guids=x`);
    assert.equal(reply.status, 200, name);
    assert.deepEqual(reply.body.resources, []);
    assert.equal(reply.body.pagination?.total_results, 0);
    assert.match(String(reply.body.pagination?.first?.href), new RegExp(`/v3/${name}\\?`));
    const one = await api.get(`/v3/${name}/nothing`);
    assert.equal(one.status, 404);
    assert.match(one.details.join(), /^[A-Z][a-z ]+ not found$/);
  }
  assert.deepEqual((await api.get("/v3/buildpacks?colour=red")).status, 400);
  assert.equal((await api.request({ method: "GET", url: "/v3/buildpacks" })).status, 401);
});

test("what the cf CLI asks for on its way is answered", async (t) => {
  const api = await startApi(t);
  const app = await api.create("/v3/apps", {
    name: "shop",
    relationships: { space: { data: { guid: api.space } } },
  });
  const asked = [
    `/v3/service_credential_bindings?app_guids=${app}&include=service_instance`,
    "/v3/service_plans?fields[service_offering.service_broker]=name,guid&include=service_offering",
    `/v3/security_groups?running_space_guids=${api.space}&order_by=name`,
    `/v3/spaces/${api.space}/running_security_groups?per_page=5000`,
    `/v3/spaces/${api.space}/staging_security_groups`,
    `/v3/apps/${app}/tasks?order_by=-created_at`,
    `/v3/processes/${app}/sidecars`,
    `/v3/apps/${app}/sidecars`,
    `/v3/apps/${app}/revisions?order_by=-created_at`,
    `/v3/apps/${app}/revisions/deployed`,
  ];
  for (const path of asked) assert.deepEqual(await api.list(path), [], path);
  assert.equal((await api.get("/v3/apps/nothing/tasks")).status, 404);
});

test("a task is refused with a sentence, and there is none to cancel", async (t) => {
  const api = await startApi(t);
  const relationships = { space: { data: { guid: api.space } } };
  const app = await api.create("/v3/apps", { name: "shop", relationships });
  const refused = await api.post(`/v3/apps/${app}/tasks`, { command: "date" });
  assert.deepEqual(
    [refused.status, refused.details],
    [422, ["App 'shop' cannot run tasks: this foundation runs the processes of apps only."]],
  );
  const { token } = await api.user("space_auditor");
  assert.equal((await api.post(`/v3/apps/${app}/tasks`, { command: "date" }, token)).status, 403);
  assert.deepEqual((await api.post("/v3/tasks/x/actions/cancel")).details, ["Task not found"]);
  assert.deepEqual((await api.call("PUT", "/v3/tasks/x/cancel")).details, ["Task not found"]);
});

test("what cannot be made is refused with a sentence that says why", async (t) => {
  const api = await startApi(t);
  const refused = [
    ["/v3/buildpacks", /^Buildpacks cannot be added: /],
    ["/v3/droplets", /^Droplets cannot be made by hand: /],
    ["/v3/route_policies", /^Route policies cannot be made: /],
    ["/v3/security_groups", /^Security groups cannot be made: /],
    ["/v3/service_brokers", /^Service brokers cannot be registered: /],
  ] as const;
  for (const [path, sentence] of refused) {
    const reply = await api.post(path, { name: "x" });
    assert.equal(reply.status, 422);
    assert.match(reply.details.join(), sentence);
  }
  const [stack] = await api.list("/v3/stacks");
  assert.equal((await api.patch(`/v3/stacks/${stack?.guid}`, { metadata: { labels: {} } })).status, 422);
  const features = `/v3/spaces/${api.space}/features`;
  assert.match(
    (await api.patch(`${features}/ssh`, { enabled: true })).details.join(),
    /^SSH cannot be allowed: /,
  );
  assert.equal((await api.patch(`${features}/other`, { enabled: true })).status, 404);
});

test("there is one stack", async (t) => {
  const api = await startApi(t);
  const [stack, ...others] = await api.list("/v3/stacks");
  assert.equal(others.length, 0);
  assert.equal(stack?.name, "cflinuxfs4");
  assert.equal(stack?.["default"], true);
  assert.equal((await api.list("/v3/stacks?names=cflinuxfs4")).length, 1);
  assert.equal((await api.list("/v3/stacks?names=windows")).length, 0);
  assert.deepEqual((await api.get(`/v3/stacks/${stack?.guid}`)).body, stack);
  assert.deepEqual((await api.get("/v3/stacks/other")).details, ["Stack not found"]);
});

test("no variables for every app, and no SSH", async (t) => {
  const api = await startApi(t);
  assert.deepEqual((await api.get("/v3/environment_variable_groups/running")).body["var"], {});
  assert.equal((await api.get("/v3/environment_variable_groups/walking")).status, 404);
  const features = `/v3/spaces/${api.space}/features`;
  assert.equal((await api.get(`${features}/ssh`)).body.enabled, false);
  assert.deepEqual((await api.get(features)).body.features?.["0"]?.name, "ssh");
  assert.equal((await api.get(`${features}/other`)).status, 404);
});
