/** Clients on TLS: which certificate they get, what they must present, and what endpoints learn of it. */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { connect as connectPlain, type Socket } from "node:net";
import type { TestContext } from "node:test";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { RouterConfig } from "../../src/router/index.ts";
import { createAuthority } from "../support/authority.ts";
import {
  Peer,
  type RouterUnderTest,
  script,
  startEndpoint,
  startRouter,
  type TlsListener,
  tlsListener,
} from "./support.ts";

const GET = "GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** An authority, a certificate for shop.example.com, and a router that serves it; null after the test was skipped. */
async function start(
  t: TestContext,
  given: { readonly tls?: Partial<TlsListener>; readonly config?: Partial<RouterConfig> } = {},
) {
  const authority = createAuthority(t);
  if (authority === null) return null;
  const server = authority.issue({ subject: "/CN=shop", alternativeNames: "DNS:shop.example.com" });
  const endpoint = await startEndpoint(t);
  const tls = tlsListener([server], { clientAuthorities: [authority.certificate], ...given.tls });
  const router = await startRouter(t, {
    config: { tls, ...given.config },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  return { authority, server, endpoint, router, tls };
}

/** A client whose handshake has ended well. */
async function connectTls(t: TestContext, router: RouterUnderTest, options: ConnectionOptions = {}) {
  const socket = openTls(t, router, options);
  await once(socket, "secureConnect");
  return { socket, peer: new Peer(socket) };
}

function openTls(t: TestContext, router: RouterUnderTest, options: ConnectionOptions = {}): TLSSocket {
  const socket = connect({
    port: router.router.tlsPort,
    host: "127.0.0.1",
    servername: "shop.example.com",
    allowHalfOpen: true,
    rejectUnauthorized: false,
    ...options,
  } as ConnectionOptions);
  t.after(() => socket.destroy());
  return socket;
}

/** Why no exchange was possible: the error, or "closed" when the router just went. */
async function refusal(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.message));
    socket.on("end", () => resolve("closed"));
    socket.on("close", () => resolve("closed"));
    socket.on("data", (chunk: Buffer) => resolve(`answered ${chunk.toString("latin1")}`));
    socket.write(GET);
  });
}

script("requests on TLS are forwarded as https, one after the other on one connection", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { router, endpoint } = started;
  const { peer, socket } = await connectTls(t, router, {
    ca: started.authority.certificate,
    rejectUnauthorized: true,
  });
  assert.equal(socket.getProtocol(), "TLSv1.3");
  peer.send(GET);
  const upstream = await endpoint.accept();
  assert.match(await upstream.message(), /\r\nX-Forwarded-For: 127\.0\.0\.1\r\nX-Forwarded-Proto: https\r\n/);
  upstream.send(OK);
  assert.match(await peer.message(), /^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
  peer.send(GET);
  await upstream.message();
  upstream.send(OK);
  await peer.message();
  assert.match(router.accessLog()[0] ?? "", /"GET \/ HTTP\/1\.1" 200 .* x_forwarded_proto:"https"/);
});

