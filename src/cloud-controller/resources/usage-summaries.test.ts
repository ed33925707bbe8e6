import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "../testing.ts";

const related = (guid: string) => ({ data: { guid } });

test("summaries count what runs, routes, services and private domains, each in its place", async (t) => {
  const api = await startApi(t);
  const second = await api.create("/v3/spaces", {
    name: "second",
    relationships: { organization: related(api.organization) },
  });
  const other = await api.create("/v3/organizations", { name: "other" });
  for (const [name, organization] of [
    ["own.example.com", api.organization],
    ["other.example.com", other],
  ] as const) {
    await api.create("/v3/domains", { name, relationships: { organization: related(organization) } });
  }
  for (const [space, name] of [
    [api.space, "a"],
    [second, "b"],
  ] as const) {
    const relationships = { space: related(space) };
    await api.create("/v3/routes", {
      host: name,
      relationships: { ...relationships, domain: related(api.domain) },
    });
    await api.create("/v3/service_instances", { type: "user-provided", name, relationships });
    const lifecycle = { type: "local", data: { directory: "/tmp" } };
    const app = await api.create("/v3/apps", { name, lifecycle, relationships });
    await api.patch(`/v3/processes/${app}`, { command: "run" });
    await api.post(`/v3/processes/${app}/actions/scale`, { instances: 3, memory_in_mb: 100 });
    await api.post(`/v3/apps/${app}/actions/start`);
    await api.create("/v3/apps", { name: `${name}-stopped`, lifecycle, relationships });
  }
  const ofSpace = {
    started_instances: 3,
    memory_in_mb: 300,
    routes: 1,
    service_instances: 1,
    reserved_ports: 0,
    domains: 1,
    per_app_tasks: 0,
    service_keys: 0,
  };
  const ofBoth = { ...ofSpace, started_instances: 6, memory_in_mb: 600, routes: 2, service_instances: 2 };
  const at = async (path: string) => (await api.get(`${path}/usage_summary`)).body["usage_summary"];
  assert.deepEqual(await at(`/v3/spaces/${api.space}`), ofSpace);
  assert.deepEqual(await at(`/v3/organizations/${api.organization}`), ofBoth);
  assert.deepEqual(await at("/v3/info"), { ...ofBoth, domains: 2 });
  const nothing = Object.fromEntries(Object.keys(ofSpace).map((key) => [key, 0]));
  assert.deepEqual(await at(`/v3/organizations/${other}`), { ...nothing, domains: 1 });
});

test("who does not see a place sees no summary of it, and few see the foundation's", async (t) => {
  const api = await startApi(t);
  const stranger = await api.user();
  assert.equal((await api.get(`/v3/spaces/${api.space}/usage_summary`, stranger.token)).status, 404);
  const manager = await api.user("organization_manager");
  const ofOrganization = `/v3/organizations/${api.organization}/usage_summary`;
  assert.equal((await api.get(ofOrganization, manager.token)).status, 200);
  assert.equal((await api.get("/v3/info/usage_summary", manager.token)).status, 403);
  assert.equal((await api.get("/v3/info/usage_summary", "auditor")).status, 200);
});
