import assert from "node:assert/strict";
import test from "node:test";
import type { VerdictDetails } from "./verdict.ts";
import { VerdictRing } from "./verdict-ring.ts";

const DETAILS: VerdictDetails = {
  method: "GET",
  host: "shop.example.com",
  path: "/",
  clientAddress: "10.0.0.9:51842",
  isHttp2: false,
  options: {},
  balancer: "round-robin",
  candidates: 1,
  routerError: "",
  error: "",
  attempts: [],
  closedFirst: "nobody",
  requestBodyBytes: 0,
  responseBodyBytes: 0,
};

function add(ring: VerdictRing, status: number, details: VerdictDetails | null = null): void {
  const entry = ring.take(details);
  entry.status = status;
  entry.endedAtMs = status;
  entry.requestId = `id-${status}`;
}

test("keeps the last ones, newest first, as copies", () => {
  const ring = new VerdictRing(3);
  assert.deepEqual(ring.list(), []);
  for (let status = 200; status < 205; status++) add(ring, status);
  const listed = ring.list();
  assert.deepEqual(
    listed.map(({ status }) => status),
    [204, 203, 202],
  );
  add(ring, 500);
  assert.equal(listed[0]?.status, 204);
});

test("what went well does not push out what did not", () => {
  const ring = new VerdictRing(2);
  add(ring, 199, DETAILS);
  for (let status = 200; status < 300; status++) add(ring, status);
  assert.deepEqual(
    ring.list().map(({ status }) => status),
    [299, 298, 199],
  );
  assert.equal(ring.find("id-199")?.details, DETAILS);
  assert.equal(ring.find("id-299")?.details, null);
  assert.equal(ring.find("id-200"), null);
});
