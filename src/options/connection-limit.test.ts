import assert from "node:assert/strict";
import { test } from "node:test";
import connectionLimit from "./connection-limit.ts";
import { honourOptions, validateOptions } from "./index.ts";
import { ROUTE } from "./samples.ts";

const context = { operator: { maxResponseTimeoutMs: 1 } };

for (const given of [0, -1, 1.5, 1_000_001, "", "many", true]) {
  test(`refuses ${JSON.stringify(given)} and says what is allowed`, () => {
    const verdict = validateOptions({ "connection-limit": given }, context);
    assert.deepEqual(verdict.ok ? [] : verdict.problems.map(({ text }) => text), [
      `Options Connection limit must be a whole number between 1 and 1000000, not ${JSON.stringify(given)}`,
    ]);
  });
}

test("takes text from the command line, and becomes the limit per endpoint", () => {
  assert.deepEqual(validateOptions({ "connection-limit": "50" }, context), {
    ok: true,
    options: { "connection-limit": 50 },
  });
  assert.deepEqual(connectionLimit.hooks(50, ROUTE), { maxInFlightPerEndpoint: 50 });
});

test("routers also know it as conn-limit; the API does not", () => {
  assert.deepEqual(
    honourOptions({ "conn-limit": 5 }, () => assert.fail("ignored")),
    { "connection-limit": 5 },
  );
  assert.equal(validateOptions({ "conn-limit": 5 }, context).ok, false);
});
