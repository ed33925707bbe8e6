/** Audit events: who changed which route, and which app was mapped to one. */
import { decodeJson, type RowOf } from "../../store/index.ts";
import type { Context } from "../context.ts";
import type { Endpoint } from "../endpoint.ts";
import { column, type Listing, listEndpoint, showEndpoint } from "../list.ts";
import { spaceVisible } from "../permissions.ts";
import { head, link } from "../present.ts";

const present = (context: Context, row: RowOf<"audit_events">) => ({
  ...head(row),
  type: row.type,
  actor: { guid: row.actor_guid, type: "user", name: row.actor_name },
  target: { guid: row.target_guid, type: row.target_type, name: row.target_name },
  data: decodeJson(row.data),
  space: { guid: row.space_guid },
  organization: { guid: row.organization_guid },
  links: { self: link(context, `/v3/audit_events/${row.guid}`) },
});

const eventListing: Listing<"audit_events"> = {
  table: "audit_events",
  resource: "Event",
  filters: {
    types: column("audit_events.type"),
    target_guids: column("audit_events.target_guid"),
    space_guids: column("audit_events.space_guid"),
    organization_guids: column("audit_events.organization_guid"),
  },
  visible: ({ caller }) => spaceVisible(caller, "audit_events.space_guid"),
  present: async ({ context }, rows) => rows.map((row) => present(context, row)),
};

export const auditEvents: readonly Endpoint[] = [
  listEndpoint("/v3/audit_events", "Lists what was done to routes, for 31 days.", eventListing),
  showEndpoint("/v3/audit_events/:guid", "Shows what was done to a route.", eventListing),
];
