/** Organizations: who owns spaces and private domains. */
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import { unprocessable } from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import { recordEvent } from "../audit.ts";
import type { Context, Writer } from "../context.ts";
import { deleteOrganization } from "../deletions.ts";
import { type Actor, type Call, created, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { isEnabled } from "../feature-flags.ts";
import { asJob, JOB } from "../jobs.ts";
import { column, findAgain, findRow, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { Metadata, writeMetadata } from "../metadata.ts";
import { demand, demandAdmin, organizationVisible } from "../permissions.ts";
import { head, link, toOneData, withMetadata } from "../present.ts";
import { defaultQuota } from "../quotas.ts";
import { unlessTaken } from "../refuse.ts";
import { message, nameOf } from "../schema.ts";
import { linksTo, MetadataShape, part, resource, type Shown, ToOneOrNone } from "../shape.ts";

// --- messages ---

const Name = nameOf(255);
const CreateOrganization = message({
  name: Name,
  suspended: Type.Optional(Type.Boolean()),
  metadata: Type.Optional(Metadata),
});
const UpdateOrganization = message({
  name: Type.Optional(Name),
  suspended: Type.Optional(Type.Boolean()),
  metadata: Type.Optional(Metadata),
});

// --- actions ---

async function createOrganization(call: Call<Static<typeof CreateOrganization>>): Promise<string> {
  const { context, caller, body } = call;
  if (!caller.isAdmin && !(await isEnabled(context.store.db, "user_org_creation"))) demandAdmin(caller);
  const guid = newGuid();
  await unlessNameTaken(
    body.name,
    context.write(async (db) => {
      const now = context.now();
      const { name, suspended = false } = body;
      await db
        .insertInto("organizations")
        .values({
          guid,
          created_at: now,
          updated_at: now,
          name,
          suspended: suspended ? 1 : 0,
          quota_guid: await defaultQuota(db),
        })
        .execute();
      await writeMetadata(db, "organization", guid, body.metadata);
      await record(db, call, "create", { guid, name }, { request: body });
      if (caller.isAdmin) return;
      for (const type of ["organization_user", "organization_manager"]) {
        await db
          .insertInto("roles")
          .values({
            guid: newGuid(),
            created_at: now,
            updated_at: now,
            type,
            user_guid: caller.userGuid,
            organization_guid: guid,
          })
          .execute();
      }
    }),
  );
  return guid;
}

async function updateOrganization(
  call: Call<Static<typeof UpdateOrganization>>,
  organization: RowOf<"organizations">,
): Promise<void> {
  const { context, caller, body } = call;
  await demand(context.store.db, caller, "organization.update", { organizationGuid: organization.guid });
  if (body.suspended !== undefined) demandAdmin(caller);
  await unlessNameTaken(
    body.name ?? organization.name,
    context.write(async (db) => {
      const current = await findAgain(db, organizationListing, organization.guid);
      const { name = current.name, suspended = current.suspended === 1 } = body;
      await db
        .updateTable("organizations")
        .set({ name, suspended: suspended ? 1 : 0, updated_at: context.now() })
        .where("guid", "=", organization.guid)
        .execute();
      await writeMetadata(db, "organization", organization.guid, body.metadata);
      await record(db, call, "update", { guid: organization.guid, name }, { request: body });
    }),
  );
}

const record = (
  db: Writer,
  actor: Actor,
  what: "create" | "update" | "delete-request",
  { guid, name }: Pick<RowOf<"organizations">, "guid" | "name">,
  data: Readonly<Record<string, unknown>>,
) =>
  recordEvent(db, actor, {
    type: `audit.organization.${what}`,
    target: { guid, name, organization_guid: guid },
    data,
  });

const unlessNameTaken = (name: string, write: Promise<void>) =>
  unlessTaken(write, (cause) =>
    unprocessable({ problems: [`Organization '${name}' already exists.`] }, cause),
  );

// --- presenter ---

export const Organization = resource("Organization", {
  name: Type.String(),
  suspended: Type.Boolean(),
  relationships: part({ quota: ToOneOrNone }),
  metadata: MetadataShape,
  links: linksTo(["self", "domains", "default_domain"], ["quota"]),
});

export async function presentOrganizations(
  context: Context,
  rows: readonly RowOf<"organizations">[],
): Promise<Shown<typeof Organization>[]> {
  return withMetadata(context, "organization", rows, (row, metadata) => ({
    ...head(row),
    name: row.name,
    suspended: row.suspended === 1,
    relationships: { quota: toOneData(row.quota_guid) },
    metadata,
    links: {
      self: link(context, `/v3/organizations/${row.guid}`),
      domains: link(context, `/v3/organizations/${row.guid}/domains`),
      ...(row.quota_guid !== null && { quota: link(context, `/v3/organization_quotas/${row.quota_guid}`) }),
      default_domain: link(context, `/v3/organizations/${row.guid}/domains/default`),
    },
  }));
}

export const organizationListing: Listing<"organizations", typeof Organization> = {
  table: "organizations",
  resource: "Organization",
  shape: Organization,
  labelled: "organization",
  filters: { names: column("organizations.name") },
  orderBy: ["name"],
  visible: ({ caller }) => organizationVisible(caller, "organizations.guid"),
  present: ({ context }, rows) => presentOrganizations(context, rows),
};

// --- endpoints ---

export const organizations: readonly Endpoint[] = [
  listEndpoint("/v3/organizations", "Lists organizations.", organizationListing),
  showEndpoint("/v3/organizations/:guid", "Shows an organization.", organizationListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/organizations",
    summary: "Creates an organization.",
    access: "write",
    answers: { 201: Organization },
    body: CreateOrganization,
    handle: async (call) =>
      created(await presentNow(call, organizationListing, await createOrganization(call))),
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/organizations/:guid",
    summary: "Renames or suspends an organization, or changes its metadata.",
    access: "write",
    answers: { 200: Organization },
    body: UpdateOrganization,
    handle: async (call) => {
      const organization = await findRow(call, organizationListing, call.params["guid"] ?? "");
      await updateOrganization(call, organization);
      return ok(await presentNow(call, organizationListing, organization.guid));
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/organizations/:guid",
    summary: "Deletes an organization with everything in it.",
    access: "write",
    answers: JOB,
    handle: async (call) => {
      const organization = await findRow(call, organizationListing, call.params["guid"] ?? "");
      const { guid } = organization;
      demandAdmin(call.caller);
      const job = { operation: "organization.delete", resourceType: "organization", resourceGuid: guid };
      return asJob(call.context, job, async (db, news) => {
        await record(db, call, "delete-request", organization, { request: { recursive: true } });
        await deleteOrganization(db, news, guid);
      });
    },
  }),
];
