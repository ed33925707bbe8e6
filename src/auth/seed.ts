/** Accounts that must be there when the process runs: made, or brought to what is asked. */
import { type Clock, newGuid } from "../kernel/index.ts";
import { encodeJson, isUniqueViolation, type Store, toTimestamp } from "../store/index.ts";
import type { GrantType } from "./claims.ts";
import { ANY_SCOPE } from "./issuer.ts";
import { hashPassword, verifyPassword } from "./password.ts";
import { isNamed } from "./username.ts";

/** What every person may do with their account. */
export const USER_SCOPES: readonly string[] = [
  "cloud_controller.read",
  "cloud_controller.write",
  "openid",
  "password.write",
  "uaa.user",
];
/** What an administrator of the foundation may do. */
export const ADMIN_SCOPES: readonly string[] = [
  ...USER_SCOPES,
  "cloud_controller.admin",
  "network.admin",
  "routing.router_groups.read",
  "routing.router_groups.write",
  "routing.routes.read",
  "routing.routes.write",
  "scim.read",
  "scim.write",
];

export interface SeedUser {
  readonly username: string;
  readonly password: string;
  /** Default: the user name. */
  readonly email?: string;
  /** Default: {@link USER_SCOPES}. */
  readonly scopes?: readonly string[];
}

export interface SeedClient {
  readonly id: string;
  /** "" for a public client, as `cf` is one. */
  readonly secret: string;
  readonly grantTypes: readonly GrantType[];
  /** Scopes of the client's own tokens. Default: none. */
  readonly authorities?: readonly string[];
  /** Scopes users' tokens may carry through it. Default: all. */
  readonly scopes?: readonly string[];
}

/** The official CLI's client: public, for people. */
export const CF_CLIENT: SeedClient = { id: "cf", secret: "", grantTypes: ["password", "refresh_token"] };

/** @returns the user's GUID, the same as before when the user was there. */
export async function ensureUser(
  { store, clock }: { store: Store; clock: Clock },
  user: SeedUser,
): Promise<string> {
  const find = () =>
    store.db
      .selectFrom("users")
      .select(["guid", "password_hash", "scopes", "email", "active"])
      .where(isNamed(user.username))
      .executeTakeFirst();
  const scopes = encodeJson(user.scopes ?? USER_SCOPES);
  const email = user.email ?? user.username;
  const now = toTimestamp(clock.nowMs());

  const existing = await find();
  if (existing === undefined) {
    const guid = newGuid();
    const password_hash = await hashPassword(user.password);
    const row = { guid, username: user.username, password_hash, email, origin: "uaa", scopes };
    try {
      await store.db
        .insertInto("users")
        .values({ ...row, created_at: now, updated_at: now })
        .execute();
      return guid;
    } catch (error) {
      // Another process was faster; what it made is brought to what is asked.
      if (isUniqueViolation(error)) return ensureUser({ store, clock }, user);
      throw error;
    }
  }

  const { guid } = existing;
  const isSamePassword = await verifyPassword(user.password, existing.password_hash);
  if (isSamePassword && existing.scopes === scopes && existing.email === email) return guid;
  const password_hash = isSamePassword ? existing.password_hash : await hashPassword(user.password);
  await store.transaction(async (trx) => {
    await trx
      .updateTable("users")
      .set({ password_hash, scopes, email, updated_at: now })
      .where("guid", "=", guid)
      .execute();
    // Whoever knew the old password must not go on with what it gave them.
    if (!isSamePassword) await trx.deleteFrom("refresh_tokens").where("user_guid", "=", guid).execute();
  });
  return guid;
}

export async function ensureClient(
  { store, clock }: { store: Store; clock: Clock },
  client: SeedClient,
): Promise<void> {
  const existing = await store.db
    .selectFrom("clients")
    .selectAll()
    .where("id", "=", client.id)
    .executeTakeFirst();
  const wanted = {
    secret_hash: await hashSecret(client.secret, existing?.secret_hash),
    grant_types: encodeJson<readonly string[]>(client.grantTypes),
    authorities: encodeJson(client.authorities ?? []),
    scopes: encodeJson(client.scopes ?? [ANY_SCOPE]),
  };
  const isSame =
    existing !== undefined &&
    (Object.keys(wanted) as (keyof typeof wanted)[]).every((name) => existing[name] === wanted[name]);
  if (isSame) return;
  const now = toTimestamp(clock.nowMs());
  await store.db
    .insertInto("clients")
    .values({ id: client.id, ...wanted, created_at: now, updated_at: now })
    .onConflict((conflict) => conflict.column("id").doUpdateSet({ ...wanted, updated_at: now }))
    .execute();
}

/** The hash that is there when it fits, so that an unchanged client is not written again. */
async function hashSecret(secret: string, existing: string | undefined): Promise<string> {
  if (secret === "") return "";
  const fits = existing !== undefined && existing !== "" && (await verifyPassword(secret, existing));
  return fits ? existing : hashPassword(secret);
}
