/** Isolation segments: which part of the foundation a space runs in. */
import type { RowOf } from "../store/index.ts";

/** Upstream's GUID and name of where everything runs that has no segment of its own. */
export const SHARED_SEGMENT = { guid: "933b4c58-120b-499a-b85d-4b6fc9e2903b", name: "shared" } as const;

/** The segment of a space: its own, or else its organization's; "" for the shared one. */
export function segmentName(own: string | null, ofOrganization: string | null): string {
  const name = own ?? ofOrganization ?? SHARED_SEGMENT.name;
  return name === SHARED_SEGMENT.name ? "" : name;
}

export const isShared = (segment: Pick<RowOf<"isolation_segments">, "guid">) =>
  segment.guid === SHARED_SEGMENT.guid;
