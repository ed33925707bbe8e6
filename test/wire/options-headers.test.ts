/** What a route does to headers on their way, byte for byte, and what it cannot do. */
import assert from "node:assert/strict";
import {
  OWN_RESPONSE_LINES,
  requestToEndpoint,
  script,
  startEndpoint,
  startRouter,
  withoutVariables,
} from "./support.ts";

const URI = "shop.example.com";
const HOST = `Host: ${URI}`;

script("requests get what the rules say, beside all that the router says", async (t) => {
  const endpoint = await startEndpoint(t);
  const rules = 'set X-Tenant: acme; append Accept-CH: "DPR; Width"; remove x-debug; append X-Tenant: second';
  const router = await startRouter(t, {
    routes: [{ uri: URI, ports: [endpoint.port], options: { "request-headers": rules } }],
  });
  const client = await router.connect();
  client.send(
    `GET / HTTP/1.1\r\nX-TENANT: evil\r\n${HOST}\r\nX-Debug: 1\r\nAccept-CH: Viewport\r\nx-tenant: again\r\nX-Debug: 2\r\n\r\n`,
  );
  const upstream = await endpoint.accept();
  const expected = requestToEndpoint("GET / HTTP/1.1", [
    HOST,
    "Accept-CH: Viewport",
    "X-Tenant: acme",
    "Accept-CH: DPR; Width",
    "X-Tenant: second",
  ]);
  assert.equal(withoutVariables(await upstream.message()), expected);
  upstream.send("HTTP/1.1 200 OK\r\nX-Tenant: mine\r\nContent-Length: 2\r\n\r\nok");
  assert.match(await client.message(), /\r\nX-Tenant: mine\r\n/);
});

script("a client that names a header in Connection does not get past a rule about it", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [{ uri: URI, ports: [endpoint.port], options: { "request-headers": "set X-Tenant: acme" } }],
  });
  const client = await router.connect();
  client.send(
    `GET / HTTP/1.1\r\n${HOST}\r\nConnection: x-tenant, x-other\r\nX-Other: 1\r\nX-Tenant: evil\r\n\r\n`,
  );
  const head = await (await endpoint.accept()).message();
  assert.equal(withoutVariables(head), requestToEndpoint("GET / HTTP/1.1", [HOST, "X-Tenant: acme"]));
});

script("answers get what the rules say, and keep what the router says", async (t) => {
  const endpoint = await startEndpoint(t);
  const rules = "remove Server; set Cache-Control: no-store; append Vary: Origin";
  const router = await startRouter(t, {
    routes: [{ uri: URI, ports: [endpoint.port], options: { "response-headers": rules } }],
  });
  const client = await router.connect();
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n\r\n`);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send(
    "HTTP/1.1 200 OK\r\nserver: x\r\nVary: Accept\r\nContent-Length: 2\r\ncache-control: public\r\nServer: y\r\n\r\nok",
  );
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 200 OK\r\nVary: Accept\r\nContent-Length: 2\r\nCache-Control: no-store\r\nVary: Origin\r\n${OWN_RESPONSE_LINES}\r\nok`,
  );
});

script("the operator's rules for answers come after the route's", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: {
      addResponseHeaders: [{ name: "X-Frame-Options", value: "DENY" }],
      removeResponseHeaders: ["server"],
    },
    routes: [{ uri: URI, ports: [endpoint.port], options: { "response-headers": "set X-A: 1; remove X-B" } }],
  });
  const client = await router.connect();
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n\r\n`);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 200 OK\r\nServer: x\r\nX-B: 1\r\nContent-Length: 0\r\n\r\n");
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: 1\r\n${OWN_RESPONSE_LINES}X-Frame-Options: DENY\r\n\r\n`,
  );
});

script("the router's own errors are not edited", async (t) => {
  const router = await startRouter(t, {
    routes: [{ uri: URI, ports: [], options: { "response-headers": "set X-A: 1" } }],
  });
  const client = await router.connect();
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n\r\n`);
  const answer = await client.message();
  assert.match(answer, /^HTTP\/1\.1 503 /);
  assert.doesNotMatch(answer, /X-A/);
});

script(
  "rules that come over the bus with a line break, or for a header of the router, are ignored and logged",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const options = {
      "request-headers": "set X-A: 1\r\nX-CF-ApplicationID: evil",
      "response-headers": "remove Date",
    };
    const router = await startRouter(t, { routes: [{ uri: URI, ports: [endpoint.port], options }] });
    const [warning] = router.log.filter(({ message }) => message === "route options ignored");
    assert.match(JSON.stringify(warning), /the value of X-A may hold printable ASCII characters only/);
    assert.match(JSON.stringify(warning), /Date is the router's own/);
    const client = await router.connect();
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n\r\n`);
    const upstream = await endpoint.accept();
    assert.equal(withoutVariables(await upstream.message()), requestToEndpoint("GET / HTTP/1.1", [HOST]));
  },
);

// === trim-path ===

script(
  "with trim-path the app is told what was taken off, and what it says of paths is put right",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, {
      routes: [{ uri: `${URI}/v2`, ports: [endpoint.port], options: { "trim-path": true } }],
    });
    const client = await router.connect();
    client.send(`GET /v2/carts?page=2 HTTP/1.1\r\n${HOST}\r\nX-Forwarded-Prefix: /evil\r\n\r\n`);
    const upstream = await endpoint.accept();
    assert.equal(
      withoutVariables(await upstream.message()),
      requestToEndpoint("GET /carts?page=2 HTTP/1.1", [HOST, "X-Forwarded-Prefix: /v2"]),
    );
    upstream.send(
      [
        "HTTP/1.1 302 Found",
        `location: http://${URI}/login`,
        "Set-Cookie: sid=1; Path=/; HttpOnly",
        "X-Other: /login",
        "Content-Location: /carts",
        "Set-Cookie: theme=dark; Path=/v2/settings",
        "Content-Length: 0",
        "\r\n",
      ].join("\r\n"),
    );
    assert.equal(
      withoutVariables(await client.message()),
      [
        "HTTP/1.1 302 Found",
        `location: http://${URI}/v2/login`,
        "Set-Cookie: sid=1; Path=/v2; HttpOnly",
        "X-Other: /login",
        "Content-Location: /v2/carts",
        "Set-Cookie: theme=dark; Path=/v2/settings",
        "Content-Length: 0",
        `${OWN_RESPONSE_LINES}\r\n`,
      ].join("\r\n"),
    );
  },
);

script("a route's own rules have the last word over what trim-path says", async (t) => {
  const endpoint = await startEndpoint(t);
  const options = { "trim-path": true, "response-headers": "remove Location; set Content-Location: /fixed" };
  const router = await startRouter(t, { routes: [{ uri: `${URI}/v2`, ports: [endpoint.port], options }] });
  const client = await router.connect();
  client.send(`GET /v2 HTTP/1.1\r\n${HOST}\r\n\r\n`);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 201 Created\r\nLocation: /a\r\nContent-Location: /b\r\nContent-Length: 0\r\n\r\n");
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 201 Created\r\nContent-Length: 0\r\nContent-Location: /fixed\r\n${OWN_RESPONSE_LINES}\r\n`,
  );
});
