/** What a route answers in its app's place: to whom it is closed, who comes too often, and what is too large. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { systemClock } from "../../src/kernel/index.ts";
import { createMetricsPage, FeedCounts, type RouterConfig } from "../../src/router/index.ts";
import type { RouteOptions } from "../../src/table/index.ts";
import { ask as askHttp2, openSession, startHttp2Endpoint, startHttp2Router } from "./http2-support.ts";
import {
  OWN_RESPONSE_LINES,
  requestToEndpoint,
  type RouterUnderTest,
  script,
  startEndpoint,
  startRouter,
  withoutVariables,
} from "./support.ts";

const URI = "shop.example.com";
const HOST = `Host: ${URI}\r\n`;
const GET = `GET /a?b=1 HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async function start(t: TestContext, options: RouteOptions, config: Partial<RouterConfig> = {}) {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { config, routes: [{ uri: URI, ports: [endpoint.port], options }] });
  return { endpoint, router, client: await router.connect() };
}

/** What an error of the router looks like, without its status line. */
const errorAnswer = (routerError: string, added: string, body: string) =>
  `Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\nX-Cf-RouterError: ${routerError}\r\n` +
  `${added}${OWN_RESPONSE_LINES}Content-Length: ${body.length}\r\n\r\n${body}`;

function refusedBy({ router }: RouterUnderTest, option: string): string | undefined {
  const page = createMetricsPage({
    counters: router.counters,
    exchanges: router.metrics,
    table: { size: 0 },
    feeds: new FeedCounts(0),
    clock: systemClock,
  });
  const line = `refused_requests{option="${option}"} `;
  return page()
    .split("\n")
    .find((each) => each.startsWith(line))
    ?.slice(line.length);
}

// === allowed-ranges ===

script(
  "a client elsewhere gets 403, and the one that the PROXY protocol announces is the client",
  async (t) => {
    const { endpoint, router, client } = await start(
      t,
      { "allowed-ranges": "203.0.113.0/24, 2001:db8::/32" },
      { acceptsProxyHeader: true },
    );
    const from = async (header: string) => {
      const peer = await router.connect();
      peer.send(header + GET);
      return peer;
    };
    client.send(GET);
    const body =
      "403 Forbidden: Requested route ('shop.example.com') does not let clients at 127.0.0.1 in.\n";
    assert.equal(
      withoutVariables(await client.message()),
      `HTTP/1.1 403 Forbidden\r\n${errorAnswer("client_not_allowed", "", body)}`,
    );
    // What a client says of itself is not believed.
    client.send(`GET / HTTP/1.1\r\n${HOST}X-Forwarded-For: 203.0.113.9\r\n\r\n`);
    assert.match(await client.message(), /^HTTP\/1\.1 403 /);
    const office = await from("PROXY TCP4 203.0.113.9 10.0.0.1 51842 80\r\n");
    const upstream = await endpoint.accept();
    await upstream.until("\r\n\r\n");
    upstream.send(OK);
    assert.match(await office.message(), /^HTTP\/1\.1 200 /);
    const home = await from("PROXY TCP6 2001:db8:1::9 ::1 51842 80\r\n");
    await upstream.until("\r\n\r\n");
    upstream.send(OK);
    assert.match(await home.message(), /^HTTP\/1\.1 200 /);
    const elsewhere = await from("PROXY TCP6 2001:db9::9 ::1 51842 80\r\n");
    assert.match(await elsewhere.message(), /^HTTP\/1\.1 403 [^]*clients at 2001:db9::9 in\.\n$/);
    assert.equal(refusedBy(router, "allowed-ranges"), "3");
    assert.match(
      router.accessLog()[0] ?? "",
      /"GET \/a\?b=1 HTTP\/1\.1" 403 0 \d+ .*x_cf_routererror:"client_not_allowed"/,
    );
  },
);

script("who may not come in does not learn whether the app runs", async (t) => {
  const router = await startRouter(t, {
    routes: [
      { uri: URI, ports: [], options: { "allowed-ranges": "203.0.113.0/24" } },
      { uri: `${URI}/open`, ports: [], options: { "allowed-ranges": "127.0.0.0/8" } },
    ],
  });
  const client = await router.connect();
  client.send(GET);
  assert.match(await client.message(), /^HTTP\/1\.1 403 /);
  client.send(`GET /open HTTP/1.1\r\n${HOST}\r\n`);
  assert.match(await client.message(), /^HTTP\/1\.1 503 [^]*X-Cf-RouterError: no_endpoints\r\n/);
});

