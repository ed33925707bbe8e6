import assert from "node:assert/strict";
import { test } from "node:test";
import requestHeaders from "./request-headers.ts";
import { problemsOf, ROUTE, testProtection } from "./samples.ts";

testProtection(requestHeaders, "protectedRequestHeaders", [
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
]);

test("what only the other side protects is free", () =>
  assert.deepEqual(problemsOf(requestHeaders, "set Date: 1"), []));

test("is compiled for the request", () =>
  assert.deepEqual(requestHeaders.hooks("set X-A: 1; remove X-B", ROUTE), {
    requestHeaders: { hides: new Set(["x-a", "x-b"]), lines: "X-A: 1\r\n" },
  }));
