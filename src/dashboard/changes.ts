/**
 * What the page may ask for besides looking: a login, and these calls of the API with the rights of who logged in. The
 * answers are the API's own; so are the errors, and ours have the same shape.
 *
 *   page ── key ──► own page? ──► session? ──► token of the login ──► v3 API
 *                      │ 403          │ 401                             │ as it answers
 */
import type { FastifyReply, FastifyRequest } from "fastify";
import { call } from "../calls/index.ts";
import type { HttpApi } from "../http/index.ts";
import { type Clock, type Logger, ViaductError } from "../kernel/index.ts";
import { dashboardApiAway } from "../kernel/errors/dashboard.ts";
import { readBasic } from "./login.ts";
import { demandOwnPage } from "./own-page.ts";
import { createSessions, type LogIn } from "./sessions.ts";

export interface ChangesOptions {
  readonly logIn: LogIn;
  /** Where the v3 API listens: `http://127.0.0.1:8181`. Asked when it is needed. */
  readonly apiUrl: () => string;
  /** Names under which browsers reach the page, besides addresses and `localhost`. */
  readonly hosts: readonly string[];
}

export interface Changes {
  /** Registers `session` and `v3/…` below `prefix`. */
  register(api: HttpApi, prefix: string): void;
  /** Ends every session. */
  close(): Promise<void>;
}

/** With `:guid` for any. */
const CALLS = [
  ["GET", "/v3/viaduct/options"],
  ["GET", "/v3/viaduct/routes/:guid/liveness"],
  ["GET", "/v3/spaces"],
  ["GET", "/v3/domains"],
  ["GET", "/v3/apps"],
  ["POST", "/v3/routes"],
  ["GET", "/v3/routes/:guid"],
  ["PATCH", "/v3/routes/:guid"],
  ["DELETE", "/v3/routes/:guid"],
  ["POST", "/v3/routes/:guid/destinations"],
] as const;
/** An element of a path that cannot lead to another path. */
const GUID = { type: "object", properties: { guid: { type: "string", pattern: "^[\\w-]{1,200}$" } } };
const LOGIN = {
  type: "object",
  additionalProperties: false,
  properties: {
    username: { type: "string", maxLength: 256 },
    password: { type: "string", maxLength: 1_024 },
  },
};
const SESSION_HEADER = "x-viaduct-session";
const BODY_LIMIT_BYTES = 64 * 1024;
/** The longest answer is that of the liveness of a route, which may wait for a minute. */
const CALL_TIMEOUT_MS = 90_000;

export function createChanges(options: ChangesOptions, clock: Clock, log: Logger): Changes {
  const { logIn, apiUrl, hosts } = options;
  const sessions = createSessions(clock);

  const forward = async (request: FastifyRequest, path: string, reply: FastifyReply) => {
    const token = await sessions.find(keyOf(request)).token();
    const { method, body, headers } = request;
    const answer = await call({
      method,
      url: apiUrl() + path,
      token,
      body: body ?? undefined,
      ifMatch: headers["if-match"],
      timeoutMs: CALL_TIMEOUT_MS,
    }).catch((error: unknown) => {
      throw dashboardApiAway({}, error);
    });
    if (answer.headers.etag !== undefined) reply.header("etag", answer.headers.etag);
    return reply.code(answer.status).send(answer.json ?? {});
  };

  const openSession = async (request: FastifyRequest, reply: FastifyReply) => {
    const given = request.body as { username?: string; password?: string };
    // A browser that logged in to see the page does not ask its user again.
    const basic = readBasic(request.headers.authorization);
    const { username = basic?.username ?? "", password = basic?.password ?? "" } = given;
    const login = await logIn(username, password);
    log.info({ username: login.username }, "a user of the dashboard logged in to change routes");
    return reply.code(201).send({ key: sessions.open(login), username: login.username });
  };

  return {
    register(api, prefix) {
      void api.register(async (scope) => {
        // Text and forms are what a page of another site can send without being asked.
        scope.removeContentTypeParser("text/plain");
        scope.setErrorHandler((error, _request, reply) => answerError(error, reply, log));
        scope.addHook("onRequest", async (request, reply) => {
          reply.header("cache-control", "no-store");
          demandOwnPage(request.headers, hosts);
        });
        scope.post(
          `${prefix}/session`,
          { schema: { body: LOGIN }, bodyLimit: BODY_LIMIT_BYTES },
          openSession,
        );
        scope.delete(`${prefix}/session`, async (request, reply) => {
          await sessions.close(keyOf(request));
          return reply.code(204).send();
        });
        for (const [method, path] of CALLS) {
          scope.route({
            method,
            url: prefix + path,
            schema: { params: GUID },
            bodyLimit: BODY_LIMIT_BYTES,
            handler: (request, reply) => forward(request, request.url.slice(prefix.length), reply),
          });
        }
      });
    },
    close: () => sessions.closeAll(),
  };
}

function keyOf({ headers }: FastifyRequest): string | undefined {
  const key = headers[SESSION_HEADER];
  return typeof key === "string" ? key : undefined;
}

function answerError(error: unknown, reply: FastifyReply, log: Logger): void {
  const status = statusOf(error);
  if (status >= 500) log.error({ err: error }, "the dashboard could not do what its page asked for");
  const title = error instanceof ViaductError ? error.code : "invalid_request";
  const detail = status === 500 ? "something went wrong; the log says what" : (error as Error).message;
  void reply.code(status).send({ errors: [{ title, detail }] });
}

/** Of the catalogue, or of the HTTP library about a body. */
function statusOf(error: unknown): number {
  if (error instanceof ViaductError) return error.status;
  const { statusCode } = error as { statusCode?: unknown };
  return typeof statusCode === "number" && statusCode >= 400 && statusCode < 500 ? statusCode : 500;
}
