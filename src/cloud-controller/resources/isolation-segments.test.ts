import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startApi } from "../testing.ts";

const to = (...guids: readonly string[]) => ({ data: guids.map((guid) => ({ guid })) });

async function foundation(t: TestContext) {
  const api = await startApi(t);
  const route = await api.create("/v3/routes", {
    host: "shop",
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  });
  const app = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv" } },
    relationships: { space: { data: { guid: api.space } } },
  });
  await api.patch(`/v3/processes/${app}`, { command: "run" });
  await api.post(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app } }] });
  await api.post(`/v3/apps/${app}/actions/start`);
  const segment = await api.create("/v3/isolation_segments", { name: "apart" });
  const entitled = `/v3/isolation_segments/${segment}/relationships/organizations`;
  return {
    api,
    segment,
    entitled,
    ofSpace: `/v3/spaces/${api.space}/relationships/isolation_segment`,
    ofOrganization: `/v3/organizations/${api.organization}/relationships/default_isolation_segment`,
    /** As the route table and the emitters hear it; they have to agree, or a router has a route without endpoints. */
    servedBy() {
      const [lrp] = api.bbs.desired.values();
      const [entry] = (lrp?.routes["cf-router"] ?? []) as readonly { isolation_segment?: string }[];
      const ofRoute = api.routeTable.find("shop.localhost")?.isolationSegment;
      assert.equal(entry?.isolation_segment ?? "", ofRoute);
      return ofRoute;
    },
  };
}

test("a space's segment goes along with its routes, or else its organization's", async (t) => {
  const { api, segment, entitled, ofSpace, ofOrganization, servedBy } = await foundation(t);
  assert.equal(servedBy(), "");
  await api.post(entitled, to(api.organization));
  const other = await api.create("/v3/isolation_segments", { name: "other" });
  await api.post(`/v3/isolation_segments/${other}/relationships/organizations`, to(api.organization));
  assert.equal((await api.patch(ofOrganization, { data: { guid: other } })).status, 200);
  assert.equal(servedBy(), "other");
  const assigned = await api.patch(ofSpace, { data: { guid: segment } });
  assert.deepEqual(assigned.body, {
    data: { guid: segment },
    links: {
      self: { href: `http://localhost:8080${ofSpace}` },
      related: { href: `http://localhost:8080/v3/isolation_segments/${segment}` },
    },
  });
  assert.equal(servedBy(), "apart");
  const [app] = await api.list("/v3/apps");
  const { resources } = (await api.get(`/v3/processes/${app?.guid}/stats`)).body;
  assert.equal(resources?.["0"]?.["isolation_segment"], "apart");
  assert.deepEqual((await api.get(ofSpace)).body.data, { guid: segment });
  await api.patch(`/v3/isolation_segments/${segment}`, { name: "far" });
  assert.equal(servedBy(), "far");
  await api.patch(ofSpace, { data: null });
  assert.equal(servedBy(), "other");
  await api.patch(ofOrganization, { data: null });
  assert.deepEqual((await api.get(ofOrganization)).body.data, null);
  assert.equal(servedBy(), "");
});

test("the shared segment is there from the start, runs everything, and stays", async (t) => {
  const { api, ofSpace, servedBy } = await foundation(t);
  const [shared] = await api.list("/v3/isolation_segments?names=shared");
  const path = `/v3/isolation_segments/${shared?.guid}`;
  assert.deepEqual((await api.delete(path)).details, ["Cannot delete the shared Isolation Segment"]);
  assert.deepEqual((await api.patch(path, { name: "x" })).details, [
    "Cannot update the shared Isolation Segment",
  ]);
  await api.post(`${path}/relationships/organizations`, to(api.organization));
  await api.patch(ofSpace, { data: { guid: shared?.guid } });
  assert.equal(servedBy(), "");
});

test("only who is entitled uses a segment, and nobody loses what they use", async (t) => {
  const { api, segment, entitled, ofSpace, ofOrganization } = await foundation(t);
  assert.deepEqual((await api.patch(ofSpace, { data: { guid: segment } })).details, [
    `Unable to assign isolation segment with guid '${segment}'. Ensure it has been entitled to the organization that this space belongs to.`,
  ]);
  assert.deepEqual((await api.patch(ofOrganization, { data: { guid: segment } })).details, [
    `Unable to assign isolation segment with guid '${segment}'. Ensure it has been entitled to the organization.`,
  ]);
  assert.deepEqual((await api.post(entitled, to("nowhere"))).details, [
    "Unable to entitle organizations [nowhere] for isolation segment 'apart'. Ensure the organizations exist",
  ]);
  assert.deepEqual((await api.post(entitled, to(api.organization))).body.data, [{ guid: api.organization }]);
  assert.equal((await api.list(`/v3/isolation_segments/${segment}/organizations`)).length, 1);
  await api.patch(ofSpace, { data: { guid: segment } });
  await api.patch(ofOrganization, { data: { guid: segment } });
  assert.deepEqual((await api.get(`/v3/isolation_segments/${segment}/relationships/spaces`)).body.data, [
    { guid: api.space },
  ]);
  const revoke = () => api.delete(`${entitled}/${api.organization}`);
  const failed = "Failed to unassign the Isolation Segment from an Organization with name 'viaduct'.";
  assert.deepEqual((await revoke()).details, [
    `${failed} Please change the Default Isolation Segment for your Organization before attempting to unassign.`,
  ]);
  await api.patch(ofOrganization, { data: null });
  assert.deepEqual((await revoke()).details, [
    `${failed} Please change the Isolation Segment for the following Space(s): 'dev'.`,
  ]);
  assert.deepEqual((await api.delete(`/v3/isolation_segments/${segment}`)).details, [
    "Revoke the Organization entitlements for your Isolation Segment.",
  ]);
  await api.patch(ofSpace, { data: null });
  assert.equal((await revoke()).status, 204);
  assert.equal((await api.delete(`/v3/isolation_segments/${segment}`)).status, 204);
});

test("administrators make segments, members of entitled organizations see them, managers assign them", async (t) => {
  const { api, segment, entitled, ofSpace } = await foundation(t);
  const manager = await api.user("organization_manager");
  const path = `/v3/isolation_segments/${segment}`;
  assert.equal((await api.post("/v3/isolation_segments", { name: "mine" }, manager.token)).status, 403);
  assert.equal((await api.get(path, manager.token)).status, 404);
  await api.post(entitled, to(api.organization));
  assert.equal((await api.get(path, manager.token)).status, 200);
  assert.equal((await api.delete(path, manager.token)).status, 403);
  const developer = await api.user("organization_user", "space_developer");
  assert.equal((await api.patch(ofSpace, { data: { guid: segment } }, developer.token)).status, 403);
  assert.equal((await api.patch(ofSpace, { data: { guid: segment } }, manager.token)).status, 200);
});

test("names are printable and unique whatever their case", async (t) => {
  const { api } = await foundation(t);
  assert.deepEqual((await api.post("/v3/isolation_segments", { name: "Apart" })).details, [
    "Isolation Segment names are case insensitive and must be unique",
  ]);
  assert.deepEqual((await api.post("/v3/isolation_segments", { name: "a\nb" })).details, [
    "Name can only contain printable characters",
  ]);
});
