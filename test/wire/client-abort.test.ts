import assert from "node:assert/strict";
import { script, startEndpoint, startRouter } from "./support.ts";

const HOST = "Host: shop.example.com\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async function start(t: Parameters<typeof startRouter>[0]) {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  return { endpoint, router, client, upstream };
}

// CVE-2023-20882: the abort of a client marked a healthy endpoint as failed.
script(
  "a client that goes away takes its endpoint connection along, and the endpoint is not blamed",
  async (t) => {
    const { endpoint, router, client, upstream } = await start(t);
    client.reset();
    assert.equal(await upstream.rest(), "");
    assert.match(router.accessLog()[0] ?? "", /"GET \/ HTTP\/1\.1" 499 0 0 .*"<address>" "<address>" /);
    assert.equal(
      router.log.some(({ message }) => message === "backend-endpoint-failed"),
      false,
    );
    const next = await router.connect();
    next.send(GET);
    const again = await endpoint.accept();
    await again.message();
    again.send(OK);
    assert.match(await next.message(), /ok$/);
  },
);

script("a client that ended its side still gets its answer", async (t) => {
  const { client, upstream } = await start(t);
  client.end();
  upstream.send(OK);
  assert.match(await client.rest(), /ok$/);
});

script("a client that ended its side and is not answered within a second counts as gone", async (t) => {
  const { router, client, upstream } = await start(t);
  client.end();
  // Nothing tells us from outside that the end has been noticed; the ticks do no harm before it.
  let rest: string | undefined;
  void upstream.rest().then((text) => (rest = text));
  await router.eventually(() => {
    router.clock.advance(100);
    return rest !== undefined;
  });
  assert.match(router.accessLog()[0] ?? "", / 499 0 0 /);
});

script("a client that ends in the middle of its body is gone at once", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\nxyz`);
  const upstream = await endpoint.accept();
  await upstream.until("xyz");
  client.end();
  assert.equal(await upstream.rest(), "");
  assert.match(router.accessLog()[0] ?? "", /"POST \/ HTTP\/1\.1" 499 3 0 /);
});

script("a client that goes away in the middle of a long answer stops the endpoint", async (t) => {
  const { router, client, upstream } = await start(t);
  upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n");
  await client.until("xyz\r\n");
  client.reset();
  assert.equal(await upstream.rest(), "");
  assert.match(router.accessLog()[0] ?? "", /" 200 0 3 /, "the status that was sent stays");
  assert.equal(router.router.lastVerdicts()[0]?.errorCode, "request_cancelled");
});
