/** Tags of routes, for `ETag` and `If-Match`: any change of a route or of its destinations gives another one. */
import { createHash } from "node:crypto";
import { resourceChanged } from "../kernel/errors/cloud-controller.ts";
import type { Database } from "./context.ts";
import type { Call } from "./endpoint.ts";

/** Read it before the route that it goes with: a tag that is too old is refused, one that is too new hides a change. */
export async function routeRevision(db: Database, guid: string): Promise<string> {
  const rows = await db
    .selectFrom("routes")
    .leftJoin("destinations", "destinations.route_guid", "routes.guid")
    .select(["routes.updated_at as route", "destinations.guid", "destinations.updated_at"])
    .where("routes.guid", "=", guid)
    .orderBy("destinations.guid")
    .execute();
  const destinations = rows.filter((row) => row.guid !== null);
  return revisionOf(rows[0]?.route, destinations);
}

/** @param destinations  Ordered by GUID. */
export function revisionOf(
  route: string | undefined,
  destinations: readonly { readonly guid: string | null; readonly updated_at: string | null }[],
): string {
  const state = JSON.stringify([route, destinations.map((each) => [each.guid, each.updated_at])]);
  return `"${createHash("sha256").update(state).digest("base64url").slice(0, 16)}"`;
}

/**
 * For the transaction that changes the route.
 * @throws resourceChanged when the request asks for another state of the route
 */
export async function demandRouteRevision(
  db: Database,
  { ifMatch }: Pick<Call, "ifMatch">,
  guid: string,
): Promise<void> {
  if (ifMatch === undefined) return;
  const current = await routeRevision(db, guid);
  const wanted = ifMatch.split(",").map((tag) => tag.trim());
  if (wanted.includes("*") || wanted.includes(current)) return;
  throw resourceChanged({ resource: "Route", guid, current });
}
