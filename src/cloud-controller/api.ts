/**
 * The API over HTTP: every endpoint of `resources/`, and around each of them the same steps.
 *
 *   token → caller → scope → query → body → handle → answer        any step may throw; respond.ts answers
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { bearerToken, type TokenIssuer, type TokenVerifier } from "../auth/index.ts";
import { tokenInvalid } from "../kernel/errors/auth.ts";
import {
  badQueryParameter,
  invalidAuthToken,
  messageParseError,
  notAuthenticated,
  notAuthorized,
  unknownRequest,
  unprocessable,
} from "../kernel/errors/cloud-controller.ts";
import { createHttpApi, type HttpApi } from "../http/index.ts";
import type { Logger } from "../kernel/index.ts";
import { type ContextOptions, createContext, type Context } from "./context.ts";
import type { Access, Call, Endpoint, Payload, Problem, Query } from "./endpoint.ts";
import { renderDocs } from "./docs-page.ts";
import { metadataProblems } from "./metadata.ts";
import { describeApi } from "./openapi.ts";
import { type Caller, callerOf, NOBODY } from "./permissions.ts";
import { endpoints } from "./resources/index.ts";
import { errorAnswer, NO_API_V2 } from "./respond.ts";
import { problemsOf } from "./schema.ts";
import { registerUaa } from "./uaa.ts";

/** The page needs its own style and nothing else. */
const DOCS_POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** No body that means anything is half as deep. */
const MAX_DEPTH = 64;
const [QUOTE, BACKSLASH, OPENING, CLOSING] = ['"', "\\", "{", "}"].map((each) => each.charCodeAt(0));

export interface CloudControllerDeps extends ContextOptions {
  /** Checks the token of every call. */
  readonly verifier: TokenVerifier;
  /** The built-in UAA below `/uaa`; absent where an external one issues tokens. */
  readonly issuer?: TokenIssuer | undefined;
}

/** The whole API, not listening: for `inject`, or for `listen` of room `http`. */
export function buildCloudController(deps: CloudControllerDeps): HttpApi {
  const context = createContext(deps);
  const notFound = (request: FastifyRequest, reply: FastifyReply) =>
    request.url.startsWith("/v2/")
      ? void reply.code(404).send(NO_API_V2)
      : answerError(unknownRequest({}), request, reply, context);
  const api = createHttpApi({ onUnreadablePath: notFound });
  takeEveryBody(api);
  api.addHook("onResponse", async (request, reply) => noteChange(request, reply, context.log));
  api.setErrorHandler((error, request, reply) => answerError(error, request, reply, context));
  api.setNotFoundHandler(notFound);
  for (const endpoint of endpoints) register(api, endpoint, context, deps.verifier);
  let document: object | undefined;
  api.get("/v3/openapi.json", async () => (document ??= describeApi(endpoints, context.externalUrl())));
  let page: string | undefined;
  api.get("/v3/docs", async (_request, reply) => {
    void reply.type("text/html; charset=utf-8").header("content-security-policy", DOCS_POLICY);
    return (page ??= renderDocs(endpoints, context.externalUrl()));
  });
  const { issuer } = deps;
  if (issuer !== undefined) {
    void api.register(
      async (uaa) =>
        registerUaa(uaa as HttpApi, {
          issuer,
          store: context.store,
          clock: context.clock,
          url: () => context.url("/uaa"),
          log: context.log,
        }),
      { prefix: "/uaa" },
    );
  }
  return api;
}

/** Clients are careless with content types: every body is text here, and JSON where an endpoint wants some. */
function takeEveryBody(api: HttpApi): void {
  api.removeAllContentTypeParsers();
  api.addContentTypeParser("*", { parseAs: "string" }, (_request, body, done) => done(null, body));
  // Uploads are read piece by piece, by the endpoint that wants one; see bits/multipart.ts.
  api.addContentTypeParser("multipart/form-data", (_request, body, done) => done(null, body));
}

function readPayload({ headers, body }: FastifyRequest): Payload {
  return {
    type: headers["content-type"] ?? "",
    text: typeof body === "string" ? body : "",
    stream: typeof body === "object" && body !== null ? (body as AsyncIterable<Buffer>) : null,
  };
}

function register(api: HttpApi, endpoint: Endpoint, context: Context, verifier: TokenVerifier): void {
  api.route({
    method: endpoint.method,
    url: endpoint.path,
    handler: async (request, reply) => {
      const caller = await identify(request, endpoint.access, verifier);
      const call: Call<never> = {
        context,
        caller,
        path: request.url.split("?", 1)[0] ?? "",
        params: readParams(request),
        query: readQuery(request, endpoint),
        ifMatch: request.headers["if-match"],
        body: (await readBody(request, endpoint, context)) as never,
        payload: readPayload(request),
      };
      const answer = await endpoint.handle(call);
      void reply.code(answer.status);
      if (answer.headers !== undefined) void reply.headers(answer.headers);
      return reply.send(answer.body);
    },
  });
}

/** Who asked, for the log; "" for nobody. */
const userNames = new WeakMap<FastifyRequest, string>();

