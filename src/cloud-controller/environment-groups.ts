/** Variables that an administrator gives to every app: while it runs, or while it is staged. */
import { decodeJson, type RowOf } from "../store/index.ts";
import type { Database } from "./context.ts";

export const ENVIRONMENT_GROUPS = ["running", "staging"] as const;
export type EnvironmentGroup = (typeof ENVIRONMENT_GROUPS)[number];

export interface Variables {
  readonly variables: Readonly<Record<string, string>>;
  /** Null until somebody sets the first one. */
  readonly updatedAt: RowOf<"environment_groups">["updated_at"] | null;
}

export async function loadEnvironmentGroup(db: Database, name: EnvironmentGroup): Promise<Variables> {
  const row = await db
    .selectFrom("environment_groups")
    .select(["variables", "updated_at"])
    .where("name", "=", name)
    .executeTakeFirst();
  return row === undefined
    ? { variables: {}, updatedAt: null }
    : { variables: decodeJson(row.variables), updatedAt: row.updated_at };
}
