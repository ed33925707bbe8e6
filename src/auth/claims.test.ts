import assert from "node:assert/strict";
import { test } from "node:test";
import { audienceOf, hasScope, readClaims } from "./claims.ts";

test("a token has a scope when it carries any of those asked for, whole", () => {
  const claims = { scope: ["cloud_controller.read", "routing.route.abc.read"] };
  assert.equal(hasScope(claims, "cloud_controller.read"), true);
  assert.equal(hasScope(claims, "cloud_controller.admin", "routing.route.abc.read"), true);
  assert.equal(hasScope(claims, "cloud_controller"), false);
  assert.equal(hasScope(claims, "cloud_controller.read "), false);
  assert.equal(hasScope(claims), false);
});

test("the audience is the part of each scope before its last dot, each once, and the client", () => {
  const scopes = ["openid", "cloud_controller.read", "cloud_controller.write", "routing.routes.read"];
  assert.deepEqual(audienceOf(scopes, "cf"), ["openid", "cloud_controller", "routing.routes", "cf"]);
});

const whole = { jti: "j", sub: "s", client_id: "c", exp: 2, iat: 1, scope: ["openid"] };

test("claims of a foreign UAA may lack what only UAA itself reads", () => {
  assert.deepEqual(readClaims(whole), whole);
});

const incomplete: readonly { readonly payload: Record<string, unknown>; readonly reason: RegExp }[] = [
  { payload: { ...whole, jti: undefined }, reason: /it has no jti/ },
  { payload: { ...whole, sub: 7 }, reason: /it has no sub/ },
  { payload: { ...whole, client_id: null }, reason: /it has no client_id/ },
  { payload: { ...whole, exp: "soon" }, reason: /it has no exp/ },
  { payload: { ...whole, scope: "openid" }, reason: /its scope is not a list of texts/ },
  { payload: { ...whole, scope: [1] }, reason: /its scope is not a list of texts/ },
];
for (const { payload, reason } of incomplete) {
  test(`a payload is refused when ${reason.source}`, () => {
    assert.throws(() => readClaims(payload), reason);
  });
}
