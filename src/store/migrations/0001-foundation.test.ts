import assert from "node:assert/strict";
import { test } from "node:test";
import { type Compilable, type Kysely, sql } from "kysely";
import { silentLogger, systemClock } from "../../kernel/index.ts";
import { openStore } from "../store.ts";
import type { Tables } from "../tables.ts";

/**
 * What the v3 API and the roles ask for at 100,000 routes. Each must be answered by an index: no look at every row,
 * no sort of a whole result.
 */
const queries: Readonly<Record<string, (db: Kysely<Tables>) => Compilable>> = {
  "a page of all routes": (db) => page(db),
  "the newest routes first": (db) =>
    db.selectFrom("routes").selectAll().orderBy("created_at", "desc").orderBy("guid", "desc").limit(50),
  "routes in the order of their last change": (db) =>
    db.selectFrom("routes").selectAll().orderBy("updated_at").orderBy("guid").limit(50),
  "routes of a host": (db) => db.selectFrom("routes").selectAll().where("host", "in", ["shop", "api"]),
  "routes of a path": (db) => db.selectFrom("routes").selectAll().where("path", "=", "/v2"),
  "routes of a port": (db) => db.selectFrom("routes").selectAll().where("port", "=", 1024),
  "a page of one space's routes": (db) => page(db).where("space_guid", "=", "s"),
  "a page of one domain's routes": (db) => page(db).where("domain_guid", "=", "d"),
  "the route at an address": (db) =>
    db
      .selectFrom("routes")
      .selectAll()
      .where("host", "=", "shop")
      .where("domain_guid", "=", "d")
      .where(sql`lower(path)`, "=", "")
      .where(sql`coalesce(port, 0)`, "=", 0),
  "routes of an app": (db) =>
    db
      .selectFrom("destinations")
      .innerJoin("routes", "routes.guid", "destinations.route_guid")
      .selectAll("routes")
      .where("app_guid", "=", "a"),
  "destinations of a route": (db) => db.selectFrom("destinations").selectAll().where("route_guid", "=", "r"),
  "routes with a label": (db) =>
    db
      .selectFrom("metadata")
      .select("resource_guid")
      .where("kind", "=", "label")
      .where("resource_type", "=", "route")
      .where("prefix", "=", "")
      .where("name", "=", "team")
      .where("value", "=", "shop"),
  "labels and annotations of a route": (db) =>
    db
      .selectFrom("metadata")
      .selectAll()
      .where("resource_type", "=", "route")
      .where("resource_guid", "in", ["r1", "r2"]),
  "the route service of a route": (db) =>
    db.selectFrom("service_route_bindings").selectAll().where("route_guid", "=", "r"),
  "apps by name": (db) => db.selectFrom("apps").selectAll().where("name", "in", ["a", "b"]),
  "apps of a space": (db) => db.selectFrom("apps").selectAll().where("space_guid", "=", "s"),
  "processes of an app": (db) => db.selectFrom("processes").selectAll().where("app_guid", "=", "a"),
  "a user by name in any case": (db) =>
    db.selectFrom("users").selectAll().where(sql`lower(username)`, "=", "ada"),
  "roles of a user": (db) => db.selectFrom("roles").selectAll().where("user_guid", "=", "u"),
  "roles in a space": (db) => db.selectFrom("roles").selectAll().where("space_guid", "=", "s"),
  "the reservation of a route": (db) =>
    db.selectFrom("route_reservations").selectAll().where("route", "=", "shop.example.com"),
  "reservations changed since": (db) =>
    db.selectFrom("route_reservations").selectAll().where("sequence", ">", 7).orderBy("sequence"),
  "news after a cursor": (db) =>
    db.selectFrom("outbox").selectAll().where("id", ">", 7).orderBy("id").limit(500),
  "the refresh token of a text": (db) =>
    db.selectFrom("refresh_tokens").selectAll().where("token_hash", "=", "h"),
};

const page = (db: Kysely<Tables>) =>
  db.selectFrom("routes").selectAll().orderBy("created_at").orderBy("guid").limit(50).offset(100);

for (const [name, query] of Object.entries(queries)) {
  test(`an index answers: ${name}`, async (t) => {
    const store = await openStore(
      { kind: "sqlite", path: ":memory:" },
      { log: silentLogger, clock: systemClock },
    );
    t.after(() => store.close());
    const { sql: text, parameters } = query(store.db).compile();
    const { rows } = await store.db.executeQuery<{ detail: string }>({
      ...sql`select 1`.compile(store.db),
      sql: `explain query plan ${text}`,
      parameters,
    });
    const plan = rows.map((row) => row.detail).join("\n");
    assert.match(plan, /USING (COVERING )?INDEX|USING INTEGER PRIMARY KEY/, plan);
    assert.doesNotMatch(plan, /SCAN \w+$|USE TEMP B-TREE/m, plan);
  });
}
