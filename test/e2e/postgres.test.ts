import assert from "node:assert/strict";
import { test } from "node:test";
import { startPostgres } from "../support/postgres.ts";
import { startFoundation, temporaryHome } from "../support/viaduct.ts";

test("on PostgreSQL everything is as on the embedded database, and survives a kill", async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === null) return;
  const home = temporaryHome(t);
  const settings = { "store.url": postgres.url };
  const first = await startFoundation(t, { home, settings });
  await first.runShop("--instances", "2");
  assert.equal((await first.get("shop.localhost")).status, 200);
  await first.ok("stop", "shop");
  assert.equal((await first.get("shop.localhost")).status, 503);
  await first.signal("SIGKILL");

  const second = await startFoundation(t, { home, settings });
  assert.equal((await second.get("shop.localhost")).status, 503);
  await second.ok("start", "shop");
  assert.equal((await second.get("shop.localhost")).status, 200);
});
