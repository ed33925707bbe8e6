import assert from "node:assert/strict";
import test from "node:test";
import { type Logger, silentLogger } from "../kernel/index.ts";
import { createTable, type Endpoint, type RouteOptions } from "../table/index.ts";
import { destination, endpoint, reservation } from "../table/samples.ts";
import { createRoutePrograms, type RouteProgramParts } from "./program.ts";

const CONFIG = {
  balancingAlgorithm: "round-robin",
  maxInFlightPerEndpoint: 0,
  optionLimits: {},
  preferredZone: "",
  stickyCookieNames: ["JSESSIONID"],
  stickyForAuthNegotiate: false,
} satisfies RouteProgramParts["config"];

function start(given: Partial<RouteProgramParts["config"]> = {}) {
  const warnings: object[] = [];
  const log: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) };
  const programs = createRoutePrograms({ config: { ...CONFIG, ...given }, log });
  const table = createTable(programs);
  return {
    programs,
    table,
    warnings,
    register: (uri: string, port: number, options: RouteOptions = {}, given: Partial<Endpoint> = {}) =>
      table.register(
        {
          uri,
          endpoint: endpoint({ appGuid: "app", port, ...given }),
          options,
          routeServiceUrl: null,
          staleAfterMs: 0,
        },
        0,
      ),
    unregister: (uri: string, port: number) => table.unregister({ uri, endpoint: endpoint({ port }) }),
    program(host: string) {
      const route = table.lookup(host, "/");
      assert.ok(route !== null);
      return route.attachment;
    },
  };
}

test("routes that share an address share its load", () => {
  const { register, program } = start();
  register("a.example.com", 80);
  register("b.example.com", 80);
  assert.equal(program("a.example.com").candidates[0]?.load, program("b.example.com").candidates[0]?.load);
});

test("an address with TLS is another one than without, and than under another name", () => {
  const { register, program, programs } = start();
  register("a.example.com", 80);
  register("b.example.com", 80, {}, { tls: true, serverCertDomainSan: "one" });
  register("c.example.com", 80, {}, { tls: true, serverCertDomainSan: "two" });
  for (const name of "abc") program(`${name}.example.com`);
  assert.equal(programs.endpoints.size, 3);
});

test("a route without options costs no program before its first request, and keeps it current from then on", () => {
  const { register, unregister, program, programs, table } = start();
  register("a.example.com", 80);
  const early = table.lookup("a.example.com", "/");
  register("a.example.com", 81);
  assert.equal(programs.endpoints.size, 0);
  // Whoever has looked up a route may still use it, and leaves nothing behind.
  assert.deepEqual(
    early?.attachment.candidates.map(({ address }) => address),
    ["10.0.0.1:80"],
  );
  assert.equal(programs.endpoints.size, 0);
  assert.equal(program("a.example.com").candidates.length, 2);
  register("a.example.com", 82);
  assert.equal(programs.endpoints.size, 3);
  for (const port of [80, 81, 82]) unregister("a.example.com", port);
  assert.equal(programs.endpoints.size, 0);
});

test("what is known of an address lives as long as any route that has had requests has it", () => {
  const { register, unregister, program, programs } = start();
  register("a.example.com", 80);
  register("b.example.com", 80);
  register("b.example.com", 81);
  const load = program("a.example.com").candidates[0]?.load;
  program("b.example.com");
  assert.equal(programs.endpoints.size, 2);
  unregister("a.example.com", 80);
  assert.equal(program("b.example.com").candidates[0]?.load, load);
  unregister("b.example.com", 80);
  assert.equal(programs.endpoints.size, 1);
  assert.equal(load?.references, 0);
  unregister("b.example.com", 81);
  assert.equal(programs.endpoints.size, 0);
});

test("another instance at an address does not bear the mark of the one that failed there", () => {
  const { register, program } = start();
  const load = () => program("a.example.com").candidates[0]?.load as { failedUntilMs: number };
  register("a.example.com", 80, {}, { instanceId: "first" });
  load().failedUntilMs = 5_000;
  register("a.example.com", 80, {}, { instanceId: "first", tags: { component: "web" } });
  assert.equal(load().failedUntilMs, 5_000, "the same instance, heard of again");
  register("a.example.com", 80, {}, { instanceId: "second" });
  assert.equal(load().failedUntilMs, 0);
});

test("the picker outlives a change of the pool, so that the cursor does not start again", () => {
  const { register, program } = start();
  register("a.example.com", 80);
  const before = program("a.example.com").picker;
  register("a.example.com", 81);
  assert.equal(program("a.example.com").picker, before);
});

test("the route's option chooses the balancer, and taking it away gives the operator's back", () => {
  const { register, program } = start();
  register("a.example.com", 80, { loadbalancing: "least-connection" });
  assert.equal(program("a.example.com").balancer, "least-connection");
  register("a.example.com", 80, {});
  assert.equal(program("a.example.com").balancer, "round-robin");
});

test("a hash route gets a picker for its new pool when the pool changes; a route of another kind keeps its own", () => {
  const { register, program } = start();
  const hash = { loadbalancing: "hash", hash_header: "X-Tenant" };
  register("a.example.com", 80, hash);
  const before = program("a.example.com").picker;
  register("a.example.com", 81, hash);
  assert.equal(program("a.example.com").balancer, "hash");
  assert.deepEqual(program("a.example.com").balancing, { hashHeader: "x-tenant", hashBalance: 0 });
  assert.notEqual(program("a.example.com").picker, before);
});

