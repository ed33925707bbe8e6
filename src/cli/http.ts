/**
 * One HTTP call. On `node:http` instead of `fetch`, because system resolvers often do not know `*.localhost`:
 * such names go to 127.0.0.1 here, whatever the machine thinks (RFC 6761 §6.3).
 */
import { Agent, type IncomingHttpHeaders, type RequestOptions, request as requestHttp } from "node:http";
import type { LookupFunction } from "node:net";
import { apiUnreachable } from "../kernel/errors/cli.ts";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Longer than any call of the API takes by itself; a dead peer is noticed at last. */
const QUIET_LIMIT_MS = 30_000;

const agent = new Agent({ keepAlive: true });

/** @throws apiUnreachable */
export async function call(
  method: string,
  url: URL,
  headers: Readonly<Record<string, string>> = {},
  body: string | Buffer = "",
): Promise<HttpAnswer> {
  const isTls = url.protocol === "https:";
  const request = isTls ? (await import("node:https")).request : requestHttp;
  const options: RequestOptions = {
    method,
    headers: { ...headers, ...(body === "" ? {} : { "content-length": Buffer.byteLength(body) }) },
    lookup: lookupLoopback,
    timeout: QUIET_LIMIT_MS,
    ...(isTls ? {} : { agent }),
  };
  return new Promise((resolve, reject) => {
    const unreachable = (reason: string, cause?: unknown) =>
      reject(apiUnreachable({ url: url.origin, reason }, cause));
    const outgoing = request(url, options, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("error", (error) => unreachable(error.message, error));
      incoming.on("end", () =>
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: Buffer.concat(chunks).toString("utf8"),
        }),
      );
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`quiet for ${QUIET_LIMIT_MS / 1000} s`)));
    outgoing.on("error", (error: NodeJS.ErrnoException) => unreachable(error.code ?? error.message, error));
    outgoing.end(body);
  });
}

export const isLoopbackName = (name: string) => name === "localhost" || name.endsWith(".localhost");

const lookupLoopback: LookupFunction = (hostname, options, done) => {
  if (isLoopbackName(hostname)) {
    if (options.all === true) done(null, [{ address: "127.0.0.1", family: 4 }]);
    else done(null, "127.0.0.1", 4);
    return;
  }
  import("node:dns").then(
    ({ lookup }) => lookup(hostname, options, done),
    (error: unknown) => done(error as NodeJS.ErrnoException, "", 0),
  );
};
