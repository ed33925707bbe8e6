import assert from "node:assert/strict";
import { test } from "node:test";
import { newGuid } from "../kernel/index.ts";
import { recountRoutes } from "./route-counts.ts";
import { startApi, type TestApi } from "./testing.ts";

const related = (guid: string) => ({ data: { guid } });

/** The totals as they are kept, and as counting finds them; a space without routes may have no row. */
async function totals({ store }: TestApi): Promise<readonly [kept: object[], counted: object[]]> {
  const kept = await store.db.selectFrom("route_counts").selectAll().where("total", "<>", 0).execute();
  const counted = await store.db
    .selectFrom("routes")
    .select((eb) => ["space_guid", "protocol", eb.fn.countAll<number>().as("total")])
    .groupBy(["space_guid", "protocol"])
    .execute();
  const sorted = (rows: readonly object[]) => rows.map((row) => ({ ...row })).sort(bySpaceAndProtocol);
  return [sorted(kept), sorted(counted)];
}
const bySpaceAndProtocol = (a: object, b: object) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);

test("the totals are what counting finds, whatever makes, moves or deletes routes", async (t) => {
  const api = await startApi(t);
  await api.patch("/v3/feature_flags/route_sharing", { enabled: true });
  const group = newGuid();
  const times = { created_at: "2026-01-01", updated_at: "2026-01-01" };
  await api.store.db
    .insertInto("router_groups")
    .values({ guid: group, ...times, name: "default-tcp", type: "tcp", reservable_ports: "1024-1033" })
    .execute();
  const tcp = await api.create("/v3/domains", { name: "tcp.example.com", router_group: { guid: group } });
  const newSpace = (name: string) =>
    api.create("/v3/spaces", { name, relationships: { organization: related(api.organization) } });
  const [second, third] = [await newSpace("second"), await newSpace("third")];
  const newRoute = (space: string, host?: string) =>
    api.create("/v3/routes", {
      ...(host !== undefined && { host }),
      relationships: { space: related(space), domain: related(host === undefined ? tcp : api.domain) },
    });
  const inStep = async (what: string, spaces: number) => {
    const [kept, counted] = await totals(api);
    assert.deepEqual(kept, counted, what);
    assert.equal(kept.length, spaces, what);
  };

  const route = await newRoute(api.space, "a");
  await newRoute(api.space, "b");
  await newRoute(second);
  await newRoute(third, "c");
  await inStep("made", 3);
  const taken = { host: "a", relationships: { space: related(second), domain: related(api.domain) } };
  assert.equal((await api.post("/v3/routes", taken)).status, 422);
  await inStep("refused", 3);
  assert.equal(
    (await api.patch(`/v3/routes/${route}/relationships/space`, { data: { guid: second } })).status,
    200,
  );
  await inStep("moved", 4);
  await api.request({
    method: "POST",
    url: `/v3/spaces/${third}/actions/apply_manifest`,
    headers: { authorization: "bearer admin", "content-type": "application/x-yaml" },
    payload: "applications: [{name: shop, routes: [{route: d.localhost}, {route: e.localhost}]}]",
  });
  await inStep("of a manifest", 4);
  await api.delete(`/v3/routes/${route}`);
  await inStep("deleted", 3);
  await api.delete(`/v3/spaces/${api.space}/routes?unmapped=true`);
  await inStep("unmapped deleted", 2);
  await api.delete(`/v3/domains/${tcp}`);
  await inStep("deleted with their domain", 1);
  await api.delete(`/v3/spaces/${third}`);
  await inStep("deleted with their space", 0);
});

test("a start counts anew what a version without totals has written", async (t) => {
  const api = await startApi(t);
  await api.create("/v3/routes", {
    host: "shop",
    relationships: { space: related(api.space), domain: related(api.domain) },
  });
  await api.store.db.updateTable("route_counts").set({ total: 7 }).execute();
  await api.store.transaction(recountRoutes);
  const [kept, counted] = await totals(api);
  assert.deepEqual(kept, counted);
  assert.equal(kept.length, 1);
});
