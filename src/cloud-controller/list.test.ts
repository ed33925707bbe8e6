import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi, type TestApi } from "./testing.ts";

async function organizations(api: TestApi, ...names: readonly string[]): Promise<void> {
  for (const name of names) {
    await api.create("/v3/organizations", { name });
    api.clock.advance(1_000);
  }
}
const names = async (api: TestApi, query: string) =>
  (await api.list(`/v3/organizations?${query}`)).map((each) => String(each.name));

test("a list comes in pages that link to each other and keep the filters", async (t) => {
  const api = await startApi(t);
  await organizations(api, "a", "b", "c", "d");
  const filter = "names=a%2Cb%2Cc%2Cd%2Cviaduct";
  const { body } = await api.get(`/v3/organizations?${filter}&page=2&per_page=2`);
  const link = (page: number) => ({
    href: `http://localhost:8080/v3/organizations?${filter}&page=${page}&per_page=2`,
  });
  assert.deepEqual(body.pagination, {
    total_results: 5,
    total_pages: 3,
    first: link(1),
    last: link(3),
    next: link(3),
    previous: link(1),
  });
  assert.deepEqual(await names(api, "page=2&per_page=2"), ["b", "c"]);
});

test("an empty list, and a page after the last, are pages too", async (t) => {
  const api = await startApi(t);
  const empty = (await api.get("/v3/organizations?names=nobody")).body.pagination;
  assert.deepEqual(
    [empty?.total_results, empty?.total_pages, empty?.next, empty?.previous],
    [0, 1, null, null],
  );
  const beyond = (await api.get("/v3/organizations?page=9")).body;
  assert.deepEqual(beyond.resources, []);
  assert.match(String(beyond.pagination?.previous?.href), /page=1&/);
});

test("lists are ordered by time or name, in both directions", async (t) => {
  const api = await startApi(t);
  await organizations(api, "b", "a");
  assert.deepEqual(await names(api, ""), ["viaduct", "b", "a"]);
  assert.deepEqual(await names(api, "order_by=-created_at"), ["a", "b", "viaduct"]);
  assert.deepEqual(await names(api, "order_by=+name"), ["a", "b", "viaduct"]);
  assert.deepEqual(await names(api, "order_by=-name"), ["viaduct", "b", "a"]);
});

test("times filter by the second, whatever the milliseconds", async (t) => {
  const api = await startApi(t);
  api.clock.advance(10_400);
  await organizations(api, "a", "b");
  assert.deepEqual(await names(api, "created_ats=2026-01-01T00:00:10Z"), ["a"]);
  assert.deepEqual(await names(api, "created_ats=2026-01-01T00:00:10Z,2026-01-01T00:00:11Z"), ["a", "b"]);
  assert.deepEqual(await names(api, "created_ats[gt]=2026-01-01T00:00:10Z"), ["b"]);
  assert.deepEqual(await names(api, "created_ats[gte]=2026-01-01T00:00:10Z"), ["a", "b"]);
  assert.deepEqual(await names(api, "updated_ats[lt]=2026-01-01T00:00:10Z"), ["viaduct"]);
  assert.deepEqual(await names(api, "updated_ats[lte]=2026-01-01T00:00:10Z"), ["viaduct", "a"]);
});

test("a filter finds names with commas and percent signs, written as the cf CLI writes them", async (t) => {
  const api = await startApi(t);
  await organizations(api, "a,b", "100%", "a%00", "a", "b");
  const filter = (list: string) => names(api, `names=${encodeURIComponent(list)}`);
  assert.deepEqual(await filter("a%2Cb"), ["a,b"]);
  assert.deepEqual(await filter("a%2Cb,100%"), ["a,b", "100%"]);
  assert.deepEqual(await filter("a,b"), ["a", "b"]);
  assert.deepEqual(await filter("a%00"), ["a%00"]);
});

test("label selectors choose by value, set and existence", async (t) => {
  const api = await startApi(t);
  const labelled = (name: string, labels: object) =>
    api.create("/v3/organizations", { name, metadata: { labels } });
  await labelled("a", { env: "prod", "example.com/tier": "web" });
  await labelled("b", { env: "test" });
  const select = (selector: string) => names(api, `label_selector=${encodeURIComponent(selector)}`);
  assert.deepEqual(await select("env=prod"), ["a"]);
  assert.deepEqual(await select("env==prod"), ["a"]);
  assert.deepEqual(await select("env!=prod"), ["viaduct", "b"]);
  assert.deepEqual(await select("env in (prod, test)"), ["a", "b"]);
  assert.deepEqual(await select("env notin (test),env"), ["a"]);
  assert.deepEqual(await select("!env"), ["viaduct"]);
  assert.deepEqual(await select("example.com/tier"), ["a"]);
  for (const [selector, detail] of [
    ["env ~ prod", "Invalid label_selector value"],
    ["", "Missing label_selector value"],
  ] as const) {
    const reply = await api.get(`/v3/organizations?label_selector=${encodeURIComponent(selector)}`);
    assert.equal(reply.status, 400);
    assert.deepEqual(reply.details, [`The query parameter is invalid: ${detail}`]);
  }
});

test("a query that cannot be is refused in upstream's words, every problem at once", async (t) => {
  const api = await startApi(t);
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["page=0", ["Page must be a positive integer"]],
    ["page=x", ["Page must be a positive integer"]],
    ["per_page=0", ["Per page must be a positive integer"]],
    ["per_page=5001", ["Per page must be between 1 and 5000"]],
    ["order_by=size", ["Order by can only be: 'created_at', 'updated_at', 'name'"]],
    ["include=org,org", ["Duplicates included resource: 'org'"]],
    [
      "include=nothing",
      ["Invalid included resource: 'nothing'. Valid included resources are: 'org', 'organization'"],
    ],
    [
      "created_ats=yesterday",
      [
        "Created ats has an invalid timestamp format. Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'",
      ],
    ],
    [
      "created_ats[like]=2026-01-01T00:00:00Z",
      [
        "Created ats has an invalid relational operator: 'like'. Valid operators are: 'lt', 'gt', 'lte', 'gte'",
      ],
    ],
    [
      "updated_ats[lt]=2026-01-01T00:00:00Z,2026-01-01T00:00:01Z",
      ["Updated ats only accepts one value when using an inequality filter"],
    ],
    [
      "constructor=1&x[y]=2",
      [
        "Unknown query parameter(s): 'constructor', 'x[y]'. Valid parameters are: 'page', 'per_page', 'order_by', " +
          "'created_ats', 'updated_ats', 'guids', 'label_selector', 'names', 'organization_guids', 'include'",
      ],
    ],
    [
      "names[not]=a",
      [
        "Unknown query parameter(s): 'names[not]'. Valid parameters are: 'page', 'per_page', 'order_by', " +
          "'created_ats', 'updated_ats', 'guids', 'label_selector', 'names', 'organization_guids', 'include'",
      ],
    ],
    ["page=0&per_page=0", ["Page must be a positive integer", "Per page must be a positive integer"]],
  ];
  for (const [query, problems] of cases) {
    await t.test(query, async () => {
      const reply = await api.get(`/v3/spaces?${query}`);
      assert.deepEqual(
        reply.details,
        problems.map((problem) => `The query parameter is invalid: ${problem}`),
      );
      assert.equal(reply.status, 400);
    });
  }
});
