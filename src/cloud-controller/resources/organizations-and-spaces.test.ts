import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "../testing.ts";

const inOrganization = (guid: string) => ({ relationships: { organization: { data: { guid } } } });

test("an organization and a space are created, renamed and shown in full", async (t) => {
  const api = await startApi(t);
  const made = (await api.post("/v3/organizations", { name: "acme" })).body;
  const [quota] = await api.list("/v3/organization_quotas?names=default");
  const at = (path: string) => ({ href: `http://localhost:8080/v3/${path}` });
  assert.deepEqual(made, {
    guid: made.guid,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    name: "acme",
    suspended: false,
    relationships: { quota: { data: { guid: quota?.guid } } },
    metadata: { labels: {}, annotations: {} },
    links: {
      self: at(`organizations/${made.guid}`),
      domains: at(`organizations/${made.guid}/domains`),
      quota: at(`organization_quotas/${quota?.guid}`),
      default_domain: at(`organizations/${made.guid}/domains/default`),
    },
  });
  const space = (await api.post("/v3/spaces", { name: "prod", ...inOrganization(String(made.guid)) })).body;
  assert.deepEqual(space.relationships, {
    organization: { data: { guid: made.guid } },
    quota: { data: null },
  });
  api.clock.advance(5_000);
  const renamed = (await api.patch(`/v3/spaces/${space.guid}`, { name: "production" })).body;
  assert.equal(renamed.name, "production");
  assert.equal(renamed.updated_at, "2026-01-01T00:00:05Z");
  assert.equal((await api.patch(`/v3/organizations/${made.guid}`, { name: "ACME" })).body.name, "ACME");
});

test("names are unique, whatever their case", async (t) => {
  const api = await startApi(t);
  const acme = await api.create("/v3/organizations", { name: "acme" });
  assert.deepEqual((await api.post("/v3/organizations", { name: "Acme" })).details, [
    "Organization 'Acme' already exists.",
  ]);
  assert.deepEqual((await api.patch(`/v3/organizations/${api.organization}`, { name: "acme" })).details, [
    "Organization 'acme' already exists.",
  ]);
  assert.deepEqual(
    (await api.post("/v3/spaces", { name: "DEV", ...inOrganization(api.organization) })).details,
    ["Name must be unique per organization"],
  );
  await api.create("/v3/spaces", { name: "dev", ...inOrganization(acme) });
});

test("what they cannot be is refused", async (t) => {
  const api = await startApi(t);
  assert.deepEqual((await api.post("/v3/organizations", { name: "a".repeat(256) })).details, [
    "Name is too long (maximum is 255 characters)",
  ]);
  assert.deepEqual((await api.post("/v3/organizations", {})).details, ["Name can't be blank"]);
  assert.deepEqual((await api.post("/v3/spaces", { name: "x", ...inOrganization("nowhere") })).details, [
    "Invalid organization. Ensure the organization exists and you have access to it.",
  ]);
  assert.deepEqual((await api.post("/v3/spaces", { name: "x" })).details, ["Relationships can't be blank"]);
});

test("a deleted organization takes spaces, apps, routes and private domains along", async (t) => {
  const api = await startApi(t);
  const organization = await api.create("/v3/organizations", { name: "acme" });
  const space = await api.create("/v3/spaces", { name: "prod", ...inOrganization(organization) });
  const domain = await api.create("/v3/domains", {
    name: "acme.example.com",
    ...inOrganization(organization),
  });
  const app = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv" } },
    relationships: { space: { data: { guid: space } } },
  });
  await api.patch(`/v3/processes/${app}`, { command: "run" });
  const route = await api.create("/v3/routes", {
    host: "shop",
    relationships: { space: { data: { guid: space } }, domain: { data: { guid: domain } } },
  });
  await api.post(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app } }] });
  await api.post(`/v3/apps/${app}/actions/start`);
  assert.equal(api.bbs.desired.size, 1);

  assert.equal((await api.delete(`/v3/organizations/${organization}`)).status, 202);
  assert.equal(api.bbs.desired.size, 0);
  assert.equal(api.routeTable.reservations.size, 0);
  for (const path of [`spaces/${space}`, `domains/${domain}`, `apps/${app}`, `routes/${route}`]) {
    assert.equal((await api.get(`/v3/${path}`)).status, 404, path);
  }
  assert.equal((await api.get(`/v3/spaces/${api.space}`)).status, 200);
});

test("a deleted space is a job that is complete", async (t) => {
  const api = await startApi(t);
  const reply = await api.delete(`/v3/spaces/${api.space}`);
  const job = await api.get(String(reply.headers["location"]).replace("http://localhost:8080", ""));
  assert.equal(job.body.operation, "space.delete");
  assert.equal(job.body.state, "COMPLETE");
  assert.deepEqual((await api.get(`/v3/spaces/${api.space}`)).details, ["Space not found"]);
});

test("a user who may create an organization becomes its manager", async (t) => {
  const api = await startApi(t);
  const { guid, token } = await api.user();
  assert.equal((await api.post("/v3/organizations", { name: "mine" }, token)).status, 403);
  await api.patch("/v3/feature_flags/user_org_creation", { enabled: true });
  const organization = await api.create("/v3/organizations", { name: "mine" }, token);
  const roles = await api.list(`/v3/roles?user_guids=${guid}&organization_guids=${organization}`, token);
  assert.deepEqual(roles.map((role) => String(role.type)).toSorted(), [
    "organization_manager",
    "organization_user",
  ]);
  assert.equal(
    (await api.post("/v3/spaces", { name: "s", ...inOrganization(organization) }, token)).status,
    201,
  );
});

test("spaces bring their organizations", async (t) => {
  const api = await startApi(t);
  const { body } = await api.get("/v3/spaces?include=organization");
  assert.equal(body.included?.organizations?.["0"]?.guid, api.organization);
});
