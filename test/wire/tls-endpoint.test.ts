/** Endpoints with TLS: each way a handshake can fail, what the client is told, and whether the endpoint stays. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createServer, type TlsOptions } from "node:tls";
import { type Authority, createAuthority } from "../support/authority.ts";
import { needs } from "../support/needs.ts";
import { ask, openSession, startHttp2Router } from "./http2-support.ts";
import { deadPort, Peer, type RouterUnderTest, script, startEndpoint, startRouter } from "./support.ts";

const GET = "GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SAN = "0b8f6c1e-4d0e-4b63-7b51-5a3f";

interface TlsEndpoint {
  readonly port: number;
  readonly accepted: Peer[];
}

/** A TLS server that says nothing by itself; its certificate is for {@link SAN} unless told otherwise. */
async function startTlsEndpoint(
  t: TestContext,
  authority: Authority,
  given: TlsOptions & { readonly name?: string; readonly isExpired?: boolean } = {},
): Promise<TlsEndpoint> {
  const { name = SAN, isExpired = false, ...options } = given;
  const pair = authority.issue({ subject: "/CN=instance", alternativeNames: `DNS:${name}`, isExpired });
  const accepted: Peer[] = [];
  const server = createServer({ cert: pair.certificate, key: pair.key, ...options }, (socket) =>
    accepted.push(new Peer(socket)),
  );
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.close();
    for (const { socket } of accepted) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, accepted };
}

const routeTo = (...ports: readonly number[]) => ({
  uri: "shop.example.com",
  ports,
  endpoint: { tls: true, serverCertDomainSan: SAN },
});

async function answerOnce(router: RouterUnderTest, endpoint: TlsEndpoint): Promise<string> {
  await router.eventually(() => endpoint.accepted.length > 0);
  const [upstream] = endpoint.accepted;
  const request = (await upstream?.message()) ?? "";
  upstream?.send(OK);
  return request;
}

script("an endpoint with TLS is verified by its expected name and served like any other", async (t) => {
  const authority = createAuthority(t);
  if (authority === null) return;
  const endpoint = await startTlsEndpoint(t, authority);
  const router = await startRouter(t, {
    config: { endpointCaCertificates: [authority.certificate] },
    routes: [routeTo(endpoint.port)],
  });
  const client = await router.connect();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    assert.match(await answerOnce(router, endpoint), /^GET \/ HTTP\/1\.1\r\n/);
    assert.match(await client.message(), /ok$/);
  }
  assert.equal(endpoint.accepted.length, 1, "the connection is used again");
});

script("an endpoint's connection that had to wait for a slow client reads on for the next one", async (t) => {
  const router = await startHttp2Router(t);
  if (router === null) return;
  const endpoint = await startTlsEndpoint(t, router.authority);
  router.map(routeTo(endpoint.port));
  // Its window takes a small part of a record, so that the endpoint is told to wait amid what one read has brought.
  const session = openSession(t, router, { settings: { initialWindowSize: 1_000 } });
  const body = "b".repeat(40_000);
  for (let i = 0; i < 2; i++) {
    const answer = ask(session);
    await router.eventually(() => endpoint.accepted.length > 0);
    const [upstream] = endpoint.accepted;
    await upstream?.message();
    upstream?.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.equal((await answer).body.length, body.length);
  }
  assert.equal(endpoint.accepted.length, 1, "the connection is used again");
});

/** Makes the endpoint of a case; what it returns is its port. */
type Start = (t: TestContext, authority: Authority) => Promise<number>;
const tlsServer =
  (given: Parameters<typeof startTlsEndpoint>[2]): Start =>
  async (t, authority) =>
    (await startTlsEndpoint(t, authority, given)).port;
