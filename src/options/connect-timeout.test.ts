import assert from "node:assert/strict";
import { test } from "node:test";
import connectTimeout from "./connect-timeout.ts";
import { problemsOf, ROUTE } from "./samples.ts";

const NO_TIME = "Options Connect timeout must be a time with a unit, like 500ms, 30s or 1m30s";

for (const { value, want } of [
  { value: "", want: [NO_TIME] },
  { value: true, want: [NO_TIME] },
  { value: "soon", want: [NO_TIME] },
  { value: "-5s", want: [NO_TIME] },
  { value: "1e3s", want: [NO_TIME] },
  { value: 30, want: ["Options Connect timeout must have a unit: 30s"] },
  { value: "30", want: ["Options Connect timeout must have a unit: 30s"] },
  { value: "0s", want: ["Options connect-timeout: 0s is too short; the shortest is 100ms"] },
  { value: "99ms", want: ["Options connect-timeout: 99ms is too short; the shortest is 100ms"] },
  { value: "100ms", want: [] },
  { value: "30s", want: [] },
  {
    value: "999999999h",
    want: ["Options connect-timeout: 999999999h is longer than the 30s that the operator allows"],
  },
]) {
  test(`says of connect-timeout=${value}: ${want[0] ?? "fine"}`, () =>
    assert.deepEqual(problemsOf(connectTimeout, value), want));
}

test("the operator may allow less", () => {
  assert.deepEqual(problemsOf(connectTimeout, "2s", { maxConnectTimeoutMs: 1_500 }), [
    "Options connect-timeout: 2s is longer than the 1500ms that the operator allows",
  ]);
});

test("is milliseconds to the router", () =>
  assert.deepEqual(connectTimeout.hooks("1m1.5s", ROUTE), { connectTimeoutMs: 61_500 }));
