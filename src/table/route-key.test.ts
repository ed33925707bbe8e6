import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRouteKey } from "./route-key.ts";

const CASES = [
  { uri: "", key: "", host: "", path: "" },
  { uri: "/", key: "", host: "", path: "" },
  { uri: "shop.example.com", key: "shop.example.com", host: "shop.example.com", path: "" },
  { uri: "Shop.Example.COM/", key: "shop.example.com", host: "shop.example.com", path: "" },
  { uri: "shop.example.com//", key: "shop.example.com/", host: "shop.example.com", path: "/" },
  { uri: "shop.example.com?a=/b", key: "shop.example.com", host: "shop.example.com", path: "" },
  { uri: "shop.example.com/V2/?a=b/", key: "shop.example.com/v2", host: "shop.example.com", path: "/V2" },
  { uri: "shop.example.com/a//b", key: "shop.example.com/a//b", host: "shop.example.com", path: "/a//b" },
  { uri: "*.example.com/v2", key: "*.example.com/v2", host: "*.example.com", path: "/v2" },
  { uri: "İ.example.com/É", key: "İ.example.com/É", host: "İ.example.com", path: "/É" },
];

for (const { uri, ...want } of CASES) {
  test(`reads «${uri}» as «${want.key}»`, () => assert.deepEqual(parseRouteKey(uri), want));
}
