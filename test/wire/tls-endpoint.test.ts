import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { createServer } from "node:tls";
import { selfSigned } from "../support/certificate.ts";
import { Peer, script, startEndpoint, startRouter } from "./support.ts";

const GET = "GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n";

/** A TLS endpoint whose certificate is for `localhost`; null after the test was skipped. */
async function startTlsEndpoint(t: TestContext) {
  const pair = selfSigned(t);
  if (pair === null) return null;
  const accepted: Peer[] = [];
  const server = createServer({ cert: pair.certificate, key: pair.key }, (socket) =>
    accepted.push(new Peer(socket)),
  );
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const { socket } of accepted) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, accepted, ca: pair.certificate };
}

script("an endpoint with TLS is verified by its expected name and served like any other", async (t) => {
  const endpoint = await startTlsEndpoint(t);
  if (endpoint === null) return;
  const router = await startRouter(t, {
    config: { endpointCaCertificates: [endpoint.ca] },
    routes: [
      {
        uri: "shop.example.com",
        ports: [endpoint.port],
        endpoint: { tls: true, serverCertDomainSan: "localhost" },
      },
    ],
  });
  const client = await router.connect();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    await router.eventually(() => endpoint.accepted.length === 1);
    const [upstream] = endpoint.accepted;
    assert.match((await upstream?.message()) ?? "", /^GET \/ HTTP\/1\.1\r\n/);
    upstream?.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert.match(await client.message(), /ok$/);
  }
});

for (const { what, san, trusts, status, body } of [
  {
    what: "another name",
    san: "instance-guid",
    trusts: true,
    status: 503,
    body: "503 Service Unavailable\n",
  },
  {
    what: "an unknown authority",
    san: "localhost",
    trusts: false,
    status: 526,
    body: "526 Invalid SSL Certificate\n",
  },
]) {
  script(`an endpoint whose certificate has ${what} is ${status}`, async (t) => {
    const endpoint = await startTlsEndpoint(t);
    if (endpoint === null) return;
    const router = await startRouter(t, {
      config: { endpointCaCertificates: trusts ? [endpoint.ca] : [] },
      routes: [
        {
          uri: "shop.example.com",
          ports: [endpoint.port],
          endpoint: { tls: true, serverCertDomainSan: san },
        },
      ],
    });
    const client = await router.connect();
    client.send(GET);
    const answer = await client.message();
    assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer);
    assert.ok(answer.endsWith(`\r\n\r\n${body}`), answer);
    assert.match(answer, /X-Cf-RouterError: endpoint_failure \(x509: /);
    assert.equal(
      endpoint.accepted.some((peer) => peer.waiting !== ""),
      false,
      "nothing was sent to it",
    );
  });
}

script("an endpoint that should speak TLS and does not is 525", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: [endpoint.port], endpoint: { tls: true } }],
  });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.bytes(5);
  upstream.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  assert.match(
    await client.message(),
    /^HTTP\/1\.1 525 SSL Handshake Failed\r\n[^]*\r\n\r\n525 SSL Handshake Failed\n$/,
  );
});

script("an endpoint that never finishes its handshake is 502 after tls_handshake_timeout", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { tlsHandshakeTimeoutMs: 3_000 },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port], endpoint: { tls: true } }],
  });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.bytes(5);
  router.clock.advance(3_100);
  assert.match(await client.message(), /^HTTP\/1\.1 502 /);
  await upstream.rest();
});
