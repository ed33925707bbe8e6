/** What a token says, field by field as UAA writes it. */
import { tokenInvalid } from "../kernel/errors/auth.ts";

export const GRANT_TYPES = ["password", "refresh_token", "client_credentials"] as const;
export type GrantType = (typeof GRANT_TYPES)[number];

export interface TokenClaims {
  readonly jti: string;
  /** User GUID; the client's id in a client's own token. */
  readonly sub: string;
  /** The four user fields are absent in a client's own token. */
  readonly user_id?: string;
  readonly user_name?: string;
  readonly email?: string;
  readonly origin?: string;
  readonly client_id: string;
  readonly cid: string;
  readonly azp: string;
  readonly grant_type: string;
  readonly scope: readonly string[];
  readonly aud: readonly string[];
  /** Seconds since the epoch. */
  readonly iat: number;
  readonly exp: number;
  readonly iss: string;
  readonly zid: string;
  /** Changes with the password and the client's secret. */
  readonly rev_sig: string;
}

/** True when the token carries any one of the scopes. */
export function hasScope(claims: Pick<TokenClaims, "scope">, ...scopes: readonly string[]): boolean {
  return scopes.some((scope) => claims.scope.includes(scope));
}

/** UAA's audience: the part of each scope before its last dot, and the client. */
export function audienceOf(scopes: readonly string[], clientId: string): string[] {
  const names = scopes.map((scope) => (scope.includes(".") ? scope.slice(0, scope.lastIndexOf(".")) : scope));
  return [...new Set([...names, clientId])];
}

/**
 * Checks the shape of a payload whose signature is right. Fields that only UAA's own clients read may be missing.
 * @throws tokenInvalid
 */
export function readClaims(payload: Readonly<Record<string, unknown>>): TokenClaims {
  for (const name of ["jti", "sub", "client_id"] as const) {
    if (typeof payload[name] !== "string") throw tokenInvalid({ reason: `it has no ${name}` });
  }
  for (const name of ["exp", "iat"] as const) {
    if (typeof payload[name] !== "number") throw tokenInvalid({ reason: `it has no ${name}` });
  }
  const { scope } = payload;
  if (!Array.isArray(scope) || !scope.every((one) => typeof one === "string")) {
    throw tokenInvalid({ reason: "its scope is not a list of texts" });
  }
  return payload as unknown as TokenClaims;
}