const ofStranger: Start = async (t) => {
  const stranger = createAuthority(t, "/CN=Stranger");
  if (stranger === null) throw new Error("openssl was there before");
  return (await startTlsEndpoint(t, stranger)).port;
};
/** Says what a server says to a request that it cannot read. */
const withoutTls: Start = async (t) => {
  const endpoint = await startEndpoint(t);
  void (async () => {
    for (;;) {
      const peer = await endpoint.accept();
      await peer.bytes(5);
      peer.send("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    }
  })();
  return endpoint.port;
};

const failures: readonly {
  readonly what: string;
  readonly start: Start;
  readonly status: string;
  readonly body?: string;
  readonly reason: RegExp;
}[] = [
  {
    what: "does not listen",
    start: deadPort,
    status: "502 Bad Gateway",
    body: "502 Bad Gateway: Registered endpoint failed to handle the request.",
    reason: /dial tcp .*: connect: connection refused/,
  },
  {
    what: "does not speak TLS",
    start: withoutTls,
    status: "525 SSL Handshake Failed",
    reason: /tls handshake/,
  },
  {
    what: "finds no version in common",
    start: tlsServer({ maxVersion: "TLSv1.1", minVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }),
    status: "525 SSL Handshake Failed",
    reason: /tls handshake/,
  },
  {
    what: "demands our certificate in TLS 1.2, with no more than «handshake failure»",
    start: tlsServer({ requestCert: true, maxVersion: "TLSv1.2" }),
    status: "525 SSL Handshake Failed",
    reason: /tls handshake/,
  },
  {
    what: "demands our certificate in TLS 1.3, after our side of the handshake has ended",
    start: tlsServer({ requestCert: true, minVersion: "TLSv1.3" }),
    status: "496 SSL Certificate Required",
    reason: /remote error: tls: .* alert 116/,
  },
  {
    what: "has a certificate for another name",
    start: tlsServer({ name: "other-instance" }),
    status: "503 Service Unavailable",
    reason: new RegExp(`x509: certificate of .* is not valid for ${SAN}`),
  },
  {
    what: "has a certificate of an unknown authority",
    start: ofStranger,
    status: "526 Invalid SSL Certificate",
    reason: /x509: certificate of .* is not trusted/,
  },
  {
    what: "has a certificate that has expired",
    start: tlsServer({ isExpired: true }),
    status: "526 Invalid SSL Certificate",
    reason: /CERT_HAS_EXPIRED/,
  },
];

for (const { what, start, status, body = status, reason } of failures) {
  script(`an endpoint that ${what} is ${status}, and leaves the route`, async (t) => {
    const authority = createAuthority(t);
    if (authority === null) return;
    const port = await start(t, authority);
    const router = await startRouter(t, {
      config: { endpointCaCertificates: [authority.certificate] },
      routes: [routeTo(port)],
    });
    const client = await router.connect();
    client.send(GET);
    const answer = await client.message();
    assert.ok(answer.startsWith(`HTTP/1.1 ${status}\r\n`), answer);
    assert.ok(answer.endsWith(`\r\n\r\n${body}\n`), answer);
    assert.match(/X-Cf-RouterError: endpoint_failure \((.*)\)\r\n/.exec(answer)?.[1] ?? "", reason);
    const attempts = router.log.filter(({ message }) => message === "backend-endpoint-failed");
    assert.deepEqual(
      attempts.map(({ attempt }) => attempt),
      [1],
      "once: there is no other endpoint, and none is asked twice",
    );
    assert.equal(router.log.filter(({ message }) => message === "prune-failed-endpoint").length, 1);
    client.send(GET);
    assert.match(await client.message(), /^HTTP\/1\.1 404 /, "its only endpoint has left");
  });

  script(`a request whose first endpoint ${what} is served by the next one`, async (t) => {
    const authority = createAuthority(t);
    if (authority === null) return;
    const good = await startTlsEndpoint(t, authority);
    const bad = await start(t, authority);
    const router = await startRouter(t, {
      config: { endpointCaCertificates: [authority.certificate] },
      routes: [routeTo(bad, good.port)],
    });
    // Round robin begins anywhere: after two requests both have been asked.
    const client = await router.connect();
    for (let i = 0; i < 2; i++) {
      client.send(GET);
      await answerOnce(router, good);
      assert.match(await client.message(), /^HTTP\/1\.1 200 OK\r\n/);
    }
    assert.equal(router.log.filter(({ message }) => message === "prune-failed-endpoint").length, 1);
  });
}

script("an endpoint without TLS that cannot be reached is marked, but stays until it is stale", async (t) => {
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [await deadPort()] }] });
  const client = await router.connect();
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    assert.match(await client.message(), /^HTTP\/1\.1 502 /);
  }
  assert.equal(
    router.log.some(({ message }) => message === "prune-failed-endpoint"),
    false,
  );
});

