/** Audit events: who did what to apps and what belongs to them, routes, spaces and organizations. */
import { sql } from "kysely";
import { Type } from "typebox";
import { decodeJson, type RowOf } from "../../store/index.ts";
import { actorTypeOf } from "../audit.ts";
import type { Context } from "../context.ts";
import type { Endpoint } from "../endpoint.ts";
import { column, type Listing, listEndpoint, showEndpoint } from "../list.ts";
import { organizationVisible, spaceVisible } from "../permissions.ts";
import { head, link } from "../present.ts";
import { AnyObject, linksTo, orNull, part, resource, type Shown } from "../shape.ts";

const About = part({ guid: Type.String(), type: Type.String(), name: Type.String() });

const AuditEvent = resource("AuditEvent", {
  type: Type.String({ pattern: "^(?:audit|app)\\." }),
  actor: About,
  target: About,
  data: AnyObject,
  space: orNull(part({ guid: Type.String() })),
  organization: part({ guid: Type.String() }),
  links: linksTo(["self"]),
});

const present = (context: Context, row: RowOf<"audit_events">): Shown<typeof AuditEvent> => ({
  ...head(row),
  type: row.type,
  actor: { guid: row.actor_guid, type: actorTypeOf(row.type), name: row.actor_name },
  target: { guid: row.target_guid, type: row.target_type, name: row.target_name },
  data: decodeJson(row.data),
  space: row.space_guid === "" ? null : { guid: row.space_guid },
  organization: { guid: row.organization_guid },
  links: { self: link(context, `/v3/audit_events/${row.guid}`) },
});

const eventListing: Listing<"audit_events", typeof AuditEvent> = {
  table: "audit_events",
  resource: "Event",
  shape: AuditEvent,
  filters: {
    types: column("audit_events.type"),
    target_guids: column("audit_events.target_guid"),
    "target_guids[not]": (values) => sql<boolean>`audit_events.target_guid not in (${sql.join(values)})`,
    space_guids: column("audit_events.space_guid"),
    organization_guids: column("audit_events.organization_guid"),
  },
  visible: ({ caller }) => {
    const ofSpaces = spaceVisible(caller, "audit_events.space_guid");
    const ofOrganizations = organizationVisible(caller, "audit_events.organization_guid");
    return sql<boolean>`(${ofSpaces} or (audit_events.space_guid = '' and ${ofOrganizations}))`;
  },
  present: async ({ context }, rows) => rows.map((row) => present(context, row)),
};

export const auditEvents: readonly Endpoint[] = [
  listEndpoint("/v3/audit_events", "Lists what was done by whom, for 31 days.", eventListing),
  showEndpoint("/v3/audit_events/:guid", "Shows what was done by whom.", eventListing),
];
