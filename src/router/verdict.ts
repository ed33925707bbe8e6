/**
 * What is kept of an exchange so that somebody can ask later why it went as it did. Every exchange leaves a summary;
 * the details are collected only when something goes wrong, because only then somebody will ask.
 */
import {
  clientIdleTimeout,
  endpointAnswerInvalid,
  endpointClosed,
  endpointHeadTooLarge,
  endpointReset,
  endpointTimeout,
  requestCancelled,
} from "../kernel/errors/router.ts";
import { exchangeIdle, responseTimeout } from "../kernel/errors/options.ts";
import type { ViaductError } from "../kernel/index.ts";
import type { RouteOptions } from "../table/index.ts";
import { speaksHttp2 } from "./connect.ts";
import type { Exchange } from "./exchange.ts";

/** Who ended a connection while the exchange still needed it. */
export type ClosedFirst = "client" | "endpoint" | "router" | "nobody";

/** Times are milliseconds with fractions since the first byte of the request head, durations where they say so. */
export interface AttemptVerdict {
  readonly endpoint: string;
  readonly startedAfterMs: number;
  /** The request was handed to the connected endpoint; null when it never was. */
  readonly sentAfterMs: number | null;
  /** The error, or the last byte of the answer. */
  readonly endedAfterMs: number;
  /** Code of the catalogued error; "" when the endpoint answered. */
  readonly errorCode: string;
  readonly error: string;
  readonly connectionWasReused: boolean;
  readonly isHttp2: boolean;
  /** Durations; null when the step was not needed or not reached. */
  readonly dnsMs: number | null;
  readonly dialMs: number | null;
  readonly tlsMs: number | null;
}

export interface VerdictDetails {
  readonly method: string;
  /** As the client sent it. */
  readonly host: string;
  /** Without the query, which may hold secrets. */
  readonly path: string;
  readonly clientAddress: string;
  readonly isHttp2: boolean;
  /** Options of the route that were in force. */
  readonly options: RouteOptions;
  readonly balancer: string;
  /** Endpoints that could have been picked; of a request that was refused before, those of its route. */
  readonly candidates: number;
  readonly routerError: string;
  /** What went wrong at last; "" when all went well in the end. */
  readonly error: string;
  readonly attempts: readonly AttemptVerdict[];
  readonly closedFirst: ClosedFirst;
  readonly requestBodyBytes: number;
  readonly responseBodyBytes: number;
}

/** What an exchange remembers of its failures until it ends. */
export interface FailureNotes {
  readonly attempts: AttemptVerdict[];
  error: ViaductError;
}

/** Something went wrong; whether the exchange goes on is not known here. */
export function rememberFailure(exchange: Exchange, error: ViaductError): void {
  exchange.failures ??= { attempts: [], error };
  exchange.failures.error = error;
  // An attempt that never got as far as a connection is none.
  if (exchange.upstream !== null) exchange.failures.attempts.push(attemptNow(exchange, error));
}

/** Null for an exchange that nobody will ask about. Call it when the exchange ends. */
export function verdictDetails(exchange: Exchange): VerdictDetails | null {
  const { failures, route, client } = exchange;
  if (failures === null && exchange.errorCode === "" && exchange.status < 500 && !exchange.isTunnel)
    return null;
  const attempts = failures?.attempts ?? [];
  const hasEnded = attempts.length < exchange.attempts && exchange.candidate !== null;
  return {
    method: kept(exchange, exchange.method),
    host: kept(exchange, exchange.rawHost),
    path: kept(exchange, exchange.method === "" ? "" : (client.head.requestUri.split("?", 1)[0] ?? "")),
    clientAddress: client.peer,
    isHttp2: client.isHttp2,
    options: route?.options ?? {},
    balancer: route?.attachment.balancer ?? "",
    candidates: (exchange.attempts === 0 ? route?.attachment : exchange)?.candidates.length ?? 0,
    routerError: kept(exchange, exchange.routerError),
    error: kept(exchange, finalError(exchange)),
    attempts: hasEnded ? [...attempts, attemptNow(exchange, null)] : attempts,
    closedFirst: closedFirst(exchange),
    requestBodyBytes: exchange.requestBodyBytes,
    responseBodyBytes: exchange.responseBodyBytes,
  };
}

/** What ended the exchange, in words; "" when all went well. */
function finalError({ errorCode, failures }: Exchange): string {
  if (errorCode === requestCancelled.definition.code) return requestCancelled.definition.explain({});
  return errorCode === "" ? "" : (failures?.error.message ?? "");
}

/** The present attempt, as it ends. @param error  null when it ended with the exchange. */
function attemptNow(exchange: Exchange, error: ViaductError | null): AttemptVerdict {
  const { upstream, candidate, startedAtMs, router, failures } = exchange;
  // When it ends well the connection is somebody else's already; the exchange has kept its times.
  const dialed = upstream === null || upstream.wasReused ? exchange : upstream;
  const known = (ms: number) => (ms < 0 ? null : ms);
  const after = (ms: number) => ms - startedAtMs;
  const before = failures?.attempts.at(-1);
  return {
    endpoint: candidate?.address ?? "",
    // An attempt begins when the one before it has failed.
    startedAfterMs: before?.endedAfterMs ?? 0,
    sentAfterMs: exchange.handedOverAtMs === -1 ? null : after(exchange.handedOverAtMs),
    endedAfterMs: after(
      error === null && exchange.answeredAtMs !== -1 ? exchange.answeredAtMs : router.ticker.monotonicMs(),
    ),
    errorCode: error?.code ?? exchange.errorCode,
    error: kept(exchange, error?.message ?? finalError(exchange)),
    connectionWasReused: upstream?.wasReused ?? (exchange.handedOverAtMs !== -1 && exchange.dialTimeMs < 0),
    isHttp2: candidate !== null && speaksHttp2(exchange, candidate),
    dnsMs: known(dialed.dnsTimeMs),
    dialMs: known(dialed.dialTimeMs),
    tlsMs: known(dialed.tlsTimeMs),
  };
}

/** By code of the error that ended the exchange. */
const CLOSERS: Readonly<Record<string, ClosedFirst>> = {
  [requestCancelled.definition.code]: "client",
  [endpointClosed.definition.code]: "endpoint",
  [endpointReset.definition.code]: "endpoint",
  [endpointTimeout.definition.code]: "router",
  [responseTimeout.definition.code]: "router",
  [exchangeIdle.definition.code]: "router",
  [clientIdleTimeout.definition.code]: "router",
  [endpointAnswerInvalid.definition.code]: "router",
  [endpointHeadTooLarge.definition.code]: "router",
};

export function closedFirst({ tunnelEndedBy, errorCode }: Exchange): ClosedFirst {
  return tunnelEndedBy ?? CLOSERS[errorCode] ?? "nobody";
}

/** Clients choose these texts, up to the length of a whole head. */
const MAX_KEPT_LENGTH = 2_048;
/** What is read of a connection at first: an ordinary head, perhaps with requests behind it. */
const ORDINARY_HEAD_LENGTH = 8 * 1024;

/**
 * What a client sent, directly or inside a message, is a slice of its whole head. An ordinary head may be kept with it;
 * of a long one a copy lets go.
 */
function kept({ client: { head } }: Exchange, text: string): string {
  if (head.text.length <= ORDINARY_HEAD_LENGTH) return text;
  return Buffer.from(text.slice(0, MAX_KEPT_LENGTH), "utf8").toString("utf8");
}
