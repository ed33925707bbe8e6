/**
 * A small UAA without its HTTP: turns passwords, refresh tokens and client secrets into signed tokens, and checks
 * the tokens it made.
 */
import { createHash, randomBytes } from "node:crypto";
import { SignJWT } from "jose/jwt/sign";
import {
  badCredentials,
  grantTypeNotAllowed,
  refreshTokenInvalid,
  scopeNotAllowed,
  tokenInvalid,
} from "../kernel/errors/auth.ts";
import { type Clock, newGuid } from "../kernel/index.ts";
import { decodeJson, encodeJson, type RowOf, type Store, toTimestamp } from "../store/index.ts";
import { audienceOf, type GrantType, type TokenClaims } from "./claims.ts";
import { ALGORITHM, createKeyRing, type SigningKey } from "./key-ring.ts";
import { createLoginAttempts } from "./login-attempts.ts";
import { DECOY_HASH, verifyPassword } from "./password.ts";
import { isNamed } from "./username.ts";
import { checkToken } from "./verifier.ts";

const ZONE = "uaa";
const REFRESH_TOKEN_BYTES = 32;
/** In a client's list of scopes: whatever the user has. */
export const ANY_SCOPE = "*";

export interface TokenIssuerOptions {
  readonly store: Store;
  readonly clock: Clock;
  /** Claim `iss`: where UAA says its tokens come from, `http://uaa.localhost:8080/oauth/token`. */
  readonly issuer: string;
  readonly accessTokenTtlMs: number;
  readonly refreshTokenTtlMs: number;
}

/** Who asks, from Basic authentication or from the form. */
export interface ClientCredentials {
  readonly id: string;
  readonly secret: string;
}

/** The body of a successful `POST /oauth/token`. */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type: "bearer";
  /** Absent for a client's own token. */
  readonly refresh_token?: string;
  /** Seconds. */
  readonly expires_in: number;
  /** Separated by spaces. */
  readonly scope: string;
  readonly jti: string;
}

/** One element of `GET /token_keys`. */
export interface TokenKeyDocument {
  readonly kty: "RSA";
  readonly use: "sig";
  readonly kid: string;
  readonly alg: string;
  /** PEM. */
  readonly value: string;
  readonly n: string;
  readonly e: string;
}

export interface TokenIssuer {
  /**
   * @param scope  Wanted scopes; without it, all the user and the client share.
   * @throws badCredentials, accountLocked, grantTypeNotAllowed, scopeNotAllowed
   */
  grantPassword(request: {
    client: ClientCredentials;
    username: string;
    password: string;
    scope?: readonly string[] | undefined;
  }): Promise<TokenResponse>;
  /**
   * The refresh token stays the same until it expires: two `cf` commands at once may both use it.
   * @throws badCredentials, refreshTokenInvalid, grantTypeNotAllowed
   */
  grantRefreshToken(request: { client: ClientCredentials; refreshToken: string }): Promise<TokenResponse>;
  /** @throws badCredentials, grantTypeNotAllowed, scopeNotAllowed */
  grantClientCredentials(request: {
    client: ClientCredentials;
    scope?: readonly string[] | undefined;
  }): Promise<TokenResponse>;
  /** Of an access token, or of a refresh token (which ends in `-r`). What is not there is fine. */
  revoke(jti: string): Promise<void>;
  /** @throws tokenInvalid when it is not ours, not intact, expired or revoked */
  verifyToken(token: string): Promise<TokenClaims>;
  /** `GET /token_key`: the key that signs. */
  tokenKey(): Promise<TokenKeyDocument>;
  /** `GET /token_keys`: all that check, as a JWK set. */
  tokenKeys(): Promise<{ readonly keys: readonly TokenKeyDocument[] }>;
  /** Signs with a new key; tokens of the old one stay good until they expire. */
  rotateKey(): Promise<void>;
}

