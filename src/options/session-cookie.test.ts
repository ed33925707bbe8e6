import assert from "node:assert/strict";
import { test } from "node:test";
import { honourOptions, validateOptions } from "./index.ts";
import sessionCookie from "./session-cookie.ts";
import { ROUTE } from "./samples.ts";

const context = { operator: { maxResponseTimeoutMs: 1 } };

for (const { given, want } of [
  { given: "", want: 'Options Session cookie must be the name of a cookie, not ""' },
  { given: "a b", want: 'Options Session cookie must be the name of a cookie, not "a b"' },
  { given: "a=b", want: 'Options Session cookie must be the name of a cookie, not "a=b"' },
  { given: "a;b", want: 'Options Session cookie must be the name of a cookie, not "a;b"' },
  { given: 7, want: "Options Session cookie must be the name of a cookie, not 7" },
  {
    given: "x".repeat(129),
    want: `Options Session cookie must be at most 128 characters, not "${"x".repeat(39)}…`,
  },
]) {
  test(`refuses ${JSON.stringify(given).slice(0, 20)}: ${want}`, () => {
    const verdict = validateOptions({ "session-cookie": given }, context);
    assert.deepEqual(verdict.ok ? [] : verdict.problems.map(({ text }) => text), [want]);
  });
}

test("tells the router the name as it is, case included, even when it looks like a number", () => {
  for (const name of ["SESSION", "connect.sid", "42", "true"]) {
    assert.deepEqual(validateOptions({ "session-cookie": name }, context), {
      ok: true,
      options: { "session-cookie": name },
    });
    assert.deepEqual(sessionCookie.hooks(name, ROUTE), { sessionCookie: name });
  }
});

test("routers also know it as cookie; the API does not", () => {
  assert.deepEqual(
    honourOptions({ cookie: "sid" }, () => assert.fail("ignored")),
    { "session-cookie": "sid" },
  );
  assert.equal(validateOptions({ cookie: "sid" }, context).ok, false);
});
