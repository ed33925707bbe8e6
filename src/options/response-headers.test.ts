import assert from "node:assert/strict";
import { test } from "node:test";
import responseHeaders from "./response-headers.ts";
import { problemsOf, ROUTE } from "./samples.ts";

for (const name of [
  "Connection",
  "Content-Length",
  "Transfer-Encoding",
  "Trailer",
  "Upgrade",
  "Date",
  "X-Vcap-Request-Id",
  "X-Cf-RouterError",
  "Sec-WebSocket-Accept",
]) {
  test(`no rule may touch ${name}, in any case and by any action`, () => {
    for (const text of [
      `set ${name}: 1`,
      `append ${name.toUpperCase()}: 1`,
      `remove ${name.toLowerCase()}`,
    ]) {
      assert.match(
        problemsOf(responseHeaders, text).join(),
        /^Options response-headers: \S+ is the router's own/,
        text,
      );
    }
  });
}

test("the operator may keep further headers", () => {
  const limits = { protectedResponseHeaders: ["X-Company-*", "X-Audit"] };
  assert.match(
    problemsOf(responseHeaders, "set x-company-id: 1", limits).join(),
    /x-company-id is the router's own \(x-company-\*\)/,
  );
  assert.match(
    problemsOf(responseHeaders, "remove X-Audit", limits).join(),
    /X-Audit is the router's own \(x-audit\)/,
  );
  assert.deepEqual(problemsOf(responseHeaders, "set X-Auditor: 1", limits), []);
});

test("what protects the other side is free on this one", () =>
  assert.deepEqual(problemsOf(responseHeaders, "set Host: 1"), []));

test("says what a rule looks like, and how long they may be", () => {
  for (const value of [true, 5, ""]) {
    assert.deepEqual(problemsOf(responseHeaders, value), [
      "Options Response headers must be rules like 'set NAME: VALUE; append NAME: VALUE; remove NAME'",
    ]);
  }
  assert.deepEqual(problemsOf(responseHeaders, "x".repeat(961)), [
    "Options Response headers must be at most 960 characters",
  ]);
});

test("is compiled for the response", () => {
  assert.deepEqual(responseHeaders.hooks("set X-A: 1; remove X-B", ROUTE), {
    responseHeaders: { hides: new Set(["x-a", "x-b"]), lines: "X-A: 1\r\n" },
  });
  assert.equal(responseHeaders.explain("set X-A: 1; remove X-B"), "sets X-A, removes X-B");
});
