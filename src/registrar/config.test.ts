import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { registrarConfigInvalid } from "../kernel/errors/registrar.ts";
import { loadRegistrarConfig } from "./config.ts";

const ROUTE = { name: "api", port: 8080, uris: ["api.example.com"], registration_interval: "20s" };
const CONFIG = {
  message_bus_servers: [{ host: "nats:4222", user: "u", password: "p" }],
  host: "10.0.0.5",
  routes: [ROUTE],
};

const load = (config: unknown) => loadRegistrarConfig(JSON.stringify(config), "registrar_settings.yml");
const problemsOf = (config: unknown): string => {
  try {
    load(config);
  } catch (error) {
    assert.ok(registrarConfigInvalid.is(error), String(error));
    return error.message;
  }
  return assert.fail("the configuration was taken");
};
const routeProblems = (changes: object): readonly string[] =>
  problemsOf({ ...CONFIG, routes: [{ ...ROUTE, ...changes }] })
    .split("\n")
    .filter((line) => line.includes("* "))
    .map((line) => line.trim().slice(2));

test("a small file is read with upstream's defaults", () => {
  assert.deepEqual(load(CONFIG), {
    messageBusServers: [{ host: "nats:4222", user: "u", password: "p" }],
    natsTls: null,
    host: "10.0.0.5",
    availabilityZone: "",
    unregistrationMessageLimit: 5,
    dynamicConfigGlobs: [],
    routes: [
      {
        name: "api",
        uris: ["api.example.com"],
        registrationIntervalMs: 20_000,
        host: "10.0.0.5",
        port: 8080,
      },
    ],
  });
});

test("every field of a route is read", () => {
  const full = {
    ...ROUTE,
    type: "http",
    host: "own.host",
    tls_port: 8443,
    server_cert_domain_san: "san",
    protocol: "http2",
    tags: { component: "api" },
    route_service_url: "https://rs.example.com",
    options: { lb_algo: "least-connection" },
    allowed_sources: { any: true },
    health_check: { name: "alive", script_path: "/bin/check" },
  };
  const { routes, natsTls, availabilityZone } = load({
    ...CONFIG,
    availability_zone: "z1",
    nats_mtls_config: { enabled: true, cert_path: "c", key_path: "k", ca_path: "a" },
    routes: [full],
  });
  assert.deepEqual(routes, [
    {
      name: "api",
      uris: ["api.example.com"],
      registrationIntervalMs: 20_000,
      host: "own.host",
      port: 8080,
      tlsPort: 8443,
      serverCertDomainSan: "san",
      protocol: "http2",
      tags: { component: "api" },
      routeServiceUrl: "https://rs.example.com",
      options: { loadbalancing: "least-connection" },
      allowedSources: { any: true },
      healthCheck: { name: "alive", scriptPath: "/bin/check", timeoutMs: 10_000 },
    },
  ]);
  assert.deepEqual(natsTls, { certPath: "c", keyPath: "k", caPath: "a" });
  assert.equal(availabilityZone, "z1");
});

test("all problems come at once, as a tree", () => {
  const broken = { ...ROUTE, name: "api", port: 0, uris: [] };
  assert.equal(
    problemsOf({ routes: [broken, {}], unregistration_message_limit: 0 }),
    `there were 10 errors with 'config'
    there were 3 errors with 'route "api"'
        * no host
        * invalid port: 0
        * no URIs
    there were 5 errors with 'route 1'
        * no name
        * no host
        * no port
        * no URIs
        * no registration_interval
    * unregistration_message_limit must be a positive integer
    * message_bus_servers must have at least one entry`,
  );
  assert.equal(
    problemsOf({ ...CONFIG, message_bus_servers: [] }),
    "there was 1 error with 'config'\n    * message_bus_servers must have at least one entry",
  );
});

for (const { changes, want } of [
  { changes: { routes: {} }, want: "routes is not a list" },
  { changes: { host: 5 }, want: "host is not text" },
  { changes: { availability_zone: [] }, want: "availability_zone is not text" },
  { changes: { dynamic_config_globs: "/var/*.yml" }, want: "dynamic_config_globs is not a list of texts" },
  { changes: { message_bus_servers: {} }, want: "message_bus_servers is not a list" },
  { changes: { message_bus_servers: ["nats:4222"] }, want: "message_bus_servers[0] has no host" },
  {
    changes: { message_bus_servers: [{ host: "a:4222", user: 1 }] },
    want: "message_bus_servers[0]: user is not text",
  },
  {
    changes: {
      message_bus_servers: [
        { host: "a:4222", user: "a" },
        { host: "b:4222", user: "b" },
      ],
    },
    want: "message_bus_servers must all have the same user and password: one client logs in to each of them",
  },
  {
    changes: { nats_mtls_config: { enabled: "yes" } },
    want: "nats_mtls_config: enabled is not true or false",
  },
  {
    changes: { nats_mtls_config: { enabled: true, cert_path: "c", key_path: "k" } },
    want: "nats_mtls_config must have a ca_path",
  },
  {
    changes: { routes: [], dynamic_config_globs: ["*.yml"], message_bus_servers: [] },
    want: "message_bus_servers must have at least one entry",
  },
]) {
  test(`a file with ${JSON.stringify(changes)} is refused: ${want}`, () => {
    assert.ok(
      problemsOf({ ...CONFIG, ...changes })
        .split("\n")
        .some((line) => line.trim() === `* ${want}`),
    );
  });
}

