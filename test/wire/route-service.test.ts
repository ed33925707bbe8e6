/**
 * Route services over the wire: a router, an HTTPS server in the place of the service, an endpoint, and what each of
 * them says and sees.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { createServer } from "node:tls";
import * as fc from "fast-check";
import type { RouterConfig } from "../../src/router/index.ts";
import { selfSigned } from "../support/certificate.ts";
import {
  deadPort,
  type EndpointPeer,
  Peer,
  type RouterUnderTest,
  script,
  startEndpoint,
  startRouter,
  withoutVariables,
} from "./support.ts";

const HOST = "shop.example.com";
const GET = `GET /carts?page=2 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SECRET = "secret of the foundation";
const MINUTE_MS = 60_000;

interface Service {
  /** `https://localhost:PORT/check?by=service` */
  readonly url: string;
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
  readonly connections: Peer[];
  accept(): Promise<Peer>;
  /** With it, the service's certificate is trusted and its network allowed. */
  readonly config: Partial<RouterConfig>;
}

/** An HTTPS server that does nothing by itself; null after the test was skipped. */
async function startService(
  t: TestContext,
  given: { readonly certifiedNames?: string | undefined; readonly demandsCertificate?: boolean } = {},
): Promise<Service | null> {
  const pair = selfSigned(t, given.certifiedNames);
  if (pair === null) return null;
  const connections: Peer[] = [];
  const waiting: Peer[] = [];
  let wake: () => void = () => {};
  const demands = { requestCert: true, rejectUnauthorized: true, ca: pair.certificate };
  const identity = { cert: pair.certificate, key: pair.key };
  const server = createServer({ ...identity, ...(given.demandsCertificate && demands) }, (socket) => {
    const peer = new Peer(socket);
    connections.push(peer);
    waiting.push(peer);
    wake();
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const { socket } of connections) socket.destroy();
  });
  const authority = `localhost:${(server.address() as AddressInfo).port}`;
  return {
    url: `https://${authority}/check?by=service`,
    authority,
    certificate: pair.certificate,
    key: pair.key,
    connections,
    async accept() {
      for (;;) {
        const peer = waiting.shift();
        if (peer !== undefined) return peer;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    config: {
      routeServicesSecret: SECRET,
      routeServicesAllowedNetworks: ["127.0.0.0/8"],
      endpointCaCertificates: [pair.certificate],
    },
  };
}

interface Stage {
  readonly service: Service;
  readonly endpoint: EndpointPeer;
  readonly router: RouterUnderTest;
}

/** shop.example.com with one endpoint and the service in front of it. */
async function stage(t: TestContext, config: Partial<RouterConfig> = {}): Promise<Stage | null> {
  const service = await startService(t);
  if (service === null) return null;
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { ...service.config, ...config },
    routes: [{ uri: HOST, ports: [endpoint.port], routeServiceUrl: service.url }],
  });
  return { service, endpoint, router };
}

/** The three headers as the service got them, each with its CRLF. */
function signedLines(request: string): string {
  const lines = request.split("\r\n").filter((line) => /^X-CF-(Forwarded|Proxy)-/i.test(line));
  assert.equal(lines.length, 3, request);
  return lines.map((line) => `${line}\r\n`).join("");
}

/** What the service of a request gets along, for use in another one. */
async function obtainSignature({ router, service }: Pick<Stage, "router" | "service">): Promise<string> {
  const client = await router.connect();
  client.send(GET);
  const peer = await service.accept();
  const lines = signedLines(await peer.message());
  peer.send(OK);
  await client.message();
  return lines;
}

async function ask(router: RouterUnderTest, request: string): Promise<string> {
  const client = await router.connect();
  client.send(request);
  return client.message();
}

const back = (lines: string, host = HOST) => `GET /carts HTTP/1.1\r\nHost: ${host}\r\n${lines}\r\n`;
const bodyOf = (answer: string) => answer.slice(answer.indexOf("\r\n\r\n") + 4);

