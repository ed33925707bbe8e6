import assert from "node:assert/strict";
import test from "node:test";
import type { AttemptVerdict, VerdictDetails } from "./verdict.ts";
import type { VerdictEntry } from "./verdict-ring.ts";
import { explainVerdict } from "./verdict-text.ts";

const FAILED: AttemptVerdict = {
  endpoint: "10.0.1.5:61001",
  startedAfterMs: 0,
  sentAfterMs: null,
  endedAfterMs: 2.5,
  errorCode: "endpoint_dial_failed",
  error: "dial tcp 10.0.1.5:61001: connect: connection refused",
  connectionWasReused: false,
  isHttp2: false,
  dnsMs: null,
  dialMs: null,
  tlsMs: null,
};
const ANSWERED: AttemptVerdict = {
  ...FAILED,
  endpoint: "10.0.1.6:61001",
  sentAfterMs: 3,
  endedAfterMs: 24.4,
  errorCode: "",
  error: "",
  dialMs: 0.25,
  tlsMs: 1,
};
const DETAILS: VerdictDetails = {
  method: "GET",
  host: "shop.example.com",
  path: "/cart",
  clientAddress: "10.0.0.9:51842",
  isHttp2: false,
  options: {},
  balancer: "round-robin",
  candidates: 2,
  routerError: "",
  error: "",
  attempts: [FAILED, ANSWERED],
  closedFirst: "nobody",
  requestBodyBytes: 0,
  responseBodyBytes: 2,
};
const ENTRY: VerdictEntry = {
  endedAtMs: 0,
  requestId: "",
  route: "shop.example.com",
  endpoint: "10.0.1.6:61001",
  attempts: 2,
  status: 200,
  errorCode: "",
  durationMs: 25.2,
  details: DETAILS,
};
const ASKED = "client 10.0.0.9:51842 asked for GET shop.example.com/cart";
const MATCHED = "route shop.example.com matched (round-robin, 2 endpoints)";
const FIRST =
  "attempt 1 at 10.0.1.5:61001: nothing sent, failed at 2.50 ms with endpoint_dial_failed: dial tcp 10.0.1.5:61001: connect: connection refused";

const cases: { name: string; entry: VerdictEntry; want: readonly string[] }[] = [
  {
    name: "an exchange that went well has two sentences",
    entry: { ...ENTRY, details: null },
    want: ["route shop.example.com matched", "10.0.1.6:61001 answered 200 after 25 ms"],
  },
  {
    name: "one that was tried again tells of each attempt with its times",
    entry: ENTRY,
    want: [
      ASKED,
      MATCHED,
      FIRST,
      "attempt 2 at 10.0.1.6:61001: connected in 0.25 ms, TLS in 1.00 ms, request sent at 3.00 ms, answered by 24 ms",
      "client got the answer of 10.0.1.6:61001: 200 after 25 ms",
    ],
  },
  {
    name: "HTTP/2 is said of either side that spoke it",
    entry: {
      ...ENTRY,
      details: { ...DETAILS, isHttp2: true, attempts: [{ ...ANSWERED, isHttp2: true }] },
    },
    want: [
      `${ASKED} over HTTP/2`,
      MATCHED,
      "attempt 1 at 10.0.1.6:61001: over HTTP/2, connected in 0.25 ms, TLS in 1.00 ms, request sent at 3.00 ms, answered by 24 ms",
      "client got the answer of 10.0.1.6:61001: 200 after 25 ms",
    ],
  },
  {
    name: "an error of the router gives the status, the reason and the router error",
    entry: {
      ...ENTRY,
      status: 502,
      errorCode: FAILED.errorCode,
      details: {
        ...DETAILS,
        attempts: [FAILED],
        error: FAILED.error,
        routerError: `endpoint_failure (${FAILED.error})`,
      },
    },
    want: [
      ASKED,
      MATCHED,
      FIRST,
      `client got 502 from the router after 25 ms: ${FAILED.error} (X-Cf-RouterError: endpoint_failure (${FAILED.error}))`,
    ],
  },
  {
    name: "a broken answer tells who closed first",
    entry: {
      ...ENTRY,
      errorCode: "endpoint_closed",
      details: { ...DETAILS, attempts: [ANSWERED], error: "EOF", closedFirst: "endpoint" },
    },
    want: [
      ASKED,
      MATCHED,
      "attempt 1 at 10.0.1.6:61001: connected in 0.25 ms, TLS in 1.00 ms, request sent at 3.00 ms, answered by 24 ms",
      "the endpoint closed its connection first",
      "client got the answer of 10.0.1.6:61001: 200 after 25 ms, broken off: EOF",
    ],
  },
  {
    name: "what is no request says so",
    entry: {
      ...ENTRY,
      route: "",
      status: 400,
      errorCode: "bad_request",
      details: { ...DETAILS, method: "", attempts: [], error: "no method", candidates: 0 },
    },
    want: [
      "client 10.0.0.9:51842 sent what is no request",
      "no route was looked up or matched",
      "client got 400 from the router after 25 ms: no method",
    ],
  },
];

for (const { name, entry, want } of cases) {
  test(name, () => assert.deepEqual(explainVerdict(entry), want));
}
