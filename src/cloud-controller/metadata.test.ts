import assert from "node:assert/strict";
import { test } from "node:test";
import { metadataProblems } from "./metadata.ts";
import { startApi } from "./testing.ts";

const cases: readonly { name: string; metadata: unknown; problems: readonly string[] }[] = [
  { name: "nothing", metadata: undefined, problems: [] },
  { name: "no object", metadata: [], problems: ["Metadata must be an object"] },
  { name: "other keys", metadata: { label: {} }, problems: ["Metadata has unexpected field(s): 'label'"] },
  {
    name: "labels that are no object",
    metadata: { labels: 1 },
    problems: ["Metadata 'labels' is not an object"],
  },
  {
    name: "an empty key",
    metadata: { labels: { "": "a" } },
    problems: ["Metadata label key error: key cannot be empty string"],
  },
  {
    name: "two slashes",
    metadata: { labels: { "a/b/c": "a" } },
    problems: ["Metadata label key error: key has more than one '/'"],
  },
  {
    name: "a prefix that is no domain",
    metadata: { annotations: { "a b/c": "a" } },
    problems: ["Metadata annotation key error: prefix 'a b' must be in valid dns format"],
  },
  {
    name: "upstream's own prefix",
    metadata: { labels: { "CloudFoundry.org/a": "a" } },
    problems: ["Metadata label key error: prefix 'cloudfoundry.org' is reserved"],
  },
  {
    name: "a prefix without name",
    metadata: { labels: { "example.com/": "a" } },
    problems: ["Metadata label key error: key cannot be empty string"],
  },
  {
    name: "odd characters",
    metadata: { labels: { "a b": "x y" } },
    problems: ["Metadata label key error: 'a b' contains invalid characters"],
  },
  {
    name: "odd ends",
    metadata: { labels: { a: "-x" } },
    problems: ["Metadata label value error: '-x' starts or ends with invalid characters"],
  },
  {
    name: "long values",
    metadata: { labels: { a: "x".repeat(64) }, annotations: { a: "x".repeat(5001) } },
    problems: [
      "Metadata label value error: 'xxxxxxxx...' is greater than 63 characters",
      "Metadata annotation value error: 'xxxxxxxx...' is greater than 5000 characters",
    ],
  },
  {
    name: "values that are no text",
    metadata: { labels: { a: 1 } },
    problems: ["Metadata label value error: the value of 'a' must be a string"],
  },
  {
    name: "good ones",
    metadata: {
      labels: { "example.com/a": "b", c: "", d: null },
      annotations: { e: "any thing ✓", f: null },
    },
    problems: [],
  },
];
for (const { name, metadata, problems } of cases) {
  test(`metadata: ${name}`, () => assert.deepEqual(metadataProblems(metadata), problems));
}

test("metadata merges key by key, and null removes a key", async (t) => {
  const api = await startApi(t);
  const at = `/v3/spaces/${api.space}`;
  const patch = (metadata: object) => api.patch(at, { metadata });
  await patch({ labels: { a: "1", "example.com/b": "2" }, annotations: { note: "x".repeat(5000) } });
  const { body } = await patch({ labels: { a: null, c: "3" }, annotations: { note: "short" } });
  assert.deepEqual(body.metadata, {
    labels: { c: "3", "example.com/b": "2" },
    annotations: { note: "short" },
  });
  assert.deepEqual((await patch({ labels: { "a b": "x" } })).details, [
    "Metadata label key error: 'a b' contains invalid characters",
  ]);
});

test("a resource has 50 labels and 200 annotations at most, and keeps those it has when one more is refused", async (t) => {
  const api = await startApi(t);
  const patch = (metadata: object) => api.patch(`/v3/spaces/${api.space}`, { metadata });
  const many = (count: number, value: string | null = "x") =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, value]));
  assert.deepEqual((await patch({ labels: many(51) })).details, [
    "Failed to add 51 labels because it would exceed maximum of 50",
  ]);
  assert.equal((await patch({ labels: many(50), annotations: many(200) })).status, 200);
  assert.deepEqual((await patch({ labels: { one: "more" } })).details, [
    "Failed to add 1 labels because it would exceed maximum of 50",
  ]);
  assert.deepEqual((await patch({ annotations: { one: "more", k1: "y" } })).details, [
    "Failed to add 2 annotations because it would exceed maximum of 200",
  ]);
  assert.equal((await patch({ labels: { k0: null, k1: "y", one: "more" } })).status, 200);
  const { metadata } = (await api.get(`/v3/spaces/${api.space}`)).body;
  assert.equal(Object.keys(metadata?.["labels"] ?? {}).length, 50);
  assert.equal(metadata?.["labels"]?.["one"], "more");
});
