import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { createJsonAccessLogFormatter, renderJsonAccessLog } from "./access-log-json.ts";
import { logRecord } from "./access-log-samples.ts";
import type { ExplainedLogRecord } from "./access-record.ts";

const format = createJsonAccessLogFormatter({});
const parsed = (line: string) => JSON.parse(line) as Record<string, unknown>;

test("a line is one object with what the classic line and the verdict say", () => {
  const { timestamp, ...facts } = parsed(format(logRecord()));
  assert.match(String(timestamp), /^2026-11-21T10:15:30\.123\d{6}Z$/);
  assert.deepEqual(facts, {
    host: "shop.example.com",
    method: "GET",
    target: "/a?b=c",
    protocol: "HTTP/1.1",
    status: 200,
    request_bytes: 0,
    response_bytes: 51,
    referer: null,
    user_agent: "curl/8.5.0",
    client: "10.0.0.9:51842",
    endpoint: "10.0.1.5:61001",
    x_forwarded_for: "10.0.0.9",
    x_forwarded_proto: "http",
    vcap_request_id: "645e4784-879d-4068-761d-a9942fdc40c0",
    response_time: 0.001234,
    gorouter_time: 0.00021,
    app_id: "c1b0",
    app_index: "0",
    instance_id: "9a2f",
    backend_time: 0.001024,
    dns_time: null,
    dial_time: 0.0004,
    tls_time: null,
    local_address: "10.0.0.1:40000",
    failed_attempts_time: 0.0125,
    x_cf_routererror: null,
    route: "shop.example.com/a",
    options: { loadbalancing: "hash", hash_header: "X-Tenant" },
    balancer: "hash",
    attempts: 3,
    failed_endpoints: [
      { endpoint: "10.0.1.6:61001", error: "endpoint_dial_failed" },
      { endpoint: "10.0.1.7:61001", error: "endpoint_reset" },
    ],
    error: null,
    closed_first: "nobody",
    headers: {},
  });
});

test("what hides something in the classic line hides it here", () => {
  const hiding = createJsonAccessLogFormatter({
    hideForwardedFor: true,
    hideSourceIp: true,
    redactQueryParams: "all",
    extraHeaders: ["X-Tenant", "Accept", "x-tenant"],
  });
  const requestHeader = (name: string) => (name === "x-tenant" ? "blue" : undefined);
  const facts = parsed(hiding(logRecord({ requestHeader })));
  assert.deepEqual([facts["x_forwarded_for"], facts["client"], facts["target"]], [null, null, "/a"]);
  assert.deepEqual(facts["headers"], { "x-tenant": "blue", accept: null });
});

test("an exchange that came to nothing has nulls, not zeros", () => {
  const nothing = { status: 0, responseTimeMs: -1, routerTimeMs: -1, backendTimeMs: -1, routeOptions: null };
  const facts = parsed(format(logRecord({ ...nothing, routeKey: "", failedEndpoints: [] })));
  for (const name of ["status", "response_time", "gorouter_time", "backend_time", "options", "route"]) {
    assert.equal(facts[name], null, name);
  }
});

test("whatever a client sends, the line is ASCII, one line, and says what came as far as it is UTF-8", () => {
  const bytes = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  });
  fc.assert(
    fc.property(bytes, bytes, bytes, (host, target, userAgent) => {
      const line = format(logRecord({ host, target, userAgent }));
      assert.match(line, /^[ -~]+$/);
      const facts = parsed(line);
      const read = (text: string) => (text === "" ? null : Buffer.from(text, "latin1").toString("utf8"));
      assert.deepEqual(
        [facts["host"], facts["target"], facts["user_agent"]],
        [read(host), read(target), read(userAgent)],
      );
    }),
  );
});

test("headers beyond their limit are left out, and the line says so", () => {
  const cutting = createJsonAccessLogFormatter({ extraHeaders: ["a", "b"], maxExtraHeaderBytes: 20 });
  const headersOf = (value: string) =>
    parsed(cutting(logRecord({ requestHeader: () => value } satisfies Partial<ExplainedLogRecord>)))[
      "headers"
    ];
  assert.deepEqual(headersOf("12"), { a: "12", b: "12" });
  assert.deepEqual(headersOf("12345"), { "...EXTRA-REQUEST-HEADERS-TOO-LONG-TO-LOG--TRUNCATED": true });
});

test("the reference page names every field of a line, in its order", () => {
  const named = [...renderJsonAccessLog().matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(named, Object.keys(parsed(format(logRecord()))));
});
