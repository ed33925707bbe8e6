/**
 * The life of an exchange. Each phase is a file of its name; `exchange.ts` leads from one to the next.
 *
 *   accept → readHead → findRoute ──400, 404──────────► respond      every arrow may leave with a catalogued
 *                          │                               ▲         error; respond() is the only door out
 *                          ▼                               │
 *                        admit ──400, 431, 502, 503────────┤         an option may also answer here, or hold the
 *                          ▼                               │         exchange and let it go on later
 *             ┌───► pickEndpoint ──502, 503────────────────┤
 *             │            ▼                               │
 *             │         connect ──502, 525, 526…───────────┤
 *             │            ▼                               │
 *             │       sendRequest                          │
 *             │            ▼                               │
 *             └────── readResponse ──502, 504──────────────┘
 *       another attempt    ▼
 *       when it is safe  sendResponse ──connection cut, too late for an answer
 *                          ▼
 *                        record
 */
// accept.ts and read-head.ts come before there is an exchange: the listener and the connection call them.
export { findRoute } from "./find-route.ts";
export { admit } from "./admit.ts";
export { pickEndpoint } from "./pick-endpoint.ts";
export { connect } from "./connect.ts";
export { sendRequest, sendRequestBody } from "./send-request.ts";
export { readResponse } from "./read-response.ts";
export { sendResponseBody, sendResponseHead } from "./send-response.ts";
export { record } from "./record.ts";
export { respond, respondHealth, respondInstead } from "./respond.ts";
