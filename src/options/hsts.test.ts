import assert from "node:assert/strict";
import { test } from "node:test";
import hsts from "./hsts.ts";
import { exchangeView, problemsOf, ROUTE } from "./samples.ts";

for (const value of [
  "",
  "30",
  "30d,",
  "d",
  "-1d",
  "12345d",
  "30d preload",
  "30d, preload, subdomains",
  "1y",
  true,
]) {
  test(`refuses «${value}» and shows how it is written`, () =>
    assert.deepEqual(problemsOf(hsts, value), [
      "Options Hsts must be days like '30d', '365d, subdomains' or '730d, subdomains, preload'",
    ]));
}

test("binds browsers no longer than the operator allows", () => {
  assert.deepEqual(problemsOf(hsts, "730d"), []);
  assert.deepEqual(problemsOf(hsts, "731d"), [
    "Options hsts: 731d is more than the 730d that the operator allows",
  ]);
  assert.deepEqual(problemsOf(hsts, "31d", { maxHstsDays: 30 }), [
    "Options hsts: 31d is more than the 30d that the operator allows",
  ]);
});

test("takes preload only where browsers' lists would", () => {
  for (const value of ["365d, preload", "364d, subdomains, preload"]) {
    assert.deepEqual(problemsOf(hsts, value), ["Options hsts: preload needs subdomains and 365d at least"]);
  }
  assert.deepEqual(problemsOf(hsts, "365d,subdomains,preload"), []);
});

for (const { value, want } of [
  { value: "0d", want: "max-age=0" },
  { value: "30d", want: "max-age=2592000" },
  { value: "365d, subdomains", want: "max-age=31536000; includeSubDomains" },
  { value: "730d,subdomains, preload", want: "max-age=63072000; includeSubDomains; preload" },
]) {
  test(`«${value}» is «${want}» by https, and nothing by http`, () => {
    const said = (isHttps: boolean) => {
      const lines: string[] = [];
      const addResponseHeader = (name: string, text: string) => void lines.push(`${name}: ${text}`);
      assert.equal(hsts.hooks(value, ROUTE).admit?.(exchangeView({ isHttps, addResponseHeader })), null);
      return lines;
    };
    assert.deepEqual(said(true), [`Strict-Transport-Security: ${want}`]);
    assert.deepEqual(said(false), []);
  });
}

test("says in words what browsers do", () => {
  assert.equal(hsts.explain("30d, subdomains"), "browsers come by https only, for 30 days");
  assert.equal(hsts.explain("0d"), "browsers may come by http again");
});
