import assert from "node:assert/strict";
import { test } from "node:test";
import idleTimeout from "./idle-timeout.ts";
import { problemsOf, ROUTE } from "./samples.ts";

const NO_TIME = "Options Idle timeout must be a time with a unit, like 500ms, 30s or 1m30s";

for (const { value, want } of [
  { value: "", want: [NO_TIME] },
  { value: true, want: [NO_TIME] },
  { value: "soon", want: [NO_TIME] },
  { value: "-5s", want: [NO_TIME] },
  { value: "1e3s", want: [NO_TIME] },
  { value: 30, want: ["Options Idle timeout must have a unit: 30s"] },
  { value: "30", want: ["Options Idle timeout must have a unit: 30s"] },
  { value: "0s", want: ["Options idle-timeout: 0s is too short; the shortest is 100ms"] },
  { value: "99ms", want: ["Options idle-timeout: 99ms is too short; the shortest is 100ms"] },
  { value: "100ms", want: [] },
  { value: "3600s", want: [] },
  {
    value: "999999999h",
    want: ["Options idle-timeout: 999999999h is longer than the 3600s that the operator allows"],
  },
]) {
  test(`says of idle-timeout=${value}: ${want[0] ?? "fine"}`, () =>
    assert.deepEqual(problemsOf(idleTimeout, value), want));
}

test("the operator may allow less", () => {
  assert.deepEqual(problemsOf(idleTimeout, "2s", { maxIdleTimeoutMs: 1_500 }), [
    "Options idle-timeout: 2s is longer than the 1500ms that the operator allows",
  ]);
});

test("is milliseconds to the router", () =>
  assert.deepEqual(idleTimeout.hooks("1m1.5s", ROUTE), { idleTimeoutMs: 61_500 }));
