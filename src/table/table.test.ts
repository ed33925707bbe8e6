import assert from "node:assert/strict";
import { test } from "node:test";
import { createTable, type Endpoint, type Registration, type Reservation, type Route } from "./index.ts";
import { destination, endpoint, registration, reservation } from "./samples.ts";

const HEARD_MS = 1_000;

/** A table whose attachments count how often a route was attached. */
function startTable(emptyPoolTimeoutMs = 0) {
  const attached: string[] = [];
  const table = createTable<number>({
    attach: (route, previous) => {
      attached.push(route.key);
      return (previous ?? 0) + 1;
    },
    emptyPoolTimeoutMs,
  });
  return {
    table,
    attached,
    reserve: (route: string, fields?: Partial<Reservation>) =>
      table.apply({ kind: "route-upsert", reservation: reservation(route, fields) }),
    release: (route: string) => table.apply({ kind: "route-delete", guid: `guid of ${route}` }),
    up: (fields?: Partial<Endpoint>) =>
      table.apply({ kind: "endpoint-upsert", endpoint: endpoint({ processGuid: "web", ...fields }) }),
    down: (fields?: Partial<Endpoint>) =>
      table.apply({ kind: "endpoint-delete", ...endpoint({ processGuid: "web", ...fields }) }),
    register: (uri: string, fields?: Partial<Registration>, nowMs = HEARD_MS) =>
      table.register(registration(uri, fields), nowMs),
    unregister: (uri: string, fields?: Partial<Endpoint>) =>
      table.unregister({ uri, endpoint: endpoint(fields) }),
  };
}

const ports = (route: Route<unknown> | null) => route?.endpoints.map((one) => one.port);

// === joining the native feed ===

test("joins endpoints that arrive before their reservation", () => {
  const { table, reserve, up } = startTable();
  up();
  assert.equal(table.lookup("shop.example.com", "/"), null);
  reserve("shop.example.com");
  assert.deepEqual(ports(table.lookup("shop.example.com", "/")), [61_000]);
});

test("joins endpoints that arrive after their reservation", () => {
  const { table, reserve, up } = startTable();
  reserve("shop.example.com");
  assert.deepEqual(ports(table.lookup("shop.example.com", "/")), []);
  up();
  assert.deepEqual(ports(table.lookup("shop.example.com", "/")), [61_000]);
});

test("keeps a reservation without endpoints until it is deleted", () => {
  const { table, reserve, release, up, down } = startTable();
  reserve("shop.example.com");
  up();
  down();
  assert.deepEqual(ports(table.lookup("shop.example.com", "/")), []);
  table.prune(Number.MAX_SAFE_INTEGER);
  assert.notEqual(table.lookup("shop.example.com", "/"), null);
  release("shop.example.com");
  assert.equal(table.lookup("shop.example.com", "/"), null);
  assert.equal(table.size, 0);
});

test("joins only endpoints of the destination's app port, or of an unknown one", () => {
  const { table, reserve, up } = startTable();
  reserve("shop.example.com");
  up({ port: 1, appPort: 8080 });
  up({ port: 2, appPort: 9090 });
  up({ port: 3, appPort: 0 });
  assert.deepEqual(ports(table.lookup("shop.example.com", "/")), [1, 3]);
});

test("joins the lowest app port of a process when the destination names none", () => {
  const { table, reserve, up } = startTable();
  reserve("shop.example.com", { destinations: [destination({ appPort: null })] });
  up({ port: 2, appPort: 9090 });
  assert.deepEqual(ports(table.lookup("shop.example.com", "/")), [2]);
  up({ port: 1, appPort: 8080 });
  assert.deepEqual(ports(table.lookup("shop.example.com", "/")), [1]);
});

test("speaks to an endpoint as the destination says, on each route", () => {
  const { table, reserve, up } = startTable();
  up();
  reserve("one.example.com");
  reserve("two.example.com", { destinations: [destination({ protocol: "http2" })] });
  assert.equal(table.lookup("one.example.com", "/")?.endpoints[0]?.protocol, "http1");
  assert.equal(table.lookup("two.example.com", "/")?.endpoints[0]?.protocol, "http2");
});

test("touches just the routes that a process is mapped to", () => {
  const { attached, reserve, up } = startTable();
  reserve("a.example.com");
  reserve("b.example.com");
  reserve("other.example.com", { destinations: [destination({ processGuid: "other" })] });
  attached.length = 0;
  up();
  assert.deepEqual(attached, ["a.example.com", "b.example.com"]);
  up();
  assert.equal(attached.length, 2, "a repetition changes nothing");
});

