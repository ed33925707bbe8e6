/**
 * HTTP calls of the route table client, on `node:http(s)`: a stream must be cut the moment somebody says so, and
 * `https` may need a client certificate.
 */
import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingHttpHeaders,
  request as httpRequest,
} from "node:http";
import type { IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";

/** PEM texts. */
export interface TlsFiles {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export interface Call {
  readonly method: string;
  readonly url: string;
  readonly token: string;
  /** Sent as JSON; undefined for none. */
  readonly body?: unknown;
  readonly timeoutMs: number;
  readonly tls?: TlsFiles | undefined;
  readonly signal?: AbortSignal;
}

export interface CallAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Null when the body is empty or no JSON. */
  readonly json: unknown;
}

export interface StreamCall {
  readonly url: string;
  readonly token: string;
  readonly lastEventId?: string;
  readonly tls?: TlsFiles | undefined;
  readonly signal: AbortSignal;
}

/** Rejects when no answer comes; every status is an answer. */
export async function call({ method, url, token, body, timeoutMs, tls, signal }: Call): Promise<CallAnswer> {
  const limit = AbortSignal.timeout(timeoutMs);
  const json = body === undefined ? "" : JSON.stringify(body);
  const request = open(url, {
    method,
    tls,
    signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    headers: {
      authorization: `bearer ${token}`,
      ...(json !== "" && { "content-type": "application/json", "content-length": Buffer.byteLength(json) }),
    },
  });
  request.end(json);
  const response = await answered(request);
  const received = await text(response);
  return { status: response.statusCode ?? 0, headers: response.headers, json: parsed(received) };
}

/** The bytes of an event stream. Rejects when the answer is none. */
export async function openStreamCall({
  url,
  token,
  lastEventId,
  tls,
  signal,
}: StreamCall): Promise<IncomingMessage> {
  const request = open(url, {
    method: "GET",
    tls,
    signal,
    headers: {
      authorization: `bearer ${token}`,
      accept: "text/event-stream",
      ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
    },
  });
  request.end();
  const response = await answered(request);
  if (response.statusCode === 200) return response;
  const body = await text(response);
  throw new Error(`${response.statusCode} ${body.slice(0, 200)}`);
}

interface Open {
  readonly method: string;
  readonly tls: TlsFiles | undefined;
  readonly signal: AbortSignal;
  readonly headers: Readonly<Record<string, string | number>>;
}

// A fresh connection each: kept ones may have been closed by a server that just restarted, and a write must not
// be sent twice to find out.
function open(url: string, { tls, ...options }: Open): ClientRequest {
  return url.startsWith("https:")
    ? httpsRequest(url, { ...options, ...tls, agent: new HttpsAgent({ keepAlive: false }) })
    : httpRequest(url, { ...options, agent: new HttpAgent({ keepAlive: false }) });
}

function answered(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", reject);
  });
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