// === https-redirect and hsts ===

script("a request by http is sent to https, and the connection goes on", async (t) => {
  const { endpoint, client, router } = await start(t, { "https-redirect": 308, hsts: "30d" });
  client.send(`POST /a?b=1 HTTP/1.1\r\nHost: ${URI}:8080\r\nContent-Length: 5\r\n\r\nhello`);
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 308 Permanent Redirect\r\nLocation: https://${URI}/a?b=1\r\n${OWN_RESPONSE_LINES}Content-Length: 0\r\n\r\n`,
  );
  client.send(`GET http://${URI}/absolute HTTP/1.1\r\nHost: other.example.com\r\n\r\n`);
  assert.match(await client.message(), new RegExp(`\r\nLocation: https://${URI}/absolute\r\n`));
  assert.equal(endpoint.connections.length, 0);
  assert.match(router.accessLog()[0] ?? "", /"POST \/a\?b=1 HTTP\/1\.1" 308 0 0 /);
});

script("where https has another port, it leads there", async (t) => {
  const { client } = await start(t, { "https-redirect": 301 }, { optionLimits: { httpsPort: 8443 } });
  client.send(`GET /a HTTP/1.1\r\n${HOST}\r\n`);
  assert.match(await client.message(), new RegExp(`\r\nLocation: https://${URI}:8443/a\r\n`));
});

