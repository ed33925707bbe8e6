/**
 * HTTP calls from one part of the control plane to another, on `node:http(s)`: a stream must be cut the moment
 * somebody says so, and `https` may need a client certificate.
 */
import {
  Agent as HttpAgent,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as httpRequest,
} from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import { text } from "node:stream/consumers";
import { readJsonList } from "./json-list.ts";

/** Quiet streams are told from dead ones by the system. */
const KEEP_ALIVE_PROBE_MS = 15_000;

/** For `https`. PEM texts; what is left out is the system's authorities, and no certificate of our own. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** False takes any certificate. */
  readonly rejectUnauthorized?: boolean;
}

interface Target {
  readonly url: string;
  /** Bearer token; none without it. */
  readonly token?: string;
  readonly tls?: TlsFiles | undefined;
}

export interface Call extends Target {
  readonly method: string;
  /** Sent as JSON; undefined for none. */
  readonly body?: unknown;
  /** Sent as a form, instead of a body. */
  readonly form?: Readonly<Record<string, string>>;
  /** Instead of a token. */
  readonly client?: { readonly name: string; readonly secret: string };
  /** The tag of what the caller has seen: the call is refused where it has changed since. */
  readonly ifMatch?: string | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

export interface CallAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Null when the body is empty or no JSON. */
  readonly json: unknown;
}

export interface StreamCall extends Target {
  readonly lastEventId?: string;
  readonly signal: AbortSignal;
}

/** A stream was asked for, and something else came. */
export class StreamRefused extends Error {
  readonly status: number;
  constructor(status: number, body: string) {
    super(`${status} ${body.slice(0, 200)}`);
    this.status = status;
  }
}

/** Rejects when no answer comes; every status is an answer. */
export async function call(given: Call): Promise<CallAnswer> {
  return answerOf(await send(given));
}

/** The same for a list that may be long: it is read and decoded in pieces, with turns for others between them. */
export async function callForList(given: Call): Promise<CallAnswer> {
  const response = await send(given);
  const { statusCode, headers } = response;
  return statusCode === 200
    ? { status: 200, headers, json: await readJsonList(response) }
    : answerOf(response);
}

async function answerOf(response: IncomingMessage): Promise<CallAnswer> {
  const { statusCode = 0, headers } = response;
  return { status: statusCode, headers, json: parsed(await text(response)) };
}

async function send(given: Call): Promise<IncomingMessage> {
  const { method, url, tls, signal, timeoutMs, ifMatch } = given;
  const limit = AbortSignal.timeout(timeoutMs);
  const [type, body] = bodyOf(given);
  const request = open(url, {
    method,
    tls,
    signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    headers: {
      ...authorizationOf(given),
      accept: "application/json",
      ...(ifMatch !== undefined && { "if-match": ifMatch }),
      ...(body !== "" && { "content-type": type, "content-length": Buffer.byteLength(body) }),
    },
  });
  request.end(body);
  return answered(request);
}

/** The bytes of an event stream. Rejects when the answer is none: {@link StreamRefused}. */
export async function openStreamCall(given: StreamCall): Promise<IncomingMessage> {
  const { url, lastEventId, tls, signal } = given;
  const request = open(url, {
    method: "GET",
    tls,
    signal,
    headers: {
      ...authorizationOf(given),
      accept: "text/event-stream",
      ...(lastEventId !== undefined && { "last-event-id": lastEventId }),
    },
  });
  request.once("socket", (socket) => socket.setKeepAlive(true, KEEP_ALIVE_PROBE_MS));
  request.end();
  const response = await answered(request);
  if (response.statusCode === 200) return response;
  throw new StreamRefused(response.statusCode ?? 0, await text(response));
}

function authorizationOf({ token, client }: Pick<Call, "token" | "client">): { authorization?: string } {
  if (token !== undefined) return { authorization: `bearer ${token}` };
  if (client === undefined) return {};
  return {
    authorization: `Basic ${Buffer.from(`${client.name}:${client.secret}`).toString("base64")}`,
  };
}

function bodyOf({ body, form }: Pick<Call, "body" | "form">): readonly [type: string, text: string] {
  if (form !== undefined) {
    return ["application/x-www-form-urlencoded", new URLSearchParams(form).toString()];
  }
  return ["application/json", body === undefined ? "" : JSON.stringify(body)];
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
