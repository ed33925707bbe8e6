import assert from "node:assert/strict";
import { script, startEndpoint, startRouter } from "./support.ts";

const HOST = "Host: shop.example.com\r\n";

// Each of these is read differently by some server, which is how a request is smuggled past a proxy. Refused, never
// repaired: nothing may reach the endpoint, and the connection ends.
for (const { what, head, status } of [
  {
    what: "Content-Length together with Transfer-Encoding",
    head: `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    what: "Transfer-Encoding together with Content-Length",
    head: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
    status: 400,
  },
  {
    what: "two Content-Lengths that differ",
    head: `POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`,
    status: 400,
  },
  {
    what: "a list of Content-Lengths",
    head: `POST / HTTP/1.1\r\n${HOST}Content-Length: 4, 4\r\n\r\nabcd`,
    status: 400,
  },
  {
    what: "a signed Content-Length",
    head: `POST / HTTP/1.1\r\n${HOST}Content-Length: +4\r\n\r\nabcd`,
    status: 400,
  },
  {
    what: "a hexadecimal Content-Length",
    head: `POST / HTTP/1.1\r\n${HOST}Content-Length: 0x4\r\n\r\nabcd`,
    status: 400,
  },
  {
    what: "a Content-Length beyond counting",
    head: `POST / HTTP/1.1\r\n${HOST}Content-Length: 9999999999999999999\r\n\r\n`,
    status: 400,
  },
  {
    what: "chunked twice",
    head: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 501,
  },
  {
    what: "chunked not last",
    head: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n\r\n`,
    status: 501,
  },
  {
    what: "a disguised chunked",
    head: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n`,
    status: 501,
  },
  {
    what: "chunked in HTTP/1.0",
    head: `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    status: 501,
  },
  {
    what: "white space before the colon",
    head: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding : chunked\r\n\r\n`,
    status: 400,
  },
  { what: "a folded header", head: `POST / HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`, status: 400 },
  {
    what: "a folded Transfer-Encoding",
    head: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding:\r\n chunked\r\n\r\n`,
    status: 501,
  },
  {
    what: "a first header that begins with a space",
    head: `GET / HTTP/1.1\r\n Host: a\r\n${HOST}\r\n`,
    status: 400,
  },
  { what: "a bare line feed behind the request line", head: `GET / HTTP/1.1\n${HOST}\r\n`, status: 400 },
  { what: "only line feeds", head: "GET / HTTP/1.1\nHost: shop.example.com\n\n", status: 400 },
  {
    what: "a bare carriage return in a value",
    head: `GET / HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`,
    status: 400,
  },
  { what: "a NUL in a value", head: `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`, status: 400 },
  { what: "a NUL in a name", head: `GET / HTTP/1.1\r\n${HOST}X\0: b\r\n\r\n`, status: 400 },
  { what: "an empty name", head: `GET / HTTP/1.1\r\n${HOST}: b\r\n\r\n`, status: 400 },
  { what: "two Hosts", head: `GET / HTTP/1.1\r\n${HOST}Host: other.example.com\r\n\r\n`, status: 400 },
  {
    what: "a Host with user information",
    head: "GET / HTTP/1.1\r\nHost: a@shop.example.com\r\n\r\n",
    status: 400,
  },
  { what: "a Host with a path", head: "GET / HTTP/1.1\r\nHost: shop.example.com/x\r\n\r\n", status: 400 },
  { what: "a method that is no token", head: `G@T / HTTP/1.1\r\n${HOST}\r\n`, status: 400 },
  { what: "two spaces before the target", head: `GET  / HTTP/1.1\r\n${HOST}\r\n`, status: 400 },
  { what: "a target with a space", head: `GET /a b HTTP/1.1\r\n${HOST}\r\n`, status: 400 },
  { what: "a target with a control character", head: `GET /a\x01b HTTP/1.1\r\n${HOST}\r\n`, status: 400 },
  { what: "a target with a fragment", head: `GET /a#b HTTP/1.1\r\n${HOST}\r\n`, status: 400 },
  { what: "a relative target", head: `GET a HTTP/1.1\r\n${HOST}\r\n`, status: 400 },
  { what: "«*» with GET", head: `GET * HTTP/1.1\r\n${HOST}\r\n`, status: 400 },
  { what: "CONNECT", head: `CONNECT shop.example.com:443 HTTP/1.1\r\n${HOST}\r\n`, status: 501 },
  { what: "no version", head: `GET /\r\n${HOST}\r\n`, status: 400 },
  { what: "text behind the version", head: `GET / HTTP/1.1 x\r\n${HOST}\r\n`, status: 400 },
]) {
  script(`${what} is refused with ${status}`, async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
    const client = await router.connect();
    client.send(`${head}GET /smuggled HTTP/1.1\r\n${HOST}\r\n`);
    const answer = await client.rest();
    assert.match(
      answer,
      new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\nConnection: close\\r\\n\\r\\n${status} [A-Z][^\\n]*\\n$`),
    );
    assert.equal(endpoint.connections.length, 0);
    assert.deepEqual(router.accessLog(), [], "what is no request has no line");
  });
}

for (const version of ["HTTP/2.0", "HTTP/1.2", "HTTP/0.9", "HTTP/3"]) {
  script(`${version} is answered in the oldest words there are`, async (t) => {
    const router = await startRouter(t);
    const client = await router.connect();
    client.send(`GET / ${version}\r\n${HOST}\r\n`);
    assert.equal(await client.rest(), "HTTP/1.0 400 Bad Request\r\n\r\n");
  });
}

for (const { what, body } of [
  { what: "a chunk size that is no number", body: "x\r\n" },
  { what: "an empty chunk size", body: "\r\n" },
  { what: "a chunk size with a minus", body: "-1\r\n" },
  { what: "a chunk size beyond counting", body: "fffffffffffffff\r\n" },
  { what: "a bare line feed behind a chunk size", body: "5\nhello\r\n" },
  // CVE-2025-22871: a line that ends in LF inside an extension.
  { what: "a bare line feed in a chunk extension", body: "5;a\nhello\r\n" },
  { what: "a space behind a chunk size", body: "5 \r\nhello\r\n" },
  { what: "a chunk longer than it says", body: "5\r\nhello!\r\n" },
  { what: "an endless chunk extension", body: `5;${"x".repeat(20_000)}` },
  { what: "Content-Length as a trailer", body: "0\r\nContent-Length: 3\r\n\r\n" },
  { what: "a folded trailer", body: "0\r\nX: a\r\n b\r\n\r\n" },
]) {
  script(`${what} is refused with an answer and cuts the endpoint off`, async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
    const client = await router.connect();
    client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n`);
    const upstream = await endpoint.accept();
    await upstream.until("xyz\r\n");
    client.send(body);
    assert.match(await client.rest(), /^HTTP\/1\.1 (400|431) [^]*\r\nConnection: close\r\n/);
    assert.doesNotMatch(await upstream.rest(), /^0\r\n/m, "the endpoint must not take the body for complete");
    assert.equal(
      router.log.some(({ message }) => message === "backend-endpoint-failed"),
      false,
    );
  });
}

