/** An issuer on a database of its own, for tests: user ada, client cf, a client that acts for itself. */
import { scryptSync } from "node:crypto";
import type { TestContext } from "node:test";
import {
  CF_CLIENT,
  createTokenIssuer,
  ensureClient,
  type TokenIssuer,
  USER_SCOPES,
} from "../../src/auth/index.ts";
import { createManualClock, type ManualClock, silentLogger } from "../../src/kernel/index.ts";
import { encodeJson, openStore, type Store, toTimestamp } from "../../src/store/index.ts";

export const ISSUER = "http://uaa.example.com/oauth/token";
export const CF = { id: "cf", secret: "" };
export const EMITTER = { id: "emitter", secret: "emitter-secret" };
export const ADA = { username: "ada", password: "lovelace" };
export const ACCESS_TTL_MS = 600_000;
export const REFRESH_TTL_MS = 86_400_000;

export interface TestIssuer {
  readonly issuer: TokenIssuer;
  readonly store: Store;
  readonly clock: ManualClock;
}

export async function startIssuer(t: TestContext): Promise<TestIssuer> {
  const clock = createManualClock();
  const store = await openStore({ kind: "sqlite", path: ":memory:" }, { log: silentLogger, clock });
  t.after(() => store.close());
  const now = toTimestamp(clock.nowMs());
  await store.db
    .insertInto("users")
    .values({
      guid: "ada-guid",
      username: ADA.username,
      password_hash: cheapHash(ADA.password),
      email: "ada@example.com",
      origin: "uaa",
      scopes: encodeJson(USER_SCOPES),
      created_at: now,
      updated_at: now,
    })
    .execute();
  await ensureClient({ store, clock }, CF_CLIENT);
  await store.db
    .insertInto("clients")
    .values({
      id: EMITTER.id,
      secret_hash: cheapHash(EMITTER.secret),
      grant_types: encodeJson(["client_credentials"]),
      authorities: encodeJson(["routing.routes.write", "routing.routes.read"]),
      scopes: encodeJson([]),
      created_at: now,
      updated_at: now,
    })
    .execute();
  return { issuer: anotherIssuer({ store, clock }), store, clock };
}

/** One more process on the same database. */
export function anotherIssuer({ store, clock }: Pick<TestIssuer, "store" | "clock">): TokenIssuer {
  return createTokenIssuer({
    store,
    clock,
    issuer: ISSUER,
    accessTokenTtlMs: ACCESS_TTL_MS,
    refreshTokenTtlMs: REFRESH_TTL_MS,
  });
}

/** Parameters travel with the hash: 2 ms instead of 80. */
function cheapHash(password: string): string {
  const salt = Buffer.alloc(16, 1);
  const hash = scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 });
  return `scrypt:1024:8:1:${salt.toString("base64url")}:${hash.toString("base64url")}`;
}
