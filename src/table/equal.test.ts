import assert from "node:assert/strict";
import { test } from "node:test";
import { sameEndpoint, sameRecord } from "./equal.ts";
import { endpoint } from "./samples.ts";
import type { Endpoint } from "./types.ts";

/** Nothing as {@link endpoint} has it; whoever adds a field to the type has to add it here. */
const OTHER: Endpoint = {
  processGuid: "other",
  instanceId: "other",
  instanceIndex: "7",
  appGuid: "other",
  host: "10.9.9.9",
  port: 9,
  tls: true,
  serverCertDomainSan: "other",
  appPort: 9,
  instanceAddress: "10.255.0.9",
  protocol: "http2",
  availabilityZone: "other",
  isolationSegment: "other",
  tags: { other: "" },
  updatedAtNs: "9",
};

test("endpoints that differ in any one field are not the same", () => {
  assert.ok(sameEndpoint(endpoint(), endpoint()));
  for (const [field, value] of Object.entries(OTHER)) {
    assert.ok(!sameEndpoint(endpoint(), { ...endpoint(), [field]: value }), field);
    assert.ok(!sameEndpoint({ ...endpoint(), [field]: value }, endpoint()), field);
  }
});

for (const { name, a, b, same } of [
  { name: "the order of keys", a: { x: 1, y: 2 }, b: { y: 2, x: 1 }, same: true },
  { name: "a value", a: { x: 1 }, b: { x: 2 }, same: false },
  { name: "a key that only the first has", a: { x: 1, y: 2 }, b: { x: 1 }, same: false },
  { name: "a key that only the second has", a: { x: 1 }, b: { x: 1, y: 2 }, same: false },
  {
    name: "a key without value that only the first has",
    a: { x: undefined },
    b: { y: undefined },
    same: false,
  },
  { name: "a key that all objects inherit", a: { toString: "" }, b: { other: "" }, same: false },
] as { name: string; a: object; b: object; same: boolean }[]) {
  test(`records that differ in ${name} are ${same ? "" : "not "}the same`, () => {
    assert.equal(sameRecord(a, b), same);
  });
}
