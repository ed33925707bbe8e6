import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

async function shareable(t: TestContext) {
  const api = await startApi(t);
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const route = await api.create("/v3/routes", {
    host: "shop",
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  });
  const shares = `/v3/routes/${route}/relationships/shared_spaces`;
  const owner = `/v3/routes/${route}/relationships/space`;
  return { api, route, shares, owner, other: await newSpace(api, "other") };
}

const newSpace = (api: TestApi, name: string, organization = api.organization) =>
  api.create("/v3/spaces", { name, relationships: { organization: { data: { guid: organization } } } });
const to = (...guids: readonly string[]) => ({ data: guids.map((guid) => ({ guid })) });

async function newApp(api: TestApi, space: string): Promise<string> {
  return api.create("/v3/apps", { name: "shop", relationships: { space: { data: { guid: space } } } });
}

test("a shared route is used by the apps of the other space, and unsharing ends new mappings", async (t) => {
  const { api, route, shares, other } = await shareable(t);
  const app = await newApp(api, other);
  const map = () => api.post(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app } }] });
  assert.deepEqual((await map()).details, [
    "Routes destinations must be in either the route's space or the route's shared spaces",
  ]);
  const shared = await api.post(shares, to(other));
  assert.deepEqual(shared.body, {
    ...to(other),
    links: { self: { href: `http://localhost:8080${shares}` } },
  });
  assert.deepEqual((await api.post(shares, to(other))).body.data, [{ guid: other }], "twice is once");
  assert.equal((await map()).status, 200);
  assert.equal((await api.list(`/v3/routes?space_guids=${other}`)).length, 1);
  assert.deepEqual(
    api.routeTable.find("shop.localhost")?.destinations.map(({ processGuid }) => processGuid),
    [app],
  );
  assert.equal((await api.delete(`/v3/spaces/${api.space}/routes?unmapped=true`)).status, 202);
  assert.equal((await api.delete(`${shares}/${other}`)).status, 204);
  assert.deepEqual((await api.get(shares)).body.data, []);
  const mapped = await api.get(`/v3/routes/${route}/destinations`);
  assert.equal((mapped.body.destinations as unknown as unknown[]).length, 1);
});

test("a route moves to another space, which shares it with the one it had", async (t) => {
  const { api, route, shares, owner, other } = await shareable(t);
  await api.post(shares, to(other));
  const moved = await api.patch(owner, { data: { guid: other } });
  assert.deepEqual([moved.status, moved.body], [200, { status: "ok" }]);
  const { relationships } = (await api.get(`/v3/routes/${route}`)).body;
  assert.deepEqual(relationships?.space, { data: { guid: other } });
  assert.deepEqual((await api.get(shares)).body.data, [{ guid: api.space }]);
  assert.equal(api.routeTable.find("shop.localhost")?.tags["space_name"], "other");
  assert.equal((await api.patch(owner, { data: { guid: other } })).status, 200, "where it is already");
  assert.deepEqual((await api.get(shares)).body.data, [{ guid: api.space }]);
});

test("without the flag nobody shares, not even an administrator", async (t) => {
  const { api, shares, owner, other } = await shareable(t);
  await api.patch("/v3/feature_flags/route_sharing", { enabled: false });
  const replies = [
    await api.get(shares),
    await api.post(shares, to(other)),
    await api.delete(`${shares}/${other}`),
    await api.patch(owner, { data: { guid: other } }),
  ];
  for (const reply of replies) {
    assert.deepEqual([reply.status, reply.details], [403, ["Feature Disabled: route_sharing"]]);
  }
});

