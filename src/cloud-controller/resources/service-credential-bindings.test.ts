import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const inSpace = (guid: string) => ({ relationships: { space: { data: { guid } } } });

async function appAndService(api: TestApi) {
  const app = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv" } },
    ...inSpace(api.space),
  });
  const instance = await api.create("/v3/service_instances", {
    type: "user-provided",
    name: "db",
    credentials: { password: "s3cret" },
    ...inSpace(api.space),
  });
  const binding = (more: object = {}) => ({
    type: "app",
    relationships: { app: { data: { guid: app } }, service_instance: { data: { guid: instance } } },
    ...more,
  });
  return { app, instance, binding };
}

test("a bound app finds the credentials in its environment, and no more once it is unbound", async (t) => {
  const api = await startApi(t);
  const { app, instance, binding } = await appAndService(api);
  const made = await api.post("/v3/service_credential_bindings", binding({ name: "main" }));
  assert.equal(made.status, 201, made.details.join());
  assert.deepEqual(made.body.relationships, binding().relationships);
  await api.patch(`/v3/processes/${app}`, { command: "run" });
  await api.post(`/v3/apps/${app}/actions/start`);
  const servicesNow = () => JSON.parse([...api.bbs.desired.values()][0]?.environment["VCAP_SERVICES"] ?? "");
  const [service] = servicesNow()["user-provided"];
  assert.deepEqual(
    [service.name, service.instance_name, service.binding_guid, service.credentials],
    ["main", "db", made.body.guid, { password: "s3cret" }],
  );
  const path = `/v3/service_credential_bindings/${made.body.guid}`;
  assert.deepEqual((await api.get(`${path}/details`)).body.credentials, { password: "s3cret" });
  for (const query of [
    `app_names=shop`,
    `service_instance_guids=${instance}&include=app,service_instance`,
    "type=app",
  ]) {
    assert.equal((await api.list(`/v3/service_credential_bindings?${query}`)).length, 1, query);
  }
  assert.equal((await api.delete(path)).status, 204);
  await api.post(`/v3/apps/${app}/actions/restart`);
  assert.deepEqual(servicesNow(), {});
});

test("what cannot be bound is refused in upstream's words", async (t) => {
  const api = await startApi(t);
  const { app, instance, binding } = await appAndService(api);
  const far = await api.create("/v3/spaces", {
    name: "far",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const other = await api.create("/v3/apps", { name: "other", ...inSpace(far) });
  const relationships = (appGuid: string, instanceGuid: string) => ({
    relationships: { app: { data: { guid: appGuid } }, service_instance: { data: { guid: instanceGuid } } },
  });
  assert.equal((await api.post("/v3/service_credential_bindings", binding())).status, 201);
  const cases: readonly [body: object, detail: string][] = [
    [binding(), "The app is already bound to the service instance"],
    [
      binding({ type: "key" }),
      "Service credential bindings of type 'key' are not supported for user-provided service instances.",
    ],
    [binding({ parameters: {} }), "Binding parameters are not supported for user-provided service instances"],
    [binding(relationships(other, instance)), "The service instance and the app are in different spaces"],
    [binding(relationships(app, "none")), "The service instance could not be found: none"],
    [binding(relationships("none", instance)), "The app could not be found: none"],
  ];
  for (const [body, detail] of cases) {
    const reply = await api.post("/v3/service_credential_bindings", body);
    assert.deepEqual([reply.status, reply.details], [422, [detail]]);
  }
});

test("credentials are for who may see an app's environment, bindings for who may write it", async (t) => {
  const api = await startApi(t);
  const { binding } = await appAndService(api);
  const { token } = await api.user("space_auditor");
  assert.equal((await api.post("/v3/service_credential_bindings", binding(), token)).status, 403);
  const made = await api.post("/v3/service_credential_bindings", binding());
  const path = `/v3/service_credential_bindings/${made.body.guid}`;
  assert.equal((await api.get(path, token)).status, 200);
  assert.equal((await api.get(`${path}/details`, token)).status, 403);
  assert.equal((await api.delete(path, token)).status, 403);
});
