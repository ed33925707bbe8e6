/** The part of UAA's user API that `cf create-user`, `cf delete-user` and `cf passwd` ask for. */
import type { FastifyRequest } from "fastify";
import {
  type Account,
  bearerToken,
  createAccounts,
  hasScope,
  type TokenClaims,
  type TokenIssuer,
} from "../auth/index.ts";
import type { HttpApi } from "../http/index.ts";
import { scopeInsufficient } from "../kernel/errors/auth.ts";
import { badTokenRequest } from "../kernel/errors/cloud-controller.ts";
import type { Clock } from "../kernel/index.ts";
import type { Store } from "../store/index.ts";

export interface UaaUsersOptions {
  readonly issuer: TokenIssuer;
  readonly store: Store;
  readonly clock: Clock;
}

const SCHEMAS = ["urn:scim:schemas:core:1.0"];
/** The one filter that the CLI sends. */
const FILTER = /^\s*userName\s+eq\s+"([^"]*)"(?:\s+and\s+origin\s+eq\s+"([^"]*)")?\s*$/i;
const PAGE = 100;
const MAX_NAME = 255;

/** Registers `/Users` below the prefix of `api`, which answers errors. */
export function registerUaaUsers(api: HttpApi, { issuer, store, clock }: UaaUsersOptions): void {
  const accounts = createAccounts({ store, clock });

  /** @throws tokenInvalid, scopeInsufficient */
  const authorize = async (request: FastifyRequest, scope: string): Promise<TokenClaims> => {
    const claims = await issuer.verifyToken(bearerToken(request.headers.authorization) ?? "");
    if (!hasScope(claims, scope, "uaa.admin")) throw scopeInsufficient({ scope });
    return claims;
  };

  api.post("/Users", async (request, reply) => {
    await authorize(request, "scim.write");
    const body = readBody(request);
    const username = need(body, "userName");
    if (username.length > MAX_NAME)
      throw badTokenRequest({ reason: `userName has more than ${MAX_NAME} characters` });
    const account = await accounts.create({
      username,
      password: need(body, "password"),
      email: firstEmail(body) ?? username,
    });
    return reply.code(201).send(present(account));
  });

  api.get<{ Querystring: { filter?: string } }>("/Users", async (request) => {
    await authorize(request, "scim.read");
    const [, username = "", origin] = FILTER.exec(request.query.filter ?? "") ?? fail(request.query.filter);
    const found = (await accounts.find(username)).filter(
      (account) => origin === undefined || account.origin === origin,
    );
    return {
      resources: found.map(present),
      startIndex: 1,
      itemsPerPage: PAGE,
      totalResults: found.length,
      schemas: SCHEMAS,
    };
  });

  api.get<{ Params: { id: string } }>("/Users/:id", async (request) => {
    await authorize(request, "scim.read");
    return present(await accounts.get(request.params.id));
  });

  api.delete<{ Params: { id: string } }>("/Users/:id", async (request) => {
    await authorize(request, "scim.write");
    return present(await accounts.remove(request.params.id));
  });

  api.put<{ Params: { id: string } }>("/Users/:id/password", async (request) => {
    const claims = await authorize(request, "password.write");
    const { id } = request.params;
    const body = readBody(request);
    const isOwn = claims.user_id === id;
    if (!isOwn && !hasScope(claims, "scim.write", "uaa.admin"))
      throw scopeInsufficient({ scope: "scim.write" });
    await accounts.changePassword(id, isOwn ? need(body, "oldPassword") : null, need(body, "password"));
    return { status: "ok", message: "password updated" };
  });
}

function present({ guid, username, email, origin }: Account): object {
  return {
    id: guid,
    userName: username,
    name: { familyName: username, givenName: username },
    emails: [{ value: email, primary: true }],
    active: true,
    verified: true,
    origin,
    zoneId: "uaa",
    schemas: SCHEMAS,
  };
}

/** @throws badTokenRequest */
function readBody(request: FastifyRequest): Readonly<Record<string, unknown>> {
  try {
    const text = String(request.body);
    const body: unknown = JSON.parse(text);
    const isRead = typeof body === "object" && body !== null && !text.includes("\\u0000");
    if (isRead) return body as Readonly<Record<string, unknown>>;
  } catch {
    // Answered below, with everything else that is no JSON object, or holds what no database has.
  }
  throw badTokenRequest({ reason: "the body is not a JSON object" });
}

/** @throws badTokenRequest */
function need(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name];
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
  throw badTokenRequest({ reason: `${name} has to be a text that is not empty` });
}

function firstEmail({ emails }: Readonly<Record<string, unknown>>): string | undefined {
  const [first] = Array.isArray(emails) ? (emails as readonly { value?: unknown }[]) : [];
  return typeof first?.value === "string" ? first.value : undefined;
}

function fail(filter: string | undefined): never {
  throw badTokenRequest({ reason: `Invalid filter expression: [${filter ?? ""}]; use userName eq "NAME"` });
}
