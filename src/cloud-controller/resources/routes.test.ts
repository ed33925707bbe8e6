import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "../testing.ts";

const body = (api: TestApi, more: object = {}) => ({
  host: "shop",
  relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  ...more,
});

test("a route is created, shown in full, and reserved before the answer", async (t) => {
  const api = await startApi(t);
  const reply = await api.post(
    "/v3/routes",
    body(api, { path: "/v2", options: { loadbalancing: "least-connection" } }),
  );
  assert.equal(reply.status, 201);
  const { guid } = reply.body;
  assert.deepEqual(reply.body, {
    guid,
    created_at: "2026-01-01T00:00:00Z",
    updated_at: "2026-01-01T00:00:00Z",
    protocol: "http",
    host: "shop",
    path: "/v2",
    port: null,
    url: "shop.localhost/v2",
    destinations: [],
    options: { loadbalancing: "least-connection" },
    metadata: { labels: {}, annotations: {} },
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
    links: {
      self: { href: `http://localhost:8080/v3/routes/${guid}` },
      space: { href: `http://localhost:8080/v3/spaces/${api.space}` },
      destinations: { href: `http://localhost:8080/v3/routes/${guid}/destinations` },
      domain: { href: `http://localhost:8080/v3/domains/${api.domain}` },
    },
  });
  const held = api.routeTable.find("shop.localhost/v2");
  assert.equal(held?.protocol, "http");
  assert.deepEqual(held?.options, { loadbalancing: "least-connection" });
  assert.deepEqual((await api.get(`/v3/routes/${guid}`)).body, reply.body);
});
