import assert from "node:assert/strict";
import { test } from "node:test";
import responseHeaders from "./response-headers.ts";
import { problemsOf, ROUTE, testProtection } from "./samples.ts";

testProtection(responseHeaders, "protectedResponseHeaders", [
  "Connection",
  "Content-Length",
  "Transfer-Encoding",
  "Trailer",
  "Upgrade",
  "Date",
  "X-Vcap-Request-Id",
  "X-Cf-RouterError",
  "Sec-WebSocket-Accept",
]);

test("what only the other side protects is free", () =>
  assert.deepEqual(problemsOf(responseHeaders, "set Host: 1"), []));

test("is compiled for the response", () =>
  assert.deepEqual(responseHeaders.hooks("set X-A: 1; remove X-B", ROUTE), {
    responseHeaders: { hides: new Set(["x-a", "x-b"]), lines: "X-A: 1\r\n" },
  }));
