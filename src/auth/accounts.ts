/** Accounts of people: what an administrator makes and removes, and whose password changes. */
import { accountUnknown, badCredentials, usernameTaken } from "../kernel/errors/auth.ts";
import { type Clock, newGuid } from "../kernel/index.ts";
import { encodeJson, isUniqueViolation, type RowOf, type Store, toTimestamp } from "../store/index.ts";
import { createLoginAttempts } from "./login-attempts.ts";
import { hashPassword, verifyPassword } from "./password.ts";
import { USER_SCOPES } from "./seed.ts";
import { isNamed } from "./username.ts";

export interface Account {
  readonly guid: string;
  readonly username: string;
  readonly email: string;
  readonly origin: string;
}

export interface Accounts {
  /** @throws usernameTaken */
  create(account: { username: string; password: string; email: string }): Promise<Account>;
  /** All of that name, whatever its case: one or none. */
  find(username: string): Promise<readonly Account[]>;
  /** @throws accountUnknown */
  get(guid: string): Promise<Account>;
  /** With all roles and refresh tokens. @throws accountUnknown */
  remove(guid: string): Promise<Account>;
  /**
   * Ends what the old password gave.
   * @param old  Null when an administrator sets it.
   * @throws accountUnknown, badCredentials when the old one is wrong, accountLocked when it was too often
   */
  changePassword(guid: string, old: string | null, password: string): Promise<void>;
}

const ORIGIN = "uaa";

export function createAccounts({ store, clock }: { readonly store: Store; readonly clock: Clock }): Accounts {
  const { db } = store;
  const attempts = createLoginAttempts(store, clock);
  const now = () => toTimestamp(clock.nowMs());
  const find = async (guid: string): Promise<RowOf<"users">> => {
    const row = await db.selectFrom("users").selectAll().where("guid", "=", guid).executeTakeFirst();
    if (row === undefined) throw accountUnknown({ guid });
    return row;
  };
  return {
    async create({ username, password, email }) {
      const account = { guid: newGuid(), username, email, origin: ORIGIN };
      const times = { created_at: now(), updated_at: now() };
      const secret = { password_hash: await hashPassword(password), scopes: encodeJson(USER_SCOPES) };
      try {
        await db
          .insertInto("users")
          .values({ ...account, ...times, ...secret })
          .execute();
      } catch (error) {
        throw isUniqueViolation(error) ? usernameTaken({ username }, error) : error;
      }
      return account;
    },
    async find(username) {
      const rows = await db.selectFrom("users").selectAll().where(isNamed(username)).execute();
      return rows.map(accountOf);
    },
    async get(guid) {
      return accountOf(await find(guid));
    },
    async remove(guid) {
      const row = await find(guid);
      await db.deleteFrom("users").where("guid", "=", guid).execute();
      return accountOf(row);
    },
    async changePassword(guid, old, password) {
      const row = await find(guid);
      if (old !== null) {
        await attempts.attempt(row.username, async () => {
          if (!(await verifyPassword(old, row.password_hash))) throw badCredentials({});
        });
      }
      const password_hash = await hashPassword(password);
      await store.transaction(async (trx) => {
        await trx
          .updateTable("users")
          .set({ password_hash, updated_at: now() })
          .where("guid", "=", guid)
          .execute();
        await trx.deleteFrom("refresh_tokens").where("user_guid", "=", guid).execute();
      });
    },
  };
}

const accountOf = ({ guid, username, email, origin }: RowOf<"users">): Account => ({
  guid,
  username,
  email,
  origin,
});
