import assert from "node:assert/strict";
import { test } from "node:test";
import type { RouteOptions } from "../table/index.ts";
import hashHeader from "./hash_header.ts";
import { compileHooks, honourOptions, mergeOptions, validateOptions, validatePatch } from "./index.ts";
import { ROUTE } from "./samples.ts";

const context = { operator: { maxResponseTimeoutMs: 1 } };
const texts = (map: unknown, validate = validateOptions) => {
  const verdict = validate(map, context);
  return verdict.ok ? [] : verdict.problems.map(({ text }) => text);
};

const NOT_WITHOUT_HASH = "Options Hash header can only be set when loadbalancing is hash";
const MISSING = "Hash header must be present when loadbalancing is set to hash.";
const NO_NAME = "Options Hash header must be the name of a header";

const MAPS: readonly { readonly map: Record<string, unknown>; readonly want: readonly string[] }[] = [
  { map: { loadbalancing: "hash", hash_header: "X-Tenant" }, want: [] },
  { map: { loadbalancing: "hash", hash_header: "x".repeat(128) }, want: [] },
  {
    map: { loadbalancing: "hash", hash_header: "x".repeat(129) },
    want: ["Options Hash header must be at most 128 characters"],
  },
  { map: { loadbalancing: "hash", hash_header: "" }, want: [NO_NAME] },
  { map: { loadbalancing: "hash", hash_header: "X Tenant" }, want: [NO_NAME] },
  { map: { loadbalancing: "hash", hash_header: 7 }, want: [NO_NAME] },
  { map: { loadbalancing: "hash" }, want: [MISSING] },
  { map: { loadbalancing: "hash", hash_header: null }, want: [MISSING] },
  { map: { loadbalancing: "round-robin", hash_header: "X" }, want: [NOT_WITHOUT_HASH] },
  { map: { hash_header: "X" }, want: [NOT_WITHOUT_HASH] },
  { map: { loadbalancing: null, hash_header: "X" }, want: [NOT_WITHOUT_HASH] },
  {
    map: { loadbalancing: "hsh", hash_header: "X" },
    want: ["Options Loadbalancing must be one of 'round-robin, least-connection, hash' if present"],
  },
  {
    map: { loadbalancing: "round-robin", hash_header: "X", hash_balance: 2 },
    want: [NOT_WITHOUT_HASH, "Options Hash balance can only be set when loadbalancing is hash"],
  },
];
for (const { map, want } of MAPS) {
  test(`all options ${JSON.stringify(map).slice(0, 80)} have ${want.length} problem(s)`, () =>
    assert.deepEqual(texts(map), want));
}

test("a change is judged pair by pair: what it goes with may be there already", () => {
  assert.deepEqual(texts({ hash_header: "X" }, validatePatch), []);
  assert.deepEqual(texts({ loadbalancing: "hash" }, validatePatch), []);
  assert.deepEqual(texts({ hash_header: "a b" }, validatePatch), [NO_NAME]);
});

const HASH = { loadbalancing: "hash", hash_header: "X", hash_balance: "1.5", "trim-path": true };
const MERGES: readonly { readonly patch: Record<string, string | null>; readonly want: RouteOptions }[] = [
  { patch: { loadbalancing: "round-robin" }, want: { loadbalancing: "round-robin", "trim-path": true } },
  { patch: { loadbalancing: null }, want: { "trim-path": true } },
  { patch: { hash_header: "Y" }, want: { ...HASH, hash_header: "Y" } },
  { patch: { hash_balance: null }, want: { loadbalancing: "hash", hash_header: "X", "trim-path": true } },
  {
    patch: { loadbalancing: "round-robin", hash_header: "Y" },
    want: { loadbalancing: "round-robin", hash_header: "Y", "trim-path": true },
  },
];
for (const { patch, want } of MERGES) {
  test(`a hash route changed by ${JSON.stringify(patch)} has ${JSON.stringify(want)}`, () =>
    assert.deepEqual(mergeOptions(HASH, patch), want));
}

test("what a change says itself is not dropped but refused", () => {
  assert.deepEqual(texts(mergeOptions(HASH, { loadbalancing: "round-robin", hash_header: "Y" })), [
    NOT_WITHOUT_HASH,
  ]);
  assert.deepEqual(texts(mergeOptions(HASH, { hash_header: null })), [MISSING]);
});

test("a router ignores hash without a header, and with it what goes with hash", () => {
  const ignored: string[] = [];
  const inForce = honourOptions({ loadbalancing: "hash", hash_balance: 2, "trim-path": true }, (problems) =>
    ignored.push(...problems.map(({ key }) => key)),
  );
  assert.deepEqual(inForce, { "trim-path": true });
  assert.deepEqual(ignored, ["loadbalancing", "hash_balance"]);
});

test("the balancer is told the name in lower case", () => {
  assert.deepEqual(compileHooks({ hash_header: "X-Tenant" }, ROUTE), [
    { balancing: { hashHeader: "x-tenant" } },
  ]);
  assert.equal(hashHeader.bond?.option, "loadbalancing");
});
