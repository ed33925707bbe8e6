import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "../testing.ts";

test("a flag has upstream's default until somebody switches it", async (t) => {
  const api = await startApi(t);
  const at = "/v3/feature_flags/route_sharing";
  const links = { self: { href: `http://localhost:8080${at}` } };
  assert.deepEqual((await api.get(at)).body, {
    name: "route_sharing",
    enabled: false,
    updated_at: null,
    custom_error_message: null,
    links,
  });
  const switched = await api.patch(at, { enabled: true, custom_error_message: "soon" });
  assert.deepEqual(switched.body, {
    name: "route_sharing",
    enabled: true,
    updated_at: "2026-01-01T00:00:00Z",
    custom_error_message: "soon",
    links,
  });
  const cleared = await api.patch(at, { custom_error_message: null });
  assert.equal(cleared.body.custom_error_message, null);
  assert.equal(cleared.body.enabled, true);
});

test("the list has every flag, and an unknown one is not found", async (t) => {
  const api = await startApi(t);
  const flags = await api.list("/v3/feature_flags?per_page=5000");
  const names = flags.map((flag) => String(flag.name));
  assert(
    ["route_creation", "private_domain_creation", "user_org_creation"].every((name) => names.includes(name)),
  );
  assert.deepEqual((await api.get("/v3/feature_flags/constructor")).details, ["Feature flag not found"]);
  assert.deepEqual((await api.patch("/v3/feature_flags/route_sharing", { enabled: "on" })).details, [
    "Enabled must be a boolean",
  ]);
});
