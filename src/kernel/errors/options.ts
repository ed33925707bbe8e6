/** How options of a route end an exchange, and what is wrong with options of an operator's own. */
import { defineError } from "./define.ts";

// === the route's own limits ===

export const responseTimeout = defineError<{ endpoint: string; afterMs: number }>({
  code: "response_timeout",
  source: "upstream",
  retry: "never",
  status: 504,
  explain: (d) => `${d.endpoint} did not begin its answer within the ${d.afterMs} ms that the route allows`,
});
export const exchangeIdle = defineError<{ afterMs: number }>({
  code: "exchange_idle",
  source: "upstream",
  retry: "never",
  status: 504,
  explain: (d) => `no byte moved for ${d.afterMs} ms, which is all that the route allows`,
});
/** A client sees it only when the endpoint that was left to be asked went away meanwhile. */
export const endpointAnsweredFailure = defineError<{ endpoint: string; answered: number }>({
  code: "endpoint_answered_failure",
  source: "upstream",
  retry: "never",
  status: 502,
  explain: (d) => `${d.endpoint} answered ${d.answered}, for which the route asks another endpoint`,
});

// === what a route does not let in ===

export const clientNotAllowed = defineError<{ host: string; client: string }>({
  code: "client_not_allowed",
  source: "client",
  retry: "never",
  status: 403,
  routerError: "client_not_allowed",
  explain: (d) => `Requested route ('${d.host}') does not let clients at ${d.client} in.`,
});
export const routeInMaintenance = defineError<{ host: string }>({
  code: "route_in_maintenance",
  source: "router",
  retry: "never",
  status: 503,
  routerError: "route_in_maintenance",
  explain: (d) => `Requested route ('${d.host}') is in maintenance.`,
});
export const rateLimitExceeded = defineError<{ host: string; rate: string }>({
  code: "rate_limit_exceeded",
  source: "client",
  retry: "never",
  status: 429,
  routerError: "rate_limit_exceeded",
  explain: (d) => `Requested route ('${d.host}') takes no more than ${d.rate} from one client.`,
});
export const requestBodyTooLarge = defineError<{ limitBytes: number }>({
  code: "request_body_too_large",
  source: "client",
  retry: "never",
  status: 413,
  routerError: "request_body_too_large",
  explain: (d) => `The route takes no request body of more than ${d.limitBytes} bytes.`,
});
export const concurrencyLimitReached = defineError<{ host: string }>({
  code: "concurrency_limit_reached",
  source: "router",
  retry: "never",
  status: 503,
  routerError: "concurrency_limit_reached",
  explain: (d) => `Requested route ('${d.host}') has reached its limit of requests at the same time.`,
});
export const queueWaitTooLong = defineError<{ host: string; afterMs: number }>({
  code: "queue_wait_too_long",
  source: "router",
  retry: "never",
  status: 503,
  routerError: "queue_wait_too_long",
  explain: (d) => `Requested route ('${d.host}') had no room for this request within ${d.afterMs} ms.`,
});

// === options of an operator's own ===

export const optionFolderUnreadable = defineError<{ folder: string; reason: string }>({
  code: "option_folder_unreadable",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `options.folder ${d.folder} cannot be read: ${d.reason}; name a folder with option files, or leave it empty`,
});
export const optionFileInvalid = defineError<{ file: string; reason: string }>({
  code: "option_file_invalid",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) => `${d.file} gives no route option: ${d.reason}`,
});
