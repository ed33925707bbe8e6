import assert from "node:assert/strict";
import test from "node:test";
import { VerdictRing } from "./verdict-ring.ts";

test("keeps the last ones, newest first, as copies", () => {
  const ring = new VerdictRing(3);
  assert.deepEqual(ring.list(), []);
  for (let status = 200; status < 205; status++) ring.take().status = status;
  const listed = ring.list();
  assert.deepEqual(
    listed.map(({ status }) => status),
    [204, 203, 202],
  );
  ring.take().status = 500;
  assert.equal(listed[0]?.status, 204);
});
