/** The body UAA's token endpoint answers an error with. */
import { ViaductError } from "../kernel/index.ts";
import {
  accountLocked,
  accountUnknown,
  badCredentials,
  grantTypeNotAllowed,
  grantTypeUnsupported,
  refreshTokenInvalid,
  scopeInsufficient,
  scopeNotAllowed,
  tokenInvalid,
  usernameTaken,
} from "../kernel/errors/auth.ts";

const NAMES: Readonly<Record<string, string>> = {
  [badCredentials.definition.code]: "unauthorized",
  [accountLocked.definition.code]: "unauthorized",
  [grantTypeUnsupported.definition.code]: "unsupported_grant_type",
  [grantTypeNotAllowed.definition.code]: "unauthorized_client",
  [scopeNotAllowed.definition.code]: "invalid_scope",
  [refreshTokenInvalid.definition.code]: "invalid_token",
  [tokenInvalid.definition.code]: "invalid_token",
  [scopeInsufficient.definition.code]: "insufficient_scope",
  [usernameTaken.definition.code]: "scim_resource_already_exists",
  [accountUnknown.definition.code]: "scim_resource_not_found",
};

/** Null for an error that is not the client's. Its status is the error's own. */
export function oauthErrorBody(error: unknown): { error: string; error_description: string } | null {
  if (!(error instanceof ViaductError)) return null;
  const name = NAMES[error.code];
  return name === undefined ? null : { error: name, error_description: error.message };
}
