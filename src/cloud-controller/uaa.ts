/** The small UAA over HTTP: what `cf login`, `cf auth` and `cf logout` ask for. Tokens themselves: room `auth`. */
import type { FastifyReply, FastifyRequest } from "fastify";
import {
  bearerToken,
  type ClientCredentials,
  oauthErrorBody,
  type TokenIssuer,
  type TokenResponse,
} from "../auth/index.ts";
import type { HttpApi } from "../http/index.ts";
import { type Logger, ViaductError } from "../kernel/index.ts";
import { accountLocked, grantTypeUnsupported } from "../kernel/errors/auth.ts";
import { badTokenRequest } from "../kernel/errors/cloud-controller.ts";
import { registerUaaUsers, type UaaUsersOptions } from "./uaa-users.ts";

const UAA_VERSION = "77.0.0";
/** For pages and codes that only a browser could use: `cf ssh-code` asks for one. */
const NO_SUCH_ADDRESS = Object.freeze({
  error: "not_found",
  error_description: "this UAA gives tokens for passwords, refresh tokens and client secrets only",
});

export interface UaaOptions extends UaaUsersOptions {
  /** Base of its own links: `http://localhost:8080/uaa`. */
  readonly url: () => string;
  readonly log: Logger;
}

/** Registers `/login`, `/oauth/token`, `/token_keys` … below the prefix of `api`. */
export function registerUaa(api: HttpApi, options: UaaOptions): void {
  const { issuer, url, log } = options;
  // The token endpoint takes forms; the passwords in them must not come from anywhere else.
  api.addContentTypeParser(
    "application/x-www-form-urlencoded",
    { parseAs: "string" },
    (_request, body, done) => done(null, new URLSearchParams(String(body))),
  );
  api.setErrorHandler((error, _request, reply) => answerError(error, reply, log));
  api.addHook("preHandler", async ({ params, query, body }) => {
    const form = body instanceof URLSearchParams ? [...body.values()] : [];
    refuseNul([...form, ...textsIn(params), ...textsIn(query)]);
  });
  api.setNotFoundHandler((_request, reply) => void reply.code(404).send(NO_SUCH_ADDRESS));
  registerUaaUsers(api, options);

  api.get("/login", async () => login(url()));
  api.get("/info", async () => login(url()));
  api.post("/oauth/token", (request, reply) => {
    // RFC 6749 §5.1
    void reply.headers({ "cache-control": "no-store", pragma: "no-cache" });
    return grant(issuer, request);
  });
  api.get("/token_keys", () => issuer.tokenKeys());
  api.get("/token_key", () => issuer.tokenKey());
  api.delete<{ Params: { jti: string } }>("/oauth/token/revoke/:jti", async (request) => {
    const claims = await issuer.verifyToken(bearerToken(request.headers.authorization) ?? "");
    // One's own tokens only: the access token's id, or with «-r» that of the refresh token beside it.
    const { jti } = request.params;
    if (jti === claims.jti || jti === `${claims.jti}-r`) {
      await issuer.revoke(claims.jti);
      await issuer.revoke(`${claims.jti}-r`);
    }
    return {};
  });
}

const textsIn = (values: unknown) => Object.values(values ?? {}).map(String);

/** No row holds that character, and PostgreSQL does not take it in a question. @throws badTokenRequest */
function refuseNul(texts: readonly string[]): void {
  if (texts.some((text) => text.includes("\0"))) {
    throw badTokenRequest({ reason: "the request holds a NUL character" });
  }
}

function login(url: string): object {
  return {
    app: { version: UAA_VERSION },
    links: { uaa: url, login: url, passwd: `${url}/forgot_password`, register: `${url}/create_account` },
    zone_name: "uaa",
    entityID: new URL(url).hostname,
    prompts: { username: ["text", "Email"], password: ["password", "Password"] },
    timestamp: new Date().toISOString(),
  };
}

/** @throws badTokenRequest, grantTypeUnsupported, and what the issuer throws */
async function grant(issuer: TokenIssuer, request: FastifyRequest): Promise<TokenResponse> {
  const form = request.body instanceof URLSearchParams ? request.body : new URLSearchParams();
  const client = readClient(request.headers.authorization, form);
  const scope = form
    .get("scope")
    ?.split(" ")
    .filter((each) => each !== "");
  const need = (name: string) => {
    const value = form.get(name);
    if (value === null) throw badTokenRequest({ reason: `Missing ${name}` });
    return value;
  };
  const grantType = need("grant_type");
  switch (grantType) {
    case "password":
      return issuer.grantPassword({
        client,
        username: need("username"),
        password: need("password"),
        scope,
      });
    case "refresh_token":
      return issuer.grantRefreshToken({ client, refreshToken: need("refresh_token") });
    case "client_credentials":
      return issuer.grantClientCredentials({ client, scope });
    default:
      throw grantTypeUnsupported({ grantType });
  }
}

/** Basic authentication, or the form's own fields. */
function readClient(authorization: string | undefined, form: URLSearchParams): ClientCredentials {
  const [, encoded] = /^basic (.+)$/i.exec(authorization ?? "") ?? [];
  if (encoded === undefined) {
    return { id: form.get("client_id") ?? "", secret: form.get("client_secret") ?? "" };
  }
  const [id = "", ...secret] = Buffer.from(encoded, "base64").toString("utf8").split(":").map(decode);
  refuseNul([id]);
  return { id, secret: secret.join(":") };
}

/** Form-encoded inside Basic (RFC 6749 §2.3.1); clients that forget it send no «%» either. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function answerError(error: unknown, reply: FastifyReply, log: Logger): void {
  const oauth = oauthErrorBody(error);
  if (oauth !== null && error instanceof ViaductError) {
    if (accountLocked.is(error)) void reply.header("retry-after", error.details.forSeconds);
    void reply.code(error.status).send(oauth);
  } else if (badTokenRequest.is(error)) {
    void reply.code(error.status).send({ error: "invalid_request", error_description: error.message });
  } else if (isRefusedByHttp(error)) {
    void reply.code(400).send({ error: "invalid_request", error_description: "the request is malformed" });
  } else if (error instanceof ViaductError && error.status === 503) {
    // A database that is locked, full or away: whoever logs in has done nothing wrong, and may try again.
    log.error({ err: error }, "a token request failed");
    void reply.code(503).send({ error: "temporarily_unavailable", error_description: error.message });
  } else {
    log.error({ err: error }, "a token request failed");
    void reply.code(500).send({ error: "server_error", error_description: "An unknown error occurred." });
  }
}

function isRefusedByHttp(error: unknown): boolean {
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === "number" && status >= 400 && status < 500;
}
