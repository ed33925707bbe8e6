import assert from "node:assert/strict";
import { test } from "node:test";
import connectTimeout from "./connect-timeout.ts";
import { problemsOf, ROUTE } from "./samples.ts";

test("may be 30s at most, unless the operator says otherwise", () => {
  assert.deepEqual(problemsOf(connectTimeout, "30s"), []);
  assert.deepEqual(problemsOf(connectTimeout, "999999999h"), [
    "Options connect-timeout: 999999999h is longer than the 30s that the operator allows",
  ]);
  assert.deepEqual(problemsOf(connectTimeout, "2s", { maxConnectTimeoutMs: 1_500 }), [
    "Options connect-timeout: 2s is longer than the 1500ms that the operator allows",
  ]);
});

test("is milliseconds to the router", () =>
  assert.deepEqual(connectTimeout.hooks("1m1.5s", ROUTE), { connectTimeoutMs: 61_500 }));
