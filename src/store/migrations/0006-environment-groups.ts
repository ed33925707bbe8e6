/** Variables that every app gets, and what is switched on for single apps. */
import type { Migration } from "./define.ts";

export const environmentGroups: Migration = {
  name: "0006-environment-groups",
  statements: ({ text, integer, table }) => [
    `create table environment_groups (
      name ${text} primary key,
      variables ${text} not null,
      updated_at ${text} not null
    ) ${table}`,
    `create table app_features (
      app_guid ${text} not null references apps (guid) on delete cascade,
      name ${text} not null,
      enabled ${integer} not null check (enabled in (0, 1)),
      primary key (app_guid, name)
    ) ${table}`,
  ],
};
