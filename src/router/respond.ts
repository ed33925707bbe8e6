import { STATUS_CODES } from "node:http";
import { versionUnsupported } from "../kernel/errors/wire.ts";
import { emptyHost, endpointDialFailed, noEndpoints, unknownRoute } from "../kernel/errors/router.ts";
import type { ViaductError } from "../kernel/index.ts";
import type { Admission } from "../options/index.ts";
import type { ErrorPageValues } from "./error-page.ts";
import type { Exchange } from "./exchange.ts";
import { readAuthority } from "./find-route.ts";
import { rewriteHead } from "./http-rewrite.ts";

const REASONS: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  413: "Content Too Large",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  496: "SSL Certificate Required",
  499: "Request Cancelled",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  525: "SSL Handshake Failed",
  526: "Invalid SSL Certificate",
};
/** By code: how long a cache in front may believe the answer. */
const CACHE_CONTROL: Readonly<Record<string, string>> = {
  [emptyHost.definition.code]: "public,max-age=2",
  [unknownRoute.definition.code]: "no-cache, no-store",
  [noEndpoints.definition.code]: "public,max-age=2",
};
/** Why an endpoint failed is for operators: it stands in the router error and the log, not in the body. */
const ENDPOINT_FAILED = "Registered endpoint failed to handle the request.";

/**
 * The only place where an error becomes bytes: status, `X-Cf-RouterError` and body as the clients of Cloud Foundry
 * know them.
 */
export function respond(exchange: Exchange, error: ViaductError): void {
  const { client, router } = exchange;
  const { code, routerError } = error.definition;
  exchange.status = error.status;
  exchange.routerError = headerText(
    routerError ?? (error.source === "upstream" ? `endpoint_failure (${error.message})` : ""),
  );
  exchange.hasResponded = true;
  count(exchange);
  if (!client.mayPersist) exchange.persists = false;

  if (versionUnsupported.is(error)) {
    // Whatever speaks another version cannot read more than this.
    client.socket.write("HTTP/1.0 400 Bad Request\r\n\r\n", "latin1");
    return;
  }
  const isTooLarge = error.status === 431 && routerError !== undefined;
  if (isTooLarge) exchange.persists = false;
  const text = isTooLarge ? "" : `${statusText(error)}\n`;
  const page = text === "" ? null : router.config.errorPage;
  const body = page === null ? bytesOf(text) : page(pageValues(exchange, error));
  const isHttp11 = client.head.minorVersion === 1 || exchange.method === "";
  let head = `HTTP/1.${isHttp11 ? 1 : 0} ${error.status} ${REASONS[error.status] ?? "Error"}\r\n`;
  const cacheControl = CACHE_CONTROL[code];
  if (cacheControl !== undefined) head += `Cache-Control: ${cacheControl}\r\n`;
  // A route service that reads it may try again before it gives the client up.
  if (exchange.cameFromRouteService && noEndpoints.is(error)) head += "Retry-After: 1\r\n";
  if (text !== "") {
    const type = page === null ? "plain" : "html";
    head += `Content-Type: text/${type}; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n`;
  }
  if (exchange.routerError !== "") head += `X-Cf-RouterError: ${exchange.routerError}\r\n`;
  if (exchange.addedLines !== "") head += exchange.addedLines;
  head += `X-Vcap-Request-Id: ${exchange.requestId}\r\nDate: ${router.ticker.httpDate}\r\n`;
  head += `Content-Length: ${body.length}\r\n`;
  if (!exchange.persists) head += isHttp11 ? "Connection: close\r\n" : "";
  else if (!isHttp11) head += "Connection: keep-alive\r\n";

  const withBody = exchange.method !== "HEAD";
  if (withBody) exchange.responseBodyBytes = body.length;
  head = rewriteHead(`${head}\r\n`, router.config);
  client.socket.write(withBody ? head + body : head, "latin1");
  if (error.status !== 404)
    router.log.info({ status: error.status, body: text, code, error: error.message }, "status");
}

