/** Quotas of organizations: made and applied by administrators, seen by everybody. */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import type { RowOf } from "../../store/index.ts";
import type { Writer } from "../context.ts";
import { type Call, created, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { asJob, JOB } from "../jobs.ts";
import { column, findRow, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { demandAdmin, organizationVisible } from "../permissions.ts";
import { link, toManyData } from "../present.ts";
import { refuse } from "../refuse.ts";
import { message, toMany } from "../schema.ts";
import { ToManyPage } from "../shape.ts";
import {
  ChangeOrganizationQuota,
  changeQuotaEndpoint,
  domainLimitProperties,
  holdersOf,
  insertQuota,
  limitProblems,
  limitProperties,
  OrganizationQuota,
  presentQuota,
  QuotaName,
} from "./quota-parts.ts";

// --- messages ---

const limits = { ...limitProperties, ...domainLimitProperties };
const CreateQuota = message({
  name: QuotaName,
  ...limits,
  relationships: Type.Optional(message({ organizations: Type.Optional(toMany("organizations")) })),
});
const ApplyQuota = toMany("organizations");

// --- actions ---

async function createQuota(call: Call<Static<typeof CreateQuota>>): Promise<string> {
  const { context, body } = call;
  demandAdmin(call.caller);
  const { relationships, ...given } = body;
  return insertQuota(context, { kind: "organization", organization_guid: null }, given, (db, guid) =>
    applyTo(db, guid, relationships?.organizations?.data ?? []),
  );
}

/** An organization has one quota: applying another replaces it. */
async function applyTo(
  db: Writer,
  quota: string,
  organizations: readonly { readonly guid: string }[],
): Promise<void> {
  const guids = [...new Set(organizations.map((each) => each.guid))];
  if (guids.length === 0) return;
  const found = await db.selectFrom("organizations").select("guid").where("guid", "in", guids).execute();
  const missing = guids.filter((guid) => !found.some((row) => row.guid === guid));
  if (missing.length > 0) {
    refuse(
      `Organizations with guids ${JSON.stringify(missing)} do not exist, or you do not have access to them.`,
    );
  }
  await db.updateTable("organizations").set({ quota_guid: quota }).where("guid", "in", guids).execute();
}

async function deleteQuota(call: Call<unknown>, quota: RowOf<"quotas">) {
  const job = {
    operation: "organization_quota.delete",
    resourceType: "organization_quota",
    resourceGuid: quota.guid,
  };
  return asJob(call.context, job, async (db) => {
    const user = await db
      .selectFrom("organizations")
      .select("guid")
      .where("quota_guid", "=", quota.guid)
      .limit(1)
      .executeTakeFirst();
    if (user !== undefined) {
      refuse(
        "This quota is applied to one or more organizations. Apply different quotas to those organizations before deleting.",
      );
    }
    await db.deleteFrom("quotas").where("guid", "=", quota.guid).execute();
  });
}

// --- presenter ---

const quotaListing: Listing<"quotas", typeof OrganizationQuota> = {
  table: "quotas",
  resource: "Organization quota",
  shape: OrganizationQuota,
  filters: {
    names: column("quotas.name"),
    organization_guids: (values, { caller }) => sql<boolean>`quotas.guid in (
      select quota_guid from organizations where guid in (${sql.join(values)})
        and ${organizationVisible(caller, "organizations.guid")})`,
  },
  orderBy: ["name"],
  visible: () => sql<boolean>`quotas.kind = 'organization'`,
  present: async (call, rows) => {
    const organizationsOf = await holdersOf(
      call,
      "organizations",
      rows.map((row) => row.guid),
    );
    return rows.map((row) => ({
      ...presentQuota(row),
      relationships: { organizations: toManyData(organizationsOf(row.guid)) },
      links: { self: link(call.context, `/v3/organization_quotas/${row.guid}`) },
    }));
  },
};

// --- endpoints ---

const findQuota = (call: Call<unknown>) => findRow(call, quotaListing, call.params["guid"] ?? "");

async function findWritable(call: Call<unknown>): Promise<RowOf<"quotas">> {
  const quota = await findQuota(call);
  demandAdmin(call.caller);
  return quota;
}

export const organizationQuotas: readonly Endpoint[] = [
  listEndpoint("/v3/organization_quotas", "Lists quotas of organizations.", quotaListing),
  showEndpoint("/v3/organization_quotas/:guid", "Shows a quota of organizations.", quotaListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/organization_quotas",
    summary: "Creates a quota for organizations.",
    access: "write",
    answers: { 201: OrganizationQuota },
    body: CreateQuota,
    check: limitProblems,
    handle: async (call) => created(await presentNow(call, quotaListing, await createQuota(call))),
  }),
  changeQuotaEndpoint(
    "/v3/organization_quotas/:guid",
    "Changes a quota of organizations.",
    quotaListing,
    ChangeOrganizationQuota,
    findWritable,
  ),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/organization_quotas/:guid",
    summary: "Deletes a quota that no organization has.",
    access: "write",
    answers: JOB,
    handle: async (call) => deleteQuota(call, await findWritable(call)),
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/organization_quotas/:guid/relationships/organizations",
    summary: "Gives organizations this quota.",
    access: "write",
    answers: { 200: ToManyPage },
    body: ApplyQuota,
    handle: async (call) => {
      const { guid } = await findWritable(call);
      await call.context.write((db) => applyTo(db, guid, call.body.data));
      const organizationsOf = await holdersOf(call, "organizations", [guid]);
      const self = link(call.context, `/v3/organization_quotas/${guid}/relationships/organizations`);
      return ok({ ...toManyData(organizationsOf(guid)), links: { self } });
    },
  }),
];
