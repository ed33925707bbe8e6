/** Pieces of `where` clauses, which filters and permissions put together. */
import { type RawBuilder, sql } from "kysely";

export type Condition = RawBuilder<boolean>;

export const everything: Condition = sql<boolean>`1 = 1`;
export const nothing: Condition = sql<boolean>`1 = 0`;
