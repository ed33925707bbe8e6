import assert from "node:assert/strict";
import {
  APP,
  OWN_RESPONSE_LINES,
  requestToEndpoint,
  script,
  startEndpoint,
  startRouter,
  withoutVariables,
} from "./support.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TEXT = "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n";

script("an unknown host is 404 unknown_route, in upstream's words", async (t) => {
  const router = await startRouter(t);
  const client = await router.connect();
  client.send(
    "GET /x HTTP/1.1\r\nHost: Nobody.example.com:8080\r\nUser-Agent: curl\r\nReferer: here\r\n\r\n",
  );
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 404 Not Found\r\nCache-Control: no-cache, no-store\r\n${TEXT}X-Cf-RouterError: unknown_route\r\n` +
      `${OWN_RESPONSE_LINES}Content-Length: 75\r\n\r\n` +
      "404 Not Found: Requested route ('Nobody.example.com:8080') does not exist.\n",
  );
  assert.deepEqual(router.accessLog(), [
    'Nobody.example.com:8080 - [2026-01-01T00:00:00.000000000Z] "GET /x HTTP/1.1" 404 0 75 "here" "curl" "<address>" "-" x_forwarded_for:"-" x_forwarded_proto:"-" vcap_request_id:"<id>" response_time:<s> gorouter_time:"-" app_id:"-" app_index:"-" instance_id:"-" x_cf_routererror:"unknown_route"',
  ]);
});

script("a semicolon in the target is warned of in the access log alone, and hides no error", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send("GET /?a;b HTTP/1.1\r\nHost: shop.example.com\r\n\r\n");
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /^GET \/\?a;b HTTP/);
  upstream.send(OK);
  assert.doesNotMatch(await client.message(), /X-Cf-RouterError/i);
  client.send("GET /?a;b HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n");
  await client.message();
  assert.deepEqual(
    router.accessLog().map((line) => /x_cf_routererror:"(.*)"$/.exec(line)?.[1]),
    ["deprecated-semicolon-params", "unknown_route"],
  );
});

script("a route that exists but has no instance answers 503, never another app's page", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [
      { uri: "shop.example.com", ports: [] },
      { uri: "*.example.com", ports: [endpoint.port] },
    ],
  });
  const client = await router.connect();
  client.send("GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n");
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 503 Service Unavailable\r\nCache-Control: public,max-age=2\r\n${TEXT}X-Cf-RouterError: no_endpoints\r\n` +
      `${OWN_RESPONSE_LINES}Content-Length: 90\r\n\r\n` +
      "503 Service Unavailable: Requested route ('shop.example.com') has no available endpoints.\n",
  );
  assert.equal(endpoint.connections.length, 0);
});

script("no Host is 400 empty_host, and so is a Host that is the client's own address", async (t) => {
  const router = await startRouter(t);
  for (const request of [
    "GET / HTTP/1.0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
  ]) {
    const client = await router.connect();
    client.send(request);
    client.end();
    assert.match(
      await client.rest(),
      /^HTTP\/1\.[01] 400 Bad Request\r\nCache-Control: public,max-age=2\r\n[^]*X-Cf-RouterError: empty_host\r\n[^]*\r\n\r\n400 Bad Request: Request had empty Host header\n$/,
    );
  }
});

