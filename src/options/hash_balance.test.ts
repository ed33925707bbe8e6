import assert from "node:assert/strict";
import { test } from "node:test";
import { compileHooks, honourOptions, validateOptions } from "./index.ts";
import { ROUTE } from "./samples.ts";

const context = { operator: { maxResponseTimeoutMs: 1 } };
const HASH = { loadbalancing: "hash", hash_header: "X-Tenant" };
const validate = (value: unknown) => validateOptions({ ...HASH, hash_balance: value }, context);

for (const { given, want } of [
  { given: 0, want: "0" },
  { given: "0", want: "0" },
  { given: "0.0", want: "0" },
  { given: 1.1, want: "1.1" },
  { given: "1.1", want: "1.1" },
  { given: 1.25, want: "1.3" },
  { given: "1.25", want: "1.3" },
  { given: 1.15, want: "1.2" },
  { given: 2, want: "2" },
  { given: "9.99", want: "10" },
  { given: 10, want: "10" },
  { given: "1.23456789012345", want: "1.2" },
]) {
  test(`keeps ${JSON.stringify(given)} as the text ${want}`, () =>
    assert.deepEqual(validate(given), { ok: true, options: { ...HASH, hash_balance: want } }));
}

const RANGE = "Options Hash balance must be either 0 or between 1.1 and 10.0";
const NOT_NUMERIC = "Options Hash balance must be a numeric value";
for (const { given, want } of [
  { given: 1, want: RANGE },
  { given: "1.09", want: RANGE },
  { given: 10.1, want: RANGE },
  { given: "-2", want: RANGE },
  { given: "", want: NOT_NUMERIC },
  { given: "even", want: NOT_NUMERIC },
  { given: "1,5", want: NOT_NUMERIC },
  { given: "0x2", want: NOT_NUMERIC },
  { given: true, want: NOT_NUMERIC },
  { given: "1.500000000000000", want: "Options Hash balance must be at most 16 characters" },
  { given: "a".repeat(17), want: "Options Hash balance must be at most 16 characters" },
]) {
  test(`refuses ${JSON.stringify(given)} with upstream's text`, () => {
    const problems = [{ key: "hash_balance", value: given, text: want }];
    assert.deepEqual(validate(given), { ok: false, problems });
  });
}

for (const loadbalancing of ["round-robin", "least-connection", undefined]) {
  test(`is refused with loadbalancing ${loadbalancing ?? "left out"}`, () => {
    const verdict = validateOptions(
      { hash_balance: 2, ...(loadbalancing === undefined ? {} : { loadbalancing }) },
      context,
    );
    assert.deepEqual(verdict.ok ? [] : verdict.problems.map(({ text }) => text), [
      "Options Hash balance can only be set when loadbalancing is hash",
    ]);
  });
}

test("routers take it as text and as number, and tell the balancer a number", () => {
  for (const value of ["1.3", 1.3]) {
    const honoured = honourOptions({ ...HASH, hash_balance: value }, () => assert.fail("ignored"));
    assert.deepEqual(compileHooks(honoured, ROUTE).at(-1), { balancing: { hashBalance: 1.3 } });
  }
});
