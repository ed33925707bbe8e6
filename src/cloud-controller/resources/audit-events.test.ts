import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const related = (guid: string) => ({ data: { guid } });
const EVENTS = "/v3/audit_events";

const newRoute = (api: TestApi, host: string, token?: string) =>
  api.create(
    "/v3/routes",
    { host, relationships: { space: related(api.space), domain: related(api.domain) } },
    token,
  );
const typesOf = async (api: TestApi, query = "") =>
  (await api.list(`${EVENTS}${query}`)).map((event) => event.type);

test("an event says who did what to which route, where and when", async (t) => {
  const api = await startApi(t);
  const { guid: user, token } = await api.user("organization_user", "space_developer");
  const route = await newRoute(api, "shop", token);
  const [event] = await api.list(EVENTS, token);
  assert.deepEqual(event, {
    guid: event?.guid,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    type: "audit.route.create",
    actor: { guid: user, type: "user", name: user },
    target: { guid: route, type: "route", name: "shop" },
    data: { request: { host: "shop", path: "", port: null, domain_guid: api.domain, options: {} } },
    space: { guid: api.space },
    organization: { guid: api.organization },
    links: { self: { href: `http://localhost:8080${EVENTS}/${event?.guid}` } },
  });
  assert.deepEqual((await api.get(`${EVENTS}/${event?.guid}`, token)).body, event);
  assert.deepEqual((await api.get(`${EVENTS}/nothing`)).details, ["Event not found"]);
});

test("everything that is done to a route leaves its event, and what is refused or changes nothing leaves none", async (t) => {
  const api = await startApi(t);
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const second = await api.create("/v3/spaces", {
    name: "second",
    relationships: { organization: related(api.organization) },
  });
  const app = await api.create("/v3/apps", { name: "shop", relationships: { space: related(api.space) } });
  const route = await newRoute(api, "shop");
  const shares = `/v3/routes/${route}/relationships/shared_spaces`;
  const destinations = `/v3/routes/${route}/destinations`;
  const mapping = { destinations: [{ app: { guid: app } }] };
  await api.patch(`/v3/routes/${route}`, { options: { loadbalancing: "least-connection" } });
  await api.patch(`/v3/routes/${route}`, { options: { loadbalancing: "dice" } });
  for (const _ of ["maps", "changes nothing"]) await api.post(destinations, mapping);
  await api.patch(destinations, { destinations: [] });
  await api.post(shares, { data: [{ guid: second }] });
  await api.delete(`${shares}/${second}`);
  await api.patch(`/v3/routes/${route}/relationships/space`, { data: { guid: second } });
  await api.delete(`/v3/routes/${route}`);
  assert.deepEqual(await typesOf(api), [
    "audit.route.create",
    "audit.route.update",
    "audit.app.map-route",
    "audit.app.unmap-route",
    "audit.route.share",
    "audit.route.unshare",
    "audit.route.transfer-owner",
    "audit.route.delete-request",
  ]);
  assert.deepEqual(await typesOf(api, `?target_guids=${app}`), [
    "audit.app.map-route",
    "audit.app.unmap-route",
  ]);
  assert.deepEqual(await typesOf(api, `?space_guids=${second}`), ["audit.route.delete-request"]);
  assert.deepEqual(await typesOf(api, "?types=audit.route.share,audit.route.unshare&order_by=-created_at"), [
    "audit.route.unshare",
    "audit.route.share",
  ]);
});

test("a manifest and the deletion of unmapped routes leave the same events", async (t) => {
  const api = await startApi(t);
  const apply = (route: string) =>
    api.request({
      method: "POST",
      url: `/v3/spaces/${api.space}/actions/apply_manifest`,
      headers: { authorization: "bearer admin", "content-type": "application/x-yaml" },
      payload: `applications: [{name: shop, ${route}}]`,
    });
  await apply("routes: [{route: shop.localhost}]");
  await apply("routes: [{route: shop.localhost, options: {loadbalancing: least-connection}}]");
  await apply("no-route: true");
  await api.delete(`/v3/spaces/${api.space}/routes?unmapped=true`);
  assert.deepEqual(await typesOf(api), [
    "audit.route.create",
    "audit.app.map-route",
    "audit.route.update",
    "audit.app.unmap-route",
    "audit.route.delete-request",
  ]);
});

test("events are seen by who sees their space", async (t) => {
  const api = await startApi(t);
  await newRoute(api, "shop");
  const [event] = await api.list(EVENTS);
  const auditor = await api.user("organization_user", "space_auditor");
  assert.equal((await api.list(EVENTS, auditor.token)).length, 1);
  const stranger = await api.user();
  assert.deepEqual(await api.list(EVENTS, stranger.token), []);
  assert.equal((await api.get(`${EVENTS}/${event?.guid}`, stranger.token)).status, 404);
});

test("events go after 31 days, and not before", async (t) => {
  const api = await startApi(t);
  await newRoute(api, "first");
  const day = 24 * 3_600_000;
  api.clock.advance(30 * day);
  await newRoute(api, "second");
  assert.equal((await api.list(EVENTS)).length, 2);
  api.clock.advance(2 * day);
  await newRoute(api, "third");
  const hosts = (await api.list(EVENTS)).map((event) => event["target"]?.name);
  assert.deepEqual(hosts, ["second", "third"]);
});
