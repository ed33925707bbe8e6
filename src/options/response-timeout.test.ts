import assert from "node:assert/strict";
import { test } from "node:test";
import responseTimeout from "./response-timeout.ts";
import { problemsOf, ROUTE } from "./samples.ts";

test("may be 900s at most, unless the operator says otherwise", () => {
  assert.deepEqual(problemsOf(responseTimeout, "900s"), []);
  assert.deepEqual(problemsOf(responseTimeout, "999999999h"), [
    "Options response-timeout: 999999999h is longer than the 900s that the operator allows",
  ]);
  assert.deepEqual(problemsOf(responseTimeout, "2s", { maxResponseTimeoutMs: 1_500 }), [
    "Options response-timeout: 2s is longer than the 1500ms that the operator allows",
  ]);
});

test("is milliseconds to the router", () =>
  assert.deepEqual(responseTimeout.hooks("1m1.5s", ROUTE), { responseTimeoutMs: 61_500 }));
