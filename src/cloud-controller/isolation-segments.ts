/** Isolation segments: which part of the foundation a space runs in. */
import type { RowOf } from "../store/index.ts";
import type { Database } from "./context.ts";

/** Upstream's GUID and name of where everything runs that has no segment of its own. */
export const SHARED_SEGMENT = { guid: "933b4c58-120b-499a-b85d-4b6fc9e2903b", name: "shared" } as const;

/** The segment of a space: its own, or else its organization's; "" for the shared one. */
export function segmentName(own: string | null, ofOrganization: string | null): string {
  const name = own ?? ofOrganization ?? SHARED_SEGMENT.name;
  return name === SHARED_SEGMENT.name ? "" : name;
}

export const isShared = (segment: Pick<RowOf<"isolation_segments">, "guid">) =>
  segment.guid === SHARED_SEGMENT.guid;

/** By name, as {@link segmentName}. */
export async function segmentOfSpace(db: Database, space: string): Promise<string> {
  const row = await db
    .selectFrom("spaces")
    .innerJoin("organizations", "organizations.guid", "spaces.organization_guid")
    .leftJoin("isolation_segments as own", "own.guid", "spaces.isolation_segment_guid")
    .leftJoin("isolation_segments as usual", "usual.guid", "organizations.isolation_segment_guid")
    .select(["own.name as ownName", "usual.name as usualName"])
    .where("spaces.guid", "=", space)
    .executeTakeFirst();
  return segmentName(row?.ownName ?? null, row?.usualName ?? null);
}
