import assert from "node:assert/strict";
import { test } from "node:test";
import requestHeaders from "./request-headers.ts";
import { problemsOf, ROUTE } from "./samples.ts";

for (const name of [
  "Host",
  "Connection",
  "Content-Length",
  "Transfer-Encoding",
  "TE",
  "Upgrade",
  "Expect",
  "X-Forwarded-For",
  "X-Forwarded-Prefix",
  "Forwarded",
  "X-Vcap-Request-Id",
  "X-CF-InstanceID",
  "X-B3-TraceId",
  "b3",
  "traceparent",
  "X-Request-Start",
  "Sec-WebSocket-Key",
]) {
  test(`no rule may touch ${name}, in any case and by any action`, () => {
    for (const text of [
      `set ${name}: 1`,
      `append ${name.toUpperCase()}: 1`,
      `remove ${name.toLowerCase()}`,
    ]) {
      assert.match(
        problemsOf(requestHeaders, text).join(),
        /^Options request-headers: \S+ is the router's own/,
        text,
      );
    }
  });
}

test("the operator may keep further headers", () => {
  const limits = { protectedRequestHeaders: ["X-Company-*", "X-Audit"] };
  assert.match(
    problemsOf(requestHeaders, "set x-company-id: 1", limits).join(),
    /x-company-id is the router's own \(x-company-\*\)/,
  );
  assert.match(
    problemsOf(requestHeaders, "remove X-Audit", limits).join(),
    /X-Audit is the router's own \(x-audit\)/,
  );
  assert.deepEqual(problemsOf(requestHeaders, "set X-Auditor: 1", limits), []);
});

test("what protects the other side is free on this one", () =>
  assert.deepEqual(problemsOf(requestHeaders, "set Date: 1"), []));

test("says what a rule looks like, and how long they may be", () => {
  for (const value of [true, 5, ""]) {
    assert.deepEqual(problemsOf(requestHeaders, value), [
      "Options Request headers must be rules like 'set NAME: VALUE; append NAME: VALUE; remove NAME'",
    ]);
  }
  assert.deepEqual(problemsOf(requestHeaders, "x".repeat(961)), [
    "Options Request headers must be at most 960 characters",
  ]);
});

test("is compiled for the request", () => {
  assert.deepEqual(requestHeaders.hooks("set X-A: 1; remove X-B", ROUTE), {
    requestHeaders: { hides: new Set(["x-a", "x-b"]), lines: "X-A: 1\r\n" },
  });
  assert.equal(requestHeaders.explain("set X-A: 1; remove X-B"), "sets X-A, removes X-B");
});
