/** Selectors at numbers where a label that many carry is looked up another way than one that few carry. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeJson } from "../store/index.ts";
import { recountRoutes } from "./route-counts.ts";
import { startApi, type TestApi } from "./testing.ts";

const ROUTES = 1_300;
const ROWS_PER_INSERT = 650;

interface Labelled {
  readonly host: string;
  readonly space: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Everybody has a team, half a tier, few are old. */
function labelsOf(i: number): Readonly<Record<string, string>> {
  return {
    team: i % 5 === 0 ? "b" : "a",
    ...(i % 2 === 0 && { "example.com/tier": "web" }),
    ...(i % 100 === 0 && { old: "" }),
  };
}

async function fill(api: TestApi, spaces: readonly [string, string]): Promise<readonly Labelled[]> {
  const all = Array.from({ length: ROUTES }, (_, i) => ({
    // Its GUID, too.
    host: `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`,
    space: i < 20 ? spaces[1] : spaces[0],
    labels: labelsOf(i),
  }));
  const { db } = api.store;
  const now = "2026-01-01T00:00:00.000Z";
  const times = { created_at: now, updated_at: now };
  const rows = all.map(({ host, space }) => ({
    ...times,
    guid: host,
    space_guid: space,
    domain_guid: api.domain,
    host,
    path: "",
    port: null,
    protocol: "http" as const,
    options: encodeJson({}),
  }));
  const labels = all.flatMap(({ host, labels }) =>
    Object.entries(labels).map(([key, value]) => {
      const [name = "", prefix = ""] = key.split("/").reverse();
      return { resource_type: "route", resource_guid: host, kind: "label" as const, prefix, name, value };
    }),
  );
  for (let i = 0; i < rows.length; i += ROWS_PER_INSERT) {
    await db
      .insertInto("routes")
      .values(rows.slice(i, i + ROWS_PER_INSERT))
      .execute();
  }
  for (let i = 0; i < labels.length; i += ROWS_PER_INSERT) {
    await db
      .insertInto("metadata")
      .values(labels.slice(i, i + ROWS_PER_INSERT))
      .execute();
  }
  await api.store.transaction(recountRoutes);
  return all;
}

/** Each selector beside the plain rule that it stands for. */
const selectors: Readonly<Record<string, (labels: Labelled["labels"]) => boolean>> = {
  "team=a": ({ team }) => team === "a",
  "team!=a": ({ team }) => team !== "a",
  team: ({ team }) => team !== undefined,
  "!team": ({ team }) => team === undefined,
  "team in (a,b)": () => true,
  "team notin (a,b)": () => false,
  "team=b,old": ({ team, old }) => team === "b" && old !== undefined,
  "team=a,!example.com/tier": (labels) => labels["team"] === "a" && labels["example.com/tier"] === undefined,
  "old,team": ({ old }) => old !== undefined,
  "!old,team=a": ({ old, team }) => old === undefined && team === "a",
};

test("a selector finds the same routes however many carry the label, and whatever else is asked for", async (t) => {
  const api = await startApi(t);
  const second = await api.create("/v3/spaces", {
    name: "second",
    relationships: { organization: { data: { guid: api.organization } } },
  });
  const all = await fill(api, [api.space, second]);
  const { token } = await api.user("space_developer");
  const places = [
    { query: "", token: "admin", isSeen: () => true },
    { query: `&space_guids=${second}`, token: "admin", isSeen: (each: Labelled) => each.space === second },
    { query: "", token, isSeen: (each: Labelled) => each.space === api.space },
  ];
  for (const [selector, isMeant] of Object.entries(selectors)) {
    for (const { query, token, isSeen } of places) {
      const wanted = all.filter((each) => isSeen(each) && isMeant(each.labels)).map(({ host }) => host);
      const path = `/v3/routes?per_page=5000${query}&label_selector=${encodeURIComponent(selector)}`;
      const { body } = await api.get(path, token);
      const found = (body.resources as unknown as readonly { host: string }[]).map(({ host }) => host);
      assert.deepEqual(found.toSorted(), wanted.toSorted(), path);
      assert.equal(body.pagination?.total_results, wanted.length, path);
    }
  }
});

test("a label that leaves with its route, or alone, is not counted any more", async (t) => {
  const api = await startApi(t);
  const all = await fill(api, [api.space, api.space]);
  const [leaving, staying] = all.filter(({ labels }) => labels["old"] !== undefined);
  const totals = async () => {
    const bodies = await Promise.all(
      ["old", "!old"].map((selector) => api.get(`/v3/routes?per_page=1&label_selector=${selector}`)),
    );
    return bodies.map(({ body }) => body.pagination?.total_results);
  };
  const old = ROUTES / 100;
  assert.deepEqual(await totals(), [old, ROUTES - old]);
  await api.call("DELETE", `/v3/routes/${leaving?.host}`);
  assert.deepEqual(await totals(), [old - 1, ROUTES - old]);
  await api.call("PATCH", `/v3/routes/${staying?.host}`, { metadata: { labels: { old: null } } });
  assert.deepEqual(await totals(), [old - 2, ROUTES - old + 1]);
});
