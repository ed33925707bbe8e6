import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const inSpace = (guid: string) => ({ relationships: { space: { data: { guid } } } });

async function routeAndApps(api: TestApi, host = "shop") {
  const route = await api.create("/v3/routes", {
    host,
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  });
  const app = await api.create("/v3/apps", { name: `${host}-1`, ...inSpace(api.space) });
  const other = await api.create("/v3/apps", { name: `${host}-2`, ...inSpace(api.space) });
  return { path: `/v3/routes/${route}/destinations`, route, app, other };
}

test("a destination gets upstream's defaults, and the route table its process", async (t) => {
  const api = await startApi(t);
  const { path, route, app } = await routeAndApps(api);
  const reply = await api.post(path, { destinations: [{ app: { guid: app } }] });
  assert.equal(reply.status, 200);
  const destination = reply.body.destinations?.["0"];
  assert.deepEqual(reply.body, {
    destinations: [
      {
        guid: destination?.guid,
        created_at: "2026-01-01T00:00:00Z",
        updated_at: "2026-01-01T00:00:00Z",
        app: { guid: app, process: { type: "web" } },
        weight: null,
        port: 8080,
        protocol: "http1",
      },
    ],
    links: {
      self: { href: `http://localhost:8080${path}` },
      route: { href: `http://localhost:8080/v3/routes/${route}` },
    },
  });
  assert.deepEqual(api.routeTable.find("shop.localhost")?.destinations, [
    { processGuid: app, appPort: 8080, weight: null, protocol: "http1" },
  ]);
  assert.deepEqual((await api.get(`/v3/routes/${route}`)).body.destinations, reply.body.destinations);
});

test("adding what is there changes nothing; another protocol replaces the old one", async (t) => {
  const api = await startApi(t);
  const { path, app } = await routeAndApps(api);
  const first = await api.post(path, { destinations: [{ app: { guid: app } }] });
  const calls = api.routeTable.calls.length;
  const same = await api.post(path, {
    destinations: [{ app: { guid: app }, port: 8080, protocol: "http1" }],
  });
  assert.deepEqual(same.body, first.body);
  assert.equal(api.routeTable.calls.length, calls);
  const changed = await api.post(path, { destinations: [{ app: { guid: app }, protocol: "http2" }] });
  assert.equal(changed.body.destinations?.["0"]?.protocol, "http2");
  assert.equal(changed.body.destinations?.["0"]?.guid, first.body.destinations?.["0"]?.guid);
  assert.equal(api.routeTable.find("shop.localhost")?.destinations[0]?.protocol, "http2");
});

test("replacing keeps what stays, with its GUID, and takes the rest away", async (t) => {
  const api = await startApi(t);
  const { path, app, other } = await routeAndApps(api);
  const first = await api.post(path, { destinations: [{ app: { guid: app } }] });
  const kept = first.body.destinations?.["0"]?.guid;
  const weighted = await api.patch(path, {
    destinations: [
      { app: { guid: app }, weight: 80 },
      { app: { guid: other, process: { type: "worker" } }, port: 9000, weight: 20 },
    ],
  });
  assert.equal(weighted.body.destinations?.["0"]?.guid, kept);
  assert.equal(weighted.body.destinations?.["0"]?.weight, 80);
  assert.deepEqual(
    api.routeTable.find("shop.localhost")?.destinations,
    [{ processGuid: app, appPort: 8080, weight: 80, protocol: "http1" }],
    "an app without such a process is pointed to by nothing",
  );
  const emptied = await api.patch(path, { destinations: [] });
  assert.deepEqual(emptied.body.destinations, []);
  assert.deepEqual(api.routeTable.find("shop.localhost")?.destinations, []);
});

test("one destination is shown, changed and removed by its GUID", async (t) => {
  const api = await startApi(t);
  const { path, app, other } = await routeAndApps(api);
  const { body } = await api.post(path, { destinations: [{ app: { guid: app } }, { app: { guid: other } }] });
  const guid = body.destinations?.["0"]?.guid;
  const changed = await api.patch(`${path}/${guid}`, { protocol: "http2" });
  assert.equal(changed.status, 200);
  assert.equal(changed.body.protocol, "http2");
  assert.deepEqual((await api.patch(`${path}/${guid}`, { protocol: "spdy" })).details, [
    "Destination protocol must be 'http1', 'http2' or 'tcp'.",
  ]);
  const filtered = await api.get(`${path}?app_guids=${other}`);
  assert.equal(filtered.body.destinations?.["0"]?.app?.guid, other);
  assert.equal((await api.delete(`${path}/${guid}`)).status, 204);
  const gone = await api.delete(`${path}/${guid}`);
  assert.equal(gone.status, 422);
  assert.deepEqual(gone.details, [
    "Unable to unmap route from destination. Ensure the route has a destination with this guid.",
  ]);
  assert.deepEqual(
    api.routeTable.find("shop.localhost")?.destinations.map((each) => each.processGuid),
    [other],
  );
});

test("everything wrong with destinations is said at once", async (t) => {
  const api = await startApi(t);
  const { path, app } = await routeAndApps(api);
  const malformed = await api.post(path, {
    force: true,
    destinations: [{ app: { guid: app }, weight: 0, port: 80, protocol: "spdy" }, { app: {} }],
  });
  assert.deepEqual(malformed.details, [
    "Unknown field(s): 'force'",
    "Destinations[0]: weight must be a positive integer between 1 and 100.",
    "Destinations[0]: protocol must be 'http1', 'http2' or 'tcp'.",
    "Destinations[0]: port must be a positive integer between 1024 and 65535 inclusive.",
    'Destinations[1]: app must have the structure {"guid": "app_guid"}',
  ]);
  const tcp = { app: { guid: app }, protocol: "tcp" };
  const unfitting = await api.post(path, { destinations: [tcp, tcp, { app: { guid: "ghost" } }] });
  assert.deepEqual(unfitting.details, [
    "Cannot use 'tcp' protocol for http routes; valid options are: [http1, http2].",
    "Destinations cannot contain duplicate entries",
    'App(s) with guid(s) "ghost" do not exist.',
  ]);
  assert.deepEqual((await api.get(path)).body.destinations, []);
});

