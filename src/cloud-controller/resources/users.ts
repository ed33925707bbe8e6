/** Users, as far as roles need them; accounts themselves belong to the UAA. */
import { sql } from "kysely";
import type { RowOf } from "../../store/index.ts";
import { type Condition, everything } from "../condition.ts";
import type { Context } from "../context.ts";
import type { Endpoint } from "../endpoint.ts";
import { column, type Listing, listEndpoint, showEndpoint } from "../list.ts";
import { organizationVisible, type Caller } from "../permissions.ts";
import { head, link, withMetadata } from "../present.ts";

/** Oneself, and whoever has a role in an organization one sees. */
function userVisible(caller: Caller): Condition {
  if (caller.seesEverything) return everything;
  return sql<boolean>`(users.guid = ${caller.userGuid} or users.guid in (
    select user_guid from roles where ${organizationVisible(caller, "organization_guid")}))`;
}

export async function presentUsers(context: Context, rows: readonly RowOf<"users">[]): Promise<object[]> {
  return withMetadata(context, "user", rows, (row, metadata) => ({
    ...head(row),
    username: row.username,
    presentation_name: row.username,
    origin: row.origin,
    metadata,
    links: { self: link(context, `/v3/users/${row.guid}`) },
  }));
}

const userListing: Listing<"users"> = {
  table: "users",
  resource: "User",
  labelled: "user",
  filters: { usernames: column("users.username"), origins: column("users.origin") },
  visible: ({ caller }) => userVisible(caller),
  present: ({ context }, rows) => presentUsers(context, rows),
};

export const users: readonly Endpoint[] = [
  listEndpoint("/v3/users", "Lists users.", userListing),
  showEndpoint("/v3/users/:guid", "Shows a user.", userListing),
];