test("moves a reservation whose address changes", () => {
  const { table, reserve, up } = startTable();
  up();
  reserve("old.example.com", { guid: "r" });
  reserve("new.example.com", { guid: "r" });
  assert.equal(table.lookup("old.example.com", "/"), null);
  assert.deepEqual(ports(table.lookup("new.example.com", "/")), [61_000]);
  assert.equal(table.size, 1);
});

test("lets the lower GUID hold an address that is reserved twice, in whatever order they come", () => {
  for (const guids of [
    ["a", "b"],
    ["b", "a"],
  ]) {
    const { table, reserve } = startTable();
    for (const guid of guids) reserve("shop.example.com", { guid, tags: { from: guid } });
    assert.equal(table.lookup("shop.example.com", "/")?.reservation?.guid, "a");
    table.apply({ kind: "route-delete", guid: "a" });
    assert.equal(table.lookup("shop.example.com", "/")?.reservation?.guid, "b");
  }
});

test("replaces the native table and keeps what did not change, classic registrations too", () => {
  const { table, attached, reserve, up, register } = startTable();
  reserve("kept.example.com");
  reserve("gone.example.com");
  up({ port: 2 });
  up({ port: 1 });
  register("classic.example.com");
  const [kept, classic] = [table.lookup("kept.example.com", "/"), table.lookup("classic.example.com", "/")];
  attached.length = 0;
  table.load({
    cursor: { epoch: "e", sequence: 1 },
    reservations: [reservation("new.example.com"), reservation("kept.example.com")],
    endpoints: [endpoint({ processGuid: "web", port: 1 }), endpoint({ processGuid: "web", port: 2 })],
  });
  assert.equal(table.lookup("kept.example.com", "/"), kept);
  assert.equal(table.lookup("classic.example.com", "/"), classic);
  assert.equal(table.lookup("gone.example.com", "/"), null);
  assert.deepEqual(ports(table.lookup("new.example.com", "/")), [1, 2]);
  assert.deepEqual(attached, ["new.example.com"]);
});

// === the classic feed ===

test("registers, renews, updates and unregisters by address", () => {
  const { table, register, unregister, attached } = startTable();
  assert.equal(register("shop.example.com"), "new");
  const first = table.lookup("shop.example.com", "/");
  assert.equal(register("SHOP.example.com/?again=1"), "unchanged");
  assert.equal(table.lookup("shop.example.com", "/"), first);
  assert.equal(register("shop.example.com", { endpoint: endpoint({ appGuid: "a" }) }), "updated");
  assert.equal(table.lookup("shop.example.com", "/")?.endpoints[0]?.appGuid, "a");
  assert.equal(unregister("shop.example.com", { port: 1 }), false);
  assert.equal(unregister("shop.example.com"), true);
  assert.equal(unregister("shop.example.com"), false);
  assert.equal(table.lookup("shop.example.com", "/"), null);
  assert.deepEqual(attached, ["shop.example.com", "shop.example.com"]);
});

test("uses options and route service of the endpoint registered last", () => {
  const { table, register, unregister } = startTable();
  const options = () => table.lookup("shop.example.com", "/")?.options;
  register("shop.example.com", { options: { loadbalancing: "round-robin" } });
  register("shop.example.com", {
    endpoint: endpoint({ port: 2 }),
    options: { loadbalancing: "least-connection" },
    routeServiceUrl: "https://service.example.com",
  });
  assert.deepEqual(options(), { loadbalancing: "least-connection" });
  assert.equal(table.lookup("shop.example.com", "/")?.routeServiceUrl, "https://service.example.com");
  register("shop.example.com", { options: { loadbalancing: "round-robin" } });
  assert.deepEqual(options(), { loadbalancing: "least-connection" }, "a renewal is no registration");
  unregister("shop.example.com", { port: 2 });
  assert.deepEqual(options(), { loadbalancing: "round-robin" });
});

test("shares one endpoint object between the URIs of one message, also when some are renewed", () => {
  const { table, register } = startTable();
  const once = endpoint();
  register("a.example.com", { endpoint: once });
  register("b.example.com", { endpoint: once });
  const again = endpoint();
  register("a.example.com", { endpoint: again });
  register("c.example.com", { endpoint: again });
  const kept = table.lookup("a.example.com", "/")?.endpoints[0];
  for (const host of ["b.example.com", "c.example.com"]) {
    assert.equal(table.lookup(host, "/")?.endpoints[0], kept, host);
  }
});