test("what destinations cannot be is refused in upstream's words", async (t) => {
  const api = await startApi(t);
  const { path, app } = await routeAndApps(api);
  const elsewhere = await api.create("/v3/spaces", {
    name: "elsewhere",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const stranger = await api.create("/v3/apps", { name: "stranger", ...inSpace(elsewhere) });
  const one = (more: object = {}) => ({ app: { guid: app }, ...more });
  const cases: readonly { name: string; destinations: unknown; details: string }[] = [
    {
      name: "no list",
      destinations: {},
      details: "Destinations must be an array containing between 1 and 100 destination objects.",
    },
    {
      name: "an empty list",
      destinations: [],
      details: "Destinations must be an array containing between 1 and 100 destination objects.",
    },
    {
      name: "too many",
      destinations: Array.from({ length: 101 }, (_, i) => one({ port: 2000 + i })),
      details: "Destinations must be an array containing between 1 and 100 destination objects.",
    },
    { name: "no object", destinations: [one(), 7], details: "Destinations[1]: must be an object." },
    { name: "no app", destinations: [{}], details: 'Destinations[0]: must have an "app".' },
    {
      name: "an app without guid",
      destinations: [{ app: {} }],
      details: 'Destinations[0]: app must have the structure {"guid": "app_guid"}',
    },
    {
      name: "a process without type",
      destinations: [{ app: { guid: app, process: "web" } }],
      details: 'Destinations[0]: process must have the structure {"type": "process_type"}',
    },
    {
      name: "another key",
      destinations: [one({ ports: [1] })],
      details: 'Destinations[0]: must have only "app" and optionally "weight", "port" or "protocol".',
    },
    {
      name: "no weight",
      destinations: [one({ weight: 0 })],
      details: "Destinations[0]: weight must be a positive integer between 1 and 100.",
    },
    {
      name: "a low port",
      destinations: [one({ port: 80 })],
      details: "Destinations[0]: port must be a positive integer between 1024 and 65535 inclusive.",
    },
    {
      name: "a protocol nobody speaks",
      destinations: [one({ protocol: "spdy" })],
      details: "Destinations[0]: protocol must be 'http1', 'http2' or 'tcp'.",
    },
    {
      name: "tcp for an http route",
      destinations: [one({ protocol: "tcp" })],
      details: "Cannot use 'tcp' protocol for http routes; valid options are: [http1, http2].",
    },
    {
      name: "weights for some",
      destinations: [one({ weight: 100 }), one({ port: 9000 })],
      details: "Destinations cannot contain both weighted and unweighted destinations.",
    },
    {
      name: "weights that are no whole",
      destinations: [one({ weight: 90 })],
      details: "Destinations must have weights that sum to 100.",
    },
    {
      name: "the same twice",
      destinations: [one(), one({ port: 8080 })],
      details: "Destinations cannot contain duplicate entries",
    },
    {
      name: "an unknown app",
      destinations: [{ app: { guid: "nobody" } }],
      details: 'App(s) with guid(s) "nobody" do not exist.',
    },
    {
      name: "an app of another space",
      destinations: [{ app: { guid: stranger } }],
      details: "Routes destinations must be in either the route's space or the route's shared spaces",
    },
  ];
  for (const { name, destinations, details } of cases) {
    await t.test(name, async () => {
      const reply = await api.post(path, { destinations });
      assert.deepEqual(reply.details, [details]);
      assert.equal(reply.status, 422);
    });
  }
  assert.deepEqual((await api.post(path, {})).details, [
    'Destinations must have the structure "destinations": [{"app": {"guid": "app_guid"}}]',
  ]);
  assert.deepEqual((await api.get(path)).body.destinations, []);
});

test("weighted destinations change only as a whole", async (t) => {
  const api = await startApi(t);
  const { path, app, other } = await routeAndApps(api);
  const { body } = await api.patch(path, { destinations: [{ app: { guid: app }, weight: 100 }] });
  assert.deepEqual((await api.post(path, { destinations: [{ app: { guid: other } }] })).details, [
    "Destinations cannot be inserted when there are weighted destinations already configured.",
  ]);
  assert.deepEqual((await api.delete(`${path}/${body.destinations?.["0"]?.guid}`)).details, [
    "Weighted destinations cannot be deleted individually.",
  ]);
});

test("a route takes a hundred destinations and not one more", async (t) => {
  const api = await startApi(t);
  const { path, app } = await routeAndApps(api);
  const destinations = Array.from({ length: 100 }, (_, i) => ({ app: { guid: app }, port: 2000 + i }));
  assert.equal((await api.post(path, { destinations })).status, 200);
  assert.deepEqual((await api.post(path, { destinations: [{ app: { guid: app } }] })).details, [
    "Routes can be mapped to at most 100 destinations.",
  ]);
});

test("a deleted app leaves its routes reserved, pointing to nothing", async (t) => {
  const api = await startApi(t);
  const { path, app } = await routeAndApps(api);
  await api.post(path, { destinations: [{ app: { guid: app } }] });
  assert.equal((await api.delete(`/v3/apps/${app}`)).status, 202);
  assert.deepEqual(api.routeTable.find("shop.localhost")?.destinations, []);
  assert.deepEqual((await api.get(path)).body.destinations, []);
});
