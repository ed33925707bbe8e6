import assert from "node:assert/strict";
import test from "node:test";
import { loadConfig, ViaductError } from "../kernel/index.ts";
import { routerConfigFrom, routerSection } from "./config.ts";

const load = (text: string) =>
  routerConfigFrom(loadConfig([routerSection], { file: { path: "viaduct.yml", text } }).get(routerSection));

test("what is not said is what deployments of Cloud Foundry use", () => {
  const config = load("");
  assert.deepEqual(
    [
      config.port,
      config.maxAttempts,
      config.endpointTimeoutMs,
      config.frontendIdleTimeoutMs,
      config.maxRequestHeadBytes,
    ],
    [8080, 3, 900_000, 900_000, 1_048_576],
  );
});

test("settings are read in human units", () => {
  const config = load('router:\n  endpoint_dial_timeout: "500ms"\n  max_request_header_bytes: "16 KiB"\n');
  assert.deepEqual(
    [config.endpointDialTimeoutMs, config.websocketDialTimeoutMs, config.maxRequestHeadBytes],
    [500, 500, 16_384],
  );
});

test("lists for route services are checked item by item", () => {
  for (const { line, problem } of [
    {
      line: 'route_services_hairpinning_allowlist: ["a.example.com", "guard"]',
      problem: "entry: guard. Must be",
    },
    { line: "route_services_allowed_networks: [10.0.0.0]", problem: '"10.0.0.0" is not a network' },
    { line: "route_services_allowed_networks: 5", problem: "is not a list of texts" },
  ]) {
    assert.throws(
      () => load(`router:\n  ${line}\n`),
      (error: Error) => error.message.includes(problem),
    );
  }
});

test("bad values and unknown keys are all named, with a remedy", () => {
  assert.throws(
    () =>
      load("router:\n  endpoint_timeout: 30\n  max_attempts: 0\n  balancing_algorithm: dice\n  prot: 1\n"),
    (error) => {
      assert.ok(error instanceof ViaductError);
      for (const part of [
        "endpoint_timeout",
        "max_attempts",
        "round-robin, least-connection",
        "did you mean «router.port»",
      ]) {
        assert.ok(error.message.includes(part), `${part} in ${error.message}`);
      }
      return true;
    },
  );
});

test("a router for isolation segments only has to name them", () => {
  const refused = "router:\n  routing_table_sharding_mode: segments\n";
  assert.throws(
    () => load(refused),
    (error: unknown) => {
      assert.ok(error instanceof ViaductError);
      assert.match(
        error.message,
        /router\.routing_table_sharding_mode: Expected isolation segments; routing/,
      );
      return true;
    },
  );
  assert.doesNotThrow(() => load(`${refused}  isolation_segments: [blue]\n`));
});

test("a foundation in one process refuses workers, and says where they are", () => {
  assert.throws(() => loadConfig([routerSection], { flags: { "router.workers": "4" } }), {
    details: {
      problems: [
        "router.workers: 4 is outside 1: all roles are one process here; a router of several is «viaduct router» with viaduct.workers. (flag)",
      ],
    },
  });
});
