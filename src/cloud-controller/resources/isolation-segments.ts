/**
 * Isolation segments: administrators make them and entitle organizations, managers put spaces into them. What a space
 * is in goes along with its routes, so that only the routers of that segment serve them.
 */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import { resourceNotFound, unprocessable } from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import { type Condition, everything } from "../condition.ts";
import type { Context, Database, Writer } from "../context.ts";
import { type Call, created, defineEndpoint, type Endpoint, noContent, ok } from "../endpoint.ts";
import { isShared } from "../isolation-segments.ts";
import { column, findAgain, findRow, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { deleteMetadata, Metadata, writeMetadata } from "../metadata.ts";
import type { News } from "../news.ts";
import { type Caller, demand, demandAdmin, organizationVisible, spaceVisible } from "../permissions.ts";
import { head, link, toManyData, toOneData, withMetadata } from "../present.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { message, toMany, toOneOrNone } from "../schema.ts";
import {
  linksTo,
  MetadataShape,
  resource,
  shape,
  type Shown,
  ToMany,
  ToManyPage,
  ToOneOrNone,
} from "../shape.ts";
import { organizationListing } from "./organizations.ts";
import { spaceListing } from "./spaces.ts";

// --- messages ---

const Name = Type.String({
  minLength: 1,
  maxLength: 255,
  pattern: "^[^\\p{C}]+$",
  refusals: { pattern: "can only contain printable characters" },
});
const CreateSegment = message({ name: Name, metadata: Type.Optional(Metadata) });
const UpdateSegment = message({ name: Type.Optional(Name), metadata: Type.Optional(Metadata) });
const Entitle = toMany("organizations");
const Assign = toOneOrNone("isolation_segment");

// --- actions ---

async function createSegment({ context, caller, body }: Call<Static<typeof CreateSegment>>): Promise<string> {
  demandAdmin(caller);
  const guid = newGuid();
  await unlessNameTaken(
    context.write(async (db) => {
      const now = context.now();
      await db
        .insertInto("isolation_segments")
        .values({ guid, created_at: now, updated_at: now, name: body.name })
        .execute();
      await writeMetadata(db, "isolation_segment", guid, body.metadata);
    }),
  );
  return guid;
}

async function updateSegment(
  { context, body }: Call<Static<typeof UpdateSegment>>,
  segment: RowOf<"isolation_segments">,
): Promise<void> {
  if (isShared(segment) && (body.name ?? segment.name) !== segment.name) {
    refuse("Cannot update the shared Isolation Segment");
  }
  await unlessNameTaken(
    context.write(async (db, news) => {
      const current = await findAgain(db, segmentListing, segment.guid);
      const { name = current.name } = body;
      await db
        .updateTable("isolation_segments")
        .set({ name, updated_at: context.now() })
        .where("guid", "=", segment.guid)
        .execute();
      await writeMetadata(db, "isolation_segment", segment.guid, body.metadata);
      if (name !== current.name) await tellOfSpaces(db, news, inSegment(segment.guid));
    }),
  );
}

const unlessNameTaken = (write: Promise<void>) =>
  unlessTaken(write, (cause) =>
    unprocessable({ problems: ["Isolation Segment names are case insensitive and must be unique"] }, cause),
  );

async function deleteSegment(
  { context }: Call<unknown>,
  segment: RowOf<"isolation_segments">,
): Promise<void> {
  if (isShared(segment)) refuse("Cannot delete the shared Isolation Segment");
  await context.write(async (db) => {
    const entitled = await db
      .selectFrom("entitlements")
      .select("organization_guid")
      .where("isolation_segment_guid", "=", segment.guid)
      .limit(1)
      .executeTakeFirst();
    if (entitled !== undefined) {
      refuse("Revoke the Organization entitlements for your Isolation Segment.");
    }
    await deleteMetadata(db, "isolation_segment", [segment.guid]);
    await db.deleteFrom("isolation_segments").where("guid", "=", segment.guid).execute();
  });
}

async function entitle(
  { context, body }: Call<Static<typeof Entitle>>,
  segment: RowOf<"isolation_segments">,
): Promise<void> {
  const guids = [...new Set(body.data.map((each) => each.guid))];
  await context.write(async (db) => {
    const found =
      guids.length === 0
        ? []
        : await db.selectFrom("organizations").select("guid").where("guid", "in", guids).execute();
    const missing = guids.filter((guid) => !found.some((row) => row.guid === guid));
    if (missing.length > 0) {
      refuse(
        `Unable to entitle organizations [${missing.join(", ")}] for isolation segment '${segment.name}'. Ensure the organizations exist`,
      );
    }
    for (const guid of guids) {
      await db
        .insertInto("entitlements")
        .values({ isolation_segment_guid: segment.guid, organization_guid: guid })
        .onConflict((conflict) =>
          conflict.columns(["isolation_segment_guid", "organization_guid"]).doNothing(),
        )
        .execute();
    }
  });
}

/** Not while the organization or one of its spaces runs there. */
async function revoke(
  { context }: Call<unknown>,
  segment: RowOf<"isolation_segments">,
  organizationGuid: string,
): Promise<void> {
  await context.write(async (db) => {
    const organization = await db
      .selectFrom("organizations")
      .select(["name", "isolation_segment_guid"])
      .where("guid", "=", organizationGuid)
      .executeTakeFirst();
    if (organization === undefined) throw resourceNotFound({ resource: "Organization" });
    const spaces = await db
      .selectFrom("spaces")
      .select("name")
      .where("organization_guid", "=", organizationGuid)
      .where("isolation_segment_guid", "=", segment.guid)
      .orderBy("name")
      .execute();
    const failed = `Failed to unassign the Isolation Segment from an Organization with name '${organization.name}'.`;
    if (organization.isolation_segment_guid === segment.guid) {
      refuse(
        `${failed} Please change the Default Isolation Segment for your Organization before attempting to unassign.`,
      );
    }
    if (spaces.length > 0) {
      const names = spaces.map(({ name }) => `'${name}'`).join(", ");
      refuse(`${failed} Please change the Isolation Segment for the following Space(s): ${names}.`);
    }
    await db
      .deleteFrom("entitlements")
      .where("isolation_segment_guid", "=", segment.guid)
      .where("organization_guid", "=", organizationGuid)
      .execute();
  });
}

/** An organization, for the spaces that have no segment of their own, or a space. */
interface Assignable {
  readonly table: "organizations" | "spaces";
  readonly guid: string;
  readonly organizationGuid: string;
}

/** Puts an organization or a space into a segment, or with null out of any. */
async function assign(call: Call<Static<typeof Assign>>, at: Assignable): Promise<void> {
  const segment = call.body.data?.guid ?? null;
  await call.context.write(async (db, news) => {
    if (segment !== null) await demandEntitled(db, segment, at);
    await db
      .updateTable(at.table)
      .set({ isolation_segment_guid: segment, updated_at: call.context.now() })
      .where("guid", "=", at.guid)
      .execute();
    await tellOfSpaces(
      db,
      news,
      at.table === "spaces"
        ? sql<boolean>`spaces.guid = ${at.guid}`
        : sql<boolean>`spaces.organization_guid = ${at.guid}`,
    );
  });
}

async function demandEntitled(db: Writer, segment: string, at: Assignable): Promise<void> {
  const entitled = await db
    .selectFrom("entitlements")
    .select("organization_guid")
    .where("isolation_segment_guid", "=", segment)
    .where("organization_guid", "=", at.organizationGuid)
    .executeTakeFirst();
  if (entitled !== undefined) return;
  refuse(
    `Unable to assign isolation segment with guid '${segment}'. Ensure it has been entitled to the organization${at.table === "spaces" ? " that this space belongs to" : ""}.`,
  );
}

const inSegment = (guid: string) => sql<boolean>`(spaces.isolation_segment_guid = ${guid}
  or spaces.organization_guid in (select guid from organizations where isolation_segment_guid = ${guid}))`;

/** The routes and the processes of spaces that run elsewhere now. */
async function tellOfSpaces(db: Writer, news: News, spaces: Condition): Promise<void> {
  const routes = await db
    .selectFrom("routes")
    .innerJoin("spaces", "spaces.guid", "routes.space_guid")
    .select("routes.guid")
    .where(spaces)
    .execute();
  for (const route of routes) news.route(route.guid);
  const processes = await db
    .selectFrom("processes")
    .innerJoin("apps", "apps.guid", "processes.app_guid")
    .innerJoin("spaces", "spaces.guid", "apps.space_guid")
    .select(["processes.guid", "processes.version"])
    .where(spaces)
    .execute();
  for (const process of processes) news.process(process);
}

// --- presenter ---

/** Of organizations one sees. */
function segmentVisible(caller: Caller): Condition {
  if (caller.seesEverything) return everything;
  return sql<boolean>`isolation_segments.guid in (select isolation_segment_guid from entitlements
    where ${organizationVisible(caller, "entitlements.organization_guid")})`;
}

const Segment = resource("IsolationSegment", {
  name: Type.String(),
  metadata: MetadataShape,
  links: linksTo(["self", "organizations"]),
});

const Entitled = shape("EntitledOrganizations", {
  data: ToMany.properties.data,
  links: linksTo(["self", "related"]),
});
const Assignment = shape("IsolationSegmentAssignment", {
  data: ToOneOrNone.properties.data,
  links: linksTo(["self"], ["related"]),
});

const segmentListing: Listing<"isolation_segments", typeof Segment> = {
  table: "isolation_segments",
  resource: "Isolation segment",
  shape: Segment,
  labelled: "isolation_segment",
  filters: {
    names: column("isolation_segments.name"),
    organization_guids: (values) => sql<boolean>`isolation_segments.guid in (
      select isolation_segment_guid from entitlements where organization_guid in (${sql.join(values)}))`,
  },
  orderBy: ["name"],
  visible: ({ caller }) => segmentVisible(caller),
  present: ({ context }, rows) =>
    withMetadata(context, "isolation_segment", rows, (row, metadata) => ({
      ...head(row),
      name: row.name,
      metadata,
      links: {
        self: link(context, `/v3/isolation_segments/${row.guid}`),
        organizations: link(context, `/v3/isolation_segments/${row.guid}/organizations`),
      },
    })),
};

async function presentEntitled(
  { context, caller }: Call<unknown>,
  segment: string,
): Promise<Shown<typeof Entitled>> {
  const rows = await context.store.db
    .selectFrom("entitlements")
    .select("organization_guid")
    .where("isolation_segment_guid", "=", segment)
    .where(organizationVisible(caller, "entitlements.organization_guid"))
    .orderBy("organization_guid")
    .execute();
  return {
    ...toManyData(rows.map((row) => row.organization_guid)),
    links: {
      self: link(context, `/v3/isolation_segments/${segment}/relationships/organizations`),
      related: link(context, `/v3/isolation_segments/${segment}/organizations`),
    },
  };
}

function presentAssignment(context: Context, path: string, segment: string | null): Shown<typeof Assignment> {
  return {
    ...toOneData(segment),
    links: {
      self: link(context, path),
      ...(segment !== null && { related: link(context, `/v3/isolation_segments/${segment}`) }),
    },
  };
}

async function segmentOf(
  db: Database,
  table: "organizations" | "spaces",
  guid: string,
): Promise<string | null> {
  const row = await db
    .selectFrom(table)
    .select("isolation_segment_guid")
    .where("guid", "=", guid)
    .executeTakeFirst();
  return row?.isolation_segment_guid ?? null;
}

// --- endpoints ---

const guidOf = (call: Call<unknown>) => call.params["guid"] ?? "";
const findSegment = (call: Call<unknown>) => findRow(call, segmentListing, guidOf(call));

async function findWritable(call: Call<unknown>): Promise<RowOf<"isolation_segments">> {
  const segment = await findSegment(call);
  demandAdmin(call.caller);
  return segment;
}

const ORGANIZATIONS = "/v3/isolation_segments/:guid/relationships/organizations";
const DEFAULT = "/v3/organizations/:guid/relationships/default_isolation_segment";
const OWN = "/v3/spaces/:guid/relationships/isolation_segment";

function assignmentEndpoints(
  path: string,
  summaries: { readonly show: string; readonly assign: string },
  find: (call: Call<unknown>) => Promise<Assignable>,
): readonly Endpoint[] {
  return [
    defineEndpoint({
      method: "GET",
      path,
      summary: summaries.show,
      access: "read",
      answers: { 200: Assignment },
      handle: async (call) => {
        const { table, guid } = await find(call);
        const segment = await segmentOf(call.context.store.db, table, guid);
        return ok(presentAssignment(call.context, path.replace(":guid", guid), segment));
      },
    }),
    defineEndpoint({
      method: "PATCH",
      path,
      summary: summaries.assign,
      access: "write",
      answers: { 200: Assignment },
      body: Assign,
      handle: async (call) => {
        const at = await find(call);
        const place = {
          organizationGuid: at.organizationGuid,
          ...(at.table === "spaces" && { spaceGuid: at.guid }),
        };
        await demand(call.context.store.db, call.caller, "isolation-segment.assign", place);
        await assign(call, at);
        const segment = call.body.data?.guid ?? null;
        return ok(presentAssignment(call.context, path.replace(":guid", at.guid), segment));
      },
    }),
  ];
}

export const isolationSegments: readonly Endpoint[] = [
  listEndpoint("/v3/isolation_segments", "Lists isolation segments.", segmentListing),
  showEndpoint("/v3/isolation_segments/:guid", "Shows an isolation segment.", segmentListing),
  listEndpoint(
    "/v3/isolation_segments/:guid/organizations",
    "Lists the organizations that may use an isolation segment.",
    organizationListing,
    async (call) => {
      const { guid } = await findSegment(call);
      return sql<boolean>`organizations.guid in (
        select organization_guid from entitlements where isolation_segment_guid = ${guid})`;
    },
  ),
  defineEndpoint({
    method: "POST",
    path: "/v3/isolation_segments",
    summary: "Creates an isolation segment.",
    access: "write",
    answers: { 201: Segment },
    body: CreateSegment,
    handle: async (call) => created(await presentNow(call, segmentListing, await createSegment(call))),
  }),
  defineEndpoint({
    method: "PATCH",
    path: "/v3/isolation_segments/:guid",
    summary: "Renames an isolation segment or changes its metadata.",
    access: "write",
    answers: { 200: Segment },
    body: UpdateSegment,
    handle: async (call) => {
      const segment = await findWritable(call);
      await updateSegment(call, segment);
      return ok(await presentNow(call, segmentListing, segment.guid));
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/isolation_segments/:guid",
    summary: "Deletes an isolation segment that nobody may use.",
    access: "write",
    answers: { 204: null },
    handle: async (call) => {
      await deleteSegment(call, await findWritable(call));
      return noContent;
    },
  }),
  defineEndpoint({
    method: "GET",
    path: ORGANIZATIONS,
    summary: "Names the organizations that may use an isolation segment.",
    access: "read",
    answers: { 200: Entitled },
    handle: async (call) => ok(await presentEntitled(call, (await findSegment(call)).guid)),
  }),
  defineEndpoint({
    method: "GET",
    path: "/v3/isolation_segments/:guid/relationships/spaces",
    summary: "Names the spaces that were put into an isolation segment.",
    access: "read",
    answers: { 200: ToManyPage },
    handle: async (call) => {
      const { guid } = await findSegment(call);
      const spaces = await call.context.store.db
        .selectFrom("spaces")
        .select("guid")
        .where("isolation_segment_guid", "=", guid)
        .where(spaceVisible(call.caller, "spaces.guid"))
        .orderBy("guid")
        .execute();
      const self = link(call.context, `/v3/isolation_segments/${guid}/relationships/spaces`);
      return ok({ ...toManyData(spaces.map((space) => space.guid)), links: { self } });
    },
  }),
  defineEndpoint({
    method: "POST",
    path: ORGANIZATIONS,
    summary: "Lets organizations use an isolation segment.",
    access: "write",
    answers: { 200: Entitled },
    body: Entitle,
    handle: async (call) => {
      const segment = await findWritable(call);
      await entitle(call, segment);
      return ok(await presentEntitled(call, segment.guid));
    },
  }),
  defineEndpoint({
    method: "DELETE",
    path: `${ORGANIZATIONS}/:organization_guid`,
    summary: "No longer lets an organization use an isolation segment.",
    access: "write",
    answers: { 204: null },
    handle: async (call) => {
      await revoke(call, await findWritable(call), call.params["organization_guid"] ?? "");
      return noContent;
    },
  }),
  ...assignmentEndpoints(
    DEFAULT,
    {
      show: "Names the isolation segment of spaces that have none of their own.",
      assign: "Chooses the isolation segment of spaces that have none of their own.",
    },
    async (call) => {
      const { guid } = await findRow(call, organizationListing, guidOf(call));
      return { table: "organizations", guid, organizationGuid: guid };
    },
  ),
  ...assignmentEndpoints(
    OWN,
    {
      show: "Names the isolation segment of a space.",
      assign: "Puts a space into an isolation segment.",
    },
    async (call) => {
      const space = await findRow(call, spaceListing, guidOf(call));
      return { table: "spaces", guid: space.guid, organizationGuid: space.organization_guid };
    },
  ),
];
