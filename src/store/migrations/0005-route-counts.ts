/** How many routes each space has, so that a quota need not count them. Filled when the cloud controller starts. */
import type { Migration } from "./define.ts";

export const routeCounts: Migration = {
  name: "0005-route-counts",
  statements: ({ text, integer, table }) => [
    `create table route_counts (
      space_guid ${text} not null references spaces (guid) on delete cascade,
      protocol ${text} not null,
      total ${integer} not null,
      primary key (space_guid, protocol)
    ) ${table}`,
  ],
};