script(
  "a request goes to the service, comes back changed, and reaches the endpoint without a trace",
  async (t) => {
    const parts = await stage(t);
    if (parts === null) return;
    const { router, service, endpoint } = parts;
    const client = await router.connect();
    client.send(
      `POST /carts?page=2 HTTP/1.1\r\nHost: ${HOST}:8080\r\nX-CF-Forwarded-Url: http://forged/\r\n` +
        "X-CF-Proxy-Metadata: forged\r\nContent-Length: 5\r\n\r\nhello",
    );
    const atService = await service.accept();
    const request = await atService.message();
    const lines = signedLines(request);
    assert.equal(
      withoutVariables(request.replace(lines, "<signed>\r\n")),
      `POST /check?by=service HTTP/1.1\r\nHost: ${service.authority}\r\nContent-Length: 5\r\nX-Forwarded-For: 127.0.0.1\r\n` +
        "X-Forwarded-Proto: http\r\nX-Request-Start: 1767225600000\r\nX-Vcap-Request-Id: <id>\r\n<signed>\r\n\r\nhello",
    );
    // No port: that is where the load balancer listens, not this router.
    assert.match(lines, /^X-CF-Forwarded-Url: http:\/\/shop\.example\.com\/carts\?page=2\r\n/);

    const returning = await router.connect();
    returning.send(
      `POST /carts?page=3 HTTP/1.1\r\nHost: ${HOST}\r\nX-Forwarded-Proto: gopher\r\nX-Checked: yes\r\n${lines}` +
        "Content-Length: 6\r\n\r\nHELLO!",
    );
    const atEndpoint = await endpoint.accept();
    assert.equal(
      withoutVariables(await atEndpoint.message()),
      `POST /carts?page=3 HTTP/1.1\r\nHost: ${HOST}\r\nX-Checked: yes\r\nContent-Length: 6\r\nX-Forwarded-For: 127.0.0.1\r\n` +
        "X-Forwarded-Proto: gopher\r\nX-Request-Start: 1767225600000\r\nX-Vcap-Request-Id: <id>\r\n" +
        "X-CF-ApplicationID: 11111111-2222-3333-4444-555555555555\r\nX-CF-InstanceID: instance-0\r\n" +
        "X-CF-InstanceIndex: 0\r\n\r\nHELLO!",
    );
    atEndpoint.send(OK);
    assert.match(await returning.message(), /^HTTP\/1\.1 200 OK\r\n/);
    atService.send("HTTP/1.1 201 Created\r\nX-CF-Proxy-Signature: leaked\r\nContent-Length: 4\r\n\r\ndone");
    const answer = await client.message();
    assert.match(answer, /^HTTP\/1\.1 201 Created\r\n[^]*done$/);
    assert.doesNotMatch(answer, /proxy-signature/i);
    assert.equal(
      router.log.some(({ message }) => message === "route-service-response"),
      false,
    );
  },
);

script("a service that answers itself is relayed and logged, and the endpoint hears nothing", async (t) => {
  const parts = await stage(t);
  if (parts === null) return;
  const { router, service, endpoint } = parts;
  const client = await router.connect();
  // The client may not have the signature removed by naming it.
  client.send(GET.replace("\r\n\r\n", "\r\nConnection: X-CF-Proxy-Signature\r\n\r\n"));
  const peer = await service.accept();
  signedLines(await peer.message());
  peer.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
  assert.match(await client.message(), /^HTTP\/1\.1 401 Unauthorized\r\n[^]*no$/);
  const noted = router.log.find(({ message }) => message === "route-service-response");
  assert.equal(noted?.["route-service-endpoint"], service.url);
  assert.equal(noted?.["status-code"], 401);
  assert.equal(router.router.counters.fromRouteServices.responses4xx, 1);
  assert.equal(endpoint.connections.length, 0);
  assert.match(router.accessLog()[0] ?? "", /^shop\.example\.com - .* 401 .* app_id:"-"/);
});