test("what cannot be shared or moved is refused in upstream's words", async (t) => {
  const { api, shares, owner, other } = await shareable(t);
  const foreign = await api.create("/v3/organizations", { name: "foreign" });
  const hidden = await newSpace(api, "hidden", foreign);
  const auditor = await api.user("organization_user", "space_developer");
  await api.create("/v3/roles", {
    type: "space_auditor",
    relationships: { user: { data: { guid: auditor.guid } }, space: { data: { guid: other } } },
  });
  const cases = [
    {
      name: "sharing with spaces one cannot see",
      ask: () => api.post(shares, to(hidden, "nowhere"), auditor.token),
      detail: `Unable to share route shop.localhost with spaces ['${hidden}', 'nowhere']. Ensure the spaces exist and that you have access to them.`,
    },
    {
      name: "sharing with spaces one may not write to",
      ask: () => api.post(shares, to(other), auditor.token),
      detail: `Unable to share route shop.localhost with spaces ['${other}']. Write permission is required in order to share a route with a space and the containing organization must not be suspended.`,
    },
    {
      name: "sharing with the space that has it",
      ask: () => api.post(shares, to(api.space)),
      detail: `Unable to share route 'shop.localhost' with space '${api.space}'. Routes cannot be shared into the space where they were created.`,
    },
    {
      name: "unsharing from the space that has it",
      ask: () => api.delete(`${shares}/${api.space}`),
      detail: `Unable to unshare route 'shop.localhost' from space '${api.space}'. Routes cannot be removed from the space that owns them.`,
    },
    {
      name: "unsharing from a space there is not",
      ask: () => api.delete(`${shares}/nowhere`),
      detail:
        "Unable to unshare route 'shop.localhost' from space 'nowhere'. Ensure the space exists and that you have access to it.",
    },
    {
      name: "moving to a space one may not write to",
      ask: () => api.patch(owner, { data: { guid: other } }, auditor.token),
      detail: `Unable to transfer owner of route 'shop.localhost' to space '${other}'. You don't have write permission for the target space.`,
    },
    {
      name: "moving to no space",
      ask: () => api.patch(owner, { data: { name: "other" } }),
      detail: "Data can only accept key 'guid'",
    },
    {
      name: "sharing with a list of names",
      ask: () => api.post(shares, { data: ["other"] }),
      detail:
        'must be structured like this: "shared_spaces: {"data": [{"guid": "valid-guid"},{"guid": "valid-guid"}]}"',
    },
  ];
  for (const { name, ask, detail } of cases) {
    await t.test(name, async () => {
      const reply = await ask();
      assert.deepEqual([reply.status, reply.details], [422, [detail]]);
    });
  }
});

test("a route of a private domain stays where the domain may be used", async (t) => {
  const { api, other } = await shareable(t);
  const foreign = await api.create("/v3/organizations", { name: "foreign" });
  const far = await newSpace(api, "far", foreign);
  const domain = await api.create("/v3/domains", {
    name: "own.example.com",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const route = await api.create("/v3/routes", {
    host: "a",
    relationships: { space: { data: { guid: other } }, domain: { data: { guid: domain } } },
  });
  const reply = await api.patch(`/v3/routes/${route}/relationships/space`, { data: { guid: far } });
  assert.deepEqual(reply.details, [
    `Unable to transfer owner of route 'a.own.example.com' to space '${far}'. Target space does not have access to route's domain`,
  ]);
});

test("a space of a suspended organization gets no routes from others", async (t) => {
  const { api, owner } = await shareable(t);
  const asleep = await api.create("/v3/organizations", { name: "asleep" });
  const target = await newSpace(api, "target", asleep);
  const developer = await api.user("organization_user", "space_developer");
  for (const [type, place] of [
    ["organization_user", { organization: { data: { guid: asleep } } }],
    ["space_developer", { space: { data: { guid: target } } }],
  ] as const) {
    await api.create("/v3/roles", {
      type,
      relationships: { user: { data: { guid: developer.guid } }, ...place },
    });
  }
  await api.patch(`/v3/organizations/${asleep}`, { suspended: true });
  assert.deepEqual((await api.patch(owner, { data: { guid: target } }, developer.token)).details, [
    `Unable to transfer owner of route 'shop.localhost' to space '${target}'. The target organization is suspended.`,
  ]);
});
