/**
 * What quotas say of apps that run: memory, instances and log rate of an organization or a space, memory of one
 * instance. Looked at inside the transaction that wants more; what takes less is never refused, however much too much
 * it still is.
 */
import { sql } from "kysely";
import { unprocessable } from "../kernel/errors/cloud-controller.ts";
import type { QuotaLimitsDocument } from "../store/index.ts";
import type { Condition } from "./condition.ts";
import type { Database, Writer } from "./context.ts";
import { limitsOf } from "./quotas.ts";

type AppLimits = QuotaLimitsDocument["apps"];

/** What started apps ask for together. */
export interface AppUsage {
  readonly instances: number;
  readonly memoryMb: number;
  readonly logRateBytes: number;
  /** How many instances may log as much as they like. */
  readonly unlimited: number;
}

/** An organization or a space with limits of its own, and upstream's words for each of them. */
interface Place {
  readonly limits: AppLimits;
  readonly apps: Condition;
  readonly texts: Readonly<Record<"memory" | "instanceMemory" | "instances" | "logRate", string>>;
}

const SPACE_TEXTS: Place["texts"] = {
  memory: "memory space_quota_exceeded",
  instanceMemory: "memory space_instance_memory_limit_exceeded",
  instances: "app_instance_limit space_app_instance_limit_exceeded",
  logRate: "log_rate_limit exceeds space log rate quota",
};
const ORGANIZATION_TEXTS: Place["texts"] = {
  memory: "memory quota_exceeded",
  instanceMemory: "memory instance_memory_limit_exceeded",
  instances: "app_instance_limit app_instance_limit_exceeded",
  logRate: "log_rate_limit exceeds organization log rate quota",
};

/**
 * Makes a change of one app, and takes the transaction back when the change wants more than a quota leaves.
 * @throws unprocessable with everything that is exceeded
 */
export async function withinQuotas<T>(
  db: Writer,
  app: { readonly guid: string; readonly space_guid: string },
  change: () => Promise<T>,
): Promise<T> {
  const places = await limitedPlaces(db, app.space_guid);
  if (places.length === 0) return change();
  const own = sql<boolean>`apps.guid = ${app.guid}`;
  const before = await usageOf(db, own);
  const largestBefore = await largestInstance(db, own);
  const result = await change();
  const after = await usageOf(db, own);
  const largest = await largestInstance(db, own);
  const problems: string[] = [];
  for (const { limits, apps, texts } of places) {
    const total = await usageOf(db, apps);
    const grows = (kind: keyof AppUsage) => after[kind] > before[kind];
    const exceeds = (limit: number | null, kind: keyof AppUsage) =>
      limit !== null && grows(kind) && total[kind] > limit;
    const logRate = limits.log_rate_limit_in_bytes_per_second;
    if (exceeds(limits.total_memory_in_mb, "memoryMb")) problems.push(texts.memory);
    if (limits.per_process_memory_in_mb !== null && largest > largestBefore) {
      if (largest > limits.per_process_memory_in_mb) problems.push(texts.instanceMemory);
    }
    if (exceeds(limits.total_instances, "instances")) problems.push(texts.instances);
    // A rate of its own is less than none, whichever it is.
    const isRateBounded = after.unlimited < before.unlimited;
    if (logRate !== null && (grows("unlimited") || (exceeds(logRate, "logRateBytes") && !isRateBounded))) {
      problems.push(texts.logRate);
    }
  }
  if (problems.length > 0) throw unprocessable({ problems });
  return result;
}

/** The space first, as upstream looks at them. */
async function limitedPlaces(db: Writer, spaceGuid: string): Promise<readonly Place[]> {
  const { organization, organizationQuota, spaceQuota } = await db
    .selectFrom("spaces")
    .innerJoin("organizations", "organizations.guid", "spaces.organization_guid")
    .select([
      "organizations.guid as organization",
      "organizations.quota_guid as organizationQuota",
      "spaces.quota_guid as spaceQuota",
    ])
    .where("spaces.guid", "=", spaceGuid)
    .executeTakeFirstOrThrow();
  const places: readonly Place[] = [
    {
      limits: (await limitsOf(db, spaceQuota)).apps,
      apps: sql<boolean>`apps.space_guid = ${spaceGuid}`,
      texts: SPACE_TEXTS,
    },
    {
      limits: (await limitsOf(db, organizationQuota)).apps,
      apps: sql<boolean>`apps.space_guid in (select guid from spaces where organization_guid = ${organization})`,
      texts: ORGANIZATION_TEXTS,
    },
  ];
  return places.filter(({ limits }) => {
    const { per_app_tasks: _, ...enforced } = limits;
    return Object.values(enforced).some((limit) => limit !== null);
  });
}

/** @param apps  A condition on rows of `apps`. While a version replaces another, the instances of both are there. */
export async function usageOf(db: Database, apps: Condition): Promise<AppUsage> {
  // Not as integers: the largest numbers there may be, multiplied, are none any more.
  const number = (of: string) => sql`cast(${sql.ref(of)} as double precision)`;
  const instances = sql`coalesce(${number("deployments.previous_instances")} +
    ${number("deployments.new_instances")}, ${number("processes.instances")})`;
  const rate = number("processes.log_rate_limit_in_bytes_per_second");
  const row = await db
    .selectFrom("processes")
    .innerJoin("apps", "apps.guid", "processes.app_guid")
    .leftJoin("deployments", (join) =>
      join
        .onRef("deployments.process_guid", "=", "processes.guid")
        .on("deployments.status_value", "=", "ACTIVE"),
    )
    .select([
      sql<number | null>`sum(${instances})`.as("instances"),
      sql<number | null>`sum(${instances} * processes.memory_in_mb)`.as("memoryMb"),
      sql<number | null>`sum(case when ${rate} < 0 then 0 else ${instances} * ${rate} end)`.as(
        "logRateBytes",
      ),
      sql<number | null>`sum(case when ${rate} < 0 then ${instances} else 0 end)`.as("unlimited"),
    ])
    .where("apps.state", "=", "STARTED")
    .where(apps)
    .executeTakeFirstOrThrow();
  return {
    instances: row.instances ?? 0,
    memoryMb: row.memoryMb ?? 0,
    logRateBytes: row.logRateBytes ?? 0,
    unlimited: row.unlimited ?? 0,
  };
}

async function largestInstance(db: Database, apps: Condition): Promise<number> {
  const row = await db
    .selectFrom("processes")
    .innerJoin("apps", "apps.guid", "processes.app_guid")
    .select(({ fn }) => fn.max<number | null>("processes.memory_in_mb").as("memoryMb"))
    .where("apps.state", "=", "STARTED")
    .where("processes.instances", ">", 0)
    .where(apps)
    .executeTakeFirstOrThrow();
  return row.memoryMb ?? 0;
}