script("connections to a service are kept, and bodies of any length stream both ways", async (t) => {
  const parts = await stage(t);
  if (parts === null) return;
  const { router, service } = parts;
  const client = await router.connect();
  client.send(GET);
  const peer = await service.accept();
  await peer.message();
  peer.send(OK);
  await client.message();

  client.send(`PUT / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n`);
  await peer.until("5\r\nfirst\r\n");
  peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n");
  await client.until("3\r\none\r\n");
  client.send("6\r\nsecond\r\n0\r\n\r\n");
  await peer.until("6\r\nsecond\r\n0\r\n\r\n");
  peer.send("3\r\ntwo\r\n0\r\n\r\n");
  await client.until("3\r\ntwo\r\n0\r\n\r\n");
  assert.equal(service.connections.length, 1);
});

script("a service that never answers is 502 after endpoint_timeout", async (t) => {
  const parts = await stage(t, { endpointTimeoutMs: 5_000 });
  if (parts === null) return;
  const { router, service } = parts;
  const client = await router.connect();
  client.send(GET);
  const peer = await service.accept();
  await peer.message();
  router.clock.advance(5_100);
  assert.match(
    await client.message(),
    /^HTTP\/1\.1 502 [^]*X-Cf-RouterError: endpoint_failure \(context deadline exceeded\)/,
  );
  await peer.rest();
});

script("a client that leaves ends the request to the service too", async (t) => {
  const parts = await stage(t);
  if (parts === null) return;
  const { router, service } = parts;
  const client = await router.connect();
  client.send(GET);
  const peer = await service.accept();
  await peer.message();
  client.reset();
  await peer.rest();
  await router.eventually(() => router.router.counters.activeExchanges === 0);
  assert.match(router.accessLog()[0] ?? "", / 499 /);
});

// === coming back ===

