import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const newInstance = (api: TestApi, name: string, more: object = {}) =>
  api.create("/v3/service_instances", {
    type: "user-provided",
    name,
    relationships: { space: { data: { guid: api.space } } },
    ...more,
  });
const shares = (guid: string) => `/v3/service_instances/${guid}/relationships/shared_spaces`;

test("nothing is shared, and counting what uses it finds nothing", async (t) => {
  const api = await startApi(t);
  const path = shares(await newInstance(api, "store"));
  assert.deepEqual((await api.get(path)).body["data"], []);
  assert.deepEqual((await api.get(`${path}/usage_summary`)).body["usage_summary"], []);
  assert.equal((await api.get(shares("nothing"))).status, 404);
});

test("sharing is refused in upstream's words: for its flag, for who asks, for what it is", async (t) => {
  const api = await startApi(t);
  const path = shares(await newInstance(api, "store"));
  const body = { data: [{ guid: api.space }] };
  const disabled = await api.post(path, body);
  assert.deepEqual(
    [disabled.status, disabled.details],
    [403, ["Feature Disabled: service_instance_sharing"]],
  );
  await api.patch("/v3/feature_flags/service_instance_sharing", { enabled: true });
  const auditor = await api.user("organization_user", "space_auditor");
  assert.equal((await api.post(path, body, auditor.token)).status, 403);
  const refused = await api.post(path, body);
  assert.deepEqual([refused.status, refused.details], [422, ["User-provided services cannot be shared."]]);
  const guard = await newInstance(api, "guard", { route_service_url: "https://guard.example.com" });
  assert.deepEqual((await api.post(shares(guard), body)).details, ["Route services cannot be shared."]);
  assert.match(String((await api.post(path, { data: 1 })).details), /must be structured like this/);
});

test("what is not shared cannot be unshared", async (t) => {
  const api = await startApi(t);
  const path = shares(await newInstance(api, "store"));
  const refused = await api.delete(`${path}/${api.space}`);
  assert.deepEqual(
    [refused.status, refused.details],
    [
      422,
      [
        `Unable to unshare service instance from space ${api.space}. Ensure the space exists and the service instance has been shared to this space.`,
      ],
    ],
  );
});