test("while it prunes in steps, what is renewed stays, and what comes and goes does no harm", () => {
  const { table, register, unregister } = startTable();
  for (const name of ["a", "b", "c", "d/v1", "d/v2"]) register(`${name}.example.com`);
  const gone: string[] = [];
  let step = 0;
  for (const pruned of table.pruneInSteps(HEARD_MS + 120_001, 1)) {
    gone.push(...pruned.map(({ route }) => route));
    if (++step !== 1) continue;
    register("c.example.com", {}, HEARD_MS + 120_000);
    register("new.example.com", {}, HEARD_MS + 120_000);
    unregister("b.example.com");
  }
  assert.deepEqual(gone, ["a.example.com", "d/v1.example.com", "d/v2.example.com"]);
  assert.deepEqual(
    [...table.routes()].map(({ key }) => key),
    ["c.example.com", "new.example.com"],
  );
});

test("prunes endpoints that were not renewed in time, and says which", () => {
  const { table, register } = startTable();
  register("shop.example.com/v2", { staleAfterMs: 100 }, 0);
  register("shop.example.com/v2", { endpoint: endpoint({ port: 2 }), staleAfterMs: 100 }, 50);
  assert.deepEqual(table.prune(100), []);
  assert.deepEqual(table.prune(101), [{ route: "shop.example.com/v2", endpoint: endpoint() }]);
  assert.deepEqual(ports(table.lookup("shop.example.com", "/v2")), [2]);
});

test("never prunes TLS endpoints, nor those without a threshold", () => {
  const { table, register } = startTable();
  register("tls.example.com", { endpoint: endpoint({ tls: true }), staleAfterMs: 1 });
  register("ever.example.com", { staleAfterMs: 0 });
  assert.deepEqual(table.prune(Number.MAX_SAFE_INTEGER), []);
  assert.equal(table.size, 2);
});

test("restarts every staleness clock when everything is renewed", () => {
  const { table, register } = startTable();
  register("shop.example.com", { staleAfterMs: 100 }, 0);
  table.renewAll(1_000);
  assert.deepEqual(table.prune(1_100), []);
  assert.equal(table.prune(1_101).length, 1);
});

test("keeps an emptied classic pool known for its timeout, with its options", () => {
  const { table, register, unregister } = startTable(500);
  register("shop.example.com", { options: { loadbalancing: "least-connection" } });
  unregister("shop.example.com");
  assert.deepEqual(ports(table.lookup("shop.example.com", "/")), []);
  assert.deepEqual(table.lookup("shop.example.com", "/")?.options, { loadbalancing: "least-connection" });
  table.prune(10_000);
  table.prune(10_499);
  assert.equal(table.size, 1);
  table.prune(10_500);
  assert.equal(table.lookup("shop.example.com", "/"), null);
  assert.equal(table.size, 0);
});

test("prunes an endpoint that came back into an emptied pool like any other", () => {
  const { table, register } = startTable(500);
  register("shop.example.com", { staleAfterMs: 1 }, 0);
  table.prune(10);
  register("shop.example.com", { staleAfterMs: 5 }, 20);
  assert.equal(table.prune(30).length, 1);
  table.prune(529);
  assert.equal(table.size, 1, "the timeout starts again");
  table.prune(530);
  assert.equal(table.size, 0);
});

test("drops a deleted reservation at once, whatever the timeout of classic pools", () => {
  const { table, register, unregister, reserve, release } = startTable(500);
  register("shop.example.com");
  unregister("shop.example.com");
  reserve("shop.example.com");
  release("shop.example.com");
  assert.equal(table.lookup("shop.example.com", "/"), null);
});

// === both feeds ===

test("lets the native endpoint win over a classic one of the same address", () => {
  const { table, reserve, up, down, register } = startTable();
  register("shop.example.com", { endpoint: endpoint({ appGuid: "classic" }) });
  register("shop.example.com", { endpoint: endpoint({ port: 2, appGuid: "classic" }) });
  reserve("shop.example.com");
  up({ appGuid: "native" });
  const apps = () =>
    table.lookup("shop.example.com", "/")?.endpoints.map((one) => `${one.appGuid} ${one.port}`);
  assert.deepEqual(apps(), ["native 61000", "classic 2"]);
  down();
  assert.deepEqual(apps(), ["classic 61000", "classic 2"]);
});

test("lets a reservation's empty options and missing route service beat those of endpoints", () => {
  const { table, reserve, release, register } = startTable();
  register("shop.example.com", {
    options: { loadbalancing: "least-connection" },
    routeServiceUrl: "https://evil.example.com",
  });
  reserve("shop.example.com");
  const held = table.lookup("shop.example.com", "/");
  assert.deepEqual([held?.options, held?.routeServiceUrl, ports(held)], [{}, null, [61_000]]);
  release("shop.example.com");
  assert.deepEqual(table.lookup("shop.example.com", "/")?.options, { loadbalancing: "least-connection" });
});

