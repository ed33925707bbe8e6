import assert from "node:assert/strict";
import { test } from "node:test";
import { createOptionSet } from "./option-set.ts";
import retryOn from "./retry-on.ts";
import { problemsOf, ROUTE } from "./samples.ts";

for (const value of [
  "",
  ",",
  "503,",
  ",503",
  "503 504",
  "500",
  "5xx",
  "never",
  "Reset",
  "reset,connect",
  500,
  true,
]) {
  test(`refuses «${value}» and says what there is`, () => {
    assert.deepEqual(problemsOf(retryOn, value), [
      "Options Retry on must be one or more of 'connect-failure, reset, response-timeout, 502, 503, 504', with commas between",
    ]);
  });
}

test("takes a single status as YAML reads it, and stores it as text", () => {
  for (const value of [503, "503"]) {
    const verdict = createOptionSet([retryOn]).validateOptions({ "retry-on": value }, { operator: {} });
    assert.deepEqual(verdict, { ok: true, options: { "retry-on": "503" } });
    assert.deepEqual(retryOn.hooks("503", ROUTE), { retry: { on: new Set(["503"]) } });
  }
});

test("takes all that there are, in any order", () => {
  const value = "504,503,502,response-timeout,reset,connect-failure";
  assert.deepEqual(problemsOf(retryOn, value), []);
  assert.deepEqual(retryOn.hooks(value, ROUTE), { retry: { on: new Set(value.split(",")) } });
});
