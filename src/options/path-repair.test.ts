import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { repairCookiePath, repairLocation } from "./path-repair.ts";

const LOCATIONS: readonly { readonly given: string; readonly want: string; readonly authority?: string }[] = [
  { given: "", want: "" },
  { given: "/", want: "/v2/" },
  { given: "/login", want: "/v2/login" },
  { given: "/login?next=/v2/carts#top", want: "/v2/login?next=/v2/carts#top" },
  { given: "/v2", want: "/v2" },
  { given: "/v2/login", want: "/v2/login" },
  { given: "/V2/login", want: "/V2/login" },
  { given: "/v2?x", want: "/v2?x" },
  { given: "/v22/login", want: "/v2/v22/login" },
  { given: "login", want: "login" },
  { given: "?page=2", want: "?page=2" },
  { given: "#top", want: "#top" },
  { given: "http://shop.example.com/login", want: "http://shop.example.com/v2/login" },
  { given: "HTTPS://Shop.Example.com/login", want: "HTTPS://Shop.Example.com/v2/login" },
  { given: "https://shop.example.com:8443/login", want: "https://shop.example.com:8443/login" },
  { given: "https://shop.example.com:443/login", want: "https://shop.example.com:443/v2/login" },
  {
    given: "http://shop.example.com/login",
    want: "http://shop.example.com/login",
    authority: "shop.example.com:8080",
  },
  {
    given: "http://shop.example.com:8080/login",
    want: "http://shop.example.com:8080/v2/login",
    authority: "shop.example.com:8080",
  },
  { given: "http://shop.example.com", want: "http://shop.example.com/v2" },
  { given: "http://shop.example.com?x=1", want: "http://shop.example.com/v2?x=1" },
  { given: "http://shop.example.com/v2/login", want: "http://shop.example.com/v2/login" },
  { given: "//shop.example.com/login", want: "//shop.example.com/v2/login" },
  { given: "//auth.example.com/login", want: "//auth.example.com/login" },
  { given: "https://auth.example.com/login", want: "https://auth.example.com/login" },
  {
    given: "https://shop.example.com.evil.example/login",
    want: "https://shop.example.com.evil.example/login",
  },
  { given: "https://shop.example.com@evil.example/", want: "https://shop.example.com@evil.example/" },
  { given: "mailto:shop@example.com", want: "mailto:shop@example.com" },
];

for (const { given, want, authority = "shop.example.com" } of LOCATIONS) {
  test(`Location «${given}» of an app at ${authority} becomes «${want}»`, () =>
    assert.equal(repairLocation(given, "/v2", authority), want));
}

const COOKIES: readonly { readonly given: string; readonly want: string }[] = [
  { given: "", want: "" },
  { given: "sid=1", want: "sid=1" },
  { given: "path=/", want: "path=/" },
  { given: "sid=1; Path=/", want: "sid=1; Path=/v2" },
  { given: "sid=1;path=/;HttpOnly", want: "sid=1;path=/v2;HttpOnly" },
  { given: "sid=1; PATH = /admin; Secure", want: "sid=1; PATH = /v2/admin; Secure" },
  { given: "sid=1; Path=/v2/admin", want: "sid=1; Path=/v2/admin" },
  { given: "sid=1; Path=", want: "sid=1; Path=" },
  { given: "sid=1; Path=admin", want: "sid=1; Path=admin" },
  { given: "sid=1; Path=/a; Path=/b", want: "sid=1; Path=/v2/a; Path=/v2/b" },
  {
    given: "sid=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Path=/",
    want: "sid=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT; Path=/v2",
  },
];

for (const { given, want } of COOKIES) {
  test(`Set-Cookie «${given}» becomes «${want}»`, () => assert.equal(repairCookiePath(given, "/v2"), want));
}

test("what has been repaired once is left alone the second time", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.constantFrom("/", "", "//shop.example.com", "https://shop.example.com/"),
      (text, start) => {
        const once = repairLocation(start + text, "/v2", "shop.example.com");
        assert.equal(repairLocation(once, "/v2", "shop.example.com"), once);
        const cookie = repairCookiePath(`sid=1; Path=${start}${text}`, "/v2");
        assert.equal(repairCookiePath(cookie, "/v2"), cookie);
      },
    ),
  );
});
