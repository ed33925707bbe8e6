import assert from "node:assert/strict";
import { test } from "node:test";
import { configInvalid } from "../kernel/errors/config.ts";
import { createZones, isWithin } from "./zone.ts";

test("zones are taken in lower case, with or without the last dot", () => {
  const names = createZones(["Apps.Internal.", "other.internal"], "127.0.0.1").map((zone) => zone.name);
  assert.deepEqual(names, ["apps.internal", "other.internal"]);
});

for (const { zones, says } of [
  { zones: [], says: /dns\.zones: is empty/ },
  { zones: ["."], says: /"\." is no domain/ },
  { zones: ["a..b"], says: /"a\.\.b" is no domain/ },
  { zones: ['["apps.internal"'], says: /"\[\\"apps\.internal\\"" is no domain/ },
  { zones: ["apps internal"], says: /"apps internal" is no domain/ },
  { zones: ["apps.internal", "APPS.internal."], says: /apps\.internal and apps\.internal overlap/ },
  { zones: ["x.apps.internal", "apps.internal"], says: /apps\.internal and x\.apps\.internal overlap/ },
]) {
  test(`zones ${JSON.stringify(zones)} are a configuration error`, () => {
    assert.throws(
      () => createZones(zones, "127.0.0.1"),
      (error) => configInvalid.is(error) && says.test(error.message),
    );
  });
}

test("a name is within a zone by whole labels", () => {
  assert.equal(isWithin("apps.internal", "apps.internal"), true);
  assert.equal(isWithin("a.apps.internal", "apps.internal"), true);
  assert.equal(isWithin("myapps.internal", "apps.internal"), false);
  assert.equal(isWithin("internal", "apps.internal"), false);
  assert.equal(isWithin("a\\.apps.internal", "apps.internal"), false);
  assert.equal(isWithin("a\\\\.apps.internal", "apps.internal"), true);
});

test("the name server has the address it listens on, and none when it listens on all", () => {
  const address = (host: string) => createZones(["apps.internal"], host)[0]?.address?.data ?? null;
  assert.deepEqual(address("10.0.0.5"), Uint8Array.of(10, 0, 0, 5));
  assert.equal(address("0.0.0.0"), null);
  assert.equal(address("::"), null);
});
