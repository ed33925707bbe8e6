/** What rows that belong to an app have in common: who sees the app sees them, and the filters of their lists. */
import { sql } from "kysely";
import type { Condition } from "../condition.ts";
import type { Call } from "../endpoint.ts";
import { column, type Filter } from "../list.ts";
import { spaceVisible } from "../permissions.ts";
import { spaceInOrganizations } from "./spaces.ts";

/** @param table  With a column `app_guid`, as all here. */
export const appVisible = ({ caller }: Call<unknown>, table: string): Condition =>
  ofApps(table, spaceVisible(caller, "apps.space_guid"));

export const appFilters = (table: string) => {
  const of =
    (filter: Filter): Filter =>
    (values, call) =>
      ofApps(table, filter(values, call));
  return {
    app_guids: column(`${table}.app_guid`),
    space_guids: of(column("apps.space_guid")),
    organization_guids: of(spaceInOrganizations("apps.space_guid")),
  };
};

const ofApps = (table: string, condition: Condition): Condition =>
  sql<boolean>`${sql.ref(`${table}.app_guid`)} in (select guid from apps where ${condition})`;