test("keeps the reservation's spelling of the path and finds it in any", () => {
  const { table, reserve, register } = startTable();
  register("shop.example.com/CART");
  reserve("shop.example.com/Cart");
  const route = table.lookup("shop.example.com", "/cArT/7");
  assert.deepEqual([route?.key, route?.path, ports(route)], ["shop.example.com/cart", "/Cart", [61_000]]);
  assert.equal(table.size, 1);
});

// === lookup ===

const ROUTES = [
  "shop.example.com",
  "shop.example.com/v2",
  "shop.example.com/v2/carts",
  "paths.example.com/only",
  "*.example.com",
  "*.example.com/wild",
  "*.deep.example.com",
  "*.com/only",
  "localhost",
];
const LOOKUPS: readonly { readonly target: string; readonly want: string | null }[] = [
  { target: "shop.example.com", want: "shop.example.com" },
  { target: "shop.example.com*", want: "shop.example.com" },
  { target: "shop.example.com/", want: "shop.example.com" },
  { target: "shop.example.com/v2", want: "shop.example.com/v2" },
  { target: "shop.example.com/V2", want: "shop.example.com/v2" },
  { target: "shop.example.com/v2/", want: "shop.example.com/v2" },
  { target: "shop.example.com/v2?x=/carts", want: "shop.example.com/v2" },
  { target: "shop.example.com/v22", want: "shop.example.com" },
  { target: "shop.example.com/v", want: "shop.example.com" },
  { target: "shop.example.com//v2", want: "shop.example.com" },
  { target: "shop.example.com/v2/carts/7", want: "shop.example.com/v2/carts" },
  { target: "shop.example.com/v2/cartsX", want: "shop.example.com/v2" },
  { target: "shop.example.com/v%32", want: "shop.example.com" },
  { target: "paths.example.com/only/this", want: "paths.example.com/only" },
  { target: "paths.example.com/other", want: "*.example.com" },
  { target: "new.example.com/x", want: "*.example.com" },
  { target: "a.b.example.com/wild/x", want: "*.example.com/wild" },
  { target: "a.deep.example.com/wild", want: "*.deep.example.com" },
  { target: "deep.example.com/wild", want: "*.example.com/wild" },
  { target: "*.example.com/", want: "*.example.com" },
  { target: "example.com/only", want: "*.com/only" },
  { target: "example.com/", want: null },
  { target: "a.example.org/", want: null },
  { target: "localhost/", want: "localhost" },
  { target: "com/only", want: null },
  { target: `${"a.".repeat(5_000)}example.com/`, want: "*.example.com" },
  { target: `shop.example.com/v2/${"x/".repeat(5_000)}`, want: "shop.example.com/v2" },
];