script("small and large bodies pass both ways on TLS", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { router, endpoint } = started;
  const { peer } = await connectTls(t, router);
  let upstream: Peer | null = null;
  for (const repeated of [100, 700, 64 * 1024]) {
    const body = "0123456789abcdef".repeat(repeated);
    peer.send(`PUT / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    upstream ??= await endpoint.accept();
    assert.ok((await upstream.message()).endsWith(`\r\n\r\n${body}`));
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.ok((await peer.message()).endsWith(`\r\n\r\n${body}`));
  }
});

script("a WebSocket is tunnelled through TLS until both sides have ended", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { router, endpoint } = started;
  const { peer } = await connectTls(t, router);
  peer.send(
    "GET /ws HTTP/1.1\r\nHost: shop.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  const upstream = await endpoint.accept();
  await upstream.until("\r\n\r\n");
  upstream.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello");
  await peer.until("\r\n\r\nhello");
  peer.send("\x81\x05world");
  assert.equal(await upstream.bytes(7), "\x81\x05world");
  peer.end();
  assert.equal(await upstream.rest(), "");
  upstream.send("last words");
  assert.equal(await peer.until("last words"), "last words", "half-closed is not closed");
  upstream.end();
  assert.equal(await peer.rest(), "");
});

script(
  "an answer that breaks off cuts the connection, also in HTTP/1.0, where its end could be the body's",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { router, endpoint } = started;
    const { peer } = await connectTls(t, router);
    peer.send("GET / HTTP/1.0\r\nHost: shop.example.com\r\n\r\n");
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf");
    await peer.until("half");
    upstream.reset();
    assert.equal(await peer.rest(), "");
    await router.eventually(() => router.router.counters.activeConnections === 0);
    assert.equal(
      router.log.some(({ message }) => message === "panic-check"),
      false,
    );
  },
);

for (const { name, want } of [
  { name: "admin.example.com", want: "exact" },
  { name: "ADMIN.example.com", want: "exact" },
  { name: "other.example.com", want: "wildcard" },
  { name: "a.b.example.com", want: "first" },
  { name: "example.org", want: "first" },
  { name: "", want: "first" },
]) {
  script(`a client that asks for «${name}» gets the ${want} certificate`, async (t) => {
    const authority = createAuthority(t);
    if (authority === null) return;
    const tls = tlsListener([
      authority.issue({ subject: "/CN=first", alternativeNames: "DNS:first.example.net" }),
      authority.issue({ subject: "/CN=wildcard", alternativeNames: "DNS:*.example.com" }),
      authority.issue({ subject: "/CN=exact", alternativeNames: "DNS:x.example.com,DNS:Admin.example.com" }),
    ]);
    const router = await startRouter(t, { config: { tls } });
    const { socket } = await connectTls(t, router, { servername: name });
    assert.equal(socket.getPeerCertificate().subject.CN, want);
  });
}

script("only versions and suites of the configuration are spoken", async (t) => {
  const started = await start(t, {
    tls: { cipherSuites: ["ECDHE-ECDSA-AES256-GCM-SHA384"], maxVersion: "TLSv1.2" },
  });
  if (started === null) return;
  const { router } = started;
  const { socket } = await connectTls(t, router);
  assert.deepEqual(
    [socket.getProtocol(), socket.getCipher().name],
    ["TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"],
  );
  const others = { ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256", maxVersion: "TLSv1.2" } as const;
  assert.match(await refusal(openTls(t, router, others)), /alert handshake failure/);
  assert.match(await refusal(openTls(t, router, { minVersion: "TLSv1.3" })), /alert protocol version/);
});

script("old versions are spoken when the configuration asks for them", async (t) => {
  const started = await start(t, {
    tls: { cipherSuites: ["ECDHE-ECDSA-AES128-SHA"], minVersion: "TLSv1", maxVersion: "TLSv1.2" },
  });
  if (started === null) return;
  const old = { minVersion: "TLSv1", maxVersion: "TLSv1", ciphers: "ALL:@SECLEVEL=0" } as const;
  const { socket } = await connectTls(t, started.router, old);
  assert.equal(socket.getProtocol(), "TLSv1");
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  for (const clientCertificates of ["none", "request"] as const) {
    script(
      `a session of ${version} is resumed, with client certificates «${clientCertificates}»`,
      async (t) => {
        const started = await start(t, { tls: { clientCertificates } });
        if (started === null) return;
        const { router, authority } = started;
        const options = {
          minVersion: version,
          maxVersion: version,
          ...authority.issue({ subject: "/CN=client" }),
        };
        const credentials = { ...options, cert: options.certificate };
        const socket = openTls(t, router, credentials);
        const [session] = (await once(socket, "session")) as [Buffer];
        const { socket: again } = await connectTls(t, router, { ...credentials, session });
        assert.equal(again.isSessionReused(), true);
      },
    );
  }
}

script(
  "a client that negotiates gets http/1.1, and one that can do nothing of ours is refused",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { socket } = await connectTls(t, started.router, { ALPNProtocols: ["spdy/3", "http/1.1"] });
    assert.equal(socket.alpnProtocol, "http/1.1");
    assert.match(
      await refusal(openTls(t, started.router, { ALPNProtocols: ["spdy/3"] })),
      /alert no application protocol/,
    );
  },
);

script("plain HTTP on the TLS port is closed, and others are served on", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { router } = started;
  const plain = connectPlain({ port: router.router.tlsPort, host: "127.0.0.1" });
  t.after(() => plain.destroy());
  assert.doesNotMatch(await refusal(plain), /answered HTTP/);
  await connectTls(t, router);
  assert.equal(router.log.filter(({ message }) => message === "tls-handshake-failed").length, 1);
});

script(
  "first records that came at the same moment are answered one in a turn of the event loop",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { router } = started;
    // A whole record of a handshake that is none, so that its answer is a line in the log.
    const record = Buffer.from([22, 3, 1, 0, 4, 1, 2, 3, 4]);
    const clients = await Promise.all(
      Array.from({ length: 10 }, () => router.connect(router.router.tlsPort)),
    );
    // In two pieces: what matters is the moment when it is whole.
    for (const client of clients) client.send(record.subarray(0, 7));
    for (const client of clients) client.send(record.subarray(7));
    let answered = 0;
    await router.eventually(() => {
      const before = answered;
      answered = router.log.filter(({ message }) => message === "tls-handshake-failed").length;
      assert.ok(answered - before <= 1, `${answered - before} in one turn`);
      return answered === clients.length;
    });
  },
);

script("a client that does not finish its handshake is closed after ten seconds", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { router } = started;
  const silent = connectPlain({ port: router.router.tlsPort, host: "127.0.0.1" });
  t.after(() => silent.destroy());
  const peer = new Peer(silent);
  await once(silent, "connect");
  // Accepted when a connection that came later is served.
  await connectTls(t, router);
  router.clock.advance(10_100);
  assert.equal(await peer.rest(), "");
});

script("without a plain listener there is only TLS", async (t) => {
  const started = await start(t, { config: { listensPlain: false } });
  if (started === null) return;
  assert.equal(started.router.port, 0);
  await connectTls(t, started.router);
  assert.ok(started.router.log.some(({ message }) => message === "tcp-listener-disabled"));
  assert.ok(started.router.log.some(({ message }) => message === "tls-listener-started"));
});

script("new certificates serve new connections, and connections of before go on", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { router, authority, endpoint, tls } = started;
  const before = await connectTls(t, router);
  before.peer.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  router.router.reloadTls({ ...tls, certificates: [authority.issue({ subject: "/CN=renewed" })] });
  const after = await connectTls(t, router);
  assert.equal(after.socket.getPeerCertificate().subject.CN, "renewed");
  upstream.send(OK);
  assert.match(await before.peer.message(), /ok$/);
  before.peer.send(GET);
  await upstream.message();
  upstream.send(OK);
  assert.match(await before.peer.message(), /ok$/);
});

script(
  "a session of before a reload is not resumed: what clients must present may have changed",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { router, tls } = started;
    const socket = openTls(t, router);
    const [session] = (await once(socket, "session")) as [Buffer];
    router.router.reloadTls({ ...tls, clientCertificates: "require" });
    assert.match(await refusal(openTls(t, router, { session })), /alert certificate required/);
  },
);

// === client certificates ===

type Presented = "nothing" | "own" | "expired" | "strange";

for (const { mode, presents, isServed } of [
  { mode: "none", presents: "nothing", isServed: true },
  { mode: "none", presents: "strange", isServed: true },
  { mode: "request", presents: "nothing", isServed: true },
  { mode: "request", presents: "own", isServed: true },
  { mode: "request", presents: "strange", isServed: false },
  { mode: "request", presents: "expired", isServed: false },
  { mode: "require", presents: "nothing", isServed: false },
  { mode: "require", presents: "own", isServed: true },
  { mode: "require", presents: "strange", isServed: false },
  { mode: "require", presents: "expired", isServed: false },
] as const satisfies readonly { mode: string; presents: Presented; isServed: boolean }[]) {
  const verdict = isServed ? "served" : "refused";
  script(`with «${mode}», a client that presents ${certificateIn(presents)} is ${verdict}`, async (t) => {
    const started = await start(t, { tls: { clientCertificates: mode } });
    const strange = createAuthority(t, "/CN=Strange");
    if (started === null || strange === null) return;
    const { router, authority, endpoint } = started;
    const pair = {
      nothing: null,
      own: authority.issue({ subject: "/CN=client" }),
      expired: authority.issue({ subject: "/CN=client", isExpired: true }),
      strange: strange.issue({ subject: "/CN=client" }),
    }[presents];
    const socket = openTls(t, router, pair === null ? {} : { cert: pair.certificate, key: pair.key });
    if (!isServed) {
      assert.doesNotMatch(await refusal(socket), /^answered/);
      assert.equal(endpoint.connections.length, 0);
      return;
    }
    const answer = refusal(socket);
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send(OK);
    assert.match(await answer, /^answered HTTP\/1\.1 200 /);
  });
}

function certificateIn(presents: Presented): string {
  return {
    nothing: "nothing",
    own: "a good certificate",
    expired: "an expired certificate",
    strange: "a certificate of an unknown authority",
  }[presents];
}

const GIVEN = "X-Forwarded-Client-Cert: made-up\r\n";

for (const { mode, isPresented, want } of [
  { mode: "always_forward", isPresented: false, want: "made-up" },
  { mode: "always_forward", isPresented: true, want: "made-up" },
  { mode: "forward", isPresented: false, want: null },
  { mode: "forward", isPresented: true, want: "made-up" },
  { mode: "sanitize_set", isPresented: false, want: null },
  { mode: "sanitize_set", isPresented: true, want: "its own" },
] as const) {
  const client = `a client ${isPresented ? "with" : "without"} a certificate`;
  script(`X-Forwarded-Client-Cert of ${client} in mode ${mode}: ${want ?? "removed"}`, async (t) => {
    const started = await start(t, {
      tls: { clientCertificates: "request" },
      config: { forwardedClientCert: mode },
    });
    if (started === null) return;
    const { router, authority, endpoint } = started;
    const pair = authority.issue({ subject: "/CN=client" });
    const { peer } = await connectTls(
      t,
      router,
      isPresented ? { cert: pair.certificate, key: pair.key } : {},
    );
    // Naming it as a hop's own must not help either.
    peer.send(
      `GET / HTTP/1.1\r\nHost: shop.example.com\r\n${GIVEN}Connection: X-Forwarded-Client-Cert\r\n\r\n`,
    );
    const upstream = await endpoint.accept();
    const request = await upstream.message();
    const own = new X509Certificate(pair.certificate).raw.toString("base64");
    assert.deepEqual(
      [...request.matchAll(/x-forwarded-client-cert: (.*)\r\n/gi)].map(([, value]) => value),
      want === null ? [] : [want === "its own" ? own : want],
    );
  });
}

script("a client without TLS cannot say what its certificate was", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { forwardedClientCert: "forward" },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await router.connect();
  client.send(`GET / HTTP/1.1\r\nHost: shop.example.com\r\n${GIVEN}\r\n`);
  const upstream = await endpoint.accept();
  assert.doesNotMatch(await upstream.message(), /made-up/);
});

// === verify_client_certificate_metadata ===

for (const { name, issuer, subject, isServed } of [
  {
    name: "a listed subject under the authority of a rule",
    issuer: "ruled",
    subject: "/O=Good/CN=one",
    isServed: true,
  },
  { name: "another subject under it", issuer: "ruled", subject: "/O=Good/CN=two", isServed: false },
  {
    name: "a listed subject under an authority below it",
    issuer: "below",
    subject: "/O=Good/CN=one",
    isServed: true,
  },
  {
    name: "another subject under an authority below it",
    issuer: "below",
    subject: "/CN=two",
    isServed: false,
  },
  {
    name: "any subject under an authority without a rule",
    issuer: "free",
    subject: "/CN=two",
    isServed: true,
  },
]) {
  script(`certificate rules: ${name} is ${isServed ? "served" : "refused"}`, async (t) => {
    const ruled = createAuthority(t, "/O=Viaduct/CN=Ruled");
    const free = createAuthority(t, "/CN=Free");
    if (ruled === null || free === null) return;
    const started = await start(t, {
      tls: {
        clientCertificates: "require",
        clientAuthorities: [ruled.certificate, free.certificate],
        certificateRules: [
          { authority: { O: ["Viaduct"], CN: ["Ruled"] }, subjects: [{ O: ["Good"], CN: ["one"] }] },
        ],
      },
    });
    if (started === null) return;
    const { router, endpoint } = started;
    const below = ruled.issue({ subject: "/CN=Below", isAuthority: true });
    const pair = { ruled, below, free }[issuer as "ruled"].issue({ subject });
    const chain = issuer === "below" ? pair.certificate + below.certificate : pair.certificate;
    const socket = openTls(t, router, { cert: chain, key: pair.key });
    const outcome = refusal(socket);
    if (isServed) {
      const upstream = await endpoint.accept();
      await upstream.message();
      upstream.send(OK);
    }
    assert.equal((await outcome).startsWith("answered HTTP/1.1 200 "), isServed);
  });
}

script(
  "certificate rules: nobody leads away from a rule with a certificate that only has a name",
  async (t) => {
    const ruled = createAuthority(t, "/CN=Ruled");
    const free = createAuthority(t, "/CN=Free");
    if (ruled === null || free === null) return;
    const started = await start(t, {
      tls: {
        clientCertificates: "require",
        clientAuthorities: [ruled.certificate, free.certificate],
        certificateRules: [{ authority: { CN: ["Ruled"] }, subjects: [] }],
      },
    });
    if (started === null) return;
    const below = ruled.issue({ subject: "/CN=Below", isAuthority: true });
    const pretender = free.issue({ subject: "/CN=Below", isAuthority: true });
    const pair = below.issue({ subject: "/CN=client" });
    const chain = pair.certificate + pretender.certificate + below.certificate;
    assert.doesNotMatch(
      await refusal(openTls(t, started.router, { cert: chain, key: pair.key })),
      /^answered/,
    );
  },
);

script("certificate rules: sessions are not resumed, because a resumed one has no whole chain", async (t) => {
  const authority = createAuthority(t, "/CN=Ruled");
  if (authority === null) return;
  const started = await start(t, {
    tls: {
      clientCertificates: "require",
      clientAuthorities: [authority.certificate],
      certificateRules: [{ authority: { CN: ["Ruled"] }, subjects: [{ CN: ["client"] }] }],
    },
  });
  if (started === null) return;
  const { certificate, key } = authority.issue({ subject: "/CN=client" });
  const options = { cert: certificate, key };
  const socket = openTls(t, started.router, options);
  const [session] = (await once(socket, "session")) as [Buffer];
  const { socket: again } = await connectTls(t, started.router, { ...options, session });
  assert.equal(again.isSessionReused(), false);
});

script("a client cannot begin a second handshake on its connection", async (t) => {
  const started = await start(t, { tls: { maxVersion: "TLSv1.2" } });
  if (started === null) return;
  const { socket } = await connectTls(t, started.router);
  const error = await new Promise<Error | null>((resolve) => {
    socket.on("error", resolve);
    socket.renegotiate({}, resolve);
  });
  assert.match(String(error?.message), /no renegotiation/);
});