for (const { strict, header } of [
  { strict: false, header: null },
  { strict: true, header: "expired_route_service_signature" },
]) {
  script(
    `a signature is good for route_services_timeout and then 504${strict ? ", named when strict" : ""}`,
    async (t) => {
      const parts = await stage(t, { routeServicesStrictSignatures: strict });
      if (parts === null) return;
      const { router, endpoint } = parts;
      const lines = await obtainSignature(parts);
      router.clock.advance(MINUTE_MS);
      const client = await router.connect();
      client.send(back(lines));
      const upstream = await endpoint.accept();
      await upstream.message();
      upstream.send(OK);
      await client.message();

      router.clock.advance(1);
      client.send(back(lines));
      const answer = await client.message();
      assert.match(answer, /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
      assert.equal(/X-Cf-RouterError: (.*)\r\n/.exec(answer)?.[1] ?? null, header);
      assert.equal(
        bodyOf(answer),
        "504 Gateway Timeout: Failed to validate Route Service Signature: Route service request expired\n",
      );
      assert.equal(upstream.waiting, "");
    },
  );
}

for (const { name, change, reason } of [
  {
    name: "without its metadata",
    change: (lines: string) => lines.replace(/X-CF-Proxy-Metadata.*\r\n/, ""),
    reason: "No metadata found",
  },
  {
    name: "made up",
    change: (lines: string) => lines.replace(/Signature: .*/, "Signature: Zm9yZ2Vk"),
    reason: "the signature is not base64url",
  },
  {
    name: "with one letter changed",
    change: (lines: string) =>
      lines.replace(/Signature: (.)/, (_, first) => `Signature: ${first === "A" ? "B" : "A"}`),
    reason: "the signature was not made with the secret of this router",
  },
  {
    name: "sent twice",
    change: (lines: string) => lines + lines,
    reason: "the metadata is not base64url",
  },
]) {
  script(`a signature ${name} is 502 and never reaches the endpoint`, async (t) => {
    const parts = await stage(t);
    if (parts === null) return;
    const answer = await ask(parts.router, back(change(await obtainSignature(parts))));
    assert.match(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
    assert.doesNotMatch(answer, /X-Cf-RouterError/);
    assert.equal(bodyOf(answer), `502 Bad Gateway: Failed to validate Route Service Signature: ${reason}\n`);
    assert.equal(parts.endpoint.connections.length, 0);
  });
}

script("a signature opens only the route that it was made for, in any spelling of its host", async (t) => {
  const parts = await stage(t);
  if (parts === null) return;
  const { router, service, endpoint } = parts;
  router.map({ uri: "bank.example.com", ports: [endpoint.port], routeServiceUrl: service.url });
  router.map({ uri: `${HOST}/admin`, ports: [endpoint.port], routeServiceUrl: service.url });
  const lines = await obtainSignature(parts);
  for (const request of [
    back(lines, "bank.example.com"),
    back(lines).replace("/carts", "/admin"),
    back(lines).replace("/carts", "http://bank.example.com/"),
  ]) {
    const answer = await ask(router, request);
    assert.match(answer, /^HTTP\/1\.1 502 [^]*: the signature is for another route\n$/);
  }
  assert.equal(endpoint.connections.length, 0);

  const client = await router.connect();
  client.send(back(lines, "SHOP.example.com:443"));
  assert.match(await (await endpoint.accept()).message(), /^GET \/carts /);
});

script(
  "while the secret is changed, routers with the old and the new one understand each other",
  async (t) => {
    const service = await startService(t);
    const endpoint = await startEndpoint(t);
    if (service === null) return;
    const routes = [{ uri: HOST, ports: [endpoint.port], routeServiceUrl: service.url }];
    const start = (routeServicesSecret: string, routeServicesSecretDecryptOnly: string) =>
      startRouter(t, {
        config: { ...service.config, routeServicesSecret, routeServicesSecretDecryptOnly },
        routes,
      });
    const before = await start("old", "new");
    const after = await start("new", "old");
    const done = await start("new", "");
    const signedBefore = await obtainSignature({ router: before, service });
    const signedAfter = await obtainSignature({ router: after, service });
    for (const { router, lines } of [
      { router: after, lines: signedBefore },
      { router: before, lines: signedAfter },
      { router: done, lines: signedAfter },
    ]) {
      const client = await router.connect();
      client.send(back(lines));
      const upstream = await endpoint.accept();
      await upstream.message();
      upstream.send(OK);
      assert.match(await client.message(), /^HTTP\/1\.1 200 /);
    }
    assert.match(await ask(done, back(signedBefore)), /^HTTP\/1\.1 502 /);
  },
);

script("a route without endpoints still goes to its service; only the way back is 503", async (t) => {
  const service = await startService(t);
  if (service === null) return;
  const router = await startRouter(t, {
    config: service.config,
    routes: [{ uri: HOST, ports: [], routeServiceUrl: service.url }],
  });
  const answer = await ask(router, back(await obtainSignature({ router, service })));
  assert.match(answer, /^HTTP\/1\.1 503 [^]*Retry-After: 1\r\n/);
  assert.match(answer, /X-Cf-RouterError: no_endpoints\r\n/);
});

script("hostile signatures are refused with a status of the table, whatever they hold", async (t) => {
  const parts = await stage(t);
  if (parts === null) return;
  const client = await parts.router.connect();
  // What a header value may hold: visible characters and bytes from 0x80.
  const unit = fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x7f);
  const value = fc
    .array(unit, { minLength: 1, maxLength: 200 })
    .map((codes) => String.fromCharCode(...codes));
  await fc.assert(
    fc.asyncProperty(value, value, async (signature, metadata) => {
      client.send(back(`X-CF-Proxy-Signature: ${signature}\r\nX-CF-Proxy-Metadata: ${metadata}\r\n`));
      assert.match(
        await client.message(),
        /^HTTP\/1\.1 502 [^]*Failed to validate Route Service Signature: /,
      );
    }),
  );
  assert.equal(parts.endpoint.connections.length + parts.service.connections.length, 0);
});

// === what is not offered ===

script("without a secret a route with a service is 502, and nobody is called", async (t) => {
  const parts = await stage(t, { routeServicesSecret: "" });
  if (parts === null) return;
  const answer = await ask(parts.router, GET);
  assert.match(answer, /^HTTP\/1\.1 502 [^]*X-Cf-RouterError: route_service_unsupported\r\n/);
  assert.equal(bodyOf(answer), "502 Bad Gateway: Support for route services is disabled.\n");
  assert.equal(parts.endpoint.connections.length + parts.service.connections.length, 0);
});

script("a WebSocket to a route with a service is 503", async (t) => {
  const parts = await stage(t);
  if (parts === null) return;
  const answer = await ask(
    parts.router,
    GET.replace("\r\n\r\n", "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
  );
  assert.match(answer, /^HTTP\/1\.1 503 [^]*X-Cf-RouterError: route_service_unsupported\r\n/);
  assert.equal(
    bodyOf(answer),
    "503 Service Unavailable: Websocket requests are not supported for routes bound to Route Services.\n",
  );
  assert.equal(parts.endpoint.connections.length + parts.service.connections.length, 0);
});

script("a service whose URL cannot be used is 500", async (t) => {
  const router = await startRouter(t, {
    config: { routeServicesSecret: SECRET },
    routes: [{ uri: HOST, ports: [], routeServiceUrl: "https://a b/" }],
  });
  assert.equal(bodyOf(await ask(router, GET)), "500 Internal Server Error: Route service request failed.\n");
});

script("an instance that does not exist is refused before the service is asked", async (t) => {
  const parts = await stage(t);
  if (parts === null) return;
  const instance = "X-CF-App-Instance: 99999999-2222-3333-4444-555555555555:0";
  const answer = await ask(parts.router, GET.replace("\r\n\r\n", `\r\n${instance}\r\n\r\n`));
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.equal(parts.service.connections.length, 0);
});

// === routes without a service ===

script(
  "route-service headers pass to routes without a service, because the app there may be one",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, {
      config: { routeServicesSecret: SECRET },
      routes: [{ uri: HOST, ports: [endpoint.port] }],
    });
    const client = await router.connect();
    client.send(
      back("X-CF-Forwarded-Url: http://a/\r\nX-CF-Proxy-Signature: b\r\nX-CF-Proxy-Metadata: c\r\n"),
    );
    const request = await (await endpoint.accept()).message();
    assert.match(
      request,
      /\r\nX-CF-Forwarded-Url: http:\/\/a\/\r\nX-CF-Proxy-Signature: b\r\nX-CF-Proxy-Metadata: c\r\n/,
    );
  },
);

