import assert from "node:assert/strict";
import { script, startEndpoint, startRouter } from "./support.ts";

const GET = "GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n";
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

script(
  "draining closes idle connections, refuses new ones, and lets exchanges in flight end well",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
    const [busy, idle] = [await router.connect(), await router.connect()];
    busy.send(GET);
    const upstream = await endpoint.accept();
    await upstream.message();
    await router.eventually(() => router.router.counters.activeConnections === 2);

    let drained = false;
    const draining = router.router.drain(60_000).then(() => (drained = true));
    assert.equal(await idle.rest(), "");
    idle.end();
    await assert.rejects(router.connect(), { code: "ECONNREFUSED" });
    assert.equal(drained, false);
    upstream.send(OK);
    assert.match(await busy.rest(), /\r\nConnection: close\r\n\r\nok$/);
    busy.end();
    await router.eventually(() => router.router.counters.activeConnections === 0);
    router.clock.advance(100);
    await draining;
  },
);

script("draining gives up at its deadline", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(GET);
  await (await endpoint.accept()).message();
  const draining = router.router.drain(5_000);
  router.clock.advance(5_100);
  await draining;
  await router.router.stop();
  assert.equal(await client.rest(), "");
});

script("a port that is taken names the role, the address and the setting", async (t) => {
  const router = await startRouter(t);
  await assert.rejects(startRouter(t, { config: { port: router.port } }), {
    message: `router cannot listen on 127.0.0.1:${router.port}: another process has it; stop that process or set router.port to a free port`,
  });
});

script(
  "a router that clients are to leave takes new connections, ends each with its answer, and leaves idle ones alone",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
    const early = await router.connect();
    await router.eventually(() => router.router.counters.activeConnections === 1);
    router.router.leave();
    const late = await router.connect();
    late.send("GET / HTTP/1.1\r\nHost: nobody.example.com\r\n\r\n");
    assert.match(await late.rest(), /^HTTP\/1\.1 404 [^]*\r\nConnection: close\r\n/);
    late.end();

    early.send(GET);
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send(OK);
    assert.match(await early.rest(), /^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n\r\nok$/);
    early.end();

    await router.eventually(() => router.router.counters.activeConnections === 0);
    const quiet = router.router.whenQuiet(60_000);
    router.clock.advance(100);
    await quiet;
  },
);

script("a router that has stopped listening serves the connections that it has", async (t) => {
  const router = await startRouter(t);
  const client = await router.connect();
  await router.eventually(() => router.router.counters.activeConnections === 1);
  router.router.stopListening();
  await assert.rejects(router.connect(), { code: "ECONNREFUSED" });
  client.send(GET);
  assert.match(await client.message(), /^HTTP\/1\.1 404 /);
});
