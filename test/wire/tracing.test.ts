/** Trace headers on their way through, and what a client may not do with them. */
import assert from "node:assert/strict";
import type { RouterConfig } from "../../src/router/index.ts";
import { script, startEndpoint, startRouter } from "./support.ts";
import type { TestContext } from "node:test";

const TRACE = "80f198ee56343ba864fe8b2a57d3eff7";
const SPAN = "e457b5a2e4d86bd1";
const REQUEST_ID = "80f198ee-5634-3ba8-64fe-8b2a57d3eff7";

async function exchange(t: TestContext, config: Partial<RouterConfig>, lines: readonly string[]) {
  const endpoint = await startEndpoint(t);
  const under = await startRouter(t, {
    config,
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await under.connect();
  client.send(["GET / HTTP/1.1", "Host: shop.example.com", ...lines, "", ""].join("\r\n"));
  const app = await endpoint.accept();
  const request = await app.message();
  app.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const answer = await client.message();
  const sent = request.split("\r\n").filter((line) => /^(x-b3|b3|trace)/i.test(line));
  return { request, answer, sent, under, port: endpoint.port };
}

const idIn = (text: string) => /x-vcap-request-id: (\S+)/i.exec(text)?.[1];

script("a router without tracing passes trace headers through as they are", async (t) => {
  const lines = ["b3: nonsense", "traceparent: more", "X-Vcap-Trace: "];
  const { sent, answer } = await exchange(t, {}, lines);
  assert.deepEqual(sent, ["b3: nonsense", "traceparent: more"]);
  assert.doesNotMatch(answer, /X-Vcap-Router/);
});

script("a trace that begins here is named like the request, everywhere", async (t) => {
  const { sent, request, answer, under } = await exchange(t, { tracesB3: true, tracesW3c: true }, [
    "X-B3-TraceId: alone",
    "Traceparent: broken",
    "Tracestate: a=1",
  ]);
  const id = idIn(request) ?? "";
  assert.equal(idIn(answer), id);
  const trace = id.replaceAll("-", "");
  const span = /X-B3-SpanId: ([0-9a-f]{16})/.exec(request)?.[1];
  assert.deepEqual(sent, [
    `X-B3-TraceId: ${trace}`,
    `X-B3-SpanId: ${span}`,
    `b3: ${trace}-${span}`,
    `traceparent: 00-${trace}-${span}-01`,
    `tracestate: gorouter=${span}`,
  ]);
  assert.equal(under.router.findVerdict(id)?.status, 200);
});

script("a trace that the client brought names the request", async (t) => {
  const { sent, request, answer } = await exchange(t, { tracesB3: true }, [`B3: ${TRACE}-${SPAN}-1`]);
  assert.deepEqual(sent, [`B3: ${TRACE}-${SPAN}-1`]);
  assert.deepEqual([idIn(request), idIn(answer)], [REQUEST_ID, REQUEST_ID]);
});

// Otherwise a client could leave the app without the headers it reports by (CVE-2023-34041).
script("a client cannot have trace headers removed by naming them in Connection", async (t) => {
  const { sent } = await exchange(t, { tracesB3: true, tracesW3c: true }, [
    "Connection: X-B3-TraceId, x-b3-spanid, x-b3-sampled, b3, traceparent, tracestate",
    `X-B3-TraceId: ${TRACE}`,
    `X-B3-SpanId: ${SPAN}`,
    "X-B3-Sampled: 1",
  ]);
  assert.deepEqual(sent, [
    `X-B3-TraceId: ${TRACE}`,
    `X-B3-SpanId: ${SPAN}`,
    "X-B3-Sampled: 1",
    `b3: ${TRACE}-${SPAN}-1`,
    `traceparent: 00-${TRACE}-${SPAN}-01`,
    `tracestate: gorouter=${SPAN}`,
  ]);
});

script("the next request of the connection has a trace of its own", async (t) => {
  const endpoint = await startEndpoint(t);
  const { connect } = await startRouter(t, {
    config: { tracesB3: true },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await connect();
  const ids: (string | undefined)[] = [];
  let app: Awaited<ReturnType<typeof endpoint.accept>> | undefined;
  for (let i = 0; i < 2; i++) {
    client.send("GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n");
    app ??= await endpoint.accept();
    ids.push(/X-B3-TraceId: (\S+)/.exec(await app.message())?.[1]);
    app.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    await client.message();
  }
  assert.match(ids[0] ?? "", /^[0-9a-f]{32}$/);
  assert.notEqual(ids[0], ids[1]);
});

script("who knows the trace key is told which router and endpoint served, and nobody else", async (t) => {
  const { answer, port } = await exchange(t, { traceKey: "open" }, ["X-Vcap-Trace: open"]);
  assert.match(answer, /\r\nX-Vcap-Router: 127\.0\.0\.1\r\n/);
  assert.ok(answer.includes(`\r\nX-Vcap-Backend: 127.0.0.1:${port}\r\n`));
  assert.ok(answer.includes(`\r\nX-Cf-RouteEndpoint: 127.0.0.1:${port}\r\n`));
  for (const lines of [["X-Vcap-Trace: shut"], ["X-Vcap-Trace: open", "X-Vcap-Trace: open"], []]) {
    const { answer: other } = await exchange(t, { traceKey: "open" }, lines);
    assert.doesNotMatch(other, /X-Vcap-Router|RouteEndpoint|X-Vcap-Backend/);
  }
});
