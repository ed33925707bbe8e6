/** The options say «http2»: the same rules hold for clients and endpoints that speak it. */
import assert from "node:assert/strict";
import type { RouteOptions } from "../../src/table/index.ts";
import { ask, HOST, openSession, startHttp2Endpoint, startHttp2Router } from "./http2-support.ts";
import { script, startEndpoint } from "./support.ts";

const HTTP2 = { protocol: "http2" } as const;

script("headers, paths and cookies are edited between a client and an endpoint of HTTP/2", async (t) => {
  let seen: Record<string, unknown> = {};
  const endpoint = await startHttp2Endpoint(t, (stream, headers) => {
    seen = headers;
    stream.respond({ ":status": 302, location: "/login", "set-cookie": ["sid=1; Path=/"], server: "x" });
    stream.end();
  });
  const options: RouteOptions = {
    "trim-path": true,
    "request-headers": "set X-Tenant: acme; remove X-Debug",
    "response-headers": "remove Server; set X-Frame-Options: DENY",
  };
  const router = await startHttp2Router(t, {
    routes: [{ uri: `${HOST}/v2`, ports: [endpoint.port], endpoint: HTTP2, options }],
  });
  if (router === null) return;
  const { headers } = await ask(openSession(t, router), {
    ":path": "/v2/carts?page=2",
    "x-tenant": "evil",
    "x-debug": "1",
  });
  assert.deepEqual(
    [":path", "x-tenant", "x-debug", "x-forwarded-prefix"].map((name) => seen[name]),
    ["/carts?page=2", "acme", undefined, "/v2"],
  );
  assert.deepEqual(
    [":status", "location", "set-cookie", "server", "x-frame-options"].map((name) => headers[name]),
    [302, "/v2/login", ["sid=1; Path=/v2"], undefined, "DENY"],
  );
});

script(
  "an answer of HTTP/2 that does not begin in time is 504, and the client's session goes on",
  async (t) => {
    let asked = 0;
    const endpoint = await startHttp2Endpoint(t, (stream) => {
      if (++asked === 1) return;
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
    const router = await startHttp2Router(t, {
      routes: [{ uri: HOST, ports: [endpoint.port], endpoint: HTTP2, options: { "response-timeout": "2s" } }],
    });
    if (router === null) return;
    const session = openSession(t, router);
    const late = ask(session);
    await router.eventually(() => asked === 1);
    router.clock.advance(2_100);
    assert.equal((await late).headers[":status"], 504);
    const { headers, body } = await ask(session);
    assert.deepEqual([headers[":status"], body], [200, "ok"]);
  },
);

script("a 503 of an endpoint of HTTP/2 is replaced by the answer of another one", async (t) => {
  const failing = await startHttp2Endpoint(t, (stream) => {
    stream.respond({ ":status": 503 });
    stream.end("later");
  });
  const good = await startHttp2Endpoint(t, (stream) => {
    stream.respond({ ":status": 200 });
    stream.end("ok");
  });
  const options = { "retry-on": "503" };
  const router = await startHttp2Router(t, {
    routes: [{ uri: HOST, ports: [failing.port, good.port], endpoint: HTTP2, options }],
  });
  if (router === null) return;
  const session = openSession(t, router);
  for (let i = 0; i < 4; i++) assert.equal((await ask(session)).body, "ok");
  assert.ok(router.router.counters.retries > 0);
});

script(
  "a connection for HTTP/2 that is not made in time is given up by the request that waits for it",
  async (t) => {
    const silent = await startEndpoint(t);
    const router = await startHttp2Router(t, {
      config: { endpointDialTimeoutMs: 60_000, tlsHandshakeTimeoutMs: 60_000 },
      routes: [
        {
          uri: HOST,
          ports: [silent.port],
          endpoint: { ...HTTP2, tls: true, serverCertDomainSan: "instance" },
          options: { "connect-timeout": "1s" },
        },
      ],
    });
    if (router === null) return;
    const answer = ask(openSession(t, router));
    await (await silent.accept()).bytes(1);
    router.clock.advance(900);
    assert.equal(router.router.counters.activeExchanges, 1);
    router.clock.advance(200);
    const { headers } = await answer;
    assert.equal(headers[":status"], 502);
    assert.match(String(headers["x-cf-routererror"]), /dial tcp 127\.0\.0\.1:\d+: i\/o timeout/);
  },
);
