import assert from "node:assert/strict";
import { script, startEndpoint, startRouter } from "../wire/support.ts";

const HOST = "Host: shop.example.com\r\n";
const TWICE = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";

// A client's doubled header came back as 502, as if the app had failed.
script("a client's doubled Transfer-Encoding is 501, and no endpoint hears of it", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(`POST / HTTP/1.1\r\n${HOST}${TWICE}\r\n0\r\n\r\n`);
  assert.match(await client.rest(), /^HTTP\/1\.1 501 /);
  assert.equal(endpoint.connections.length, 0);
});

script(
  "an endpoint's doubled Transfer-Encoding is 502 with the reason, and it stays in rotation",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
    const client = await router.connect();
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
    const first = await endpoint.accept();
    await first.message();
    first.send(`HTTP/1.1 200 OK\r\n${TWICE}\r\n0\r\n\r\n`);
    assert.match(
      await client.message(),
      /^HTTP\/1\.1 502 [^]*\r\nX-Cf-RouterError: endpoint_failure \(.*ransfer.*\)\r\n/,
    );
    const messages = router.log.map(({ message }) => message);
    assert.ok(messages.includes("backend-endpoint-failed"));
    assert.ok(!messages.includes("endpoint-marked-as-ineligible"));
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
    const second = await endpoint.accept();
    await second.message();
    second.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert.match(await client.message(), /ok$/);
  },
);
