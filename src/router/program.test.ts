import assert from "node:assert/strict";
import test from "node:test";
import { type Logger, silentLogger } from "../kernel/index.ts";
import { createTable, type Endpoint, type RouteOptions } from "../table/index.ts";
import { createRoutePrograms } from "./program.ts";

function start() {
  const warnings: object[] = [];
  const log: Logger = { ...silentLogger, warn: (fields) => void warnings.push(fields) };
  const programs = createRoutePrograms({ config: { balancingAlgorithm: "round-robin" }, log });
  const table = createTable(programs);
  const endpoint = (port: number, given: Partial<Endpoint> = {}): Endpoint => ({
    processGuid: "",
    instanceId: "",
    instanceIndex: "",
    appGuid: "app",
    host: "10.0.0.1",
    port,
    tls: false,
    serverCertDomainSan: "",
    appPort: 0,
    instanceAddress: "",
    protocol: "http1",
    availabilityZone: "",
    isolationSegment: "",
    tags: {},
    updatedAtNs: "",
    ...given,
  });
  return {
    programs,
    table,
    warnings,
    register: (uri: string, port: number, options: RouteOptions = {}, given: Partial<Endpoint> = {}) =>
      table.register(
        { uri, endpoint: endpoint(port, given), options, routeServiceUrl: null, staleAfterMs: 0 },
        0,
      ),
    unregister: (uri: string, port: number) => table.unregister({ uri, endpoint: endpoint(port) }),
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
  const { register, programs } = start();
  register("a.example.com", 80);
  register("b.example.com", 80, {}, { tls: true, serverCertDomainSan: "one" });
  register("c.example.com", 80, {}, { tls: true, serverCertDomainSan: "two" });
  assert.equal(programs.endpoints.size, 3);
});

test("what is known of an address lives as long as any route has it", () => {
  const { register, unregister, program, programs } = start();
  register("a.example.com", 80);
  register("b.example.com", 80);
  register("b.example.com", 81);
  const load = program("a.example.com").candidates[0]?.load;
  assert.equal(programs.endpoints.size, 2);
  unregister("a.example.com", 80);
  assert.equal(program("b.example.com").candidates[0]?.load, load);
  unregister("b.example.com", 80);
  assert.equal(programs.endpoints.size, 1);
  assert.equal(load?.references, 0);
  unregister("b.example.com", 81);
  assert.equal(programs.endpoints.size, 0);
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

test("an option that makes no sense is said once and ignored; the route is served", () => {
  const { register, program, warnings } = start();
  register("a.example.com", 80, { loadbalancing: "dice", "trim-path": true });
  assert.equal(program("a.example.com").balancer, "round-robin");
  assert.equal(program("a.example.com").prepareRequest.length, 1);
  assert.equal(warnings.length, 1);
});

test("identity headers fall back to the address, and cannot break out of their line", () => {
  const { register, program } = start();
  register("a.example.com", 80, {}, { appGuid: "x\r\nEvil: 1", instanceIndex: "2" });
  assert.equal(
    program("a.example.com").candidates[0]?.headerLines,
    "X-CF-ApplicationID: xEvil: 1\r\nX-CF-InstanceID: 10.0.0.1:80\r\nX-CF-InstanceIndex: 2\r\n",
  );
});
