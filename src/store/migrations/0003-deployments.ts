/** Deployments: how one version of a process takes the place of another. */
import type { Migration } from "./define.ts";

export const deployments: Migration = {
  name: "0003-deployments",
  statements: ({ text, integer, table }) => [
    `create table deployments (
      guid ${text} primary key, created_at ${text} not null, updated_at ${text} not null,
      app_guid ${text} not null references apps (guid) on delete cascade,
      process_guid ${text} not null,
      strategy ${text} not null,
      status_value ${text} not null,
      status_reason ${text} not null,
      status_changed_at ${text} not null,
      droplet_guid ${text},
      previous_droplet_guid ${text},
      previous_version ${text} not null,
      previous_instances ${integer} not null,
      new_instances ${integer} not null,
      max_in_flight ${integer} not null
    ) ${table}`,
    "create index deployments_app on deployments (app_guid, created_at, guid)",
    "create index deployments_status on deployments (status_value, created_at)",
  ],
};
