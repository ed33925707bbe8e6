/** Spaces: where apps and routes live. */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import { unprocessable } from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import { recordEvent } from "../audit.ts";
import type { Context } from "../context.ts";
import { deleteSpace } from "../deletions.ts";
import { type Call, created, defineEndpoint, type Endpoint, ok } from "../endpoint.ts";
import { asJob, JOB } from "../jobs.ts";
import {
  column,
  type Filter,
  findAgain,
  findRow,
  includeOf,
  type Listing,
  listEndpoint,
  presentNow,
  showEndpoint,
} from "../list.ts";
import { Metadata, writeMetadata } from "../metadata.ts";
import { demand, organizationVisible, spaceVisible } from "../permissions.ts";
import { head, link, toOneData, withMetadata } from "../present.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { message, nameOf, toOne } from "../schema.ts";
import { linksTo, MetadataShape, part, resource, type Shown, ToOne, ToOneOrNone } from "../shape.ts";
import { Organization, organizationListing, presentOrganizations } from "./organizations.ts";

// --- messages ---

const Name = nameOf(255);
const CreateSpace = message({
  name: Name,
  relationships: message({ organization: toOne("organization") }),
  metadata: Type.Optional(Metadata),
});
const UpdateSpace = message({ name: Type.Optional(Name), metadata: Type.Optional(Metadata) });

// --- actions ---

async function createSpace(call: Call<Static<typeof CreateSpace>>): Promise<string> {
  const { context, caller, body } = call;
  const organizationGuid = body.relationships.organization.data.guid;
  const organization = await context.store.db
    .selectFrom("organizations")
    .select("guid")
    .where("guid", "=", organizationGuid)
    .where(organizationVisible(caller, "organizations.guid"))
    .executeTakeFirst();
  if (organization === undefined) {
    refuse("Invalid organization. Ensure the organization exists and you have access to it.");
  }
  await demand(context.store.db, caller, "space.create", { organizationGuid });
  const guid = newGuid();
  await unlessNameTaken(
    context.write(async (db) => {
      const now = context.now();
      await db
        .insertInto("spaces")
        .values({
          guid,
          created_at: now,
          updated_at: now,
          name: body.name,
          organization_guid: organizationGuid,
        })
        .execute();
      await writeMetadata(db, "space", guid, body.metadata);
      const target = { guid, name: body.name, space_guid: guid };
      await recordEvent(db, call, { type: "audit.space.create", target, data: { request: body } });
    }),
  );
  return guid;
}

async function updateSpace(call: Call<Static<typeof UpdateSpace>>, space: RowOf<"spaces">): Promise<void> {
  const { context, caller, body } = call;
  await demand(context.store.db, caller, "space.update", placeOf(space));
  await unlessNameTaken(
    context.write(async (db) => {
      const current = await findAgain(db, spaceListing, space.guid);
      await db
        .updateTable("spaces")
        .set({ name: body.name ?? current.name, updated_at: context.now() })
        .where("guid", "=", space.guid)
        .execute();
      await writeMetadata(db, "space", space.guid, body.metadata);
      const target = { guid: space.guid, name: body.name ?? current.name, space_guid: space.guid };
      await recordEvent(db, call, { type: "audit.space.update", target, data: { request: body } });
    }),
  );
}

const unlessNameTaken = (write: Promise<void>) =>
  unlessTaken(write, (cause) => unprocessable({ problems: ["Name must be unique per organization"] }, cause));

/**
 * The space that a body names.
 * @throws unprocessable when there is none, or the caller may not see it
 */
export async function findSpace(call: Call<unknown>, guid: string): Promise<RowOf<"spaces">> {
  return demandSpace(await spaceWithGuid(call, guid).execute());
}

/** For a look together with others: the space, if the caller may see it. */
export const spaceWithGuid = (call: Call<unknown>, guid: string) =>
  call.context.store.db
    .selectFrom("spaces")
    .selectAll()
    .where("guid", "=", guid)
    .where(spaceVisible(call.caller, "spaces.guid"));

export function demandSpace<S>([space]: readonly S[]): S {
  return space ?? refuse("Invalid space. Ensure that the space exists and you have access to it.");
}

export const placeOf = (space: Pick<RowOf<"spaces">, "guid" | "organization_guid">) => ({
  organizationGuid: space.organization_guid,
  spaceGuid: space.guid,
});

// --- presenter ---