for (const { name, config, proto, isHttps } of [
  { name: "a load balancer's word is taken", config: {}, proto: "https", isHttps: true },
  { name: "the first of several schemes counts", config: {}, proto: "HTTPS, http", isHttps: true },
  { name: "its word for http is taken too", config: {}, proto: "http", isHttps: false },
  { name: "what is no scheme is none", config: {}, proto: "httpsx", isHttps: false },
  {
    name: "with sanitize_forwarded_proto nobody's word is taken",
    config: { sanitizeForwardedProto: true },
    proto: "https",
    isHttps: false,
  },
  {
    name: "with force_forwarded_proto_https all is https",
    config: { forceForwardedProtoHttps: true },
    proto: "http",
    isHttps: true,
  },
]) {
  script(`https is what the app is told: ${name}`, async (t) => {
    const { endpoint, client } = await start(t, { "https-redirect": 301, hsts: "30d, subdomains" }, config);
    client.send(`GET / HTTP/1.1\r\n${HOST}X-Forwarded-Proto: ${proto}\r\n\r\n`);
    if (!isHttps) {
      const answer = await client.message();
      assert.match(answer, /^HTTP\/1\.1 301 /);
      assert.doesNotMatch(answer, /Strict-Transport-Security/i);
      return;
    }
    const upstream = await endpoint.accept();
    await upstream.until("\r\n\r\n");
    upstream.send("HTTP/1.1 200 OK\r\nstrict-transport-security: max-age=1\r\nContent-Length: 2\r\n\r\nok");
    assert.equal(
      withoutVariables(await client.message()),
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nStrict-Transport-Security: max-age=2592000; includeSubDomains\r\n${OWN_RESPONSE_LINES}\r\nok`,
    );
  });
}

script(
  "by TLS of the router's own, HTTP/2 as well, nobody is sent away and errors say hsts too",
  async (t) => {
    const endpoint = await startHttp2Endpoint(t, (stream) => {
      stream.respond({ ":status": 200, "strict-transport-security": "max-age=1" });
      stream.end("ok");
    });
    const router = await startHttp2Router(t, {
      routes: [
        {
          uri: URI,
          ports: [endpoint.port],
          endpoint: { protocol: "http2" },
          options: { "https-redirect": 308, hsts: "30d", "rate-limit": "1/m" },
        },
      ],
    });
    if (router === null) return;
    const session = openSession(t, router);
    const { headers } = await askHttp2(session);
    assert.deepEqual([headers[":status"], headers["strict-transport-security"]], [200, "max-age=2592000"]);
    const refused = await askHttp2(session);
    assert.deepEqual(
      [":status", "strict-transport-security", "retry-after"].map((name) => refused.headers[name]),
      [429, "max-age=2592000", "60"],
    );
  },
);

// === maintenance ===

script("a route in maintenance is closed whether or not its app runs; health checks go on", async (t) => {
  const options = { maintenance: "30m" };
  const { endpoint, router, client } = await start(t, options, { healthcheckUserAgent: "HTTP-Monitor/1.1" });
  const body = "503 Service Unavailable: Requested route ('shop.example.com') is in maintenance.\n";
  client.send(GET);
  const closed = `HTTP/1.1 503 Service Unavailable\r\n${errorAnswer("route_in_maintenance", "Retry-After: 1800\r\n", body)}`;
  assert.equal(withoutVariables(await client.message()), closed);
  router.map({ uri: URI, ports: [], options });
  router.unmap({ uri: URI, ports: [endpoint.port] });
  client.send(GET);
  assert.equal(withoutVariables(await client.message()), closed);
  client.send(`GET / HTTP/1.1\r\n${HOST}User-Agent: HTTP-Monitor/1.1\r\n\r\n`);
  assert.match(await client.message(), /^HTTP\/1\.1 200 OK\r\n/);
  assert.equal(endpoint.connections.length, 0);
  assert.equal(refusedBy(router, "maintenance"), "2");
});

script(
  "who knows the password reaches the app, which does not see it; the page is the operator's",
  async (t) => {
    const { endpoint, client, router } = await start(
      t,
      { maintenance: "2h, bypass X-Preview: fig-42" },
      { errorPage: ({ status, message }) => `<h1>${status}</h1><p>${message}</p>` },
    );
    client.send(`GET / HTTP/1.1\r\n${HOST}X-Preview: fig-41\r\n\r\n`);
    assert.match(
      await client.message(),
      /^HTTP\/1\.1 503 [^]*text\/html[^]*Retry-After: 7200\r\n[^]*<h1>503<\/h1><p>Requested route \('shop\.example\.com'\) is in maintenance\.<\/p>$/,
    );
    client.send(`GET / HTTP/1.1\r\n${HOST}x-preview: fig-42\r\n\r\n`);
    const upstream = await endpoint.accept();
    assert.equal(
      withoutVariables(await upstream.until("\r\n\r\n")),
      requestToEndpoint("GET / HTTP/1.1", [`Host: ${URI}`]),
    );
    upstream.send(OK);
    assert.match(await client.message(), /^HTTP\/1\.1 200 /);
    // Taken off, the route is open at once.
    router.map({ uri: URI, ports: [endpoint.port] });
    client.send(GET);
    await upstream.until("\r\n\r\n");
  },
);

// === rate-limit ===

script(
  "a client that asks too often is told what it may, and by whom it is counted is the header",
  async (t) => {
    const { endpoint, client, router } = await start(t, { "rate-limit": "60/m, burst 2, by X-Api-Key" });
    const request = (key: string) => `GET / HTTP/1.1\r\n${HOST}X-Api-Key: ${key}\r\n\r\n`;
    client.send(request("one"));
    const upstream = await endpoint.accept();
    const limit = (left: number, seconds: number) =>
      `RateLimit-Policy: "rate-limit";q=60;w=60\r\nRateLimit: "rate-limit";r=${left};t=${seconds}\r\n`;
    for (const { key, left, seconds } of [
      { key: "one", left: 1, seconds: 1 },
      { key: "one", left: 0, seconds: 2 },
      { key: "two", left: 1, seconds: 1 },
    ]) {
      if (left !== 1 || key !== "one") client.send(request(key));
      await upstream.until("\r\n\r\n");
      upstream.send(OK);
      assert.equal(
        withoutVariables(await client.message()),
        `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${limit(left, seconds)}${OWN_RESPONSE_LINES}\r\nok`,
      );
    }
    client.send(request("one"));
    const body =
      "429 Too Many Requests: Requested route ('shop.example.com') takes no more than 60 requests per minute from one client.\n";
    assert.equal(
      withoutVariables(await client.message()),
      `HTTP/1.1 429 Too Many Requests\r\n${errorAnswer("rate_limit_exceeded", `${limit(0, 2)}Retry-After: 1\r\n`, body)}`,
    );
    assert.equal(refusedBy(router, "rate-limit"), "1");
    // Neither another endpoint nor another rule gives back what was used.
    router.map({
      uri: URI,
      ports: [endpoint.port],
      options: { "rate-limit": "60/m, burst 1, by X-Api-Key" },
    });
    client.send(request("one"));
    assert.match(await client.message(), /^HTTP\/1\.1 429 /);
    router.clock.advance(2_000);
    client.send(request("one"));
    await upstream.until("\r\n\r\n");
  },
);

// === max-body ===

script("a body that says it is too long is refused before the app hears of it", async (t) => {
  const { endpoint, client, router } = await start(t, { "max-body": "10B" });
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 11\r\n\r\nhello world`);
  const body = "413 Content Too Large: The route takes no request body of more than 10 bytes.\n";
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 413 Content Too Large\r\n${errorAnswer("request_body_too_large", "", body)}`,
  );
  assert.equal(endpoint.connections.length, 0);
  // The rest of it was read and thrown away, so that the connection goes on.
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nhelloworld`);
  const upstream = await endpoint.accept();
  assert.match(await upstream.until("helloworld"), /^POST /);
  upstream.send(OK);
  assert.match(await client.message(), /^HTTP\/1\.1 200 /);
  assert.equal(refusedBy(router, "max-body"), "1");
});

