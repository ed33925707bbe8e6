/**
 * How many routes each space has, kept in the transactions that make, delete and move routes: counting the 100,000 of
 * an organization takes 36 ms, and adding up its spaces' totals one.
 */
import { sql } from "kysely";
import { type RowOf, writeLater } from "../store/index.ts";
import type { Condition } from "./condition.ts";
import type { Database, Writer } from "./context.ts";

type Counted = Pick<RowOf<"routes">, "space_guid" | "protocol">;

export async function countRoutes(
  db: Writer,
  { space_guid, protocol }: Counted,
  difference: number,
): Promise<void> {
  await writeLater(
    db,
    db
      .insertInto("route_counts")
      .values({ space_guid, protocol, total: difference })
      .onConflict((conflict) =>
        conflict
          .columns(["space_guid", "protocol"])
          .doUpdateSet({ total: sql<number>`route_counts.total + ${difference}` }),
      ),
  );
}

/** For routes that are about to be deleted. */
export async function uncountRoutes(db: Writer, guids: readonly string[]): Promise<void> {
  const leaving = await db
    .selectFrom("routes")
    .select((eb) => ["space_guid", "protocol", eb.fn.countAll<number | string>().as("total")])
    .where("guid", "in", guids)
    .groupBy(["space_guid", "protocol"])
    .execute();
  for (const { total, ...counted } of leaving) await countRoutes(db, counted, -Number(total));
}

/** @param spaces  A condition on `space_guid`. */
export async function totalRoutes(
  db: Database,
  spaces: Condition,
  protocol?: RowOf<"routes">["protocol"],
): Promise<number> {
  const { total } = await db
    .selectFrom("route_counts")
    .select((eb) => eb.fn.sum<number | string | null>("total").as("total"))
    .where(spaces)
    .$if(protocol !== undefined, (query) => query.where("protocol", "=", protocol ?? "http"))
    .executeTakeFirstOrThrow();
  return Number(total ?? 0);
}

/** All of them anew, once per start: what an older version writes beside this one is not in the totals. */
export async function recountRoutes(db: Writer): Promise<void> {
  await db.deleteFrom("route_counts").execute();
  await db
    .insertInto("route_counts")
    .columns(["space_guid", "protocol", "total"])
    .expression((eb) =>
      eb
        .selectFrom("routes")
        .select((of) => ["space_guid", "protocol", of.fn.countAll<number>().as("total")])
        .groupBy(["space_guid", "protocol"]),
    )
    .execute();
}