script("a head over the operator's limit is 431 max-request-size-exceeded, empty, and logged", async (t) => {
  const router = await startRouter(t, {
    config: { maxRequestHeadBytes: 1_000 },
    routes: [{ uri: "shop.example.com", ports: [1] }],
  });
  const client = await router.connect();
  client.send(`GET / HTTP/1.1\r\n${HOST}X: ${"x".repeat(1_000)}\r\n\r\n`);
  assert.match(
    await client.rest(),
    /^HTTP\/1\.1 431 Request Header Fields Too Large\r\nX-Cf-RouterError: max-request-size-exceeded\r\n[^]*Content-Length: 0\r\nConnection: close\r\n\r\n$/,
  );
  assert.match(
    router.accessLog()[0] ?? "",
    /" 431 0 0 "-" "-" "<address>" "<address>" x_forwarded_for:"-" x_forwarded_proto:"-" .* app_id:"11111111-.* x_cf_routererror:"max-request-size-exceeded"$/,
    "an endpoint that was not asked is named: by it the line finds its way to the logs of the app",
  );
  assert.equal(router.router.counters.attempts, 0);
  const details = router.router.lastVerdicts()[0]?.details;
  assert.equal(details?.candidates, 1, "it is not for want of endpoints");
});

script(
  "a head over the operator's limits is answered before its end comes, under its route's name",
  async (t) => {
    const router = await startRouter(t, {
      config: { maxRequestHeadBytes: 1_000, maxRequestHeaders: 50 },
      routes: [{ uri: "shop.example.com", ports: [1] }],
    });
    const start = `GET /a HTTP/1.1\r\n${HOST}`;
    for (const [n, rest] of [
      `X: ${"x".repeat(500)}\r\nY: ${"y".repeat(500)}`,
      `X: ${"x".repeat(1_000)}`,
      "A:\r\n".repeat(50),
    ].entries()) {
      const client = await router.connect();
      client.send(start);
      client.send(rest);
      assert.match(
        await client.rest(),
        /^HTTP\/1\.1 431 [^]*max-request-size-exceeded[^]*\r\nConnection: close\r\n/,
      );
      assert.match(
        router.accessLog()[n] ?? "",
        /^shop\.example\.com - \[.*"GET \/a HTTP\/1\.1" 431 .* app_id:"11111111-.* x_cf_routererror:"max-request-size-exceeded"$/,
      );
    }
  },
);

script("of a head over the limits without a known host only the first thing wrong is said", async (t) => {
  const router = await startRouter(t, { config: { maxRequestHeadBytes: 1_000 } });
  const answers: string[] = [];
  for (const first of ["", HOST]) {
    const client = await router.connect();
    client.send(`GET /a HTTP/1.1\r\n${first}X: `);
    client.send("x".repeat(1_000));
    answers.push((await client.rest()).slice(0, 12));
  }
  assert.deepEqual(answers, ["HTTP/1.1 431", "HTTP/1.1 404"], "a host may have come yet; a route will not");
});

script("a request behind a head that was cut short is not read", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { maxRequestHeadBytes: 1_000 },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  for (const host of ["shop.example.com", "unknown.example.com"]) {
    const client = await router.connect();
    client.send(`GET /a HTTP/1.1\r\nHost: ${host}\r\nX: ${"x".repeat(1_000)}`);
    await client.until("HTTP/1.1 4");
    client.send(`\r\n\r\nGET /smuggled HTTP/1.1\r\n${HOST}\r\n`);
    assert.doesNotMatch(await client.rest(), /HTTP\/1\.1/);
  }
  assert.equal(endpoint.connections.length, 0);
});

