/** Which isolation segments' routes this router takes, from whatever feed they come. */

export const SHARDING_MODES = ["all", "segments", "shared-and-segments"] as const;
export type ShardingMode = (typeof SHARDING_MODES)[number];

export interface Sharding {
  readonly routingTableShardingMode: ShardingMode;
  readonly isolationSegments: readonly string[];
}

/** What is wrong with it, or null. */
export function shardingProblem({ routingTableShardingMode, isolationSegments }: Sharding): string | null {
  return routingTableShardingMode === "segments" && isolationSegments.length === 0
    ? "Expected isolation segments; routing table sharding mode set to segments and none provided."
    : null;
}

/** @param segment  "" is the shared one. */
export type Shard = (segment: string) => boolean;

export function createShard({ routingTableShardingMode, isolationSegments }: Sharding): Shard {
  const segments = new Set(isolationSegments);
  switch (routingTableShardingMode) {
    case "all":
      return () => true;
    case "segments":
      return (segment) => segments.has(segment);
    case "shared-and-segments":
      return (segment) => segment === "" || segments.has(segment);
    default:
      return routingTableShardingMode satisfies never;
  }
}
