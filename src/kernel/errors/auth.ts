/**
 * Refusals of the token endpoint and of the token check. Where the text is UAA's own, clients compare it, so it
 * keeps its capital letter.
 */
import { defineError } from "./define.ts";

export const badCredentials = defineError({
  code: "bad_credentials",
  source: "client",
  retry: "never",
  status: 401,
  explain: () => "Bad credentials",
});

/** The cf CLI compares the whole text; for how long, the header `Retry-After` says. */
export const accountLocked = defineError<{ forSeconds: number }>({
  code: "account_locked",
  source: "client",
  retry: "never",
  status: 401,
  explain: () => "Your account has been locked because of too many failed attempts to login.",
});

export const grantTypeUnsupported = defineError<{ grantType: string }>({
  code: "grant_type_unsupported",
  source: "client",
  retry: "never",
  status: 400,
  explain: (d) => `Unsupported grant type: ${d.grantType}; use password, refresh_token or client_credentials`,
});

export const grantTypeNotAllowed = defineError<{ clientId: string; grantType: string }>({
  code: "grant_type_not_allowed",
  source: "client",
  retry: "never",
  status: 401,
  explain: (d) => `Unauthorized grant type: ${d.grantType} for client ${d.clientId}`,
});

export const scopeNotAllowed = defineError<{ requested: readonly string[] }>({
  code: "scope_not_allowed",
  source: "client",
  retry: "never",
  status: 401,
  explain: (d) =>
    `${JSON.stringify(d.requested)} is invalid. This user is not allowed any of the requested scopes`,
});

export const refreshTokenInvalid = defineError<{ reason: string }>({
  code: "refresh_token_invalid",
  source: "client",
  retry: "never",
  status: 401,
  explain: (d) => `Invalid refresh token: ${d.reason}; log in again`,
});

export const tokenInvalid = defineError<{ reason: string }>({
  code: "token_invalid",
  source: "client",
  retry: "never",
  status: 401,
  explain: (d) => `the token is refused: ${d.reason}`,
});

export const scopeInsufficient = defineError<{ scope: string }>({
  code: "scope_insufficient",
  source: "client",
  retry: "never",
  status: 403,
  explain: (d) => `Insufficient scope for this resource; the token needs ${d.scope}`,
});

export const usernameTaken = defineError<{ username: string }>({
  code: "username_taken",
  source: "client",
  retry: "never",
  status: 409,
  explain: (d) => `Username already in use: ${d.username}`,
});

export const accountUnknown = defineError<{ guid: string }>({
  code: "account_unknown",
  source: "client",
  retry: "never",
  status: 404,
  explain: (d) => `User ${d.guid} does not exist`,
});

/** The keys of an external UAA cannot be had: nobody's token can be checked. */
export const tokenKeysUnavailable = defineError<{ url: string; reason: string }>({
  code: "token_keys_unavailable",
  source: "control-plane",
  retry: "safe",
  status: 503,
  explain: (d) =>
    `the token keys at ${d.url} cannot be fetched (${d.reason}); check that the UAA answers there`,
});

/** The words of an external UAA about a login. */
export const uaaRefused = defineError<{ url: string; reason: string }>({
  code: "uaa_refused",
  source: "client",
  retry: "never",
  status: 401,
  explain: (d) => `the login is refused at ${d.url}: ${d.reason}`,
});

export const uaaUnavailable = defineError<{ url: string; reason: string }>({
  code: "uaa_unavailable",
  source: "control-plane",
  retry: "safe",
  status: 503,
  explain: (d) =>
    `nobody can log in now: no token from ${d.url} (${d.reason}); check that the UAA answers there`,
});

export const tokenNotGranted = defineError<{ url: string; client: string; reason: string }>({
  code: "token_not_granted",
  source: "control-plane",
  retry: "safe",
  status: 0,
  explain: (d) =>
    `no token for client ${d.client} from ${d.url}: ${d.reason}; check that the UAA answers there, and the client's secret`,
});
