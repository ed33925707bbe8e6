import assert from "node:assert/strict";
import { test } from "node:test";
import { lrpInvalid } from "../../kernel/errors/diego.ts";
import { createLogger, silentLogger } from "../../kernel/index.ts";
import { ALL_TOPIC, LRP_TOPIC, lrpGuid, processOfLrp, ROUTE_TOPIC } from "../news.ts";
import { createBbsRecorder, createRouteTableRecorder, startApi, type TestApi } from "../testing.ts";
import { createSync } from "./sync.ts";

const entry = (topic: string, key: string) => ({ id: 1, topic, key });

/** A route and a started app behind it, and a sync whose other ends know nothing of them yet. */
async function shop(api: TestApi, log = silentLogger) {
  const route = await api.create("/v3/routes", {
    host: "shop",
    relationships: { space: { data: { guid: api.space } }, domain: { data: { guid: api.domain } } },
  });
  const app = await api.create("/v3/apps", {
    name: "shop",
    lifecycle: { type: "local", data: { directory: "/srv" } },
    relationships: { space: { data: { guid: api.space } } },
  });
  await api.patch(`/v3/processes/${app}`, { command: "run" });
  await api.post(`/v3/routes/${route}/destinations`, { destinations: [{ app: { guid: app } }] });
  await api.post(`/v3/apps/${app}/actions/start`);
  const bbs = createBbsRecorder();
  const routeTable = createRouteTableRecorder();
  const sync = createSync({ store: api.store, bbs, routeTable, apiUrl: () => "http://api", log });
  const lrp = [...api.bbs.desired.keys()][0] ?? "";
  return { route, app, lrp, bbs, routeTable, sync };
}

test("a full sync makes both ends hold exactly what the rows say", async (t) => {
  const api = await startApi(t);
  const { route, lrp, bbs, routeTable, sync } = await shop(api);
  const wanted = api.bbs.desired.get(lrp);
  const other = wanted ?? assert.fail();
  routeTable.reservations.set("stale", api.routeTable.reservations.get(route) ?? assert.fail());
  bbs.desired.set("stale-lrp", { ...other, processGuid: "stale-lrp" });
  bbs.desired.set("task", { ...other, processGuid: "task", domain: "cf-tasks" });
  bbs.desired.set(lrp, { ...other, instances: 7, annotation: "older" });
  await sync([entry(ALL_TOPIC, "")]);
  assert.deepEqual([...routeTable.reservations.keys()], [route]);
  assert.deepEqual([...bbs.desired.keys()].toSorted(), [lrp, "task"].toSorted());
  assert.equal(bbs.desired.get(lrp)?.instances, 1);
  assert.deepEqual(bbs.calls, ["remove stale-lrp", `update ${lrp}`]);
});

test("doing it again changes nothing", async (t) => {
  const api = await startApi(t);
  const { route, lrp, bbs, routeTable, sync } = await shop(api);
  const entries = [entry(ROUTE_TOPIC, route), entry(LRP_TOPIC, lrp)];
  await sync(entries);
  await sync(entries);
  await sync([entry(ALL_TOPIC, "")]);
  assert.deepEqual(bbs.calls, [`desire ${lrp}`]);
  assert.equal(routeTable.reservations.size, 1);
});

test("news of an old version removes it, whatever became of its process", async (t) => {
  const api = await startApi(t);
  const { app, lrp, bbs, sync } = await shop(api);
  await sync([entry(LRP_TOPIC, lrp)]);
  await api.post(`/v3/apps/${app}/actions/restart`);
  const next = [...api.bbs.desired.keys()][0] ?? "";
  await sync([entry(LRP_TOPIC, lrp)]);
  assert.deepEqual([...bbs.desired.keys()], [next]);
  await api.delete(`/v3/apps/${app}`);
  await sync([entry(LRP_TOPIC, next)]);
  assert.equal(bbs.desired.size, 0);
});

test("an LRP that Diego refuses is logged and keeps nothing else waiting", async (t) => {
  const api = await startApi(t);
  const lines: string[] = [];
  const log = createLogger({ level: "error", sink: { write: (line) => lines.push(line) } });
  const { route, lrp, bbs, routeTable, sync } = await shop(api, log);
  bbs.desireLrp = async ({ processGuid }) => {
    throw lrpInvalid({ processGuid, problems: ["ports are none"] });
  };
  await sync([entry(LRP_TOPIC, lrp), entry(ROUTE_TOPIC, route)]);
  assert.equal(routeTable.reservations.size, 1);
  assert.match(lines.join(""), /ports are none/);
});

test("what fails for now is thrown, so that it comes again", async (t) => {
  const api = await startApi(t);
  const { route, routeTable, sync } = await shop(api);
  routeTable.failure = new Error("connection refused");
  await assert.rejects(sync([entry(ROUTE_TOPIC, route)]), /connection refused/);
  await sync([entry(ROUTE_TOPIC, route)]);
  assert.equal(routeTable.reservations.size, 1);
});

test("an LRP's name leads back to its process", () => {
  const process = {
    guid: "f47ac10b-58cc-4372-a567-0e02b2c3d479",
    version: "9b2d4a0e-0b6e-4f6d-9f0c-1f2e3d4c5b6a",
  };
  assert.equal(processOfLrp(lrpGuid(process)), process.guid);
});
