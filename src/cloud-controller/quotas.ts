/**
 * Quotas, as far as routes and private domains feel them: what an organization or a space may have at most. Looked at
 * inside the transaction that adds one more, so that of two who want the last place one gets it. Apps: app-quotas.ts.
 */
import { type InferResult, sql } from "kysely";
import { decodeJson, type QuotaLimitsDocument, type RowOf } from "../store/index.ts";
import type { Writer } from "./context.ts";
import { refuse } from "./refuse.ts";
import { totalRoutes } from "./route-counts.ts";

/** Name of the quota that organizations have until an administrator applies another. */
export const DEFAULT_QUOTA = "default";

export const UNLIMITED: QuotaLimitsDocument = {
  apps: {
    total_memory_in_mb: null,
    per_process_memory_in_mb: null,
    log_rate_limit_in_bytes_per_second: null,
    total_instances: null,
    per_app_tasks: null,
  },
  services: { paid_services_allowed: true, total_service_instances: null, total_service_keys: null },
  routes: { total_routes: null, total_reserved_ports: null },
  domains: { total_domains: null },
};

/** Null when an administrator deleted it. */
export async function defaultQuota(db: Writer): Promise<string | null> {
  const quota = await db
    .selectFrom("quotas")
    .select("guid")
    .where("kind", "=", "organization")
    .where(sql`lower(name)`, "=", DEFAULT_QUOTA)
    .executeTakeFirst();
  return quota?.guid ?? null;
}

/** How many routes a space and its organization may have. */
export const routeLimits = (db: Writer, space: Pick<RowOf<"spaces">, "guid">) =>
  db
    .selectFrom("spaces")
    .innerJoin("organizations", "organizations.guid", "spaces.organization_guid")
    .leftJoin("quotas as space_quota", "space_quota.guid", "spaces.quota_guid")
    .leftJoin("quotas as organization_quota", "organization_quota.guid", "organizations.quota_guid")
    .select([
      "spaces.name as space",
      "organizations.name as organization",
      "space_quota.limits as spaceLimits",
      "organization_quota.limits as organizationLimits",
    ])
    .where("spaces.guid", "=", space.guid);
export type RouteLimits = InferResult<ReturnType<typeof routeLimits>>[number];

/** Lets pass when the space and its organization may have one route more than {@link totalRoutes} says. */
export async function demandRoomForRoute(
  db: Writer,
  space: Pick<RowOf<"spaces">, "guid" | "organization_guid">,
  protocol: RowOf<"routes">["protocol"],
  found: RouteLimits,
): Promise<void> {
  const places = [
    {
      name: `space '${found.space}'`,
      condition: sql<boolean>`space_guid = ${space.guid}`,
      limits: limitsIn(found.spaceLimits),
    },
    {
      name: `organization '${found.organization}'`,
      condition: sql<boolean>`space_guid in (
        select guid from spaces where organization_guid = ${space.organization_guid})`,
      limits: limitsIn(found.organizationLimits),
    },
  ];
  for (const { name, condition, limits } of places) {
    const limit = limits.routes.total_routes;
    if (limit !== null && (await totalRoutes(db, condition)) >= limit) {
      refuse(`Routes quota exceeded for ${name}.`);
    }
  }
  if (protocol !== "tcp") return;
  for (const { name, condition, limits } of places) {
    const limit = limits.routes.total_reserved_ports;
    if (limit !== null && (await totalRoutes(db, condition, "tcp")) >= limit) {
      refuse(`Reserved route ports quota exceeded for ${name}.`);
    }
  }
}

export async function demandRoomForDomain(db: Writer, organizationGuid: string): Promise<void> {
  const organization = await db
    .selectFrom("organizations")
    .select(["name", "quota_guid"])
    .where("guid", "=", organizationGuid)
    .executeTakeFirstOrThrow();
  const limit = (await limitsOf(db, organization.quota_guid)).domains.total_domains;
  if (limit === null) return;
  const { total } = await db
    .selectFrom("domains")
    .select((eb) => eb.fn.countAll<number | string>().as("total"))
    .where("organization_guid", "=", organizationGuid)
    .executeTakeFirstOrThrow();
  if (Number(total) < limit) return;
  refuse(`The number of private domains exceeds the quota for organization "${organization.name}"`);
}

export async function limitsOf(db: Writer, quotaGuid: string | null): Promise<QuotaLimitsDocument> {
  if (quotaGuid === null) return UNLIMITED;
  const quota = await db
    .selectFrom("quotas")
    .select("limits")
    .where("guid", "=", quotaGuid)
    .executeTakeFirst();
  return limitsIn(quota?.limits);
}

const limitsIn = (limits: RowOf<"quotas">["limits"] | null | undefined): QuotaLimitsDocument =>
  limits === null || limits === undefined ? UNLIMITED : decodeJson(limits);
