import assert from "node:assert/strict";
import { test } from "node:test";
import { exchangeView, ROUTE } from "./samples.ts";
import trimPath from "./trim-path.ts";

const CASES: readonly { readonly path: string; readonly target: string; readonly want: string }[] = [
  { path: "/v2", target: "/v2", want: "/" },
  { path: "/v2", target: "/v2/", want: "/" },
  { path: "/v2", target: "/v2?page=2", want: "/?page=2" },
  { path: "/v2", target: "/v2/?page=2", want: "/?page=2" },
  { path: "/v2", target: "/v2/carts/7?x=/v2", want: "/carts/7?x=/v2" },
  { path: "/v2", target: "/V2/carts", want: "/carts" },
  { path: "/V2", target: "/v2/carts", want: "/carts" },
  { path: "/v2", target: "/v2//carts", want: "//carts" },
  { path: "/v2", target: "/v2/%2e%2E/a%20b", want: "/%2e%2E/a%20b" },
  { path: "/a/b", target: "/a/b/c", want: "/c" },
  { path: "/v2", target: "/v22", want: "/v22" },
  { path: "/v2", target: "/v%32/x", want: "/v%32/x" },
  { path: "/v2", target: "*", want: "*" },
  { path: "", target: "/v2/x", want: "/v2/x" },
];

for (const { path, target, want } of CASES) {
  test(`sends ${want} for ${target} on a route with path «${path}»`, () => {
    const view = exchangeView({ target });
    trimPath.hooks(true, { ...ROUTE, path }).prepareRequest?.(view);
    assert.equal(view.target, want);
  });
}

test("costs nothing when it is false", () => {
  assert.deepEqual(trimPath.hooks(false, { ...ROUTE, path: "/v2" }), {});
});

test("has nothing to do on a route without a path, and on one whose path would break a header line", () => {
  for (const path of ["", "/", "/a b", "/a\r\nX-Evil: 1", "/ü"]) {
    assert.deepEqual(trimPath.hooks(true, { ...ROUTE, path }), {}, path);
  }
});

test("tells the app what was taken off, in place of what a client says", () => {
  assert.deepEqual(trimPath.hooks(true, { ...ROUTE, path: "/V2" }).requestHeaders, {
    hides: new Set(["x-forwarded-prefix"]),
    lines: "X-Forwarded-Prefix: /V2\r\n",
  });
});