export function createTokenIssuer(options: TokenIssuerOptions): TokenIssuer {
  const { store, clock, issuer, accessTokenTtlMs, refreshTokenTtlMs } = options;
  const keyRing = createKeyRing({ store, clock, tokenTtlMs: accessTokenTtlMs });
  const attempts = createLoginAttempts(store, clock);
  const now = () => toTimestamp(clock.nowMs());

  const authenticateClient = async (
    { id, secret }: ClientCredentials,
    grantType: GrantType,
  ): Promise<RowOf<"clients">> => {
    const client = await store.db.selectFrom("clients").selectAll().where("id", "=", id).executeTakeFirst();
    const isRight =
      client?.secret_hash === ""
        ? secret === ""
        : await verifyPassword(secret, client?.secret_hash ?? DECOY_HASH);
    if (client === undefined || !isRight) throw badCredentials({});
    if (!decodeJson(client.grant_types).includes(grantType)) {
      throw grantTypeNotAllowed({ clientId: id, grantType });
    }
    return client;
  };

  const authenticateUser = (username: string, password: string): Promise<RowOf<"users">> =>
    attempts.attempt(username, async () => {
      const user = await store.db.selectFrom("users").selectAll().where(isNamed(username)).executeTakeFirst();
      // An unknown name costs the same work as a known one, or the time of the answer would list the accounts.
      const isRight = await verifyPassword(password, user?.password_hash ?? DECOY_HASH);
      if (user === undefined || !isRight || user.active === 0) throw badCredentials({});
      return user;
    });

  const sign = async (claims: TokenClaims): Promise<string> => {
    const key = await keyRing.current();
    return new SignJWT({ ...claims, aud: [...claims.aud] })
      .setProtectedHeader({ alg: ALGORITHM, kid: key.kid, typ: "JWT" })
      .sign(key.privateKey);
  };

  const issue = async (
    grantType: GrantType,
    client: RowOf<"clients">,
    user: RowOf<"users"> | null,
    scope: readonly string[],
  ): Promise<Omit<TokenResponse, "refresh_token">> => {
    const nowMs = clock.nowMs();
    const iat = Math.floor(nowMs / 1000);
    const exp = iat + Math.floor(accessTokenTtlMs / 1000);
    const jti = newGuid();
    const access_token = await sign({
      jti,
      sub: user?.guid ?? client.id,
      ...(user !== null && {
        user_id: user.guid,
        user_name: user.username,
        email: user.email,
        origin: user.origin,
      }),
      client_id: client.id,
      cid: client.id,
      azp: client.id,
      grant_type: grantType,
      scope,
      aud: audienceOf(scope, client.id),
      iat,
      exp,
      iss: issuer,
      zid: ZONE,
      rev_sig: revocationSignature(client, user),
    });
    // Rounded down, as UAA does: a client must never think that the token lives longer than it does.
    const expires_in = Math.floor((exp * 1000 - nowMs - 1) / 1000);
    return { access_token, token_type: "bearer", expires_in, scope: scope.join(" "), jti };
  };

  const keepRefreshToken = async (
    jti: string,
    client: RowOf<"clients">,
    user: RowOf<"users">,
    scope: readonly string[],
  ): Promise<string> => {
    const token = `${randomBytes(REFRESH_TOKEN_BYTES).toString("base64url")}-r`;
    await store.transaction(async (trx) => {
      await trx.deleteFrom("refresh_tokens").where("expires_at", "<=", now()).execute();
      await trx
        .insertInto("refresh_tokens")
        .values({
          token_hash: hashToken(token),
          jti: `${jti}-r`,
          user_guid: user.guid,
          client_id: client.id,
          scopes: encodeJson(scope),
          created_at: now(),
          expires_at: toTimestamp(clock.nowMs() + refreshTokenTtlMs),
        })
        .execute();
    });
    return token;
  };

  return {
    async grantPassword({ client: credentials, username, password, scope }) {
      const client = await authenticateClient(credentials, "password");
      const user = await authenticateUser(username, password);
      const granted = chooseScopes(sharedScopes(client, user), scope);
      const response = await issue("password", client, user, granted);
      if (!decodeJson(client.grant_types).includes("refresh_token")) return response;
      return { ...response, refresh_token: await keepRefreshToken(response.jti, client, user, granted) };
    },

    async grantRefreshToken({ client: credentials, refreshToken }) {
      const client = await authenticateClient(credentials, "refresh_token");
      const kept = await store.db
        .selectFrom("refresh_tokens")
        .selectAll()
        .where("token_hash", "=", hashToken(refreshToken))
        .executeTakeFirst();
      if (kept === undefined) throw refreshTokenInvalid({ reason: "it is unknown or revoked" });
      if (kept.expires_at <= now()) throw refreshTokenInvalid({ reason: `it expired at ${kept.expires_at}` });
      if (kept.client_id !== client.id) throw refreshTokenInvalid({ reason: "it belongs to another client" });
      const user = await store.db
        .selectFrom("users")
        .selectAll()
        .where("guid", "=", kept.user_guid)
        .executeTakeFirst();
      if (user === undefined || user.active === 0)
        throw refreshTokenInvalid({ reason: "its user may not log in" });
      // Scopes the user has lost since then are lost at the next refresh.
      const still = sharedScopes(client, user);
      const scope = decodeJson(kept.scopes).filter((one) => still.includes(one));
      // As at UAA, the claim names the grant the login began with.
      return { ...(await issue("password", client, user, scope)), refresh_token: refreshToken };
    },

    async grantClientCredentials({ client: credentials, scope }) {
      const client = await authenticateClient(credentials, "client_credentials");
      return issue("client_credentials", client, null, chooseScopes(decodeJson(client.authorities), scope));
    },

    async revoke(jti) {
      await store.transaction(async (trx) => {
        await trx.deleteFrom("revoked_tokens").where("expires_at", "<=", now()).execute();
        await trx.deleteFrom("refresh_tokens").where("jti", "=", jti).execute();
        await trx
          .insertInto("revoked_tokens")
          .values({ jti, expires_at: toTimestamp(clock.nowMs() + accessTokenTtlMs) })
          .onConflict((conflict) => conflict.column("jti").doNothing())
          .execute();
      });
    },

    async verifyToken(token) {
      const claims = await checkToken(token, {
        findKey: async (kid) => (await keyRing.find(kid))?.publicKey ?? null,
        issuer,
        clock,
      });
      const revoked = await store.db
        .selectFrom("revoked_tokens")
        .select("jti")
        .where("jti", "=", claims.jti)
        .executeTakeFirst();
      if (revoked !== undefined) throw tokenInvalid({ reason: "it was revoked" });
      return claims;
    },

    tokenKey: async () => describeKey(await keyRing.current()),
    tokenKeys: async () => ({ keys: (await keyRing.all()).map(describeKey) }),
    async rotateKey() {
      await keyRing.rotate();
    },
  };
}