script("more header lines than the operator allows are 431 too", async (t) => {
  const router = await startRouter(t, {
    config: { maxRequestHeaders: 3 },
    routes: [{ uri: "shop.example.com", ports: [1] }],
  });
  const client = await router.connect();
  client.send(`GET / HTTP/1.1\r\n${HOST}A: 1\r\nB: 2\r\nC: 3\r\n\r\n`);
  assert.match(await client.rest(), /^HTTP\/1\.1 431 [^]*max-request-size-exceeded/);
});

script("a head over the parser's own limit is 431 without a router error, in bounded memory", async (t) => {
  const router = await startRouter(t);
  const client = await router.connect();
  client.send(`GET / HTTP/1.1\r\n${HOST}X: `);
  const block = Buffer.alloc(64 * 1024, "x");
  for (let i = 0; i < 17; i++) client.send(block);
  const answer = await client
    .until("\n431 Request Header Fields Too Large: the head is longer than 1048576 bytes\n")
    .catch(() => "");
  assert.doesNotMatch(answer, /X-Cf-RouterError/);
  const rest = answer === "" ? await client.rest() : answer;
  assert.match(rest, /^HTTP\/1\.1 431 /);
});

script("a smuggled request inside a length-framed body stays a body", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  const body = `GET /admin HTTP/1.1\r\n${HOST}\r\n`;
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: ${body.length}\r\n\r\n${body}`);
  const upstream = await endpoint.accept();
  assert.ok((await upstream.message()).endsWith(body));
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  await client.message();
  assert.equal(router.router.counters.requests, 1);
});

script("Connection cannot be used to strip the framing or the headers that endpoints trust", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(
    `POST / HTTP/1.1\r\n${HOST}Connection: Content-Length, Host, Authorization\r\nAuthorization: x\r\nContent-Length: 2\r\n\r\nab`,
  );
  const upstream = await endpoint.accept();
  const seen = await upstream.message();
  for (const line of ["Host: shop.example.com", "Authorization: x", "Content-Length: 2"]) {
    assert.ok(seen.includes(`\r\n${line}\r\n`), line);
  }
  assert.ok(seen.endsWith("\r\n\r\nab"));
});