const Space = resource("Space", {
  name: Type.String(),
  relationships: part({ organization: ToOne, quota: ToOneOrNone }),
  metadata: MetadataShape,
  links: linksTo(["self", "organization", "features", "apply_manifest"], ["quota"]),
});

async function presentSpaces(
  context: Context,
  rows: readonly RowOf<"spaces">[],
): Promise<Shown<typeof Space>[]> {
  return withMetadata(context, "space", rows, (row, metadata) => ({
    ...head(row),
    name: row.name,
    relationships: {
      organization: toOneData(row.organization_guid),
      quota: toOneData(row.quota_guid),
    },
    metadata,
    links: {
      self: link(context, `/v3/spaces/${row.guid}`),
      organization: link(context, `/v3/organizations/${row.organization_guid}`),
      features: link(context, `/v3/spaces/${row.guid}/features`),
      ...(row.quota_guid !== null && { quota: link(context, `/v3/space_quotas/${row.quota_guid}`) }),
      apply_manifest: link(context, `/v3/spaces/${row.guid}/actions/apply_manifest`, "POST"),
    },
  }));
}

async function loadOrganizationsOf(
  context: Context,
  spaces: readonly string[],
): Promise<readonly Shown<typeof Organization>[]> {
  if (spaces.length === 0) return [];
  const { db } = context.store;
  const rows = await db
    .selectFrom("organizations")
    .selectAll()
    .where("guid", "in", db.selectFrom("spaces").select("organization_guid").where("guid", "in", spaces))
    .execute();
  return presentOrganizations(context, rows);
}

/** `include=space.organization` of rows that are in a space. */
export const organizationOf = {
  key: "organizations",
  shape: Organization,
  load: ({ context }: Call, rows: readonly { readonly space_guid: string }[]) =>
    loadOrganizationsOf(context, [...new Set(rows.map((row) => row.space_guid))]),
};

/** The filter «this column names a space of one of these organizations». */
export function spaceInOrganizations(column: string): Filter {
  return (values) => sql<boolean>`${sql.ref(column)} in (
    select guid from spaces where organization_guid in (${sql.join(values)}))`;
}

const ownOrganization = includeOf(
  "organizations",
  organizationListing,
  (space: RowOf<"spaces">) => space.organization_guid,
);

export const spaceListing: Listing<"spaces", typeof Space> = {
  table: "spaces",
  resource: "Space",
  shape: Space,
  labelled: "space",
  filters: { names: column("spaces.name"), organization_guids: column("spaces.organization_guid") },
  includes: { org: ownOrganization, organization: ownOrganization },
  orderBy: ["name"],
  visible: ({ caller }) => spaceVisible(caller, "spaces.guid"),
  present: ({ context }, rows) => presentSpaces(context, rows),
};

/** `include=space` of rows that are in one. */
export const spaceOf = includeOf(
  "spaces",
  spaceListing,
  (row: { readonly space_guid: string }) => row.space_guid,
);

// --- endpoints ---

export const spaces: readonly Endpoint[] = [
  listEndpoint("/v3/spaces", "Lists spaces.", spaceListing),
  showEndpoint("/v3/spaces/:guid", "Shows a space.", spaceListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/spaces",
    summary: "Creates a space.",
    access: "write",
    answers: { 201: Space },
    body: CreateSpace,
    handle: async (call) => created(await presentNow(call, spaceListing, await createSpace(call))),
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/spaces/:guid",
    summary: "Renames a space or changes its metadata.",
    access: "write",
    answers: { 200: Space },
    body: UpdateSpace,
    handle: async (call) => {
      const space = await findRow(call, spaceListing, call.params["guid"] ?? "");
      await updateSpace(call, space);
      return ok(await presentNow(call, spaceListing, space.guid));
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/spaces/:guid",
    summary: "Deletes a space with everything in it.",
    access: "write",
    answers: JOB,
    handle: async (call) => {
      const space = await findRow(call, spaceListing, call.params["guid"] ?? "");
      await demand(call.context.store.db, call.caller, "space.delete", placeOf(space));
      const job = { operation: "space.delete", resourceType: "space", resourceGuid: space.guid };
      return asJob(call.context, job, async (db, news) => {
        const target = { guid: space.guid, name: space.name, space_guid: space.guid };
        const data = { request: { recursive: true } };
        await recordEvent(db, call, { type: "audit.space.delete-request", target, data });
        await deleteSpace(db, news, space.guid);
      });
    },
  }),
];