script("hop-by-hop headers end here, ours are overwritten, the rest passes byte for byte", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(
    "GET //a/../b%2f?x=%20&y=[1] HTTP/1.1\r\nhOsT: shop.example.com:8080\r\nConnection: close , X-Private,X-Forwarded-For\r\n" +
      "X-Private: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic x\r\n" +
      "X-Forwarded-For: 10.0.0.1\r\nx-forwarded-for: 10.0.0.2\r\nX-Forwarded-Proto: https\r\nX-Request-Start: 7\r\n" +
      "X-Vcap-Request-Id: mine\r\nX-CF-ApplicationID: fake\r\nX-CF-InstanceID: fake\r\nX-CF-InstanceIndex: 9\r\n" +
      "Upgrade: h2c\r\nTE: gzip, trailers\r\nX-Odd:\t  kept \t\r\nCookie: a=b\r\n\r\n",
  );
  const upstream = await endpoint.accept();
  assert.equal(
    withoutVariables(await upstream.message()),
    `${[
      "GET //a/../b%2f?x=%20&y=[1] HTTP/1.1",
      "hOsT: shop.example.com:8080",
      "X-Request-Start: 7",
      "X-Odd:\t  kept \t",
      "Cookie: a=b",
      "X-Forwarded-For: 10.0.0.1, 10.0.0.2, 127.0.0.1",
      "X-Forwarded-Proto: https",
      "X-Vcap-Request-Id: <id>",
      `X-CF-ApplicationID: ${APP}`,
      "X-CF-InstanceID: instance-0",
      "X-CF-InstanceIndex: 0",
      "TE: trailers",
    ].join("\r\n")}\r\n\r\n`,
  );
  upstream.send(
    "HTTP/1.1 200 Fine\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-CF-Proxy-Signature: s\r\n" +
      "Date: yesterday\r\nX-Vcap-Request-Id: theirs\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n",
  );
  assert.equal(
    await client.rest(),
    "HTTP/1.1 200 Fine\r\nDate: yesterday\r\nX-Vcap-Request-Id: theirs\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
  );
});

script("X-Forwarded-Proto is announced as the operator says", async (t) => {
  const endpoint = await startEndpoint(t);
  const routes = [{ uri: "shop.example.com", ports: [endpoint.port] }];
  for (const { config, sent, want } of [
    { config: { sanitizeForwardedProto: true }, sent: "https", want: "http" },
    { config: { forceForwardedProtoHttps: true }, sent: "http", want: "https" },
    { config: {}, sent: "wss", want: "wss" },
  ]) {
    const router = await startRouter(t, { config, routes });
    const client = await router.connect();
    client.send(`GET / HTTP/1.1\r\nHost: shop.example.com\r\nX-Forwarded-Proto: ${sent}\r\n\r\n`);
    const upstream = await endpoint.accept();
    assert.ok((await upstream.message()).includes(`\r\nX-Forwarded-Proto: ${want}\r\n`));
  }
});

script("an absolute-form target decides the host and is sent on in origin-form", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send("GET http://shop.example.com/a?b HTTP/1.1\r\nHost: other.example.com\r\nAccept: x\r\n\r\n");
  const upstream = await endpoint.accept();
  assert.equal(
    withoutVariables(await upstream.message()),
    requestToEndpoint("GET /a?b HTTP/1.1", ["Host: shop.example.com", "Accept: x"]),
  );
  upstream.send(OK);
  await client.message();
  assert.match(router.accessLog()[0] ?? "", /^shop\.example\.com - \[.*"GET \/a\?b HTTP\/1\.1" 200 /);
});

script("a refused absolute-form target is logged, and remembered, by its path alone", async (t) => {
  const router = await startRouter(t, { config: { healthcheckUserAgent: "HTTP-Monitor/1.1" } });
  const client = await router.connect();
  client.send("GET http://gone.example.com?b HTTP/1.1\r\nHost: other.example.com\r\n\r\n");
  const requestId = /X-Vcap-Request-Id: (\S+)/.exec(await client.message())?.[1] ?? "";
  assert.match(router.accessLog()[0] ?? "", /^gone\.example\.com - \[.*"GET \/\?b HTTP\/1\.1" 404 /);
  const details = router.router.findVerdict(requestId)?.details;
  assert.deepEqual([details?.host, details?.path], ["gone.example.com", "/"]);

  const monitor = await router.connect();
  monitor.send("GET http://lb.example.com/ HTTP/1.1\r\nHost: x\r\nUser-Agent: HTTP-Monitor/1.1\r\n\r\n");
  await monitor.rest();
  assert.match(router.accessLog()[1] ?? "", /^lb\.example\.com - \[.*"GET \/ HTTP\/1\.1" 200 /);
});

script("X-CF-App-Instance chooses the instance and is not passed on", async (t) => {
  const endpoints = [await startEndpoint(t), await startEndpoint(t)];
  const router = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: endpoints.map(({ port }) => port) }],
  });
  const client = await router.connect();
  const chosen = endpoints[1];
  assert.ok(chosen !== undefined);
  for (let i = 0; i < 3; i++) {
    client.send(`GET / HTTP/1.1\r\nHost: shop.example.com\r\nX-CF-App-Instance: ${APP}:1\r\n\r\n`);
    const upstream = chosen.connections[0] ?? (await chosen.accept());
    assert.doesNotMatch(await upstream.message(), /x-cf-app-instance/i);
    upstream.send(OK);
    await client.message();
  }
});

