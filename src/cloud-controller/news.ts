/**
 * What a transaction says about itself in the outbox: a route whose reservation may differ now, an LRP that may have
 * to be started, changed or removed now, or everything. Whoever delivers it looks at the newest rows.
 */
import type { OutboxNews, RowOf } from "../store/index.ts";

export const ROUTE_TOPIC = "cloud-controller.route";
/** Key: `<process guid>-<version>`. A restart is news of two LRPs, the old version's and the new one's. */
export const LRP_TOPIC = "cloud-controller.lrp";

/** At a start. As news among the others, so that nothing written meanwhile is overwritten by an older whole. */
export const ALL_TOPIC = "cloud-controller.all";
export const TOPICS = [ROUTE_TOPIC, LRP_TOPIC, ALL_TOPIC] as const;

/** Collects the news of one transaction. */
export interface News {
  route(guid: string): void;
  process(process: Pick<RowOf<"processes">, "guid" | "version">): void;
  readonly entries: readonly OutboxNews[];
}

export function createNews(): News {
  const entries: OutboxNews[] = [];
  return {
    entries,
    route: (guid) => void entries.push({ topic: ROUTE_TOPIC, key: guid }),
    process: (process) => void entries.push({ topic: LRP_TOPIC, key: lrpGuid(process) }),
  };
}

/** Diego's name of one version of a process. */
export const lrpGuid = (process: Pick<RowOf<"processes">, "guid" | "version">) =>
  `${process.guid}-${process.version}`;

/** The process of an LRP: what stands before the last GUID. */
export const processOfLrp = (guid: string) => guid.slice(0, -"-00000000-0000-0000-0000-000000000000".length);
