/** Clients that speak HTTP/2, in front of endpoints that speak HTTP/1.1. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { needs } from "../support/needs.ts";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { DEFAULT_HTTP2_LIMITS } from "../../src/wire/http2/index.ts";
import {
  ask,
  END_HEADERS,
  END_STREAM,
  frame,
  HEADERS,
  HOST,
  openRaw,
  openSession,
  requestOf,
  startHttp2Router,
} from "./http2-support.ts";
import { APP, type Peer, requestToEndpoint, script, startEndpoint, withoutVariables } from "./support.ts";
import type { TestContext } from "node:test";
import type { RouterConfig } from "../../src/router/index.ts";
import type { RouteOptions } from "../../src/table/index.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A router with one endpoint that does what the script says, and a session; null after the test was skipped. */
async function start(
  t: TestContext,
  given: { readonly config?: Partial<RouterConfig>; readonly options?: RouteOptions } = {},
) {
  const endpoint = await startEndpoint(t);
  const router = await startHttp2Router(t, {
    config: given.config ?? {},
    routes: [{ uri: HOST, ports: [endpoint.port], options: given.options ?? {} }],
  });
  return router === null ? null : { endpoint, router, session: openSession(t, router) };
}

script(
  "a request of HTTP/2 reaches the endpoint as one of HTTP/1.1, and its answer comes back",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { endpoint, router, session } = started;
    const asked = ask(session, { ":path": "/a?b=c", cookie: ["a=1", "b=2"], "user-agent": "script/1" });
    const upstream = await endpoint.accept();
    assert.equal(
      withoutVariables(await upstream.message()),
      requestToEndpoint("GET /a?b=c HTTP/1.1", [
        `Host: ${HOST}`,
        "cookie: a=1; b=2",
        "user-agent: script/1",
      ]).replace("X-Forwarded-Proto: http\r\n", "X-Forwarded-Proto: https\r\n"),
    );
    upstream.send(
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Own: yes\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\n\r\nok",
    );
    const answer = await asked;
    assert.equal(answer.body, "ok");
    const id = String(answer.headers["x-vcap-request-id"]);
    assert.deepEqual(Object.entries(answer.headers), [
      [":status", 200],
      ["content-length", "2"],
      ["x-own", "yes"],
      ["x-vcap-request-id", id],
      ["date", "Thu, 01 Jan 2026 00:00:00 GMT"],
    ]);
    assert.match(
      router.accessLog()[0] ?? "",
      /"GET \/a\?b=c HTTP\/2\.0" 200 0 2 "-" "script\/1" .* x_forwarded_proto:"https"/,
    );
    assert.equal(router.router.findVerdict(id)?.status, 200);
  },
);

script(
  "of many requests that came together few are answered in a turn, all in the end, and others between",
  async (t) => {
    const router = await startHttp2Router(t);
    if (router === null) return;
    const [flood, other] = [await openRaw(t, router), await openRaw(t, router)];
    const { counters } = router.router;
    const count = 1_000;
    const request = requestOf("/");
    flood.send(
      ...Array.from({ length: count }, (_, i) =>
        frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i, request),
      ),
    );
    await router.eventually(() => counters.requests > 0);
    other.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, request));
    let most = 0;
    let last = counters.requests;
    await router.eventually(() => {
      most = Math.max(most, counters.requests - last);
      last = counters.requests;
      return other.of(HEADERS).length > 0;
    });
    assert.ok(last < count + 1, "the other one's answer came before the flood was over");
    // A turn brings a read and, behind it, the turn of what waits; one more may be the other one's.
    const { maxHeadsAtOnce } = DEFAULT_HTTP2_LIMITS;
    assert.ok(most <= 2 * maxHeadsAtOnce + 1, `${most} in one turn`);
    await router.eventually(() => flood.of(HEADERS).length === count);
    assert.equal(counters.requests, count + 1);
  },
);

