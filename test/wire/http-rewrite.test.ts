/** The operator's `http_rewrite` on everything that goes to clients, whoever made it. */
import assert from "node:assert/strict";
import { script, startEndpoint, startRouter, withoutVariables } from "./support.ts";

const URI = "shop.example.com";
const HOST = `Host: ${URI}\r\n`;
const DATE = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
const ADDED = "Strict-Transport-Security: max-age=1\r\nServer: cf\r\nServer: again\r\n";
const CONFIG = {
  removeResponseHeaders: ["server", "x-vcap-request-id", "set-cookie"],
  addResponseHeaders: [
    { name: "Strict-Transport-Security", value: "max-age=1" },
    { name: "Server", value: "cf" },
    { name: "Server", value: "again" },
    { name: "X-Kept", value: "never" },
  ],
};

script("an endpoint's header is removed and the operator's put in its place; others are kept", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { config: CONFIG, routes: [{ uri: URI, ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 103 Early Hints\r\nserver: x\r\nLink: </a>\r\n\r\n");
  assert.equal(await client.until("\r\n\r\n"), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  upstream.send(
    "HTTP/1.1 200 OK\r\nSERVER: x\r\nx-kept: yes\r\nSet-Cookie: JSESSIONID=a\r\nContent-Length: 2\r\n\r\nok",
  );
  assert.equal(
    await client.message(),
    `HTTP/1.1 200 OK\r\nx-kept: yes\r\nContent-Length: 2\r\n${DATE}${ADDED}\r\nok`,
    "neither our request id nor our __VCAP_ID__ stays when the operator does not want it",
  );
});

for (const { name, request, status } of [
  { name: "an unknown route", request: "GET / HTTP/1.1\r\nHost: other.example.com\r\n\r\n", status: 404 },
  { name: "a route without endpoints", request: `GET / HTTP/1.1\r\n${HOST}\r\n`, status: 503 },
  {
    name: "the load balancer's question",
    request: `GET / HTTP/1.1\r\n${HOST}User-Agent: probe\r\n\r\n`,
    status: 200,
  },
  { name: "what is no request", request: "GET\r\n\r\n", status: 400 },
]) {
  script(`the router's own answer is rewritten too: ${name}`, async (t) => {
    const router = await startRouter(t, {
      config: { ...CONFIG, healthcheckUserAgent: "probe" },
      routes: [{ uri: URI, ports: [] }],
    });
    const client = await router.connect();
    client.send(request);
    const answer = await client.message();
    assert.ok(answer.startsWith(`HTTP/1.1 ${status} `), answer);
    assert.ok(answer.includes(`${ADDED}X-Kept: never\r\n\r\n`), answer);
    assert.doesNotMatch(answer, /request-id/i);
  });
}

script("an option's answer is rewritten too", async (t) => {
  const router = await startRouter(t, {
    config: CONFIG,
    routes: [{ uri: URI, ports: [1], options: { "https-redirect": 308 } }],
  });
  const client = await router.connect();
  client.send(`GET /a HTTP/1.1\r\n${HOST}\r\n`);
  const answer = withoutVariables(await client.message());
  assert.match(answer, /^HTTP\/1\.1 30\d [^]*\r\nLocation: https:\/\/shop\.example\.com\/a\r\n/);
  assert.ok(answer.includes(ADDED), answer);
});
