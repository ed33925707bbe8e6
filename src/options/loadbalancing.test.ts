import assert from "node:assert/strict";
import { test } from "node:test";
import { balancers } from "../balancing/index.ts";
import { companionsOf, compileHooks, validateOptions } from "./index.ts";
import loadbalancing from "./loadbalancing.ts";
import { ROUTE } from "./samples.ts";

const context = { operator: { maxResponseTimeoutMs: 1 } };

test("allows every balancer there is, and tells the router its name", () => {
  for (const { name } of balancers) {
    const options = { loadbalancing: name, ...companionsOf("loadbalancing", name) };
    assert.deepEqual(validateOptions(options, context), { ok: true, options });
    assert.deepEqual(compileHooks({ loadbalancing: name }, ROUTE), [{ balancer: name }]);
  }
});

test("has a documented example for every balancer", () => {
  assert.deepEqual(
    loadbalancing.examples.map((example) => example.value),
    balancers.map((balancer) => balancer.name),
  );
});

for (const value of ["", "Round-Robin", "random", 1, true, ["round-robin"]]) {
  test(`refuses ${JSON.stringify(value)} with upstream's text and the names that are allowed`, () => {
    const names = balancers.map((balancer) => balancer.name).join(", ");
    const text = `Options Loadbalancing must be one of '${names}' if present`;
    assert.deepEqual(validateOptions({ loadbalancing: value }, context), {
      ok: false,
      problems: [{ key: "loadbalancing", value, text }],
    });
  });
}
