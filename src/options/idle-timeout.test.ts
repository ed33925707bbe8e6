import assert from "node:assert/strict";
import { test } from "node:test";
import idleTimeout from "./idle-timeout.ts";
import { problemsOf, ROUTE } from "./samples.ts";

test("may be 3600s at most, unless the operator says otherwise", () => {
  assert.deepEqual(problemsOf(idleTimeout, "3600s"), []);
  assert.deepEqual(problemsOf(idleTimeout, "999999999h"), [
    "Options idle-timeout: 999999999h is longer than the 3600s that the operator allows",
  ]);
  assert.deepEqual(problemsOf(idleTimeout, "2s", { maxIdleTimeoutMs: 1_500 }), [
    "Options idle-timeout: 2s is longer than the 1500ms that the operator allows",
  ]);
});

test("is milliseconds to the router", () =>
  assert.deepEqual(idleTimeout.hooks("1m1.5s", ROUTE), { idleTimeoutMs: 61_500 }));