test("a file without routes needs no server", () => {
  assert.deepEqual(load({}).messageBusServers, []);
});

const cases: readonly { name: string; changes: object; want: readonly string[] }[] = [
  { name: "an empty URI", changes: { uris: ["a", ""] }, want: ["empty URIs"] },
  { name: "URIs that are no texts", changes: { uris: [1] }, want: ["uris is not a list of texts"] },
  { name: "no port at all", changes: { port: undefined }, want: ["no port"] },
  { name: "a port that is text", changes: { port: "80" }, want: ['invalid port: "80"'] },
  { name: "a port above the range", changes: { port: 65_536 }, want: ["invalid port: 65536"] },
  { name: "a TLS port 0", changes: { tls_port: 0 }, want: ["invalid tls_port: 0"] },
  { name: "another protocol", changes: { protocol: "h3" }, want: ["unknown protocol: h3"] },
  { name: "another type", changes: { type: "udp" }, want: ["unknown type: udp"] },
  {
    name: "a TCP route",
    changes: { type: "tcp" },
    want: ["tcp routes are not supported: there is no TCP router yet; remove the route"],
  },
  { name: "tags that are no texts", changes: { tags: { a: 1 } }, want: ["tags is not a map of texts"] },
  { name: "a name that is no text", changes: { name: 5 }, want: ["no name", "name is not text"] },
  {
    name: "no interval",
    changes: { registration_interval: "" },
    want: ["no registration_interval"],
  },
  {
    name: "an interval without a unit",
    changes: { registration_interval: "10" },
    want: ['invalid registration_interval: time: missing unit in duration "10"'],
  },
  {
    name: "an interval that is none",
    changes: { registration_interval: "asdf" },
    want: ['invalid registration_interval: time: invalid duration "asdf"'],
  },
  {
    name: "a negative interval",
    changes: { registration_interval: "-10s" },
    want: ["invalid registration_interval: interval must be greater than 0"],
  },
  {
    name: "another algorithm",
    changes: { options: { loadbalancing: "hash" } },
    want: ["unknown load balancing algorithm: hash. Allowed values: [round-robin least-connection]"],
  },
  { name: "an empty health check", changes: { health_check: {} }, want: ["no name", "no script_path"] },
  {
    name: "a timeout of nothing",
    changes: { health_check: { name: "n", script_path: "s", timeout: "0s" } },
    want: ["invalid healthcheck timeout: 0s"],
  },
  {
    name: "a timeout that is none",
    changes: { health_check: { name: "n", script_path: "s", timeout: "nope" } },
    want: ['invalid healthcheck timeout: time: invalid duration "nope"'],
  },
  {
    name: "a timeout that is longer than the interval",
    changes: { health_check: { name: "n", script_path: "s", timeout: "90s" } },
    want: ["invalid healthcheck timeout: 1m30s must be less than the registration interval: 20s"],
  },
  {
    name: "a route service that is no URL",
    changes: { route_service_url: "::" },
    want: ['parse "::": invalid route_service_url'],
  },
];
for (const { name, changes, want } of cases) {
  test(`a route with ${name} is refused`, () => assert.deepEqual(routeProblems(changes), want));
}

for (const text of ["", "{", "[]", "null", '"x"']) {
  test(`a file that holds ${text === "" ? "nothing" : text} is refused with its name`, () => {
    assert.throws(
      () => loadRegistrarConfig(text, "r.json"),
      (error) => registrarConfigInvalid.is(error) && error.message.startsWith("r.json: not "),
    );
  });
}

test("no JSON makes the loader throw anything outside the catalogue", () => {
  const anyRoute = fc.dictionary(
    fc.constantFrom(...Object.keys(ROUTE), "health_check", "tags", "type"),
    fc.jsonValue(),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(anyRoute, fc.jsonValue())), fc.jsonValue(), (routes, servers) => {
      try {
        load({ ...CONFIG, routes, message_bus_servers: servers });
      } catch (error) {
        assert.ok(registrarConfigInvalid.is(error), String(error));
      }
    }),
  );
});
