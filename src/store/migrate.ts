/** Brings a database to the newest form, once, whoever starts first. */
import { createHash } from "node:crypto";
import { type Kysely, sql } from "kysely";
import type { Clock, Logger } from "../kernel/index.ts";
import { storeMigrationChanged, storeMigrationFailed, storeTooNew } from "../kernel/errors/store.ts";
import type { Engine } from "./engine.ts";
import type { Migration } from "./migrations/define.ts";
import type { Tables } from "./tables.ts";
import { toTimestamp } from "./values.ts";

/** @throws storeTooNew, storeMigrationChanged, storeMigrationFailed */
export async function migrate(
  db: Kysely<Tables>,
  engine: Engine,
  migrations: readonly Migration[],
  { log, clock }: { log: Logger; clock: Clock },
): Promise<void> {
  const { text, table } = engine.types;
  await db.transaction().execute(async (trx) => {
    await engine.lockMigrations(trx);
    await sql
      .raw(
        `create table if not exists schema_migrations
          (name ${text} primary key, checksum ${text} not null, applied_at ${text} not null) ${table}`,
      )
      .execute(trx);
    for (const migration of await missing(trx, engine, migrations)) {
      try {
        for (const statement of migration.statements(engine.types)) await sql.raw(statement).execute(trx);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw storeMigrationFailed({ where: engine.where, migration: migration.name, reason }, error);
      }
      await trx
        .insertInto("schema_migrations")
        .values({
          name: migration.name,
          checksum: checksum(migration, engine),
          applied_at: toTimestamp(clock.nowMs()),
        })
        .execute();
      log.info({ migration: migration.name, store: engine.where }, "migrated the database");
    }
  });
}

/** What is still to be done, after checking that what was done is what we would do. */
async function missing(
  db: Kysely<Tables>,
  engine: Engine,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> {
  const rows = await db
    .selectFrom("schema_migrations")
    .select(["name", "checksum"])
    .orderBy("name")
    .execute();
  const known = new Map(migrations.map((migration) => [migration.name, migration]));
  const unknown = rows.filter((row) => !known.has(row.name)).map((row) => row.name);
  if (unknown.length > 0) throw storeTooNew({ where: engine.where, migrations: unknown });

  const applied = new Map(rows.map((row) => [row.name, row.checksum]));
  for (const migration of migrations) {
    const recorded = applied.get(migration.name);
    if (recorded !== undefined && recorded !== checksum(migration, engine)) {
      throw storeMigrationChanged({ where: engine.where, migration: migration.name });
    }
  }
  return migrations.filter((migration) => !applied.has(migration.name));
}

/** Of the statements as this engine sees them; laying them out differently is no change. */
function checksum(migration: Migration, engine: Engine): string {
  const statements = migration.statements(engine.types).map((text) => text.replace(/\s+/g, " ").trim());
  return createHash("sha256").update(statements.join(";\n")).digest("hex");
}