for (const { options, want } of [
  {
    options: { loadbalancing: "hash" },
    want: ["round-robin", "Hash header must be present when loadbalancing is set to hash."],
  },
  {
    options: { hash_header: "X-Tenant" },
    want: ["round-robin", "Hash header can only be set when loadbalancing is hash"],
  },
  {
    options: { loadbalancing: "hash", hash_header: "X-Tenant", hash_balance: "9999" },
    want: ["hash", "Hash balance must be either 0 or between 1.1 and 10.0"],
  },
] as const) {
  test(`a registration with ${JSON.stringify(options)} is served by ${want[0]}, and the reason is logged`, () => {
    const { register, program, warnings } = start();
    register("a.example.com", 80, options);
    assert.equal(program("a.example.com").balancer, want[0]);
    assert.ok(JSON.stringify(warnings).includes(want[1]), JSON.stringify(warnings));
  });
}

for (const { operator, options, want } of [
  { operator: 0, options: {}, want: 0 },
  { operator: 0, options: { "connection-limit": 5 }, want: 5 },
  { operator: 3, options: {}, want: 3 },
  { operator: 3, options: { "connection-limit": 5 }, want: 3 },
  { operator: 9, options: { "conn-limit": "5" }, want: 5 },
]) {
  test(`max_conns ${operator} and ${JSON.stringify(options)} allow ${want} in flight per endpoint`, () => {
    const { register, program } = start({ maxInFlightPerEndpoint: operator });
    register("a.example.com", 80, options as RouteOptions);
    assert.equal(program("a.example.com").maxInFlight, want);
  });
}

test("the zone is preferred only where some endpoints are in it and others are not, and no key decides", () => {
  const { register, program } = start({ preferredZone: "z1" });
  const near = (host: string) => program(host).inZone.map(({ endpoint }) => endpoint.port);
  register("a.example.com", 80, {}, { availabilityZone: "z1" });
  assert.deepEqual(near("a.example.com"), []);
  register("a.example.com", 81, {}, { availabilityZone: "z2" });
  assert.deepEqual(near("a.example.com"), [80]);
  const hash = { loadbalancing: "hash", hash_header: "X-Tenant" };
  register("b.example.com", 80, hash, { availabilityZone: "z1" });
  register("b.example.com", 81, hash, { availabilityZone: "z2" });
  assert.deepEqual(near("b.example.com"), []);
});

test("the route's session cookie takes the place of the operator's names; without any, no request is searched", () => {
  const { register, program } = start({ stickyCookieNames: [] });
  register("a.example.com", 80);
  assert.equal(program("a.example.com").readsSession, false);
  register("a.example.com", 80, { cookie: "sid" });
  assert.deepEqual(program("a.example.com").sessionCookies, ["sid"]);
  assert.equal(program("a.example.com").readsSession, true);
});

test("an option that makes no sense is said once and ignored; the route is served", () => {
  const { register, program, warnings } = start();
  register("a.example.com", 80, { loadbalancing: "dice", "idle-timeout": "5s", retries: 9 });
  assert.equal(program("a.example.com").balancer, "round-robin");
  assert.equal(program("a.example.com").rules?.idleTimeoutMs, 5_000);
  // More than the operator allows is as if it had not been said.
  assert.equal(program("a.example.com").rules?.retry, null);
  assert.equal(warnings.length, 1);
  // Another endpoint changes the route, and nothing about what is wrong.
  register("a.example.com", 81, { loadbalancing: "dice", "idle-timeout": "5s", retries: 9 });
  assert.equal(warnings.length, 1);
  register("a.example.com", 81, { loadbalancing: "dice", "idle-timeout": "5s" });
  assert.equal(warnings.length, 2);
});

test("identity headers fall back to the address, and cannot break out of their line", () => {
  const { register, program } = start();
  register("a.example.com", 80, {}, { appGuid: "x\r\nEvil: 1", instanceIndex: "2" });
  assert.equal(
    program("a.example.com").candidates[0]?.headerLines,
    "X-CF-ApplicationID: xEvil: 1\r\nX-CF-InstanceID: 10.0.0.1:80\r\nX-CF-InstanceIndex: 2\r\n",
  );
});

test("destinations with weights share the traffic by them, however many endpoints each has", () => {
  const { table, program, register } = start();
  const shares = () => {
    const counts: Record<string, number> = {};
    const { picker, candidates } = program("shop.example.com");
    const request = { nowMs: 0, tried: [], maxInFlight: 0, requestHeader: () => undefined };
    for (let i = 0; i < 1_000; i++) {
      const guid = picker.pick(candidates, request)?.endpoint.processGuid ?? "none";
      counts[guid] = (counts[guid] ?? 0) + 1;
    }
    return counts;
  };
  const about = (share: number, given: number | undefined) =>
    assert.ok(Math.abs((given ?? 0) - share) <= 5, `${given} of 1000 instead of ${share}`);
  table.apply({
    kind: "route-upsert",
    reservation: reservation("shop.example.com", {
      destinations: [
        destination({ processGuid: "blue", weight: 90 }),
        destination({ processGuid: "green", weight: 10 }),
      ],
    }),
  });
  for (const [processGuid, port] of [
    ["blue", 1],
    ["green", 2],
    ["green", 3],
  ] as const) {
    table.apply({ kind: "endpoint-upsert", endpoint: endpoint({ processGuid, port }) });
  }
  about(900, shares()["blue"]);
  about(100, shares()["green"]);
  // One of nobody counts as much as the average of the three.
  register("shop.example.com", 4, {}, { processGuid: "" });
  about(250, shares()[""]);
  table.apply({ kind: "endpoint-delete", processGuid: "blue", host: "10.0.0.1", port: 1 });
  table.unregister({ uri: "shop.example.com", endpoint: endpoint({ port: 4 }) });
  about(1_000, shares()["green"]);
});
