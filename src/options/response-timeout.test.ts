import assert from "node:assert/strict";
import { test } from "node:test";
import responseTimeout from "./response-timeout.ts";
import { problemsOf, ROUTE } from "./samples.ts";

const NO_TIME = "Options Response timeout must be a time with a unit, like 500ms, 30s or 1m30s";

for (const { value, want } of [
  { value: "", want: [NO_TIME] },
  { value: true, want: [NO_TIME] },
  { value: "soon", want: [NO_TIME] },
  { value: "-5s", want: [NO_TIME] },
  { value: "1e3s", want: [NO_TIME] },
  { value: 30, want: ["Options Response timeout must have a unit: 30s"] },
  { value: "30", want: ["Options Response timeout must have a unit: 30s"] },
  { value: "0s", want: ["Options response-timeout: 0s is too short; the shortest is 100ms"] },
  { value: "99ms", want: ["Options response-timeout: 99ms is too short; the shortest is 100ms"] },
  { value: "100ms", want: [] },
  { value: "900s", want: [] },
  {
    value: "999999999h",
    want: ["Options response-timeout: 999999999h is longer than the 900s that the operator allows"],
  },
]) {
  test(`says of response-timeout=${value}: ${want[0] ?? "fine"}`, () =>
    assert.deepEqual(problemsOf(responseTimeout, value), want));
}

test("the operator may allow less", () => {
  assert.deepEqual(problemsOf(responseTimeout, "2s", { maxResponseTimeoutMs: 1_500 }), [
    "Options response-timeout: 2s is longer than the 1500ms that the operator allows",
  ]);
});

test("is milliseconds to the router", () =>
  assert.deepEqual(responseTimeout.hooks("1m1.5s", ROUTE), { responseTimeoutMs: 61_500 }));