for (const { target, want } of LOOKUPS) {
  const at = target.search(/[/*](?!\.)/);
  const [host, path] = at === -1 ? [target, ""] : [target.slice(0, at), target.slice(at)];
  const shown = target.length > 60 ? `${target.slice(0, 60)}…` : target;
  test(`finds ${want ?? "nothing"} for ${shown}`, () => {
    const { table, reserve } = startTable();
    for (const route of ROUTES) reserve(route);
    assert.equal(table.lookup(host, path)?.key ?? null, want);
  });
}

test("never passes a held route without endpoints, for a shorter path or for a wildcard", () => {
  const { table, reserve, up } = startTable();
  up();
  reserve("shop.example.com");
  reserve("*.example.com");
  reserve("shop.example.com/v2", { destinations: [] });
  reserve("down.example.com", { destinations: [] });
  assert.equal(table.lookup("shop.example.com", "/v2/x")?.key, "shop.example.com/v2");
  assert.equal(table.lookup("down.example.com", "/")?.key, "down.example.com");
});

test("passes an emptied classic pool for a shorter path with endpoints, but never past a held route", () => {
  const { table, register, unregister, reserve } = startTable(500);
  register("shop.example.com");
  register("shop.example.com/a/b");
  unregister("shop.example.com/a/b");
  assert.equal(table.lookup("shop.example.com", "/a/b")?.key, "shop.example.com");
  reserve("shop.example.com/a", { destinations: [] });
  assert.equal(table.lookup("shop.example.com", "/a/b")?.key, "shop.example.com/a");
});

test("answers with the deepest emptied classic pool when nothing above it serves", () => {
  const { table, register, unregister } = startTable(500);
  for (const uri of ["*.example.com", "shop.example.com", "shop.example.com/a"]) register(uri);
  for (const uri of ["shop.example.com", "shop.example.com/a"]) unregister(uri);
  assert.equal(table.lookup("shop.example.com", "/a")?.key, "shop.example.com/a");
  assert.equal(table.lookup("shop.example.com", "/b")?.key, "shop.example.com");
});

test("finds internal routes by their exact name, and names that have some below", () => {
  const { table, reserve, release, up } = startTable();
  up({ appPort: 9999, instanceAddress: "10.255.0.1" });
  reserve("a.b.apps.internal", { protocol: "internal" });
  reserve("c.apps.internal", { protocol: "internal" });
  assert.equal(table.lookup("a.b.apps.internal", "/"), null);
  assert.equal(table.lookupInternal("a.b.apps.internal")?.endpoints[0]?.instanceAddress, "10.255.0.1");
  assert.equal(table.lookupInternal("b.apps.internal"), null);
  const below = () =>
    ["a.b.apps.internal", "b.apps.internal", "apps.internal", "internal"].map((name) =>
      table.hasInternalBelow(name),
    );
  assert.deepEqual(below(), [false, true, true, true]);
  release("a.b.apps.internal");
  assert.deepEqual(below(), [false, false, true, true]);
  assert.deepEqual(
    [...table.internalRoutes()].map((route) => route.key),
    ["c.apps.internal"],
  );
  assert.equal(table.size, 0);
});

test("keeps TCP reservations out of lookups by host and lists them", () => {
  const { table, reserve, release, up } = startTable();
  up();
  reserve("1100", { protocol: "tcp" });
  assert.equal(table.lookup("1100", "/"), null);
  assert.deepEqual(
    [...table.tcpRoutes()].map((route) => [route.key, ports(route)]),
    [["1100", [61_000]]],
  );
  release("1100");
  assert.deepEqual([...table.tcpRoutes()], []);
});

test("keeps one port of two router groups apart", () => {
  const { table, reserve } = startTable();
  const listed = () => [...table.tcpRoutes()].map(({ host, reservation }) => [host, reservation?.guid]);
  const east = { guid: "a", protocol: "tcp", routerGroup: "east" } as const;
  reserve("1100", east);
  reserve("1100", { ...east, guid: "b", routerGroup: "west" });
  assert.deepEqual(listed(), [
    ["1100", "a"],
    ["1100", "b"],
  ]);
  reserve("1100", { ...east, routerGroup: "north" });
  assert.deepEqual(listed().toSorted(), [
    ["1100", "a"],
    ["1100", "b"],
  ]);
});

// === snapshots ===

test("a snapshot stays as it was taken", () => {
  const { table, reserve, release, register, up } = startTable();
  reserve("shop.example.com");
  reserve("shop.example.com/v2");
  register("classic.example.com");
  reserve("a.apps.internal", { protocol: "internal" });
  const before = table.snapshot();
  const keys = [...before.routes()].map((route) => route.key).sort();
  up();
  release("shop.example.com");
  release("a.apps.internal");
  reserve("shop.example.com/v3");
  register("classic.example.com/path");
  reserve("*.example.com");
  assert.deepEqual([...before.routes()].map((route) => route.key).sort(), keys);
  assert.equal(before.size, 3);
  assert.deepEqual(ports(before.lookup("shop.example.com", "/v2")), []);
  assert.equal(before.lookup("shop.example.com", "/v3")?.key, "shop.example.com");
  assert.equal(before.lookup("new.example.com", "/"), null);
  assert.notEqual(before.lookupInternal("a.apps.internal"), null);
  assert.equal(before.hasInternalBelow("apps.internal"), true);
  assert.ok(table.generation > before.generation);
});

test("the generation grows with every visible change, and only with those", () => {
  const { table, reserve, register } = startTable();
  let last = table.generation;
  const grew = () => {
    const did = table.generation > last;
    last = table.generation;
    return did;
  };
  reserve("shop.example.com");
  assert.equal(grew(), true);
  reserve("shop.example.com");
  assert.equal(grew(), false);
  register("shop.example.com");
  assert.equal(grew(), true);
  register("shop.example.com");
  assert.equal(grew(), false);
  table.prune(HEARD_MS);
  assert.equal(grew(), false);
});

test("may be written while its routes are listed", () => {
  const { table, register, unregister } = startTable();
  for (let i = 0; i < 50; i++) register(`app-${i}.example.com`);
  let seen = 0;
  for (const route of table.routes()) {
    seen++;
    unregister(route.key);
    register(`new-${route.key}`);
  }
  assert.equal(seen, 50);
  assert.equal(table.size, 50);
});
