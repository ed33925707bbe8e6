import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const newApp = (api: TestApi) =>
  api.create("/v3/apps", { name: "shop", relationships: { space: { data: { guid: api.space } } } });

test("an app's features are upstream's, each with whether it is on", async (t) => {
  const api = await startApi(t);
  const app = await newApp(api);
  const features = await api.list(`/v3/apps/${app}/features`);
  assert.deepEqual(
    features.map((feature) => [feature.name, feature.enabled]),
    [
      ["ssh", true],
      ["revisions", false],
      ["service-binding-k8s", false],
      ["file-based-vcap-services", false],
    ],
  );
  const one = await api.get(`/v3/apps/${app}/features/ssh`);
  assert.deepEqual(one.body, { name: "ssh", description: "Enable SSHing into the app.", enabled: true });
  assert.deepEqual((await api.get(`/v3/apps/${app}/features/flight`)).details, ["Feature not found"]);
  assert.deepEqual((await api.get("/v3/apps/nothing/features")).details, ["App not found"]);
});

test("a feature is switched for one app by who may write it, and stays so", async (t) => {
  const api = await startApi(t);
  const app = await newApp(api);
  const path = `/v3/apps/${app}/features/ssh`;
  const auditor = await api.user("organization_user", "space_auditor");
  assert.equal((await api.patch(path, { enabled: false }, auditor.token)).status, 403);
  const developer = await api.user("organization_user", "space_developer");
  for (const enabled of [false, true, false]) {
    const reply = await api.patch(path, { enabled }, developer.token);
    assert.deepEqual([reply.status, reply.body.enabled], [200, enabled]);
    assert.equal((await api.get(path, auditor.token)).body.enabled, enabled);
  }
  assert.deepEqual((await api.patch(path, { enabled: "no" })).status, 422);
});

test("what the foundation has none of cannot be switched on, and may be switched off", async (t) => {
  const api = await startApi(t);
  const app = await newApp(api);
  for (const name of ["revisions", "service-binding-k8s", "file-based-vcap-services"]) {
    const path = `/v3/apps/${app}/features/${name}`;
    const refused = await api.patch(path, { enabled: true });
    assert.deepEqual(
      [refused.status, refused.details],
      [422, [`Feature '${name}' cannot be enabled for app 'shop': this foundation has none of it.`]],
    );
    assert.equal((await api.patch(path, { enabled: false })).status, 200);
    assert.equal((await api.get(path)).body.enabled, false);
  }
});
