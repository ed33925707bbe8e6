import assert from "node:assert/strict";
import test from "node:test";
import { createTracing, type TracingConfig, tracingHeadersToLog } from "./tracing.ts";

const ID = "645e4784-879d-4068-b61d-a9942fdc40c0";
const HEX = ID.replaceAll("-", "");
const TRACE = "80f198ee56343ba864fe8b2a57d3eff7";
const TRACE_ID = "80f198ee-5634-3ba8-64fe-8b2a57d3eff7";
const SPAN = "e457b5a2e4d86bd1";
const PARENT = "05e3ac9a4f6e3b90";

function start(config: Partial<TracingConfig>, given: Record<string, string> = {}) {
  const tracing = createTracing({ tracesB3: false, tracesW3c: false, w3cTenantId: "", ...config });
  assert.ok(tracing);
  const { requestId, headers, lines } = tracing.start(ID, (name) => given[name]);
  assert.equal(lines.split("\r\n").length - 1, headers.size);
  // New ids differ from run to run; what has the form of one is shown as such.
  const shown = Object.fromEntries(
    [...headers].map(([name, value]) => [
      name,
      value.replaceAll(
        /(?<![0-9a-f])(?!e457b5a2e4d86bd1|05e3ac9a4f6e3b90|0{8})[0-9a-f]{16}(?![0-9a-f])/g,
        "<span>",
      ),
    ]),
  );
  return { requestId, headers: shown };
}

test("is nothing at all when it is off", () => {
  assert.equal(createTracing({ tracesB3: false, tracesW3c: false, w3cTenantId: "" }), null);
});

