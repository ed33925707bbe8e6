/**
 * Who may ask for what: the bearer token, its scopes, and the part of the table they show.
 */
import type { FastifyRequest } from "fastify";
import { hasScope, type TokenClaims } from "../auth/index.ts";
import { routingUnauthorized } from "../kernel/errors/routing-api.ts";
import { ViaductError } from "../kernel/index.ts";
import type { Visible } from "./view.ts";

export const SCOPES = {
  read: "routing.routes.read",
  write: "routing.routes.write",
  readRouterGroups: "routing.router_groups.read",
} as const;

const ROUTE_SCOPE = /^routing\.route\.([0-9A-Za-z_-]{1,64})\.read$/;
/** Exact, as is that of an expired token: the cf CLI matches them. */
const NOT_AUTHORIZED = "You are not authorized to perform the requested action";

/** Of a verified token: what it may, and until when (seconds since the epoch). */
export type VerifiedToken = Pick<TokenClaims, "scope" | "exp">;
export type VerifyToken = (token: string) => Promise<VerifiedToken>;

/**
 * The token of a request, with at least one of the scopes when some are given.
 * @throws routingUnauthorized, always 401: upstream never answers 403
 */
export async function authorize(
  request: FastifyRequest,
  verifyToken: VerifyToken,
  ...anyOf: readonly string[]
): Promise<VerifiedToken> {
  const parts = (request.headers.authorization ?? "").split(" ");
  const [scheme = "", token = ""] = parts;
  if (parts.length !== 2) throw routingUnauthorized({ reason: "invalid token format" });
  if (scheme.toLowerCase() !== "bearer") {
    throw routingUnauthorized({ reason: `Invalid token type: ${scheme.slice(0, 40)}` });
  }
  let verified: VerifiedToken;
  try {
    verified = await verifyToken(token);
  } catch (error) {
    // Keys that cannot be fetched are not the token's fault.
    if (!(error instanceof ViaductError) || error.status !== 401) throw error;
    throw routingUnauthorized({ reason: upstreamReason(token, error) ?? error.message }, error);
  }
  if (anyOf.length > 0 && !hasScope(verified, ...anyOf)) {
    throw routingUnauthorized({ reason: NOT_AUTHORIZED });
  }
  return verified;
}

/**
 * What a token shows of the table.
 * @throws routingUnauthorized when it shows nothing
 */
export function visibleTo(token: VerifiedToken): Visible {
  if (hasScope(token, SCOPES.read)) return "all";
  const guids = token.scope.map((scope) => ROUTE_SCOPE.exec(scope)?.[1]).filter((guid) => guid !== undefined);
  if (guids.length === 0) throw routingUnauthorized({ reason: NOT_AUTHORIZED });
  return new Set(guids);
}

/** What upstream says of such a token; null where it has no sentence of its own. */
function upstreamReason(token: string, { cause }: Error): string | null {
  const { code, claim } = (cause ?? {}) as { readonly code?: unknown; readonly claim?: unknown };
  if (code === "ERR_JWT_EXPIRED") return "Token is expired";
  if (code === "ERR_JOSE_ALG_NOT_ALLOWED") return "invalid signing method";
  if (code === "ERR_JWT_CLAIM_VALIDATION_FAILED" && claim === "nbf") return "Token is not valid yet";
  if (code === "ERR_JWT_CLAIM_VALIDATION_FAILED" && claim === "iss") return "invalid issuer";
  return token.split(".").length === 3 ? null : "token contains an invalid number of segments";
}
