import assert from "node:assert/strict";
import { test } from "node:test";
import { routeInMaintenance } from "../kernel/errors/options.ts";
import maintenance from "./maintenance.ts";
import { exchangeView, problemsOf, ROUTE } from "./samples.ts";

for (const value of [
  "",
  true,
  30,
  "soon",
  "30m,",
  "30m bypass X-A: b",
  "30m, bypass",
  "30m, bypass X-A",
  "30m, bypass X-A:",
  "30m, bypass X-A: two words",
  "30m, bypass X A: b",
  "30m, bypass X-A: b\r\n",
  `30m, bypass X-A: ${"b".repeat(129)}`,
]) {
  test(`refuses «${JSON.stringify(value)}» and shows how it is written`, () =>
    assert.deepEqual(problemsOf(maintenance, value), [
      "Options Maintenance must be a time with a unit like '30m', or like '2h, bypass X-Preview: PASSWORD'",
    ]));
}

test("sends clients away for a week at most, unless the operator says otherwise", () => {
  assert.deepEqual(problemsOf(maintenance, "168h"), []);
  assert.deepEqual(problemsOf(maintenance, "169h, bypass X-A: b"), [
    "Options maintenance: 169h is longer than the 604800s that the operator allows",
  ]);
  assert.deepEqual(problemsOf(maintenance, "2m", { maxMaintenanceRetryAfterMs: 60_000 }), [
    "Options maintenance: 2m is longer than the 60s that the operator allows",
  ]);
});

test("does not take a header from the app that the app or the router needs", () => {
  for (const name of ["Host", "content-length", "X-Forwarded-For", "x-cf-instanceid"]) {
    assert.match(problemsOf(maintenance, `1h, bypass ${name}: x`).join(), /is the router's own/, name);
  }
});

for (const { value, given, isIn } of [
  { value: "90s", given: {}, isIn: false },
  { value: "90s, bypass X-Preview: fig-42", given: {}, isIn: false },
  { value: "90s, bypass X-Preview: fig-42", given: { "x-preview": "" }, isIn: false },
  { value: "90s, bypass X-Preview: fig-42", given: { "x-preview": "fig-4" }, isIn: false },
  { value: "90s, bypass X-Preview: fig-42", given: { "x-preview": "fig-421" }, isIn: false },
  { value: "90s, bypass X-Preview: fig-42", given: { "x-preview": "FIG-42" }, isIn: false },
  { value: "90s, bypass X-Preview: fig-42", given: { "x-preview": "fig-42" }, isIn: true },
  { value: "90s,bypass X-Preview:fig-42", given: { "x-preview": "fig-42" }, isIn: true },
]) {
  test(`«${value}» ${isIn ? "lets in" : "keeps out"} ${JSON.stringify(given)}`, () => {
    const added: string[] = [];
    const exchange = exchangeView({
      requestHeader: (name) => new Map(Object.entries(given)).get(name),
      addResponseHeader: (name, text) => void added.push(`${name}: ${text}`),
    });
    const admit = () => maintenance.hooks(value, ROUTE).admit?.(exchange);
    if (isIn) assert.equal(admit(), null);
    else assert.throws(admit, routeInMaintenance.is);
    assert.deepEqual(added, isIn ? [] : ["Retry-After: 90"]);
  });
}

test("the password is kept from the app, and from who asks for an explanation", () => {
  const value = "1h, bypass X-Preview: fig-42";
  assert.deepEqual(maintenance.hooks(value, ROUTE).requestHeaders, {
    hides: new Set(["x-preview"]),
    lines: "",
  });
  assert.equal(maintenance.hooks("1h", ROUTE).requestHeaders, undefined);
  assert.equal(
    maintenance.explain(value),
    "clients get 503 and come back in 1h, unless they know what to say in X-Preview",
  );
});

test("less than a second to wait is a second", () => {
  const added: string[] = [];
  const exchange = exchangeView({ addResponseHeader: (_, text) => void added.push(text) });
  assert.throws(() => maintenance.hooks("100ms", ROUTE).admit?.(exchange));
  assert.deepEqual(added, ["1"]);
});
