/** Isolation segments, who may use them, and where spaces run. */
import type { Migration } from "./define.ts";

export const isolationSegments: Migration = {
  name: "0002-isolation-segments",
  statements: ({ text, table }) => [
    `create table isolation_segments (
      guid ${text} primary key, created_at ${text} not null, updated_at ${text} not null,
      name ${text} not null
    ) ${table}`,
    "create unique index isolation_segments_unique_name on isolation_segments (lower(name))",

    `create table entitlements (
      isolation_segment_guid ${text} not null references isolation_segments (guid) on delete cascade,
      organization_guid ${text} not null references organizations (guid) on delete cascade,
      primary key (isolation_segment_guid, organization_guid)
    ) ${table}`,
    "create index entitlements_organization on entitlements (organization_guid)",

    `alter table organizations add column isolation_segment_guid ${text} references isolation_segments (guid)`,
    `alter table spaces add column isolation_segment_guid ${text} references isolation_segments (guid)`,
    "create index organizations_isolation_segment on organizations (isolation_segment_guid)",
    "create index spaces_isolation_segment on spaces (isolation_segment_guid)",
    "create index organizations_quota on organizations (quota_guid)",
    "create index spaces_quota on spaces (quota_guid)",
  ],
};