/** Every call that may change something is in the log, with who asked for it and what became of it. Bodies are not. */
function noteChange(request: FastifyRequest, reply: FastifyReply, log: Logger): void {
  const { method, url } = request;
  if (method === "GET" || method === "HEAD" || method === "OPTIONS") return;
  const path = url.split("?", 1)[0];
  const user = userNames.get(request) ?? "";
  log.info({ user, method, path, status: reply.statusCode }, "change asked for");
}

/** @throws notAuthenticated, invalidAuthToken, notAuthorized */
async function identify(request: FastifyRequest, access: Access, verifier: TokenVerifier): Promise<Caller> {
  if (access === "public") return NOBODY;
  const { authorization } = request.headers;
  if (authorization === undefined || authorization === "") throw notAuthenticated({});
  const token = bearerToken(authorization);
  if (token === undefined) throw invalidAuthToken({});
  const claims = await verifier.verifyToken(token).catch((error: unknown) => {
    throw tokenInvalid.is(error) ? invalidAuthToken({}, error) : error;
  });
  userNames.set(request, claims.user_name ?? claims.client_id);
  const caller = callerOf({ userGuid: claims.user_id ?? "", scopes: claims.scope });
  const isAllowed = access === "read" ? caller.canRead : caller.canWrite;
  if (!isAllowed) throw notAuthorized({});
  return caller;
}

/** @throws unknownRequest for what no row can be called; PostgreSQL does not even take it in a query. */
function readParams(request: FastifyRequest): Readonly<Record<string, string>> {
  const params = request.params as Readonly<Record<string, string>>;
  if (Object.values(params).some((value) => value.includes("\0"))) throw unknownRequest({});
  return params;
}

/** @throws badQueryParameter */
function readQuery(request: FastifyRequest, endpoint: Endpoint): Query {
  const given = request.query as Readonly<Record<string, string | string[]>>;
  const query = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, [value].flat().at(-1) ?? ""]),
  );
  if (endpoint.method !== "GET" && endpoint.parameters.length === 0) return query;
  const unknown = Object.keys(query).filter(
    (name) => !endpoint.parameters.includes(name) && !endpoint.parameters.includes(withoutBrackets(name)),
  );
  if (unknown.length > 0) {
    const list = (names: readonly string[]) => names.map((name) => `'${name}'`).join(", ");
    throw badQueryParameter({
      problems: [
        `Unknown query parameter(s): ${list(unknown)}. Valid parameters are: ${list(endpoint.parameters)}`,
      ],
    });
  }
  const binary = Object.entries(query).find(([, value]) => value.includes("\0"));
  if (binary !== undefined) throw badQueryParameter({ problems: [`${binary[0]} cannot contain NUL`] });
  return query;
}

/** `created_ats[gt]` → `created_ats`. What follows other names would have no effect, so it stays, and is unknown. */
const withoutBrackets = (name: string) => /^(created_ats|updated_ats|fields)\[.*\]$/s.exec(name)?.[1] ?? name;

/** @throws messageParseError, unprocessable */
async function readBody(request: FastifyRequest, endpoint: Endpoint, context: Context): Promise<unknown> {
  if (endpoint.body === undefined) return undefined;
  const body = parseJson(typeof request.body === "string" ? request.body : "");
  const problems: Problem[] = [
    ...(await problemsOf(endpoint.body, body)),
    ...metadataProblems(body["metadata"]),
    ...(endpoint.checkOpen?.(body, context, readParams(request)) ?? []),
  ];
  if (problems.length === 0) problems.push(...(endpoint.check?.(body as never, context) ?? []));
  if (problems.length > 0) {
    throw unprocessable({
      problems: problems.map((problem) => (typeof problem === "string" ? problem : problem.text)),
      options: problems.filter((problem) => typeof problem !== "string"),
    });
  }
  return body;
}

/** @throws messageParseError */
function parseJson(text: string): Record<string, unknown> {
  if (text.trim() === "") return {};
  if (isTooDeep(text)) throw messageParseError({ reason: `the body is nested more than ${MAX_DEPTH} deep` });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw messageParseError({ reason: "invalid request body" }, error);
  }
  // PostgreSQL has no such character, and neither has any name, command or variable.
  if (text.includes("\\u0000")) throw messageParseError({ reason: "the body holds a NUL character" });
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw messageParseError({ reason: "invalid request body" });
  }
  return value as Record<string, unknown>;
}

/** Seen before it is parsed: who writes such a value down again, into a row or an answer, runs out of stack. */
function isTooDeep(text: string): boolean {
  let depth = 0;
  let isInText = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (isInText) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) isInText = false;
    } else if (code === QUOTE) isInText = true;
    // «[» and «{», «]» and «}» differ in one bit.
    else if ((code | 0x20) === OPENING) {
      if (++depth > MAX_DEPTH) return true;
    } else if ((code | 0x20) === CLOSING) depth--;
  }
  return false;
}

function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply, context: Context): void {
  const answer = errorAnswer(error);
  if (answer.isOurFault) {
    context.log.error({ err: error, method: request.method, url: request.url }, "a request failed");
  }
  void reply.code(answer.status).send(answer.body);
}