script("strict validation refuses a forged or old signature on a route without a service", async (t) => {
  const parts = await stage(t, { routeServicesStrictSignatures: true });
  if (parts === null) return;
  const { router, endpoint } = parts;
  router.map({ uri: "plain.example.com", ports: [endpoint.port] });
  const lines = await obtainSignature(parts);

  const forged = await ask(router, back("X-CF-Proxy-Signature: b\r\n", "plain.example.com"));
  assert.match(forged, /^HTTP\/1\.1 400 [^]*X-Cf-RouterError: invalid_route_service_signature\r\n/);
  assert.equal(bodyOf(forged), "400 Bad Request: invalid route service signature detected\n");
  assert.equal(endpoint.connections.length, 0);

  const client = await router.connect();
  client.send(back(lines, "plain.example.com"));
  const upstream = await endpoint.accept();
  assert.equal(signedLines(await upstream.message()), lines, "a good one passes untouched");
  upstream.send(OK);
  await client.message();

  router.clock.advance(MINUTE_MS + 1);
  const old = await ask(router, back(lines, "plain.example.com"));
  assert.match(old, /^HTTP\/1\.1 504 [^]*X-Cf-RouterError: expired_route_service_signature\r\n/);
});

// === reaching the service ===

script(
  "a service in a private network is refused: the log says where it is, the client does not learn it",
  async (t) => {
    const parts = await stage(t, { routeServicesAllowedNetworks: [] });
    if (parts === null) return;
    const { router, service } = parts;
    const answer = await ask(router, GET);
    assert.match(answer, /^HTTP\/1\.1 502 [^]*localhost:\d+ is in a network that is not for route services/);
    assert.doesNotMatch(answer, /127\./);
    assert.equal(service.connections.length, 0);
    const noted = router.log.find(({ message }) => message === "route-service-connection-failed");
    assert.match(String(noted?.["error"]), /localhost is .*127\.0\.0\.1/);
  },
);