const b3Cases: {
  name: string;
  given?: Record<string, string>;
  requestId?: string;
  want: Record<string, string>;
}[] = [
  {
    name: "a request without a trace begins one that is named like the request",
    want: { "x-b3-traceid": HEX, "x-b3-spanid": "<span>", b3: `${HEX}-<span>` },
  },
  {
    name: "a good b3 goes on as it is",
    given: { b3: `${TRACE}-${SPAN}-1-${PARENT}` },
    requestId: TRACE_ID,
    want: {},
  },
  {
    name: "a good b3 wins over other headers",
    given: { b3: `${TRACE}-${SPAN}`, "x-b3-traceid": "1", "x-b3-spanid": "2" },
    requestId: TRACE_ID,
    want: {},
  },
  { name: "a trace id of 64 bits names no request", given: { b3: `${SPAN}-${SPAN}` }, want: {} },
  {
    name: "a b3 that is only a decision keeps it",
    given: { b3: "0" },
    want: { "x-b3-traceid": HEX, "x-b3-spanid": "<span>", b3: `${HEX}-<span>-0` },
  },
  ...[
    "",
    "x",
    `${TRACE}`,
    `${TRACE}-${SPAN}-2`,
    `${"0".repeat(32)}-${SPAN}`,
    `${TRACE}-${SPAN}, ${TRACE}-${SPAN}`,
  ].map((b3) => ({
    name: `b3 «${b3}» is replaced by a new trace`,
    given: { b3 },
    want: { "x-b3-traceid": HEX, "x-b3-spanid": "<span>", b3: `${HEX}-<span>` },
  })),
  {
    name: "b3 is built from the separate headers",
    given: { "x-b3-traceid": TRACE.toUpperCase(), "x-b3-spanid": SPAN },
    requestId: TRACE_ID,
    want: { b3: `${TRACE}-${SPAN}` },
  },
  {
    name: "with decision and parent",
    given: {
      "x-b3-traceid": TRACE,
      "x-b3-spanid": SPAN,
      "x-b3-sampled": "true",
      "x-b3-parentspanid": PARENT,
    },
    requestId: TRACE_ID,
    want: { b3: `${TRACE}-${SPAN}-1-${PARENT}` },
  },
  {
    name: "debug is a decision of its own",
    given: { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-flags": "1", "x-b3-sampled": "0" },
    requestId: TRACE_ID,
    want: { b3: `${TRACE}-${SPAN}-d` },
  },
  {
    name: "short ids are filled up",
    given: { "x-b3-traceid": "1", "x-b3-spanid": "2" },
    want: { b3: "0000000000000001-0000000000000002" },
  },
  {
    name: "a trace id without a span id begins a new trace",
    given: { "x-b3-traceid": TRACE },
    want: { "x-b3-traceid": HEX, "x-b3-spanid": "<span>", b3: `${HEX}-<span>` },
  },
  {
    name: "separate headers that cannot be read go on as they came",
    given: { "x-b3-traceid": "no hex", "x-b3-spanid": SPAN },
    want: {},
  },
  {
    name: "so they do with a decision that is none",
    given: { "x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "perhaps" },
    want: {},
  },
];
for (const { name, given = {}, requestId = ID, want } of b3Cases) {
  test(`B3: ${name}`, () => assert.deepEqual(start({ tracesB3: true }, given), { requestId, headers: want }));
}

const w3cCases: {
  name: string;
  config?: Partial<TracingConfig>;
  given?: Record<string, string>;
  requestId?: string;
  want: Record<string, string>;
}[] = [
  {
    name: "a request without a trace begins a sampled one that is named like the request",
    want: { traceparent: `00-${HEX}-<span>-01`, tracestate: "gorouter=<span>" },
  },
  {
    name: "a good traceparent keeps its trace and its flags, and gets a new parent",
    given: { traceparent: `00-${TRACE}-${SPAN}-00`, tracestate: "congo=t61, rojo=00f" },
    requestId: TRACE_ID,
    want: { traceparent: `00-${TRACE}-<span>-00`, tracestate: "gorouter=<span>,congo=t61,rojo=00f" },
  },
  {
    name: "the own entry moves to the front, entries of other tenants stay",
    config: { w3cTenantId: "t1" },
    given: {
      traceparent: `00-${TRACE}-${SPAN}-01`,
      tracestate: "congo=1,t1@gorouter=2,t2@gorouter=3,gorouter=4",
    },
    requestId: TRACE_ID,
    want: {
      traceparent: `00-${TRACE}-<span>-01`,
      tracestate: "t1@gorouter=<span>,congo=1,t2@gorouter=3,gorouter=4",
    },
  },
  {
    name: "of 32 entries the last makes room",
    given: {
      traceparent: `00-${TRACE}-${SPAN}-01`,
      tracestate: Array.from({ length: 32 }, (_, i) => `k${i}=v`).join(","),
    },
    requestId: TRACE_ID,
    want: {
      traceparent: `00-${TRACE}-<span>-01`,
      tracestate: `gorouter=<span>,${Array.from({ length: 31 }, (_, i) => `k${i}=v`).join(",")}`,
    },
  },
  {
    name: "a later version is continued as the one we know",
    given: { traceparent: `01-${TRACE}-${SPAN}-01-more` },
    requestId: TRACE_ID,
    want: { traceparent: `00-${TRACE}-<span>-01`, tracestate: "gorouter=<span>" },
  },
  ...[
    "",
    "x",
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
  ].map((traceparent) => ({
    name: `traceparent «${traceparent}» is replaced by a new trace, and its state with it`,
    given: { traceparent, tracestate: "congo=1" },
    want: { traceparent: `00-${HEX}-<span>-01`, tracestate: "gorouter=<span>" },
  })),
  {
    name: "a trace that B3 brought is the one that begins",
    config: { tracesB3: true },
    given: { b3: `${TRACE}-${SPAN}-1` },
    requestId: TRACE_ID,
    want: { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: `gorouter=${SPAN}` },
  },
  {
    name: "a B3 trace of 64 bits is filled up",
    config: { tracesB3: true },
    given: { b3: `${SPAN}-${PARENT}` },
    want: { traceparent: `00-${"0".repeat(16)}${SPAN}-${PARENT}-01`, tracestate: `gorouter=${PARENT}` },
  },
];
for (const { name, config = {}, given = {}, requestId = ID, want } of w3cCases) {
  test(`W3C: ${name}`, () =>
    assert.deepEqual(start({ tracesW3c: true, ...config }, given), { requestId, headers: want }));
}

test("the access log shows the headers of what is on", () => {
  const config = { tracesB3: true, tracesW3c: true, w3cTenantId: "" };
  assert.deepEqual(tracingHeadersToLog({ ...config, tracesW3c: false }), [
    "X-B3-TraceId",
    "X-B3-SpanId",
    "X-B3-ParentSpanId",
    "b3",
  ]);
  assert.deepEqual(tracingHeadersToLog({ ...config, tracesB3: false }), ["traceparent", "tracestate"]);
});