for (const { header, error, message } of [
  {
    header: "X-CF-App-Instance: nonsense",
    error: "invalid_cf_app_instance_header",
    message: "Invalid X-CF-App-Instance Header",
  },
  {
    header: `X-CF-App-Instance: ${APP}:7`,
    error: "unknown_route",
    message: `Requested instance ('7') with guid ('${APP}') does not exist for route ('shop.example.com')`,
  },
  {
    header: "X-CF-Process-Instance: nonsense",
    error: "invalid_cf_process_instance_header",
    message: "Invalid X-CF-Process-Instance Header",
  },
  {
    header: `X-CF-Process-Instance: ${APP}:0`,
    error: "unknown_route",
    message: `Requested instance ('0') with process guid ('${APP}') does not exist for route ('shop.example.com')`,
  },
  {
    header: `X-CF-Process-Instance: ${APP}`,
    error: "unknown_route",
    message: `Requested instance with process guid ('${APP}') does not exist for route ('shop.example.com')`,
  },
]) {
  script(`«${header}» is answered with 400 ${error}`, async (t) => {
    const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [1] }] });
    const client = await router.connect();
    client.send(`GET / HTTP/1.1\r\nHost: shop.example.com\r\n${header}\r\n\r\n`);
    const answer = await client.message();
    assert.ok(answer.startsWith("HTTP/1.1 400 Bad Request\r\n"), answer);
    assert.ok(answer.includes(`\r\nX-Cf-RouterError: ${error}\r\n`), answer);
    assert.ok(answer.endsWith(`\r\n\r\n400 Bad Request: ${message}\n`), answer);
  });
}

script("a route with a route service is refused, never served past its service", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [
      { uri: "shop.example.com", ports: [endpoint.port], routeServiceUrl: "https://guard.example.com" },
    ],
  });
  const client = await router.connect();
  client.send("GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n");
  assert.match(
    await client.message(),
    /^HTTP\/1\.1 502 [^]*X-Cf-RouterError: route_service_unsupported\r\n[^]*502 Bad Gateway: Support for route services is disabled\.\n$/,
  );
  assert.equal(endpoint.connections.length, 0);
});

script("an option of the route changes what the endpoint sees", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [{ uri: "shop.example.com/v2", ports: [endpoint.port], options: { "trim-path": true } }],
  });
  const client = await router.connect();
  client.send("GET /v2/cart?a=/v2 HTTP/1.1\r\nHost: shop.example.com\r\n\r\n");
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /^GET \/cart\?a=\/v2 HTTP\/1\.1\r\n/);
  upstream.send(OK);
  await client.message();
  assert.match(
    router.accessLog()[0] ?? "",
    /"GET \/v2\/cart\?a=\/v2 HTTP\/1\.1" 200/,
    "the log has what the client asked",
  );
});

script("a load balancer that asks under its user agent is told the health, before any lookup", async (t) => {
  const router = await startRouter(t, { config: { healthcheckUserAgent: "HTTP-Monitor/1.1" } });
  const client = await router.connect();
  client.send("GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: HTTP-Monitor/1.1\r\n\r\n");
  assert.equal(
    await client.rest(),
    "HTTP/1.1 200 OK\r\nCache-Control: private, max-age=0\r\nExpires: 0\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n",
  );
  assert.match(router.accessLog()[0] ?? "", /^x - \[.*"GET \/ HTTP\/1\.1" 200 0 3 "-" "HTTP-Monitor\/1\.1"/);
});
