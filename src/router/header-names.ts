/** The header names the router looks at, as numbers, and what becomes of each on its way through. */
import {
  CONNECTION,
  CONTENT_LENGTH,
  HeaderNames,
  KEEP_ALIVE,
  PROXY_CONNECTION,
  TE,
  TRAILER,
  TRANSFER_ENCODING,
  UPGRADE,
} from "../wire/http1/index.ts";

export const NAMES = new HeaderNames([
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-request-start",
  "x-vcap-request-id",
  "x-forwarded-client-cert",
  "x-cf-app-instance",
  "x-cf-process-instance",
  "x-cf-applicationid",
  "x-cf-instanceid",
  "x-cf-instanceindex",
  "x-cf-proxy-signature",
  "x-cf-proxy-metadata",
  "x-cf-forwarded-url",
  "proxy-authorization",
  "proxy-authenticate",
  "user-agent",
  "referer",
  "date",
  "idempotency-key",
  "x-idempotency-key",
  "cookie",
  "set-cookie",
  "authorization",
]);

export const X_FORWARDED_FOR = NAMES.id("x-forwarded-for");
export const X_FORWARDED_PROTO = NAMES.id("x-forwarded-proto");
export const X_REQUEST_START = NAMES.id("x-request-start");
export const X_VCAP_REQUEST_ID = NAMES.id("x-vcap-request-id");
export const X_FORWARDED_CLIENT_CERT = NAMES.id("x-forwarded-client-cert");
export const X_CF_APP_INSTANCE = NAMES.id("x-cf-app-instance");
export const X_CF_PROCESS_INSTANCE = NAMES.id("x-cf-process-instance");
export const X_CF_PROXY_SIGNATURE = NAMES.id("x-cf-proxy-signature");
export const X_CF_PROXY_METADATA = NAMES.id("x-cf-proxy-metadata");
export const X_CF_FORWARDED_URL = NAMES.id("x-cf-forwarded-url");
export const USER_AGENT = NAMES.id("user-agent");
export const REFERER = NAMES.id("referer");
export const DATE = NAMES.id("date");
export const IDEMPOTENCY_KEY = NAMES.id("idempotency-key");
export const X_IDEMPOTENCY_KEY = NAMES.id("x-idempotency-key");
export const COOKIE = NAMES.id("cookie");
export const SET_COOKIE = NAMES.id("set-cookie");
export const AUTHORIZATION = NAMES.id("authorization");

/** The line goes on unchanged. */
export const KEEP = 0;
/** The line ends here; what is needed of it is written anew. */
export const DROP = 1;
/** The builder of the head decides. */
export const LOOK = 2;

/** Per number of a request header. */
export const REQUEST_ACTIONS = actions(
  [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    X_VCAP_REQUEST_ID,
    X_CF_APP_INSTANCE,
    X_CF_PROCESS_INSTANCE,
    NAMES.id("x-cf-applicationid"),
    NAMES.id("x-cf-instanceid"),
    NAMES.id("x-cf-instanceindex"),
    NAMES.id("proxy-authorization"),
    NAMES.id("proxy-authenticate"),
  ],
  [
    CONTENT_LENGTH,
    TE,
    TRAILER,
    X_FORWARDED_FOR,
    X_FORWARDED_PROTO,
    X_REQUEST_START,
    X_FORWARDED_CLIENT_CERT,
    X_CF_PROXY_SIGNATURE,
    X_CF_PROXY_METADATA,
    X_CF_FORWARDED_URL,
  ],
);

/** Per number of a response header. */
export const RESPONSE_ACTIONS = actions(
  [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    X_CF_PROXY_SIGNATURE,
    NAMES.id("proxy-authenticate"),
  ],
  [CONTENT_LENGTH, TRAILER, X_VCAP_REQUEST_ID, DATE, SET_COOKIE],
);

function actions(drop: readonly number[], look: readonly number[]): Uint8Array {
  const table = new Uint8Array(NAMES.size);
  for (const id of drop) table[id] = DROP;
  for (const id of look) table[id] = LOOK;
  return table;
}
