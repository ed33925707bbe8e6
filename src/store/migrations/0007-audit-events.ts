/** Who changed what, and when. Events outlive what they are about, so nothing here refers to another table. */
import type { Migration } from "./define.ts";

export const auditEvents: Migration = {
  name: "0007-audit-events",
  statements: ({ text, table }) => [
    `create table audit_events (
      guid ${text} primary key, created_at ${text} not null, updated_at ${text} not null,
      type ${text} not null,
      actor_guid ${text} not null,
      actor_name ${text} not null,
      target_guid ${text} not null,
      target_type ${text} not null,
      target_name ${text} not null,
      data ${text} not null,
      space_guid ${text} not null,
      organization_guid ${text} not null
    ) ${table}`,
    "create index audit_events_order on audit_events (created_at, guid)",
    "create index audit_events_target on audit_events (target_guid, created_at, guid)",
    "create index audit_events_space on audit_events (space_guid, created_at, guid)",
  ],
};
