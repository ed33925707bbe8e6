/** Pieces of `where` clauses, which filters and permissions put together. */
import { type RawBuilder, sql } from "kysely";
import type { Store } from "../store/index.ts";

export type Condition = RawBuilder<boolean>;

export const everything: Condition = sql<boolean>`1 = 1`;
export const nothing: Condition = sql<boolean>`1 = 0`;

/**
 * The column is one of what the query finds; for one side of an «or». PostgreSQL looks an array up in an index there,
 * where it would compare every row of the table for «in»: 1 instead of 35 ms for a space among 100,000 routes.
 */
export function isFoundBy({ dialect }: Store, column: string, query: RawBuilder<unknown>): Condition {
  return dialect === "postgres"
    ? sql<boolean>`${sql.ref(column)} = any(array(${query}))`
    : sql<boolean>`${sql.ref(column)} in (${query})`;
}
