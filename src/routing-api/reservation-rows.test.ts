import assert from "node:assert/strict";
import { test } from "node:test";
import { reservation, startRouteTable } from "../../test/support/route-table.ts";
import { encodeJson } from "../store/index.ts";
import { reservationRows } from "./reservation-rows.ts";

const PORT = reservation("port", { protocol: "tcp", route: "1100", routerGroup: "group" });

test("a reservation is read as it was saved, its router group in a column of its own", async (t) => {
  const { store } = await startRouteTable(t);
  const rows = reservationRows(store);
  await rows.save({ deleted: [], put: [{ reservation: PORT, revision: 1 }] }, 0);
  const moved = { reservation: { ...PORT, routerGroup: "other" }, revision: 2 };
  await rows.save({ deleted: [], put: [moved] }, 0);
  assert.deepEqual(await rows.load(), [moved]);
  const groups = await store.db.selectFrom("route_reservations").select("router_group_guid").execute();
  assert.deepEqual(groups, [{ router_group_guid: "other" }]);
});

test("a document from before ports had a router group is read as one of none", async (t) => {
  const { store } = await startRouteTable(t);
  const rows = reservationRows(store);
  await rows.save({ deleted: [], put: [{ reservation: PORT, revision: 1 }] }, 0);
  const { routerGroup: _, ...older } = PORT;
  await store.db
    .updateTable("route_reservations")
    .set({ document: encodeJson<unknown>(older) })
    .execute();
  assert.deepEqual(await rows.load(), [{ reservation: { ...PORT, routerGroup: "" }, revision: 1 }]);
});
