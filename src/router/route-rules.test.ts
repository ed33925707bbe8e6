import assert from "node:assert/strict";
import { test } from "node:test";
import { exchangeView } from "../options/samples.ts";
import { compileRules, wholeLimitMs } from "./route-rules.ts";

test("a route whose options say nothing of the kind has no rules", () => {
  assert.equal(compileRules([], null), null);
  assert.equal(compileRules([{ balancer: "hash", admit: () => null }], null), null);
});

test("headers of several options are hidden and added together, in the order of the options", () => {
  const rules = compileRules(
    [
      { requestHeaders: { hides: new Set(["a"]), lines: "A: 1\r\n" } },
      {
        requestHeaders: { hides: new Set(["b"]), lines: "B: 2\r\n" },
        responseHeaders: { hides: new Set(), lines: "C: 3\r\n" },
      },
    ],
    null,
  );
  assert.deepEqual(rules?.requestHeaders, { hides: new Set(["a", "b"]), lines: "A: 1\r\nB: 2\r\n" });
  assert.deepEqual(rules?.responseHeaders, { hides: new Set(), lines: "C: 3\r\n" });
});

test("where two options rewrite one header, the later one sees what the earlier one made of it", () => {
  const rules = compileRules(
    [
      { rewriteResponse: { location: (value) => `${value}1`, link: (value) => value } },
      { rewriteResponse: { location: (value) => `${value}2` } },
    ],
    null,
  );
  assert.equal(rules?.rewriteResponse?.get("location")?.("x", exchangeView()), "x12");
  assert.deepEqual([...(rules?.rewriteResponse?.keys() ?? [])], ["location", "link"]);
});

test("what several options say of retries is one policy, whose budget outlives a change of the route", () => {
  const before = compileRules([{ retry: { retries: 2 } }, { retry: { on: new Set(["503"]) } }], null);
  assert.deepEqual(
    [before?.retry?.maxAttempts, before?.retry?.on, before?.retry?.budget.percent],
    [3, new Set(["503"]), 20],
  );
  const after = compileRules([{ retry: { budgetPercent: 50 } }], before);
  assert.equal(after?.retry?.budget, before?.retry?.budget);
  assert.deepEqual(
    [after?.retry?.maxAttempts, after?.retry?.on, after?.retry?.budget.percent],
    [0, null, 50],
  );
});

for (const { endpointTimeoutMs, responseTimeoutMs = 0, idleTimeoutMs = 0, want } of [
  { endpointTimeoutMs: 900, want: 900 },
  { endpointTimeoutMs: 900, responseTimeoutMs: 100, want: 1_000 },
  { endpointTimeoutMs: 900, idleTimeoutMs: 5, want: 0 },
  { endpointTimeoutMs: 0, responseTimeoutMs: 100, want: 0 },
]) {
  test(`endpoint_timeout ${endpointTimeoutMs} with response-timeout ${responseTimeoutMs} and idle-timeout ${idleTimeoutMs} is ${want} in all`, () => {
    const rules = compileRules([{ connectTimeoutMs: 1, responseTimeoutMs, idleTimeoutMs }], null);
    assert.ok(rules !== null);
    assert.equal(wholeLimitMs(endpointTimeoutMs, rules), want);
  });
}
