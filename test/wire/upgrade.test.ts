import assert from "node:assert/strict";
import {
  APP,
  deadPort,
  OWN_RESPONSE_LINES,
  requestToEndpoint,
  script,
  startEndpoint,
  startRouter,
  withoutVariables,
} from "./support.ts";

const HOST = "Host: shop.example.com\r\n";
const UPGRADE = `GET /ws HTTP/1.1\r\n${HOST}Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: abc\r\n\r\n`;
const SWITCH =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: xyz\r\n\r\n";

async function start(t: Parameters<typeof startRouter>[0]) {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  return { endpoint, router, client: await router.connect() };
}

script("after 101 bytes pass both ways untouched, until both sides have ended", async (t) => {
  const { endpoint, router, client } = await start(t);
  client.send(`${UPGRADE}early`);
  const upstream = await endpoint.accept();
  assert.equal(
    withoutVariables(await upstream.until("\r\n\r\n")),
    requestToEndpoint(
      "GET /ws HTTP/1.1",
      ["Host: shop.example.com", "Sec-WebSocket-Key: abc"],
      ["Connection: Upgrade", "Upgrade: websocket"],
    ),
  );
  assert.equal(upstream.waiting, "", "bytes behind the request wait for the endpoint's yes");
  upstream.send(`${SWITCH}greeting`);
  assert.equal(
    withoutVariables(await client.until("greeting")),
    "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: xyz\r\nX-Vcap-Request-Id: <id>\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\ngreeting",
  );
  assert.equal(await upstream.until("early"), "early");
  client.send("\x81\x05hello\xff\x00");
  assert.equal(await upstream.bytes(9), "\x81\x05hello\xff\x00");
  upstream.send("\x81\x02ok");
  assert.equal(await client.bytes(4), "\x81\x02ok");
  // Longer than any timeout of an ordinary exchange: a tunnel may be quiet.
  router.clock.advance(router.router.counters.upgrades * 2_000_000);
  client.end();
  assert.equal(await upstream.rest(), "");
  upstream.send("last words");
  assert.equal(await client.until("last words"), "last words", "half-closed is not closed");
  upstream.end();
  assert.equal(await client.rest(), "");
  assert.match(router.accessLog()[0] ?? "", /"GET \/ws HTTP\/1\.1" 101 14 22 /);
});

script("an endpoint that does not upgrade is relayed, and the client connection stays usable", async (t) => {
  // CVE-2020-5416: the failed upgrade took the front connection with it.
  const { endpoint, client } = await start(t);
  client.send(UPGRADE);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno");
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n${OWN_RESPONSE_LINES}\r\nno`,
  );
  client.send(`GET /next HTTP/1.1\r\n${HOST}\r\n`);
  assert.match(await upstream.message(), /^GET \/next /);
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert.match(await client.message(), /ok$/);
});

script("an upgrade to a dead endpoint is 502 and the client connection stays usable", async (t) => {
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [await deadPort()] }] });
  const client = await router.connect();
  client.send(UPGRADE);
  assert.match(await client.message(), /^HTTP\/1\.1 502 /);
  client.send("GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n");
  assert.match(await client.message(), /^HTTP\/1\.1 404 /);
});

script("other protocols are not upgraded to: h2c would slip requests past us", async (t) => {
  const { endpoint, client } = await start(t);
  client.send(
    `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n`,
  );
  const upstream = await endpoint.accept();
  assert.equal(
    withoutVariables(await upstream.message()),
    requestToEndpoint("GET / HTTP/1.1", ["Host: shop.example.com"]),
  );
});

script("a tunnel counts as in flight until it ends", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { maxInFlightPerEndpoint: 1 },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const [tunnel, other] = [await router.connect(), await router.connect()];
  tunnel.send(UPGRADE);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send(SWITCH);
  await tunnel.until("\r\n\r\n");
  other.send(`GET / HTTP/1.1\r\n${HOST}X-CF-App-Instance: ${APP}:0\r\n\r\n`);
  assert.match(await other.message(), /Connection Limit Reached/);
  tunnel.reset();
  await upstream.rest();
  other.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  const next = await endpoint.accept();
  assert.match(await next.message(), /^GET \/ /);
});
