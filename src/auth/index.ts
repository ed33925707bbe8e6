/**
 * Tokens, scopes, keys and passwords: a small UAA without its HTTP, and the check of tokens for every API.
 * Not here: the token endpoint's HTTP (see cloud-controller/), who may do what with which resource (see the roles).
 */
export { createAccounts } from "./accounts.ts";
export type { Account, Accounts } from "./accounts.ts";
export { bearerToken } from "./bearer.ts";
export { GRANT_TYPES, hasScope } from "./claims.ts";
export type { GrantType, TokenClaims } from "./claims.ts";
export { createTokenIssuer } from "./issuer.ts";
export type {
  ClientCredentials,
  TokenIssuer,
  TokenIssuerOptions,
  TokenKeyDocument,
  TokenResponse,
} from "./issuer.ts";
export { oauthErrorBody } from "./oauth-error.ts";
export { hashPassword, verifyPassword } from "./password.ts";
export { ADMIN_SCOPES, CF_CLIENT, ensureClient, ensureUser, USER_SCOPES } from "./seed.ts";
export type { SeedClient, SeedUser } from "./seed.ts";
export { createTokenVerifier } from "./verifier.ts";
export type { TokenVerifier, TokenVerifierOptions } from "./verifier.ts";