for (const { name, names, config, status } of [
  { name: "by nobody we trust", names: undefined, config: { endpointCaCertificates: [] }, status: 526 },
  { name: "for another name", names: "DNS:other.example.com", config: {}, status: 503 },
]) {
  script(`a service with a certificate ${name} gets nothing, and the client ${status}`, async (t) => {
    const service = await startService(t, { certifiedNames: names });
    if (service === null) return;
    const router = await startRouter(t, {
      config: { ...service.config, ...config },
      routes: [{ uri: HOST, ports: [], routeServiceUrl: service.url }],
    });
    assert.match(await ask(router, GET), new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.equal(
      service.connections.some(({ waiting }) => waiting !== ""),
      false,
    );
  });
}

script("a service that demands a certificate gets ours, or refuses us with 496", async (t) => {
  const service = await startService(t, { demandsCertificate: true });
  if (service === null) return;
  const start = (config: Partial<RouterConfig>) =>
    startRouter(t, {
      config: { ...service.config, ...config },
      routes: [{ uri: HOST, ports: [], routeServiceUrl: service.url }],
    });
  const ours = { routeServicesCertChain: service.certificate, routeServicesPrivateKey: service.key };
  await obtainSignature({ router: await start(ours), service });
  assert.match(await ask(await start({}), GET), /^HTTP\/1\.1 496 /);
});

script("skip_ssl_validation takes any certificate", async (t) => {
  const parts = await stage(t, { endpointCaCertificates: [], verifyEndpointCertificates: false });
  if (parts === null) return;
  await obtainSignature(parts);
});

script(
  "a service that cannot be reached is tried max_attempts times, and no endpoint instead of it",
  async (t) => {
    const parts = await stage(t, { routeServicesMaxAttempts: 2, maxAttempts: 5 });
    if (parts === null) return;
    const { router, endpoint } = parts;
    const url = `https://127.0.0.1:${await deadPort()}/`;
    router.map({ uri: HOST, ports: [endpoint.port], routeServiceUrl: url });
    const answer = await ask(router, GET);
    assert.match(answer, /^HTTP\/1\.1 502 [^]*connection refused/);
    const failures = router.log.filter(({ message }) => message === "route-service-connection-failed");
    assert.deepEqual(
      failures.map(({ attempt }) => attempt),
      [1, 2],
    );
    assert.equal(endpoint.connections.length, 0);
  },
);

// === hairpinning ===

const SERVICE = "guard.services.example.com";

interface Hairpin {
  readonly router: RouterUnderTest;
  /** Of shop.example.com. */
  readonly endpoint: EndpointPeer;
  /** Of the app that is the service. */
  readonly guard: EndpointPeer;
}

async function hairpin(t: TestContext, config: Partial<RouterConfig> = {}): Promise<Hairpin> {
  const [endpoint, guard] = [await startEndpoint(t), await startEndpoint(t)];
  const router = await startRouter(t, {
    config: {
      routeServicesSecret: SECRET,
      routeServicesHairpinning: true,
      // Whatever is not reached in the process is refused.
      routeServicesAllowedNetworks: [],
      ...config,
    },
    routes: [
      { uri: HOST, ports: [endpoint.port], routeServiceUrl: `https://${SERVICE}/check` },
      { uri: SERVICE, ports: [guard.port] },
    ],
  });
  return { router, endpoint, guard };
}

for (const allowlist of [[], ["*.Services.example.com"], [SERVICE]]) {
  script(
    `a service that is a route of ours is reached in the process, allowed by [${allowlist.join()}]`,
    async (t) => {
      const { router, endpoint, guard } = await hairpin(t, { routeServicesHairpinningAllowlist: allowlist });
      const client = await router.connect();
      client.send(GET);
      const atGuard = await guard.accept();
      const request = await atGuard.message();
      assert.match(request, new RegExp(`^GET /check HTTP/1\\.1\r\nHost: ${SERVICE}\r\n`));
      assert.match(request, /X-CF-InstanceID: instance-0\r\n/, "of the app that is the service");

      const returning = await router.connect();
      returning.send(back(signedLines(request)));
      const atEndpoint = await endpoint.accept();
      assert.doesNotMatch(await atEndpoint.message(), /X-CF-Proxy/);
      atEndpoint.send(OK);
      await returning.message();
      atGuard.send(OK);
      assert.match(await client.message(), /^HTTP\/1\.1 200 /);
    },
  );
}

script(
  "a service that is the route itself, or has a service too, is 502 and goes round no further",
  async (t) => {
    const { router, endpoint, guard } = await hairpin(t);
    router.map({ uri: HOST, ports: [endpoint.port], routeServiceUrl: `https://${HOST}/check` });
    assert.match(
      await ask(router, GET),
      /^HTTP\/1\.1 502 [^]*is the route itself, or has a route service too/,
    );

    router.map({ uri: HOST, ports: [endpoint.port], routeServiceUrl: `https://${SERVICE}/check` });
    router.map({ uri: SERVICE, ports: [guard.port], routeServiceUrl: `https://${HOST}/` });
    assert.match(
      await ask(router, GET),
      /^HTTP\/1\.1 502 [^]*is the route itself, or has a route service too/,
    );
    assert.equal(endpoint.connections.length + guard.connections.length, 0);
  },
);

script("a service of ours that is down is 503 for the service's host, never the guarded app", async (t) => {
  const { router, endpoint, guard } = await hairpin(t);
  router.unmap({ uri: SERVICE, ports: [guard.port] });
  router.map({ uri: SERVICE, ports: [] });
  const answer = await ask(router, GET);
  assert.match(answer, /^HTTP\/1\.1 503 [^]*Requested route \('guard\.services\.example\.com'\)/);
  assert.equal(endpoint.connections.length, 0);
});

script("a route that gets a service between two attempts is not tried a second time past it", async (t) => {
  const endpoints = [await startEndpoint(t), await startEndpoint(t)];
  const route = { uri: HOST, ports: endpoints.map(({ port }) => port) };
  const router = await startRouter(t, { config: { routeServicesSecret: SECRET }, routes: [route] });
  const client = await router.connect();
  client.send(GET);
  const upstream = await Promise.race(endpoints.map((endpoint) => endpoint.accept()));
  await upstream.message();
  router.map({ ...route, routeServiceUrl: `https://${SERVICE}/` });
  upstream.reset();
  assert.match(await client.message(), /^HTTP\/1\.1 502 /);
  assert.equal(endpoints.flatMap(({ connections }) => connections).length, 1);
});

script("options let a request in once: what its service hands back needs no second place", async (t) => {
  const service = await startService(t);
  if (service === null) return;
  const endpoint = await startEndpoint(t);
  const route = {
    uri: HOST,
    ports: [endpoint.port],
    routeServiceUrl: service.url,
    options: { "concurrency-limit": "1", "rate-limit": "2/h" },
  };
  const router = await startRouter(t, { config: service.config, routes: [route] });
  const client = await router.connect();
  const through = async () => {
    client.send(GET);
    const peer = await service.accept();
    return { peer, lines: signedLines(await peer.message()) };
  };
  const first = await through();
  assert.match(await ask(router, GET), /X-Cf-RouterError: concurrency_limit_reached\r\n/);
  const returning = await router.connect();
  returning.send(back(first.lines));
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send(OK);
  assert.doesNotMatch(await returning.message(), /RateLimit/);
  first.peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
  await client.message();
  // Nor when the app is gone meanwhile.
  router.map({ ...route, ports: [] });
  router.unmap(route);
  assert.match(await ask(router, back(first.lines)), /X-Cf-RouterError: no_endpoints\r\n/);
  assert.match(await ask(router, GET), /X-Cf-RouterError: rate_limit_exceeded\r\n/);
});