script("an endpoint that resets instead of answering is marked, but stays", async (t) => {
  const authority = createAuthority(t);
  if (authority === null) return;
  const endpoint = await startTlsEndpoint(t, authority);
  const router = await startRouter(t, {
    config: { endpointCaCertificates: [authority.certificate] },
    routes: [routeTo(endpoint.port)],
  });
  const client = await router.connect();
  client.send(GET);
  await router.eventually(() => endpoint.accepted.length === 1);
  await endpoint.accepted[0]?.message();
  endpoint.accepted[0]?.socket.destroy();
  assert.match(await client.message(), /^HTTP\/1\.1 502 /);
  assert.equal(
    router.log.some(({ message }) => message === "prune-failed-endpoint"),
    false,
  );
});

script("an endpoint that never finishes its handshake is 502 after tls_handshake_timeout", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { tlsHandshakeTimeoutMs: 3_000 },
    routes: [routeTo(endpoint.port)],
  });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.bytes(5);
  router.clock.advance(3_100);
  assert.match(
    await client.message(),
    /^HTTP\/1\.1 502 [^]*Registered endpoint failed to handle the request\.\n$/,
  );
  await upstream.rest();
  assert.equal(router.log.filter(({ message }) => message === "prune-failed-endpoint").length, 1);
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  script(`an endpoint that demands our certificate gets it, in ${version}`, async (t) => {
    const authority = createAuthority(t);
    if (authority === null) return;
    const endpoint = await startTlsEndpoint(t, authority, {
      requestCert: true,
      ca: authority.certificate,
      minVersion: version,
      maxVersion: version,
    });
    const router = await startRouter(t, {
      config: {
        endpointCaCertificates: [authority.certificate],
        endpointClientCertificate: authority.issue({ subject: "/CN=router" }),
      },
      routes: [routeTo(endpoint.port)],
    });
    const client = await router.connect();
    client.send(GET);
    await answerOnce(router, endpoint);
    assert.match(await client.message(), /ok$/);
  });
}

/** A server of openssl, because Node's closes where others say why. Null after the test was skipped. */
async function startOpensslServer(t: TestContext, authority: Authority): Promise<number | null> {
  const openssl = needs(t, "openssl");
  if (openssl === null) return null;
  const folder = mkdtempSync(join(tmpdir(), "viaduct-endpoint-"));
  const { certificate, key } = authority.issue({ subject: "/CN=instance", alternativeNames: `DNS:${SAN}` });
  writeFileSync(join(folder, "endpoint.pem"), certificate + key + authority.certificate);
  const flags = "-cert endpoint.pem -CAfile endpoint.pem -Verify 1 -verify_return_error -accept 127.0.0.1:0";
  const server = spawn(openssl, ["s_server", ...flags.split(" ")], {
    cwd: folder,
    stdio: ["pipe", "pipe", "ignore"],
  });
  t.after(async () => {
    server.kill();
    await once(server, "close");
    rmSync(folder, { recursive: true });
  });
  let said = "";
  for await (const chunk of server.stdout) {
    said += String(chunk);
    const port = /^ACCEPT .*:(\d+)$/m.exec(said)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`openssl s_server ended: ${said}`);
}

script(
  "an endpoint that refuses our certificate is 496 SSL Certificate Required, and leaves the route",
  async (t) => {
    const [authority, stranger] = [createAuthority(t), createAuthority(t, "/CN=Stranger")];
    if (authority === null || stranger === null) return;
    const port = await startOpensslServer(t, authority);
    if (port === null) return;
    const router = await startRouter(t, {
      config: {
        endpointCaCertificates: [authority.certificate],
        endpointClientCertificate: stranger.issue({ subject: "/CN=router" }),
      },
      routes: [routeTo(port)],
    });
    const client = await router.connect();
    client.send(GET);
    const answer = await client.message();
    assert.match(answer, /^HTTP\/1\.1 496 SSL Certificate Required\r\n/);
    assert.match(answer, /endpoint_failure \(remote error: tls: .* refused our certificate: alert \d+\)/);
    assert.equal(router.log.filter(({ message }) => message === "prune-failed-endpoint").length, 1);
  },
);
