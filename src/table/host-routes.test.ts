import assert from "node:assert/strict";
import { test } from "node:test";
import { HostRoutes } from "./host-routes.ts";
import { reservation } from "./samples.ts";
import type { Route } from "./types.ts";

function route(path: string): Route<null> {
  const key = `shop.example.com${path}`;
  return {
    key,
    host: "shop.example.com",
    path,
    reservation: reservation(key),
    options: {},
    routeServiceUrl: null,
    endpoints: [],
    attachment: null,
  };
}

test("finds every one of many paths, and its parent once it is gone", () => {
  const routes = new HostRoutes<null>(0);
  routes.put(route("/"));
  const paths = Array.from({ length: 20_000 }, (_, i) => `/p${i.toString(36)}/${i}`);
  for (const path of paths) routes.put(route(path));
  for (const path of paths) assert.equal(routes.match(`${path}/x?y`)?.path, path);
  for (const path of paths) routes.remove(path);
  assert.equal(routes.match("/p0/0"), null);
  assert.equal(routes.hasPaths, true, "the path of one slash is a path");
});

// Among 150,000 paths some 2–3 pairs share a 32-bit hash; this makes them meet on purpose, whatever the seed.
test("tells paths apart whose hashes are the same", (t) => {
  t.mock.method(Math, "imul", () => 7);
  const routes = new HostRoutes<null>(0);
  const paths = ["/a", "/b", "/a/b", "/b/a"];
  for (const path of paths) routes.put(route(path));
  for (const path of paths) assert.equal(routes.match(`${path}/c`)?.path, path);
  routes.put(route("/A"));
  assert.equal(routes.match("/a")?.path, "/A");
  const copy = new HostRoutes<null>(1, routes);
  copy.remove("/a");
  copy.remove("/b/a");
  assert.equal(copy.match("/a"), null);
  assert.equal(copy.match("/b/a")?.path, "/b");
  assert.equal(routes.match("/b/a")?.path, "/b/a", "the copy is another one");
  assert.deepEqual([...copy.routes()].map((one) => one.path).sort(), ["/a/b", "/b"]);
});
