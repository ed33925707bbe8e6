/**
 * Slows down guessing: after five wrong passwords a name is locked for a time that doubles with each further one.
 * Counts before the password is checked, so that a hundred guesses at once are not a hundred free ones, and counts
 * names that do not exist just the same. Attempts of one name wait for each other: right passwords at the same time,
 * ten commands of a script for instance, would otherwise lock the account as if they were guesses.
 */
import { createHash } from "node:crypto";
import { accountLocked } from "../kernel/errors/auth.ts";
import type { Clock } from "../kernel/index.ts";
import { type Store, toTimestamp } from "../store/index.ts";

const FREE_FAILURES = 5;
const FIRST_LOCK_MS = 30_000;
const LONGEST_LOCK_MS = 3_600_000;
/** Without a new failure for so long, counting starts again. */
const FORGET_AFTER_MS = 2 * LONGEST_LOCK_MS;

export interface LoginAttempts {
  /**
   * Runs `check`, which throws when the password is wrong; that counts as a failure.
   * @throws accountLocked, without running it; and whatever `check` throws
   */
  attempt<T>(username: string, check: () => Promise<T>): Promise<T>;
}

export function createLoginAttempts(store: Store, clock: Clock): LoginAttempts {
  const lastOf = new Map<string, Promise<unknown>>();

  const begin = async (name_hash: string) => {
    const nowMs = clock.nowMs();
    const now = toTimestamp(nowMs);
    await store.transaction(async (trx) => {
      await trx
        .deleteFrom("login_attempts")
        .where("updated_at", "<", toTimestamp(nowMs - FORGET_AFTER_MS))
        .execute();
      const row = await trx
        .selectFrom("login_attempts")
        .select(["failures", "locked_until"])
        .where("name_hash", "=", name_hash)
        .executeTakeFirst();
      const lockedForMs = row?.locked_until ? Date.parse(row.locked_until) - nowMs : 0;
      if (lockedForMs > 0) throw accountLocked({ forSeconds: Math.ceil(lockedForMs / 1000) });

      const failures = (row?.failures ?? 0) + 1;
      const lockMs = Math.min(FIRST_LOCK_MS * 2 ** (failures - FREE_FAILURES), LONGEST_LOCK_MS);
      const locked_until = failures < FREE_FAILURES ? null : toTimestamp(nowMs + lockMs);
      await trx
        .insertInto("login_attempts")
        .values({ name_hash, failures, locked_until, updated_at: now })
        .onConflict((conflict) =>
          conflict.column("name_hash").doUpdateSet({ failures, locked_until, updated_at: now }),
        )
        .execute();
    });
  };

  const run = async <T>(name_hash: string, check: () => Promise<T>): Promise<T> => {
    await begin(name_hash);
    const result = await check();
    await store.db.deleteFrom("login_attempts").where("name_hash", "=", name_hash).execute();
    return result;
  };

  return {
    async attempt(username, check) {
      const name_hash = hashName(username);
      const before = lastOf.get(name_hash) ?? Promise.resolve();
      const mine = before.then(() => run(name_hash, check));
      const ended = mine.then(
        () => {},
        () => {},
      );
      lastOf.set(name_hash, ended);
      try {
        return await mine;
      } finally {
        if (lastOf.get(name_hash) === ended) lastOf.delete(name_hash);
      }
    },
  };
}

const hashName = (username: string) => createHash("sha256").update(username.toLowerCase()).digest("hex");
