/** Checks tokens: by our own keys, or by those an external UAA publishes. */
import type { KeyObject } from "node:crypto";
import { JOSEError, JWKSNoMatchingKey, JWTExpired } from "jose/errors";
import { jwtVerify } from "jose/jwt/verify";
import { tokenInvalid, tokenKeysUnavailable } from "../kernel/errors/auth.ts";
import type { Clock } from "../kernel/index.ts";
import { readClaims, type TokenClaims } from "./claims.ts";

// The list decides, never the token: with HS256 the public key would become the secret, with none nothing is checked.
const ALGORITHMS = ["RS256", "RS384", "RS512"];

export interface TokenVerifier {
  /** @throws tokenInvalid, tokenKeysUnavailable */
  verifyToken(token: string): Promise<TokenClaims>;
}

export type TokenVerifierOptions =
  /** Our own tokens; knows which are revoked. */
  | { readonly issuer: TokenVerifier }
  /** Tokens of an external UAA: its `/token_keys`. `expectedIssuer` is compared with the claim `iss` when given. */
  | { readonly jwksUrl: string; readonly expectedIssuer?: string; readonly clock: Clock };

export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  if ("issuer" in options) return { verifyToken: (token) => options.issuer.verifyToken(token) };
  const { jwksUrl, expectedIssuer, clock } = options;
  let remoteKeys: Promise<Parameters<typeof jwtVerify>[1]> | undefined;
  return {
    async verifyToken(token) {
      // Fetched with the first token, kept for ten minutes, and again for a key id that is not among them.
      remoteKeys ??= import("jose/jwks/remote").then(({ createRemoteJWKSet }) =>
        createRemoteJWKSet(new URL(jwksUrl)),
      );
      try {
        return await check(token, await remoteKeys, expectedIssuer, clock);
      } catch (error) {
        if (tokenInvalid.is(error)) throw error;
        throw tokenKeysUnavailable({ url: jwksUrl, reason: (error as Error).message }, error);
      }
    },
  };
}

/** @throws tokenInvalid; and what `findKey` throws */
export function checkToken(
  token: string,
  by: { findKey: (kid: string) => Promise<KeyObject | null>; issuer: string; clock: Clock },
): Promise<TokenClaims> {
  const findKey = async ({ kid }: { kid?: string }) => {
    const key = kid === undefined ? null : await by.findKey(kid);
    if (key === null) throw tokenInvalid({ reason: "its key is not one of ours" });
    return key;
  };
  return check(token, findKey, by.issuer, by.clock);
}

async function check(
  token: string,
  keys: Parameters<typeof jwtVerify>[1],
  issuer: string | undefined,
  clock: Clock,
): Promise<TokenClaims> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ALGORITHMS,
      currentDate: new Date(clock.nowMs()),
      ...(issuer !== undefined && { issuer }),
    });
    return readClaims(payload);
  } catch (error) {
    throw asRefusal(error);
  }
}

/** What the token is to blame for; a failed fetch of keys is not. */
function asRefusal(error: unknown): unknown {
  if (error instanceof JWTExpired) {
    return tokenInvalid(
      { reason: `it expired at ${new Date(Number(error.payload.exp) * 1000).toISOString()}` },
      error,
    );
  }
  if (error instanceof JWKSNoMatchingKey) {
    return tokenInvalid({ reason: "its key is not one of the published ones" }, error);
  }
  const isToken =
    error instanceof JOSEError &&
    !["ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID", "ERR_JOSE_GENERIC"].includes(error.code);
  return isToken ? tokenInvalid({ reason: error.message }, error) : error;
}