script("streams of one session go to the endpoint at once, and their answers in any order", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { endpoint, router, session } = started;
  const asked = ["/1", "/2", "/3"].map((path) => ask(session, { ":path": path }));
  const upstreams = [await endpoint.accept(), await endpoint.accept(), await endpoint.accept()];
  const paths = await Promise.all(
    upstreams.map(async (upstream) => / (\/\d) /.exec(await upstream.message())?.[1] ?? ""),
  );
  const { activeConnections, activeHttp2Connections, http2Requests } = router.router.counters;
  assert.deepEqual([activeConnections, activeHttp2Connections, http2Requests], [1, 1, 3]);
  for (const [i, upstream] of upstreams.entries()) {
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${paths[i]}`);
  }
  assert.deepEqual(
    (await Promise.all(asked)).map(({ body }) => body),
    ["/1", "/2", "/3"],
  );
});

for (const { name, headers, body, sent, isLast } of [
  {
    name: "a body of a length keeps it",
    headers: { "content-length": "5" },
    body: "hello",
    sent: /\r\ncontent-length: 5\r\n/i,
    isLast: "\r\n\r\nhello",
  },
  {
    name: "a body without a length is chunked",
    headers: {},
    body: "hello",
    sent: /\r\nTransfer-Encoding: chunked\r\n/,
    isLast: "5\r\nhello\r\n0\r\n\r\n",
  },
  {
    name: "no body is none",
    headers: { ":method": "DELETE" },
    body: null,
    sent: /^DELETE \/ HTTP\/1\.1\r\n(?![^]*(content-length|transfer-encoding))/i,
    isLast: "\r\n\r\n",
  },
] as const) {
  script(`towards an endpoint of HTTP/1.1 ${name}`, async (t) => {
    const started = await start(t);
    if (started === null) return;
    const asked = ask(started.session, { ":method": "POST", ...headers }, body);
    const upstream = await started.endpoint.accept();
    assert.match(await upstream.until(isLast), sent);
    upstream.send(OK);
    assert.equal((await asked).body, "ok");
  });
}

for (const { name, method, sent, want } of [
  {
    name: "a chunked answer has its data and its trailers",
    method: "GET",
    sent: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n",
    want: { status: 200, body: "abcde", length: undefined, sum: "1" },
  },
  {
    name: "an answer to HEAD keeps its length and has no body",
    method: "HEAD",
    sent: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
    want: { status: 200, body: "", length: "9", sum: undefined },
  },
  {
    name: "a 204 ends with its head",
    method: "GET",
    sent: "HTTP/1.1 204 No Content\r\n\r\n",
    want: { status: 204, body: "", length: undefined, sum: undefined },
  },
  {
    name: "a 304 keeps the length of what it does not send",
    method: "GET",
    sent: "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    want: { status: 304, body: "", length: "7", sum: undefined },
  },
  {
    name: "an empty body of a length is empty",
    method: "GET",
    sent: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    want: { status: 200, body: "", length: "0", sum: undefined },
  },
] as const) {
  script(`towards a client of HTTP/2 ${name}`, async (t) => {
    const started = await start(t);
    if (started === null) return;
    const asked = ask(started.session, { ":method": method });
    const upstream = await started.endpoint.accept();
    await upstream.message();
    upstream.send(sent);
    const { headers, body, trailers } = await asked;
    assert.deepEqual(
      { status: headers[":status"], body, length: headers["content-length"], sum: trailers["x-sum"] },
      want,
    );
    assert.equal(headers["transfer-encoding"], undefined);
  });
}

script("a body that the endpoint ends by closing is ended by the stream", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const asked = ask(started.session);
  const upstream = await started.endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 200 OK\r\n\r\nall of it");
  upstream.end();
  assert.equal((await asked).body, "all of it");
});

script("trailers of the client reach the endpoint", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const stream = started.session.request(
    { ":authority": HOST, ":method": "POST", trailer: "x-sum", te: "trailers" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "7" }));
  stream.end("abc");
  const upstream = await started.endpoint.accept();
  const request = await upstream.until("\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n");
  assert.match(request, /\r\nTE: trailers\r\n/);
  upstream.send(OK);
  stream.resume();
  await once(stream, "close");
  assert.equal(stream.rstCode, 0);
});

script("interim answers are relayed, and a body that waits for 100 is asked for", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const stream = started.session.request({
    ":authority": HOST,
    ":method": "PUT",
    expect: "100-continue",
    "content-length": "4",
  });
  const interim: number[] = [];
  stream.on("headers", (headers) => interim.push(Number(headers[":status"])));
  stream.on("continue", () => stream.end("body"));
  const upstream = await started.endpoint.accept();
  assert.match(await upstream.until("\r\n\r\n"), /\r\nexpect: 100-continue\r\n/);
  upstream.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
  await upstream.until("body");
  upstream.send(OK);
  const [headers] = await once(stream, "response");
  assert.equal(headers[":status"], 200);
  assert.deepEqual(interim, [103, 100]);
  stream.resume();
  await once(stream, "close");
});

script(
  "an early answer to a body that is still coming stops the body, and the session goes on",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { router, session } = started;
    const stream = session.request({ ":authority": "unknown.example.com", ":method": "POST" });
    stream.write("part of it");
    const [headers] = await once(stream, "response");
    assert.equal(headers[":status"], 404);
    stream.resume();
    await once(stream, "close");
    assert.equal((await ask(session, { ":authority": "other.example.com" })).headers[":status"], 404);
    assert.equal(router.router.counters.activeConnections, 1);
  },
);

for (const { name, headers, config, status, routerError } of [
  {
    name: "an unknown route",
    headers: { ":authority": "no.example.com" },
    status: 404,
    routerError: "unknown_route",
  },
  {
    name: "too large a head",
    headers: { "x-large": "x".repeat(2_000) },
    config: { maxRequestHeadBytes: 1_000 },
    status: 431,
    routerError: "max-request-size-exceeded",
  },
  {
    name: "an instance header that is none",
    headers: { "x-cf-app-instance": "nonsense" },
    status: 400,
    routerError: "invalid_cf_app_instance_header",
  },
  {
    name: "an instance that is not there",
    headers: { "x-cf-app-instance": `${APP}:9` },
    status: 400,
    routerError: "unknown_route",
  },
] as const) {
  script(`${name} is answered as in HTTP/1.1, and the session goes on`, async (t) => {
    const started = await start(t, "config" in { config } && config !== undefined ? { config } : {});
    if (started === null) return;
    const { headers: answered } = await ask(started.session, headers);
    assert.equal(answered[":status"], status);
    assert.equal(answered["x-cf-routererror"], routerError);
    assert.equal(answered["connection"], undefined);
    assert.equal((await ask(started.session, { ":authority": "no.example.com" })).headers[":status"], 404);
  });
}

script("a load balancer that asks by its user agent is told of the router's health", async (t) => {
  const started = await start(t, { config: { healthcheckUserAgent: "HTTP-Monitor/1.1" } });
  if (started === null) return;
  const answer = await ask(started.session, { "user-agent": "HTTP-Monitor/1.1" });
  assert.deepEqual([answer.headers[":status"], answer.body], [200, "ok\n"]);
});

script("a session's cookie makes it sticky", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const asked = ask(started.session, { ":path": "/login" });
  const upstream = await started.endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 200 OK\r\nSet-Cookie: JSESSIONID=1\r\nContent-Length: 0\r\n\r\n");
  assert.deepEqual((await asked).headers["set-cookie"], [
    "JSESSIONID=1",
    "__VCAP_ID__=instance-0; Path=/; HttpOnly",
  ]);
});

script("an option of the route works as for HTTP/1.1", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startHttp2Router(t, {
    routes: [{ uri: `${HOST}/v2`, ports: [endpoint.port], options: { "trim-path": true } }],
  });
  if (router === null) return;
  const asked = ask(openSession(t, router), { ":path": "/v2/cart" });
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /^GET \/cart HTTP\/1\.1\r\n/);
  upstream.send(OK);
  await asked;
});

script("a stream that the client resets cancels its exchange only", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { endpoint, router, session } = started;
  const doomed = session.request({ ":authority": HOST, ":path": "/doomed" });
  const upstream = await endpoint.accept();
  await upstream.message();
  const kept = ask(session, { ":path": "/kept" });
  const other = await endpoint.accept();
  await other.message();
  doomed.close(8);
  assert.equal(await upstream.rest(), "");
  other.send(OK);
  assert.equal((await kept).body, "ok");
  assert.match(router.accessLog().join("\n"), /"GET \/doomed HTTP\/2\.0" 499 0 0 /);
  assert.equal(
    router.log.some(({ message }) => message === "backend-endpoint-failed"),
    false,
  );
});

script("a session that breaks cancels all its exchanges", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { endpoint, router, session } = started;
  for (const path of ["/1", "/2"])
    session.request({ ":authority": HOST, ":path": path }).on("error", () => {});
  const upstreams = [await endpoint.accept(), await endpoint.accept()];
  for (const upstream of upstreams) await upstream.message();
  session.socket.destroy();
  for (const upstream of upstreams) assert.equal(await upstream.rest(), "");
  await router.eventually(() => router.router.counters.activeConnections === 0);
  assert.equal(router.accessLog().filter((line) => / 499 0 0 /.test(line)).length, 2);
});

script(
  "an answer that breaks off in the middle resets its stream, so that nobody takes it for the whole",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const asked = ask(started.session);
    const upstream = await started.endpoint.accept();
    await upstream.message();
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    await started.router.eventually(() => started.router.router.counters.attempts === 1);
    upstream.socket.destroy();
    await assert.rejects(asked, /NGHTTP2_INTERNAL_ERROR/);
  },
);

script("large bodies pass both ways, through windows much smaller than they are", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const body = Buffer.alloc(3 * 1024 * 1024, "0123456789abcdef").toString("latin1");
  const asked = ask(started.session, { ":method": "PUT", "content-length": String(body.length) }, body);
  const upstream = await started.endpoint.accept();
  assert.ok((await upstream.message()).endsWith(`\r\n\r\n${body}`));
  upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  assert.ok((await asked).body === body);
});

script("an endpoint that does not read stops the client, whose bytes do not pile up", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { endpoint, router } = started;
  // What waits in the client counts as its session's memory, in MB.
  const session = openSession(t, router, { maxSessionMemory: 1_000 });
  const stream = session.request({ ":authority": HOST, ":method": "PUT" });
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  upstream.socket.pause();
  const piece = Buffer.alloc(64 * 1024);
  const total = 64 * 1024 * 1024;
  for (let sent = 0; sent < total; sent += piece.length) stream.write(piece);
  stream.end();
  // Windows, and the buffers of two sockets: far less than what the client has to say.
  const isStuck = await settles(router, () => session.socket.bytesWritten - session.socket.writableLength);
  assert.ok(isStuck < 32 * 1024 * 1024, `${isStuck} bytes were taken`);
  // Another stream of the same session goes on.
  const other = ask(session, { ":path": "/other" });
  const second = await endpoint.accept();
  await second.message();
  second.send(OK);
  assert.equal((await other).body, "ok");
  let tail = "";
  upstream.socket.removeAllListeners("data").resume();
  upstream.socket.on("data", (chunk: Buffer) => {
    tail = (tail + chunk.toString("latin1", Math.max(0, chunk.length - 7))).slice(-7);
  });
  await router.eventually(() => tail === "\r\n0\r\n\r\n");
  upstream.send(OK);
  stream.resume();
  await once(stream, "close");
});

script("a client that does not read stops the endpoint, whose bytes do not pile up", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { endpoint, session, router } = started;
  const stream = session.request({ ":authority": HOST, ":path": "/large" });
  stream.pause();
  const upstream = await endpoint.accept();
  await upstream.message();
  const total = 64 * 1024 * 1024;
  upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
  upstream.send(Buffer.alloc(total));
  const stuckAt = await settles(router, () => upstream.socket.bytesWritten - upstream.socket.writableLength);
  assert.ok(stuckAt < 32 * 1024 * 1024, `${stuckAt} bytes were taken`);
  const other = ask(session, { ":path": "/other" });
  const second = await endpoint.accept();
  await second.message();
  second.send(OK);
  assert.equal((await other).body, "ok");
  let received = 0;
  stream.on("data", (chunk: Buffer) => (received += chunk.length)).resume();
  await once(stream, "close");
  assert.equal(received, total);
});

/** What a number is when nothing moves any more: the same over many turns of the event loop. */
async function settles(router: { eventually(condition: () => boolean): Promise<void> }, read: () => number) {
  let last = -1;
  let quiet = 0;
  await router.eventually(() => {
    const now = read();
    quiet = now === last ? quiet + 1 : 0;
    last = now;
    return quiet > 2_000;
  });
  return last;
}

script("HTTP/1.1 and its WebSockets are spoken on the same listener", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const socket = connectTls({
    port: started.router.router.tlsPort,
    host: "127.0.0.1",
    servername: HOST,
    ALPNProtocols: ["http/1.1"],
    rejectUnauthorized: false,
  });
  t.after(() => socket.destroy());
  socket.write(`GET /ws HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
  const upstream = await started.endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi");
  const [chunk] = (await once(socket, "data")) as [Buffer];
  assert.match(chunk.toString("latin1"), /^HTTP\/1\.1 101 [^]*hi$/);
  assert.match(socket.alpnProtocol || "", /^http\/1\.1$/);
});

