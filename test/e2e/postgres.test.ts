import assert from "node:assert/strict";
import { test } from "node:test";
import { Client } from "pg";
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

test("a PostgreSQL that ends every session costs no request and is used again", async (t) => {
  const postgres = await startPostgres(t);
  if (postgres === null) return;
  const url = await postgres.newDatabase();
  const foundation = await startFoundation(t, { settings: { "store.url": url } });
  await foundation.runShop();
  const admin = new Client(url);
  admin.on("error", () => {});
  await admin.connect();
  for (const verb of ["stop", "start"]) {
    const { rowCount } = await admin.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()",
    );
    assert.ok((rowCount ?? 0) > 0);
    assert.equal((await foundation.get("shop.localhost")).status, verb === "stop" ? 200 : 503);
    await foundation.ok(verb, "shop");
  }
  // Before the server goes, which is what the clean-up of this test does first.
  await admin.end();
  assert.equal((await foundation.get("shop.localhost")).status, 200);
});
