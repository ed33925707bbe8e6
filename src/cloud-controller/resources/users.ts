/** Users, as far as roles need them; accounts themselves belong to the UAA. */
import { sql } from "kysely";
import { type Static, Type } from "typebox";
import { unprocessable } from "../../kernel/errors/cloud-controller.ts";
import { encodeJson, type RowOf } from "../../store/index.ts";
import { type Condition, everything } from "../condition.ts";
import type { Context } from "../context.ts";
import { type Call, created, defineEndpoint, type Endpoint } from "../endpoint.ts";
import { asJob, JOB } from "../jobs.ts";
import { column, findRow, type Listing, listEndpoint, presentNow, showEndpoint } from "../list.ts";
import { deleteMetadata, Metadata, writeMetadata } from "../metadata.ts";
import { metadataEndpoint } from "../metadata-endpoint.ts";
import { demandAdmin, organizationVisible, type Caller } from "../permissions.ts";
import { head, link, withMetadata } from "../present.ts";
import { refuse, unlessTaken } from "../refuse.ts";
import { message } from "../schema.ts";
import { linksTo, MetadataShape, part, shape, type Shown, Time } from "../shape.ts";
import { organizationListing } from "./organizations.ts";
import { spaceListing } from "./spaces.ts";

// --- messages ---

const CreateUser = message({
  guid: Type.String({ minLength: 1, maxLength: 200 }),
  username: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  origin: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  metadata: Type.Optional(Metadata),
});

// --- actions ---

/**
 * Makes an account of the UAA known here. The built-in UAA's accounts are known already; those of an external one
 * are named, because nobody else can be asked.
 */
async function createUser({ context, caller, body }: Call<Static<typeof CreateUser>>): Promise<void> {
  demandAdmin(caller);
  const { guid, username = guid, origin = "uaa" } = body;
  const isBuiltIn = context.config.uaaUrl === "";
  await unlessTaken(
    context.write(async (db) => {
      const known = await db.selectFrom("users").select("guid").where("guid", "=", guid).executeTakeFirst();
      if (known === undefined) {
        if (isBuiltIn) refuse(`The UAA has no user with guid '${guid}'. Create the account there first.`);
        const now = context.now();
        await db
          .insertInto("users")
          .values({
            guid,
            created_at: now,
            updated_at: now,
            username,
            email: username,
            origin,
            // No password fits: whoever it is logs in elsewhere.
            password_hash: "",
            scopes: encodeJson([]),
          })
          .execute();
      } else if (!isBuiltIn) refuse(`User with guid '${guid}' already exists.`);
      await writeMetadata(db, "user", guid, body.metadata);
    }),
    (cause) => unprocessable({ problems: [`User with username '${username}' already exists.`] }, cause),
  );
}

// --- presenter ---

/** Oneself, and whoever has a role in an organization one sees. */
function userVisible(caller: Caller): Condition {
  if (caller.seesEverything) return everything;
  return sql<boolean>`(users.guid = ${caller.userGuid} or users.guid in (
    select user_guid from roles where ${organizationVisible(caller, "organization_guid")}))`;
}

/** As one logs in: in any case. The database says what that is, because SQLite knows the case of ASCII only. */
export const usernameIn = (names: readonly string[]): Condition =>
  sql<boolean>`lower(users.username) in (${sql.join(names.map((name) => sql`lower(${name})`))})`;

/** An external UAA calls its users as it likes. */
const UserGuid = Type.String({ minLength: 1 });

const User = shape("User", {
  guid: UserGuid,
  created_at: Time,
  updated_at: Time,
  username: Type.String(),
  presentation_name: Type.String(),
  origin: Type.String(),
  metadata: MetadataShape,
  links: linksTo(["self"]),
});

export const ToUser = shape("ToUserRelationship", { data: part({ guid: UserGuid }) });

async function presentUsers(
  context: Context,
  rows: readonly RowOf<"users">[],
): Promise<Shown<typeof User>[]> {
  return withMetadata(context, "user", rows, (row, metadata) => ({
    ...head(row),
    username: row.username,
    presentation_name: row.username,
    origin: row.origin,
    metadata,
    links: { self: link(context, `/v3/users/${row.guid}`) },
  }));
}

export const userListing: Listing<"users", typeof User> = {
  table: "users",
  resource: "User",
  shape: User,
  labelled: "user",
  filters: {
    usernames: usernameIn,
    origins: column("users.origin"),
  },
  visible: ({ caller }) => userVisible(caller),
  present: ({ context }, rows) => presentUsers(context, rows),
};

// --- endpoints ---

const guidOf = (call: Call<unknown>) => call.params["guid"] ?? "";

export const users: readonly Endpoint[] = [
  listEndpoint("/v3/users", "Lists users.", userListing),
  showEndpoint("/v3/users/:guid", "Shows a user.", userListing),
  listEndpoint(
    "/v3/organizations/:guid/users",
    "Lists who has a role in an organization.",
    userListing,
    async (call) => {
      const { guid } = await findRow(call, organizationListing, guidOf(call));
      return sql<boolean>`users.guid in (select user_guid from roles where organization_guid = ${guid})`;
    },
  ),
  listEndpoint("/v3/spaces/:guid/users", "Lists who has a role in a space.", userListing, async (call) => {
    const { guid } = await findRow(call, spaceListing, guidOf(call));
    return sql<boolean>`users.guid in (select user_guid from roles where space_guid = ${guid})`;
  }),
  defineEndpoint({
    method: "POST",
    path: "/v3/users",
    summary: "Makes an account of the UAA known here.",
    access: "write",
    answers: { 201: User },
    body: CreateUser,
    handle: async (call) => {
      await createUser(call);
      return created(await presentNow(call, userListing, call.body.guid));
    },
  }),
  metadataEndpoint("/v3/users/:guid", "Changes a user's metadata.", userListing, ({ caller }) =>
    demandAdmin(caller),
  ),
  defineEndpoint({
    method: "DELETE",
    path: "/v3/users/:guid",
    summary: "Takes all roles from a user; the account is the UAA's to delete.",
    access: "write",
    answers: JOB,
    handle: async (call) => {
      const user = await findRow(call, userListing, guidOf(call));
      demandAdmin(call.caller);
      const job = { operation: "user.delete", resourceType: "user", resourceGuid: user.guid };
      const isBuiltIn = call.context.config.uaaUrl === "";
      return asJob(call.context, job, async (db) => {
        await db.deleteFrom("roles").where("user_guid", "=", user.guid).execute();
        await deleteMetadata(db, "user", [user.guid]);
        // The built-in UAA keeps its accounts in the same table.
        if (!isBuiltIn) await db.deleteFrom("users").where("guid", "=", user.guid).execute();
      });
    },
  }),
];
