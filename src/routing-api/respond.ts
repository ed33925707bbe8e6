/**
 * The only place that turns an error into a routing API answer: `{"name":…,"message":…}` with upstream's names.
 */
import { randomUUID } from "node:crypto";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { HttpApi } from "../http/index.ts";
import { routingApiErrors } from "../kernel/errors/index.ts";
import { type Logger, ViaductError } from "../kernel/index.ts";

const WIRE_NAMES: Readonly<Record<string, string>> = {
  [routingApiErrors.routeReserved.definition.code]: "RouteReservedError",
  [routingApiErrors.routeInvalid.definition.code]: "RouteInvalidError",
  [routingApiErrors.routeServiceUrlInvalid.definition.code]: "RouteServiceUrlInvalidError",
  [routingApiErrors.routeOptionsInvalid.definition.code]: "RouteOptionsInvalidError",
  [routingApiErrors.requestNotProcessable.definition.code]: "ProcessRequestError",
  [routingApiErrors.routingResourceNotFound.definition.code]: "ResourceNotFoundError",
  [routingApiErrors.reservationChanged.definition.code]: "PreconditionFailedError",
  [routingApiErrors.routingUnauthorized.definition.code]: "UnauthorizedError",
};
/** What upstream calls everything that its database refuses. */
const UNAVAILABLE = "DBCommunicationError";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Installs the answers that every path shares: errors, unknown paths and methods, the request id. */
export function installAnswers(api: HttpApi, log: Logger): void {
  const methodsByPath = new Map<string, { pattern: RegExp; methods: Set<string> }>();
  api.addHook("onRoute", ({ url, method }) => {
    const known = methodsByPath.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    methodsByPath.set(url, known);
    for (const name of [method].flat()) known.methods.add(name);
  });
  api.addHook("onRequest", async (request, reply) => {
    const id = request.headers["x-vcap-request-id"];
    reply.header("x-vcap-request-id", typeof id === "string" && UUID.test(id) ? id : randomUUID());
  });
  api.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?")[0] ?? "";
    const methods = [...methodsByPath.values()].find(({ pattern }) => pattern.test(path))?.methods;
    if (methods === undefined) return reply.code(404).type("text/plain").send("404 page not found\n");
    return reply
      .code(405)
      .header("allow", [...methods].join(", "))
      .type("text/plain")
      .send("Method Not Allowed\n");
  });
  api.setErrorHandler((error, request, reply) => respondError(error, request, reply, log));
}

function respondError(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Logger) {
  if (error instanceof ViaductError && error.status >= 400) {
    const name = WIRE_NAMES[error.code] ?? (error.status >= 500 ? UNAVAILABLE : "ProcessRequestError");
    if (error.status >= 500)
      log.warn({ err: error, method: request.method, url: request.url }, "request failed");
    return reply.code(error.status).send({ name, message: error.message });
  }
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (typeof status === "number" && status >= 400 && status < 500) {
    const message = `Cannot process request: ${error instanceof Error ? error.message : String(error)}`;
    return reply.code(status).send({ name: "ProcessRequestError", message });
  }
  log.error({ err: error, method: request.method, url: request.url }, "request failed");
  return reply
    .code(503)
    .send({ name: UNAVAILABLE, message: "the request could not be served; the log says why" });
}

function patternOf(url: string): RegExp {
  const escaped = url.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll(/:[a-z_]+/g, "[^/]+")}/?$`);
}