script("enable_http2: false offers HTTP/1.1 only", async (t) => {
  const started = await start(t, { config: { enablesHttp2: false } });
  if (started === null) return;
  const socket = connectTls({
    port: started.router.router.tlsPort,
    host: "127.0.0.1",
    servername: HOST,
    ALPNProtocols: ["h2", "http/1.1"],
    rejectUnauthorized: false,
  });
  t.after(() => socket.destroy());
  await once(socket, "secureConnect");
  assert.equal(socket.alpnProtocol, "http/1.1");
});

script("a preface on the plain listener is a version that we do not speak there", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const client = await started.router.connect();
  client.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  client.end();
  assert.equal(await client.rest(), "HTTP/1.0 400 Bad Request\r\n\r\n");
});

script("a PROXY header before the handshake names the client", async (t) => {
  const started = await start(t, { config: { acceptsProxyHeader: true } });
  if (started === null) return;
  const { router, endpoint } = started;
  const socket = connectTcp(router.router.tlsPort, "127.0.0.1");
  socket.write("PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n");
  const secure = connectTls({ socket, servername: HOST, ALPNProtocols: ["h2"], rejectUnauthorized: false });
  const session = openSession(t, router, { createConnection: () => secure });
  const asked = ask(session);
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /\r\nX-Forwarded-For: 203\.0\.113\.9\r\n/);
  upstream.send(OK);
  await asked;
  assert.match(router.accessLog()[0] ?? "", /"203\.0\.113\.9:4711"/);
});

