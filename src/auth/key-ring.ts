/**
 * The keys that sign tokens: RSA pairs in the store, so that every process signs and checks with the same ones.
 *
 *   made ──► signing ──rotate──► retired (still checks, as long as a token it signed may live) ──► deleted
 */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { type Clock, newGuid } from "../kernel/index.ts";
import { type Store, toTimestamp } from "../store/index.ts";

const MODULUS_BITS = 2048;
/** How soon a process signs with a key that another one made. */
const RELOAD_EVERY_MS = 60_000;
/** Tokens with invented key ids must not read the database each. */
const RELOAD_AT_MOST_EVERY_MS = 1_000;

export const ALGORITHM = "RS256";

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicPem: string;
  readonly retiredAt: string | null;
}

export interface KeyRing {
  /** The key to sign with; made when there is none, which takes a moment of one core. */
  current(): Promise<SigningKey>;
  /** The key that may have signed a token, or null. */
  find(kid: string): Promise<SigningKey | null>;
  /** All that check, the signing one first. */
  all(): Promise<readonly SigningKey[]>;
  /** Signs with a new key from now on. */
  rotate(): Promise<SigningKey>;
}

export function createKeyRing(options: {
  readonly store: Store;
  readonly clock: Clock;
  /** Longest life of a token: so long a retired key stays. */
  readonly tokenTtlMs: number;
}): KeyRing {
  const { store, clock, tokenTtlMs } = options;
  let keys: readonly SigningKey[] = [];
  let loadedAtMs = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | null = null;

  const load = async () => {
    const oldest = toTimestamp(clock.nowMs() - tokenTtlMs);
    const rows = await store.db
      .selectFrom("signing_keys")
      .selectAll()
      .where((e) => e.or([e("retired_at", "is", null), e("retired_at", ">", oldest)]))
      .orderBy("created_at", "desc")
      .orderBy("kid")
      .execute();
    const signing = rows.filter((row) => row.retired_at === null);
    const retired = rows.filter((row) => row.retired_at !== null);
    const known = new Map(keys.map((key) => [key.kid, key]));
    keys = [...signing, ...retired].map((row) => ({
      ...(known.get(row.kid) ?? {
        kid: row.kid,
        privateKey: createPrivateKey(row.private_pem),
        publicKey: createPublicKey(row.public_pem),
        publicPem: row.public_pem,
      }),
      retiredAt: row.retired_at,
    }));
    loadedAtMs = clock.monotonicMs();
  };

  /** Those who ask at the same time share one load. */
  const reloadAfter = async (ms: number) => {
    if (clock.monotonicMs() - loadedAtMs < ms) return;
    loading ??= load().finally(() => {
      loading = null;
    });
    await loading;
  };

  /** Of several processes that start at once, the first makes the key and all use it. */
  const add = async (mayExist: boolean): Promise<void> => {
    const pair = await makePair();
    await store.transaction(async (trx) => {
      const now = toTimestamp(clock.nowMs());
      const signing = trx.selectFrom("signing_keys").select("kid").where("retired_at", "is", null);
      if (mayExist && (await signing.executeTakeFirst()) !== undefined) return;
      const oldest = toTimestamp(clock.nowMs() - tokenTtlMs);
      await trx.deleteFrom("signing_keys").where("retired_at", "<=", oldest).execute();
      await trx
        .updateTable("signing_keys")
        .set({ retired_at: now })
        .where("retired_at", "is", null)
        .execute();
      await trx
        .insertInto("signing_keys")
        .values({
          kid: newGuid(),
          algorithm: ALGORITHM,
          private_pem: pair.privateKey,
          public_pem: pair.publicKey,
          created_at: now,
          retired_at: null,
        })
        .execute();
    });
    await load();
  };

  let adding: Promise<void> | null = null;

  const current = async (): Promise<SigningKey> => {
    await reloadAfter(RELOAD_EVERY_MS);
    if (keys[0]?.retiredAt !== null) {
      adding ??= add(true).finally(() => {
        adding = null;
      });
      await adding;
    }
    return keys[0] as SigningKey;
  };

  return {
    current,
    async find(kid) {
      const known = () => keys.find((key) => key.kid === kid);
      await reloadAfter(known() === undefined ? RELOAD_AT_MOST_EVERY_MS : RELOAD_EVERY_MS);
      return known() ?? null;
    },
    async all() {
      await current();
      return keys;
    },
    async rotate() {
      await add(false);
      return current();
    },
  };
}

const generate = promisify(generateKeyPair);

/** Runs on a thread of the runtime's pool: 30 to 300 ms that nobody else waits for. */
const makePair = (): Promise<{ privateKey: string; publicKey: string }> =>
  generate("rsa", {
    modulusLength: MODULUS_BITS,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
