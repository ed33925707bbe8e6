/** What quotas of organizations and of spaces have in common: limits in a body, in a row, in an answer. */
import { Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import { unprocessable } from "../../kernel/errors/cloud-controller.ts";
import { decodeJson, encodeJson, type QuotaLimitsDocument, type RowOf } from "../../store/index.ts";
import type { Context, Writer } from "../context.ts";
import { type Call, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { findAgain, type Listing, presentNow } from "../list.ts";
import { organizationVisible, spaceVisible } from "../permissions.ts";
import { groupBy, head } from "../present.ts";
import { UNLIMITED } from "../quotas.ts";
import { unlessTaken } from "../refuse.ts";
import { MAX_INTEGER, message, nullable } from "../schema.ts";
import { linksTo, orNull, part, Quantity, resource, ToMany, ToOne } from "../shape.ts";

const Limit = Type.Optional(nullable(Type.Integer({ minimum: 0, maximum: MAX_INTEGER })));

export const QuotaName = Type.String({ minLength: 1, maxLength: 250 });

/** The limits in a body; one that is left out stays what it is, and null lifts it. */
export const limitProperties = {
  apps: Type.Optional(
    message({
      total_memory_in_mb: Limit,
      per_process_memory_in_mb: Limit,
      log_rate_limit_in_bytes_per_second: Limit,
      total_instances: Limit,
      per_app_tasks: Limit,
    }),
  ),
  services: Type.Optional(
    message({
      paid_services_allowed: Type.Optional(Type.Boolean()),
      total_service_instances: Limit,
      total_service_keys: Limit,
    }),
  ),
  routes: Type.Optional(message({ total_routes: Limit, total_reserved_ports: Limit })),
};
export const domainLimitProperties = { domains: Type.Optional(message({ total_domains: Limit })) };

type LimitsGiven = { readonly [Group in keyof QuotaLimitsDocument]?: Partial<QuotaLimitsDocument[Group]> };

const mergeLimits = (given: LimitsGiven, stored: QuotaLimitsDocument): QuotaLimitsDocument => ({
  apps: { ...stored.apps, ...given.apps },
  services: { ...stored.services, ...given.services },
  routes: { ...stored.routes, ...given.routes },
  domains: { ...stored.domains, ...given.domains },
});

const name = Type.Optional(QuotaName);
export const ChangeSpaceQuota = message({ name, ...limitProperties });
export const ChangeOrganizationQuota = message({ name, ...limitProperties, ...domainLimitProperties });

/** Upstream's rule: without routes there are no ports. */
export function limitProblems({ routes }: LimitsGiven): string[] {
  const { total_routes: total, total_reserved_ports: ports } = routes ?? {};
  if (typeof total !== "number" || typeof ports !== "number" || ports <= total) return [];
  return ["Total reserved ports must be less than or equal to total routes"];
}

type Kind = RowOf<"quotas">["kind"];

/** @param apply  Gives it to those who shall have it from the start. */
export async function insertQuota(
  context: Context,
  quota: Pick<RowOf<"quotas">, "kind" | "organization_guid">,
  { name, ...given }: LimitsGiven & { readonly name: string },
  apply: (db: Writer, guid: string) => Promise<void>,
): Promise<string> {
  const guid = newGuid();
  await unlessNameTaken(
    quota.kind,
    name,
    context.write(async (db) => {
      const now = context.now();
      const limits = encodeJson(mergeLimits(given, UNLIMITED));
      await db
        .insertInto("quotas")
        .values({ guid, created_at: now, updated_at: now, ...quota, name, limits })
        .execute();
      await apply(db, guid);
    }),
  );
  return guid;
}

async function changeQuota(
  context: Context,
  quota: RowOf<"quotas">,
  { name: newName, ...given }: LimitsGiven & { readonly name?: string },
): Promise<void> {
  await unlessNameTaken(
    quota.kind,
    newName ?? quota.name,
    context.write(async (db) => {
      const current = await findAgain(db, { table: "quotas", resource: "Quota" }, quota.guid);
      const name = newName ?? current.name;
      const limits = encodeJson(mergeLimits(given, decodeJson(current.limits)));
      await db
        .updateTable("quotas")
        .set({ name, limits, updated_at: context.now() })
        .where("guid", "=", quota.guid)
        .execute();
    }),
  );
}

const unlessNameTaken = (kind: Kind, name: string, write: Promise<void>) =>
  unlessTaken(write, (cause) => {
    const title = kind === "organization" ? "Organization" : "Space";
    return unprocessable({ problems: [`${title} Quota '${name}' already exists.`] }, cause);
  });

/** Who has each of these quotas, as far as the caller sees them. */
export async function holdersOf(
  { context, caller }: Call<unknown>,
  table: "organizations" | "spaces",
  quotas: readonly string[],
): Promise<(quota: string) => readonly string[]> {
  if (quotas.length === 0) return () => [];
  const visible = table === "organizations" ? organizationVisible : spaceVisible;
  const rows = await context.store.db
    .selectFrom(table)
    .select(["guid", "quota_guid"])
    .where("quota_guid", "in", quotas)
    .where(visible(caller, `${table}.guid`))
    .orderBy("created_at")
    .execute();
  const of = groupBy(rows, (row) => row.quota_guid ?? "");
  return (quota) => of(quota).map((row) => row.guid);
}

const LimitOrNone = orNull(Quantity);
const limitShapes = {
  apps: part({
    total_memory_in_mb: LimitOrNone,
    per_process_memory_in_mb: LimitOrNone,
    log_rate_limit_in_bytes_per_second: LimitOrNone,
    total_instances: LimitOrNone,
    per_app_tasks: LimitOrNone,
  }),
  services: part({
    paid_services_allowed: Type.Boolean(),
    total_service_instances: LimitOrNone,
    total_service_keys: LimitOrNone,
  }),
  routes: part({ total_routes: LimitOrNone, total_reserved_ports: LimitOrNone }),
};
const domainLimitShapes = { domains: part({ total_domains: LimitOrNone }) };

export const OrganizationQuota = resource("OrganizationQuota", {
  name: Type.String(),
  ...limitShapes,
  ...domainLimitShapes,
  relationships: part({ organizations: ToMany }),
  links: linksTo(["self"]),
});
export const SpaceQuota = resource("SpaceQuota", {
  name: Type.String(),
  ...limitShapes,
  relationships: part({ organization: ToOne, spaces: ToMany }),
  links: linksTo(["self", "organization"]),
});

export function presentQuota(row: RowOf<"quotas">) {
  const { apps, services, routes, domains } = decodeJson(row.limits);
  return { ...head(row), name: row.name, apps, services, routes, domains };
}

/** `PATCH` of either kind. @param findWritable  Throws when the caller may not change it. */
export const changeQuotaEndpoint = (
  path: string,
  summary: string,
  listing: Listing<"quotas">,
  body: typeof ChangeSpaceQuota | typeof ChangeOrganizationQuota,
  findWritable: (call: Call<unknown>) => Promise<RowOf<"quotas">>,
): Endpoint =>
  defineEndpoint({
    method: "PATCH",
    path,
    summary,
    access: "write",
    answers: { 200: listing.shape },
    body,
    check: limitProblems,
    handle: async (call) => {
      const quota = await findWritable(call);
      await changeQuota(call.context, quota, call.body);
      return ok(await presentNow(call, listing, quota.guid));
    },
  });