script("a client's certificate reaches the endpoint", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startHttp2Router(t, {
    config: { forwardedClientCert: "sanitize_set" },
    tls: { clientCertificates: "require" },
    routes: [{ uri: HOST, ports: [endpoint.port] }],
  });
  if (router === null) return;
  const { certificate, key } = router.authority.issue({ subject: "/CN=client" });
  const asked = ask(openSession(t, router, { cert: certificate, key }));
  const upstream: Peer = await endpoint.accept();
  const der = certificate.replaceAll(/-----[^-]+-----|\s/g, "");
  assert.ok((await upstream.message()).includes(`\r\nX-Forwarded-Client-Cert: ${der}\r\n`));
  upstream.send(OK);
  await asked;
});

script("curl speaks HTTP/2 with the router", async (t) => {
  const curl = needs(t, "curl");
  if (curl === null) return;
  const started = await start(t);
  if (started === null) return;
  const { endpoint, router } = started;
  const url = `https://${HOST}:${router.router.tlsPort}/from-curl`;
  const flags = ["--http2", "-sk", "--resolve", `${HOST}:${router.router.tlsPort}:127.0.0.1`];
  const asked = promisify(execFile)(curl, [...flags, "-w", " %{http_version}", url]);
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /^GET \/from-curl HTTP\/1\.1\r\n/);
  upstream.send(OK);
  assert.equal((await asked).stdout, "ok 2");
});

script(
  "what a session needed for many streams at once is let go when it is idle, and it goes on",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { router, session, endpoint } = started;
    const refused = await Promise.all(
      Array.from({ length: 20 }, () => ask(session, { ":authority": "no.example.com" })),
    );
    assert.ok(refused.every(({ headers }) => headers[":status"] === 404));
    router.clock.advance(2_000);
    const asked = ask(session);
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send(OK);
    assert.equal((await asked).body, "ok");
  },
);
