/** Quotas of spaces: made and applied by managers of the organization they belong to. */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import type { RowOf } from "../../store/index.ts";
import { type Condition, everything } from "../condition.ts";
import type { Writer } from "../context.ts";
import { type Call, created, defineEndpoint, type Endpoint, noContent, ok } from "../endpoint.ts";
import { asJob, JOB } from "../jobs.ts";
import { column, findRow, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { type Caller, demand, organizationVisible, spaceVisible } from "../permissions.ts";
import { link, toManyData, toOneData } from "../present.ts";
import { refuse } from "../refuse.ts";
import { message, toMany, toOne } from "../schema.ts";
import { ToManyPage } from "../shape.ts";
import {
  ChangeSpaceQuota,
  changeQuotaEndpoint,
  holdersOf,
  insertQuota,
  limitProblems,
  limitProperties,
  presentQuota,
  QuotaName,
  SpaceQuota,
} from "./quota-parts.ts";

// --- messages ---

const CreateQuota = message({
  name: QuotaName,
  ...limitProperties,
  relationships: message({ organization: toOne("organization"), spaces: Type.Optional(toMany("spaces")) }),
});
const ApplyQuota = toMany("spaces");

// --- actions ---

async function createQuota(call: Call<Static<typeof CreateQuota>>): Promise<string> {
  const { context, caller, body } = call;
  const { relationships, ...given } = body;
  const organizationGuid = relationships.organization.data.guid;
  const organization = await context.store.db
    .selectFrom("organizations")
    .select("guid")
    .where("guid", "=", organizationGuid)
    .where(organizationVisible(caller, "organizations.guid"))
    .executeTakeFirst();
  if (organization === undefined) {
    refuse(`Organization with guid '${organizationGuid}' does not exist, or you do not have access to it.`);
  }
  await demand(context.store.db, caller, "space-quota.write", { organizationGuid });
  const quota = { kind: "space", organization_guid: organizationGuid } as const;
  return insertQuota(context, quota, given, (db, guid) =>
    applyTo(db, caller, { ...quota, guid }, relationships.spaces?.data ?? []),
  );
}

/** A space has one quota: applying another replaces it. */
async function applyTo(
  db: Writer,
  caller: Caller,
  quota: Pick<RowOf<"quotas">, "guid" | "organization_guid">,
  spaces: readonly { readonly guid: string }[],
): Promise<void> {
  const guids = [...new Set(spaces.map((each) => each.guid))];
  if (guids.length === 0) return;
  const found = await db
    .selectFrom("spaces")
    .select(["guid", "organization_guid"])
    .where("guid", "in", guids)
    .where(spaceVisible(caller, "spaces.guid"))
    .execute();
  const missing = guids.filter((guid) => !found.some((row) => row.guid === guid));
  if (missing.length > 0) {
    refuse(`Spaces with guids ${JSON.stringify(missing)} do not exist, or you do not have access to them.`);
  }
  if (found.some((row) => row.organization_guid !== quota.organization_guid)) {
    refuse("Space quotas cannot be applied outside of their owning organization.");
  }
  await db.updateTable("spaces").set({ quota_guid: quota.guid }).where("guid", "in", guids).execute();
}

async function removeFrom({ context }: Call<unknown>, quota: string, space: string): Promise<void> {
  await context.write(async (db) => {
    const removed = await db
      .updateTable("spaces")
      .set({ quota_guid: null })
      .where("guid", "=", space)
      .where("quota_guid", "=", quota)
      .executeTakeFirst();
    if (removed.numUpdatedRows > 0n) return;
    refuse(
      `Unable to remove quota from space with guid '${space}'. Ensure the space quota is applied to this space.`,
    );
  });
}

async function deleteQuota(call: Call<unknown>, quota: RowOf<"quotas">) {
  const job = { operation: "space_quota.delete", resourceType: "space_quota", resourceGuid: quota.guid };
  return asJob(call.context, job, async (db) => {
    await db.updateTable("spaces").set({ quota_guid: null }).where("quota_guid", "=", quota.guid).execute();
    await db.deleteFrom("quotas").where("guid", "=", quota.guid).execute();
  });
}

// --- presenter ---

/** For managers of the organization, and for whoever sees a space that has the quota. */
function quotaVisible(caller: Caller): Condition {
  if (caller.seesEverything) return everything;
  return sql<boolean>`(quotas.organization_guid in (
      select organization_guid from roles where user_guid = ${caller.userGuid} and type = 'organization_manager')
    or quotas.guid in (select quota_guid from spaces where ${spaceVisible(caller, "spaces.guid")}))`;
}

const quotaListing: Listing<"quotas", typeof SpaceQuota> = {
  table: "quotas",
  resource: "Space quota",
  shape: SpaceQuota,
  filters: {
    names: column("quotas.name"),
    organization_guids: column("quotas.organization_guid"),
    space_guids: (values, { caller }) => sql<boolean>`quotas.guid in (
      select quota_guid from spaces where guid in (${sql.join(values)})
        and ${spaceVisible(caller, "spaces.guid")})`,
  },
  orderBy: ["name"],
  visible: ({ caller }) => sql<boolean>`(quotas.kind = 'space' and ${quotaVisible(caller)})`,
  present: async (call, rows) => {
    const spacesOf = await holdersOf(
      call,
      "spaces",
      rows.map((row) => row.guid),
    );
    return rows.map((row) => {
      // Domains are an organization's.
      const { domains: _, ...quota } = presentQuota(row);
      return {
        ...quota,
        relationships: {
          organization: toOneData(row.organization_guid ?? ""),
          spaces: toManyData(spacesOf(row.guid)),
        },
        links: {
          self: link(call.context, `/v3/space_quotas/${row.guid}`),
          organization: link(call.context, `/v3/organizations/${row.organization_guid}`),
        },
      };
    });
  },
};

// --- endpoints ---

async function findWritable(call: Call<unknown>): Promise<RowOf<"quotas">> {
  const quota = await findRow(call, quotaListing, call.params["guid"] ?? "");
  await demand(call.context.store.db, call.caller, "space-quota.write", {
    organizationGuid: quota.organization_guid ?? "",
  });
  return quota;
}

const SPACES = "/v3/space_quotas/:guid/relationships/spaces";

export const spaceQuotas: readonly Endpoint[] = [
  listEndpoint("/v3/space_quotas", "Lists quotas of spaces.", quotaListing),
  showEndpoint("/v3/space_quotas/:guid", "Shows a quota of spaces.", quotaListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/space_quotas",
    summary: "Creates a quota for spaces of an organization.",
    access: "write",
    answers: { 201: SpaceQuota },
    body: CreateQuota,
    check: limitProblems,
    handle: async (call) => created(await presentNow(call, quotaListing, await createQuota(call))),
  }),
  changeQuotaEndpoint(
    "/v3/space_quotas/:guid",
    "Changes a quota of spaces.",
    quotaListing,
    ChangeSpaceQuota,
    findWritable,
  ),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/space_quotas/:guid",
    summary: "Deletes a quota; the spaces that have it have none then.",
    access: "write",
    answers: JOB,
    handle: async (call) => deleteQuota(call, await findWritable(call)),
  }),
  defineEndpoint({
    method: "POST",
    path: SPACES,
    summary: "Gives spaces this quota.",
    access: "write",
    answers: { 200: ToManyPage },
    body: ApplyQuota,
    handle: async (call) => {
      const quota = await findWritable(call);
      await call.context.write((db) => applyTo(db, call.caller, quota, call.body.data));
      const spacesOf = await holdersOf(call, "spaces", [quota.guid]);
      const self = link(call.context, `/v3/space_quotas/${quota.guid}/relationships/spaces`);
      return ok({ ...toManyData(spacesOf(quota.guid)), links: { self } });
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: `${SPACES}/:space_guid`,
    summary: "Takes this quota from a space.",
    access: "write",
    answers: { 204: null },
    handle: async (call) => {
      const quota = await findWritable(call);
      await removeFrom(call, quota.guid, call.params["space_guid"] ?? "");
      return noContent;
    },
  }),
];
