/**
 * What the router knows of one exchange when it ends: the input of the access log's formatter.
 * The exchange itself implements it, so that nothing is copied for the log; read it at once, keep nothing of it.
 *
 * Texts are as on the wire, one character per byte (latin1); "" means absent or unknown.
 * Durations are milliseconds with fractions; negative means unknown.
 */
import type { RouteOptions } from "../table/index.ts";
import type { ClosedFirst } from "./verdict.ts";

export interface AccessLogRecord {
  /** The raw Host header (or the authority of an absolute-form target), port included. */
  readonly host: string;
  /** When the first byte of the request head arrived: UNIX milliseconds, fractions to about a quarter of a microsecond. */
  readonly startedAtMs: number;
  readonly method: string;
  /** The request target as the client sent it, an absolute-form one without its authority, as Go's `RequestURI` says it. */
  readonly target: string;
  /** `HTTP/1.1`, `HTTP/1.0`, `HTTP/2.0`. */
  readonly protocol: string;
  /** Status sent to the client, 499 when the client went away first; 0 when there was none. */
  readonly status: number;
  /** Body bytes read from the client, without chunk framing. */
  readonly requestBodyBytes: number;
  /** Body bytes written to the client, without chunk framing. */
  readonly responseBodyBytes: number;
  readonly referer: string;
  readonly userAgent: string;
  /** `address:port` of the client side's peer. */
  readonly clientAddress: string;
  /** `host:port` of the endpoint that was tried last. */
  readonly endpointAddress: string;
  /** As sent to the endpoint when it came so far, else as received. */
  readonly forwardedFor: string;
  /** As sent to the endpoint when it came so far, else as received. */
  readonly forwardedProto: string;
  readonly requestId: string;
  /** From the first byte of the request head to the last byte of the response. */
  readonly responseTimeMs: number;
  /** `responseTimeMs` less the time spent waiting for endpoints. */
  readonly routerTimeMs: number;
  readonly appGuid: string;
  readonly instanceIndex: string;
  readonly instanceId: string;
  /** Value of `X-Cf-RouterError`. */
  readonly routerError: string;

  // The optional fields of `extra_access_log_fields`, all about the last attempt unless they say otherwise.
  /** Waiting for the endpoint: from handing the request over to the last byte of its answer. */
  readonly backendTimeMs: number;
  /** TCP connect; unknown when the connection was reused. */
  readonly dialTimeMs: number;
  readonly dnsTimeMs: number;
  readonly tlsTimeMs: number;
  /** Our `address:port` towards the endpoint. */
  readonly localAddress: string;
  /** Attempts without an answer, the last one too if it had none. */
  readonly failedAttempts: number;
  /** From the first byte of the request head until the last of them had failed. */
  readonly failedAttemptsTimeMs: number;

  /** A request header for `extra_headers_to_log`; several lines of one name are joined by `, `. Name in lower case. */
  requestHeader(name: string): string | undefined;
}

/** What the JSON form of the access log has besides: the facts of the verdict. */
export interface ExplainedLogRecord extends AccessLogRecord {
  /** `host/path` of the route that matched. */
  readonly routeKey: string;
  /** The client's own connection, not what it claims of the one before. */
  readonly usesTls: boolean;
  /** Of the endpoint that was tried last. */
  readonly endpointTags: Readonly<Record<string, string>>;
  /** In force for it; null without a route. */
  readonly routeOptions: RouteOptions | null;
  readonly balancer: string;
  readonly attempts: number;
  /** Of the attempts that failed. */
  readonly failedEndpoints: readonly { readonly endpoint: string; readonly errorCode: string }[];
  /** Code of the catalogued error that ended the exchange. */
  readonly errorCode: string;
  readonly closedFirst: ClosedFirst;
}