function sharedScopes(client: RowOf<"clients">, user: RowOf<"users">): readonly string[] {
  const allowed = decodeJson(client.scopes);
  const scopes = decodeJson(user.scopes);
  return allowed.includes(ANY_SCOPE) ? scopes : scopes.filter((scope) => allowed.includes(scope));
}

function chooseScopes(
  allowed: readonly string[],
  requested: readonly string[] | undefined,
): readonly string[] {
  if (requested === undefined || requested.length === 0) return allowed;
  const chosen = allowed.filter((scope) => requested.includes(scope));
  if (chosen.length === 0) throw scopeNotAllowed({ requested });
  return chosen;
}

function revocationSignature(client: RowOf<"clients">, user: RowOf<"users"> | null): string {
  const secrets = [client.id, client.secret_hash, user?.guid ?? "", user?.password_hash ?? ""];
  return createHash("sha256").update(JSON.stringify(secrets)).digest("hex").slice(0, 8);
}

const hashToken = (token: string) => createHash("sha256").update(token).digest("hex");

function describeKey(key: SigningKey): TokenKeyDocument {
  const { n, e } = key.publicKey.export({ format: "jwk" }) as { n: string; e: string };
  return { kty: "RSA", use: "sig", kid: key.kid, alg: ALGORITHM, value: key.publicPem, n, e };
}
