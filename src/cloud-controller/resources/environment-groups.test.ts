import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const PATH = "/v3/environment_variable_groups/running";

async function runningApp(api: TestApi): Promise<string> {
  const app = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/tmp" } },
    environment_variables: { OWN: "app" },
    relationships: { space: { data: { guid: api.space } } },
  });
  await api.patch(`/v3/processes/${app}`, { command: "run" });
  await api.post(`/v3/apps/${app}/actions/start`);
  return app;
}

const environmentOf = ({ bbs }: TestApi) => [...bbs.desired.values()][0]?.environment ?? {};

test("variables of the running group are in every app's environment from its next start on", async (t) => {
  const api = await startApi(t);
  const app = await runningApp(api);
  const set = await api.patch(PATH, { var: { REGION: "north", OWN: "group", LANG: "de_DE.UTF-8" } });
  assert.equal(set.status, 200);
  assert.deepEqual(set.body["var"], { REGION: "north", OWN: "group", LANG: "de_DE.UTF-8" });
  await api.post(`/v3/processes/${app}/actions/scale`, { instances: 2 });
  assert.equal(environmentOf(api)["REGION"], undefined, "an instance more is like the others");
  await api.post(`/v3/apps/${app}/actions/restart`);
  const { REGION, OWN, LANG } = environmentOf(api);
  assert.deepEqual({ REGION, OWN, LANG }, { REGION: "north", OWN: "app", LANG: "de_DE.UTF-8" });
  const shown = (await api.get(`/v3/apps/${app}/env`)).body;
  assert.equal(shown["running_env_json"]?.["REGION"], "north");
  assert.deepEqual(shown["staging_env_json"], {});
});

test("variables merge, null removes one, and the groups are apart", async (t) => {
  const api = await startApi(t);
  assert.deepEqual((await api.get(PATH)).body["updated_at"], null);
  await api.patch(PATH, { var: { A: "1", B: "2" } });
  await api.patch(PATH, { var: { A: null, C: "3" } });
  const { body } = await api.get(PATH);
  assert.deepEqual(body["var"], { B: "2", C: "3" });
  assert.match(String(body["updated_at"]), /^2026-01-01T/);
  assert.deepEqual((await api.get("/v3/environment_variable_groups/staging")).body["var"], {});
  await api.patch("/v3/environment_variable_groups/staging", { var: { D: "4" } });
  assert.deepEqual((await api.get(PATH)).body["var"], { B: "2", C: "3" });
});

test("only administrators set them, everybody who reads sees them", async (t) => {
  const api = await startApi(t);
  const manager = await api.user("organization_manager");
  assert.equal((await api.patch(PATH, { var: { A: "1" } }, manager.token)).status, 403);
  assert.equal((await api.get(PATH, manager.token)).status, 200);
  assert.equal((await api.patch("/v3/environment_variable_groups/walking", { var: {} })).status, 404);
});

for (const { given, details } of [
  { given: { PORT: "1" }, details: ["Var cannot set PORT"] },
  { given: { VCAP_SERVICES: "{}" }, details: ["Var cannot start with VCAP_"] },
  { given: { A: 1 }, details: ["Non-string value in environment variable for key 'A', value '1'"] },
]) {
  test(`a group is not given ${JSON.stringify(given)}`, async (t) => {
    const api = await startApi(t);
    const refused = await api.patch(PATH, { var: given });
    assert.deepEqual([refused.status, refused.details], [422, details]);
    assert.deepEqual((await api.get(PATH)).body["var"], {});
  });
}