script("a body that says twice how long it is does not get past the limit", async (t) => {
  const { endpoint, client } = await start(t, { "max-body": "10B" });
  const length = "Content-Length: 11\r\n";
  client.send(`POST / HTTP/1.1\r\n${HOST}${length}${length}\r\nhello world`);
  assert.match(await client.message(), /^HTTP\/1\.1 413 /);
  assert.equal(endpoint.connections.length, 0);
});

script("who waits for a yes before a long body gets the no instead", async (t) => {
  const { client } = await start(t, { "max-body": "10B" });
  client.send(`PUT / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n`);
  const answer = await client.rest();
  assert.match(answer, /^HTTP\/1\.1 413 [^]*\r\nConnection: close\r\n/);
});

script(
  "a body without a length is cut off where it becomes too long: 413 if nothing was answered",
  async (t) => {
    const { endpoint, client, router } = await start(t, { "max-body": "10B" });
    client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n`);
    const upstream = await endpoint.accept();
    await upstream.until("6\r\nhello \r\n");
    client.send("4\r\nwor!\r\n");
    await upstream.until("4\r\nwor!\r\n");
    client.send("1\r\nx\r\n0\r\n\r\n");
    assert.equal(await upstream.rest(), "", "no last chunk: the app must not take it for the whole");
    assert.match(await client.rest(), /^HTTP\/1\.1 413 Content Too Large\r\n[^]*\r\nConnection: close\r\n/);
    assert.match(router.accessLog()[0] ?? "", /"POST \/ HTTP\/1\.1" 413 /);
    assert.equal(router.router.counters.activeExchanges, 0);
  },
);

script("a client that is being answered already is cut off when its body becomes too long", async (t) => {
  const { endpoint, client, router } = await start(t, { "max-body": "10B" });
  client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n`);
  const upstream = await endpoint.accept();
  await upstream.until("hi\r\n");
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun");
  await client.until("begun");
  client.send(`${(20).toString(16)}\r\n${"x".repeat(20)}\r\n`);
  assert.equal(await client.rest(), "");
  assert.equal(await upstream.rest(), "");
  assert.equal(router.router.metrics.failures.get("request_body_too_large"), 1);
});

script("a body of exactly the limit passes, in chunks and by HTTP/2 with and without a length", async (t) => {
  const { endpoint, client } = await start(t, { "max-body": "10B" });
  client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\na\r\nhelloworld\r\n0\r\n\r\n`);
  const upstream = await endpoint.accept();
  await upstream.until("0\r\n\r\n");
  upstream.send(OK);
  assert.match(await client.message(), /^HTTP\/1\.1 200 /);

  const http2 = await startHttp2Endpoint(t, (stream) => {
    stream.resume().on("end", () => {
      // A request that was cut off has an end too.
      if (stream.destroyed) return;
      stream.respond({ ":status": 200 });
      stream.end("ok");
    });
  });
  const router = await startHttp2Router(t, {
    routes: [
      { uri: URI, ports: [http2.port], endpoint: { protocol: "http2" }, options: { "max-body": "10B" } },
    ],
  });
  if (router === null) return;
  const session = openSession(t, router);
  const post = async (body: string, headers = {}) =>
    (await askHttp2(session, { ":method": "POST", ...headers }, body)).headers[":status"];
  assert.equal(await post("helloworld"), 200);
  assert.equal(await post("helloworld", { "content-length": 10 }), 200);
  assert.equal(await post("helloworld!", { "content-length": 11 }), 413);
  assert.equal(await post("helloworld!"), 413);
  assert.equal(await post("helloworld"), 200, "the session goes on");
});
