/** Roles: who is what in an organization or a space. */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { newGuid } from "../../kernel/index.ts";
import { featureDisabled, unprocessable } from "../../kernel/errors/cloud-controller.ts";
import type { RowOf } from "../../store/index.ts";
import { type Condition, everything } from "../condition.ts";
import { recordEvent } from "../audit.ts";
import type { Context, Database, Writer } from "../context.ts";
import { type Actor, type Call, created, defineEndpoint, type Endpoint } from "../endpoint.ts";
import { demandFeature } from "../feature-flags.ts";
import { asJob, JOB } from "../jobs.ts";
import { column, findRow, includeOf, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import {
  type Caller,
  demand,
  organizationVisible,
  ROLES,
  SPACE_ROLES,
  spaceVisible,
} from "../permissions.ts";
import { head, link, toOneData } from "../present.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { message, toOne } from "../schema.ts";
import { linksTo, oneOf, part, resource, type Shown, ToOneOrNone } from "../shape.ts";
import { organizationListing } from "./organizations.ts";
import { findSpace, placeOf, spaceListing } from "./spaces.ts";
import { ToUser, userListing, usernameIn } from "./users.ts";

// --- messages ---

const CreateRole = message({
  type: Type.Enum([...ROLES], {
    refusal: `must be one of the allowed types ["${ROLES.join('", "')}"]`,
  }),
  relationships: message({
    user: message({
      data: message({
        guid: Type.Optional(Type.String({ minLength: 1 })),
        username: Type.Optional(Type.String({ minLength: 1 })),
        origin: Type.Optional(Type.String({ minLength: 1 })),
      }),
    }),
    organization: Type.Optional(toOne("organization")),
    space: Type.Optional(toOne("space")),
  }),
});
type CreateRoleBody = Static<typeof CreateRole>;

const isSpaceRole = (type: string) => SPACE_ROLES.some((each) => each === type);

function roleProblems(body: CreateRoleBody): string[] {
  const { organization, space, user } = body.relationships;
  const problems: string[] = [];
  if (organization !== undefined && space !== undefined) {
    problems.push("Relationships cannot specify both an organization and a space.");
  } else if (isSpaceRole(body.type) && space === undefined)
    problems.push("Relationships Space can't be blank");
  else if (!isSpaceRole(body.type) && organization === undefined) {
    problems.push("Relationships Organization can't be blank");
  }
  if (user.data.guid === undefined && user.data.username === undefined) {
    problems.push("Relationships User guid or username must be set");
  }
  return problems;
}

// --- actions ---

async function createRole(call: Call<CreateRoleBody>): Promise<string> {
  const { context, caller, body } = call;
  const { db } = context.store;
  const place = await findPlace(call);
  await demand(db, caller, place.spaceGuid === null ? "organization.assign-roles" : "space.assign-roles", {
    organizationGuid: place.organizationGuid,
    ...(place.spaceGuid !== null && { spaceGuid: place.spaceGuid }),
  });
  if (body.relationships.user.data.username !== undefined) {
    await demandFeature(db, caller, "set_roles_by_username");
  }
  const user = await findUser(db, body);
  const guid = newGuid();
  const where = `${place.spaceGuid === null ? "organization" : "space"} '${place.name}'`;
  await unlessTaken(
    context.write(async (db) => {
      if (place.spaceGuid !== null) await demandOrganizationRole(db, user.guid, place.organizationGuid);
      const now = context.now();
      const role = {
        guid,
        created_at: now,
        updated_at: now,
        type: body.type,
        user_guid: user.guid,
        organization_guid: place.spaceGuid === null ? place.organizationGuid : null,
        space_guid: place.spaceGuid,
      };
      await db.insertInto("roles").values(role).execute();
      await recordRole(db, call, role, user, "add");
    }),
    (cause) =>
      unprocessable(
        { problems: [`User '${user.username}' already has '${body.type}' role in ${where}.`] },
        cause,
      ),
  );
  return guid;
}

/** A role is told as what was done to its user. */
const recordRole = (
  db: Writer,
  actor: Actor,
  { type, organization_guid, space_guid }: Pick<RowOf<"roles">, "type" | "organization_guid" | "space_guid">,
  { guid, username: name }: Pick<RowOf<"users">, "guid" | "username">,
  what: "add" | "remove",
) =>
  recordEvent(db, actor, {
    type: `audit.user.${type}_${what}`,
    target: {
      guid,
      name,
      ...(space_guid === null ? { organization_guid: organization_guid ?? "" } : { space_guid }),
    },
    data: {},
  });

async function findPlace(call: Call<CreateRoleBody>) {
  const { db } = call.context.store;
  const { organization, space } = call.body.relationships;
  if (space !== undefined) {
    const row = await findSpace(call, space.data.guid);
    return { ...placeOf(row), name: row.name };
  }
  const row = await db
    .selectFrom("organizations")
    .selectAll()
    .where("guid", "=", organization?.data.guid ?? "")
    .where(organizationVisible(call.caller, "organizations.guid"))
    .executeTakeFirst();
  if (row !== undefined) return { organizationGuid: row.guid, spaceGuid: null, name: row.name };
  refuse("Invalid organization. Ensure that the organization exists and you have access to it.");
}

async function findUser(db: Database, body: CreateRoleBody): Promise<RowOf<"users">> {
  const { guid, username, origin } = body.relationships.user.data;
  const user = await db
    .selectFrom("users")
    .selectAll()
    .$if(guid !== undefined, (query) => query.where("guid", "=", guid ?? ""))
    .$if(username !== undefined, (query) => query.where(usernameIn([username ?? ""])))
    .$if(origin !== undefined, (query) => query.where("origin", "=", origin ?? ""))
    .executeTakeFirst();
  if (user !== undefined) return user;
  if (username === undefined) refuse("Invalid user. Ensure that the user exists and you have access to it.");
  if (isSpaceRole(body.type)) refuse(NO_ORGANIZATION_ROLE);
  const where = origin === undefined ? "" : ` and origin '${origin}'`;
  return refuse(`No user exists with the username '${username}'${where}.`);
}

const NO_ORGANIZATION_ROLE =
  "Users cannot be assigned roles in a space if they do not have a role in that space's organization.";

async function demandOrganizationRole(db: Database, user: string, organization: string): Promise<void> {
  const role = await db
    .selectFrom("roles")
    .select("guid")
    .where("user_guid", "=", user)
    .where("organization_guid", "=", organization)
    .limit(1)
    .executeTakeFirst();
  if (role === undefined) refuse(NO_ORGANIZATION_ROLE);
}

/** Who has a role in a space is in its organization. */
async function demandNoSpaceRoles(db: Writer, role: RowOf<"roles">): Promise<void> {
  if (role.type !== "organization_user") return;
  const left = await db
    .selectFrom("roles")
    .innerJoin("spaces", "spaces.guid", "roles.space_guid")
    .select("roles.guid")
    .where("roles.user_guid", "=", role.user_guid)
    .where("spaces.organization_guid", "=", role.organization_guid)
    .executeTakeFirst();
  if (left === undefined) return;
  refuse("Cannot delete organization_user role while user has roles in spaces in that organization.");
}

async function demandRoleDeletion(call: Call<unknown>, role: RowOf<"roles">): Promise<void> {
  const { db } = call.context.store;
  if (role.organization_guid !== null) {
    const place = { organizationGuid: role.organization_guid };
    return demand(db, call.caller, "organization.assign-roles", place);
  }
  const space = await db
    .selectFrom("spaces")
    .selectAll()
    .where("guid", "=", role.space_guid ?? "")
    .executeTakeFirstOrThrow();
  return demand(db, call.caller, "space.assign-roles", placeOf(space));
}

// --- presenter ---

function roleVisible(caller: Caller): Condition {
  if (caller.seesEverything) return everything;
  return sql<boolean>`(${organizationVisible(caller, "roles.organization_guid")}
    or ${spaceVisible(caller, "roles.space_guid")})`;
}

const Role = resource("Role", {
  type: oneOf<string>(...ROLES),
  relationships: part({ user: ToUser, organization: ToOneOrNone, space: ToOneOrNone }),
  links: linksTo(["self", "user"], ["organization", "space"]),
});

function presentRole(context: Context, row: RowOf<"roles">): Shown<typeof Role> {
  return {
    ...head(row),
    type: row.type,
    relationships: {
      user: toOneData(row.user_guid),
      organization: toOneData(row.organization_guid),
      space: toOneData(row.space_guid),
    },
    links: {
      self: link(context, `/v3/roles/${row.guid}`),
      user: link(context, `/v3/users/${row.user_guid}`),
      ...(row.organization_guid !== null && {
        organization: link(context, `/v3/organizations/${row.organization_guid}`),
      }),
      ...(row.space_guid !== null && { space: link(context, `/v3/spaces/${row.space_guid}`) }),
    },
  };
}

const roleListing: Listing<"roles", typeof Role> = {
  table: "roles",
  resource: "Role",
  shape: Role,
  filters: {
    types: column("roles.type"),
    user_guids: column("roles.user_guid"),
    organization_guids: column("roles.organization_guid"),
    space_guids: column("roles.space_guid"),
  },
  includes: {
    user: includeOf("users", userListing, ({ user_guid }) => user_guid),
    organization: includeOf(
      "organizations",
      organizationListing,
      ({ organization_guid }) => organization_guid,
    ),
    space: includeOf("spaces", spaceListing, ({ space_guid }) => space_guid),
  },
  visible: ({ caller }) => roleVisible(caller),
  present: async ({ context }, rows) => rows.map((row) => presentRole(context, row)),
};

// --- endpoints ---

export const roles: readonly Endpoint[] = [
  listEndpoint("/v3/roles", "Lists roles.", roleListing),
  showEndpoint("/v3/roles/:guid", "Shows a role.", roleListing),
  defineEndpoint({
    method: "POST",
    path: "/v3/roles",
    summary: "Gives a user a role.",
    access: "write",
    answers: { 201: Role },
    refuses: [featureDisabled],
    body: CreateRole,
    check: roleProblems,
    handle: async (call) => created(await presentNow(call, roleListing, await createRole(call))),
  }),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/roles/:guid",
    summary: "Takes a role from a user.",
    access: "write",
    answers: JOB,
    handle: async (call) => {
      const role = await findRow(call, roleListing, call.params["guid"] ?? "");
      await demandRoleDeletion(call, role);
      const job = { operation: "role.delete", resourceType: "role", resourceGuid: role.guid };
      return asJob(call.context, job, async (db) => {
        await demandNoSpaceRoles(db, role);
        const user = await db
          .selectFrom("users")
          .select(["guid", "username"])
          .where("guid", "=", role.user_guid)
          .executeTakeFirst();
        // Gone since, and its roles with it.
        if (user === undefined) return;
        await recordRole(db, call, role, user, "remove");
        await db.deleteFrom("roles").where("guid", "=", role.guid).execute();
      });
    },
  }),
];