/** An option of the route answers in the endpoint's place: a redirect, a page. */
export function respondInstead(
  exchange: Exchange,
  { status, headers, body }: Extract<Admission, { kind: "answer" }>,
): void {
  const { client, router } = exchange;
  exchange.status = status;
  exchange.hasResponded = true;
  if (!client.mayPersist) exchange.persists = false;
  const isHttp11 = client.head.minorVersion === 1;
  const bytes = Buffer.from(body);
  let head = `HTTP/1.${isHttp11 ? 1 : 0} ${status} ${STATUS_CODES[status] ?? "Answer"}\r\n`;
  for (const [name, value] of Object.entries(headers)) head += `${name}: ${value}\r\n`;
  head += `${exchange.addedLines}X-Vcap-Request-Id: ${exchange.requestId}\r\nDate: ${router.ticker.httpDate}\r\n`;
  head += `Content-Length: ${bytes.length}\r\n`;
  if (!exchange.persists) head += isHttp11 ? "Connection: close\r\n" : "";
  else if (!isHttp11) head += "Connection: keep-alive\r\n";
  const withBody = exchange.method !== "HEAD";
  if (withBody) exchange.responseBodyBytes = bytes.length;
  head = rewriteHead(`${head}\r\n`, router.config);
  client.socket.write(withBody ? head + bytes.toString("latin1") : head, "latin1");
}

/** What the operator's page may show: nothing that the text would not. */
function pageValues(exchange: Exchange, error: ViaductError): ErrorPageValues {
  const headers: Readonly<Record<string, string | undefined>> = {
    "cache-control": CACHE_CONTROL[error.definition.code],
    "x-cf-routererror": exchange.routerError,
    "x-vcap-request-id": exchange.requestId,
  };
  return {
    status: error.status,
    statusText: REASONS[error.status] ?? "Error",
    message: bytesOf(clientMessage(error)),
    header: (name) => (Object.hasOwn(headers, name) ? (headers[name] ?? "") : ""),
  };
}

/** The answer to a load balancer that asks, under the user agent set for it, whether to send traffic here. */
export function respondHealth(exchange: Exchange): void {
  const { client, router } = exchange;
  const isHealthy = !router.isDraining && (router.health === null || router.health.state === "healthy");
  // Nothing is looked up; the log names the host all the same.
  readAuthority(exchange);
  exchange.status = isHealthy ? 200 : 503;
  exchange.hasResponded = true;
  exchange.persists = false;
  const body = isHealthy ? "ok\n" : "";
  exchange.responseBodyBytes = body.length;
  const head =
    `HTTP/1.1 ${isHealthy ? "200 OK" : "503 Service Unavailable"}\r\nCache-Control: private, max-age=0\r\nExpires: 0\r\n` +
    `Date: ${router.ticker.httpDate}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`;
  client.socket.write(rewriteHead(head, router.config) + body, "latin1");
}

/** `502 Bad Gateway: Registered endpoint failed to handle the request.`; for TLS failures only the first half. */
function statusText(error: ViaductError): string {
  const line = `${error.status} ${REASONS[error.status] ?? "Error"}`;
  const message = clientMessage(error);
  return message === "" ? line : `${line}: ${message}`;
}

function clientMessage(error: ViaductError): string {
  if (error.source !== "upstream" || error.definition.routerError !== undefined) return error.message;
  return error.status === endpointDialFailed.definition.status ? ENDPOINT_FAILED : "";
}

function count(exchange: Exchange): void {
  const { counters } = exchange.router;
  if (exchange.status === 502) counters.badGateways++;
  else if (exchange.status === 400 || exchange.status === 404) counters.rejectedRequests++;
}

/** In UTF-8, a character per byte: an operator's own options refuse in their own language. */
const bytesOf = (text: string) =>
  /[^\x00-\x7f]/.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;

/** Texts from other processes end up here. */
const headerText = (text: string) => text.replaceAll(/[^\x20-\x7e]/g, "?");
