/**
 * What an operator's own option can make the router do: refuse, answer, hold and go on, add headers. The files in
 * `own-options/` are loaded as `options.folder` loads them.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { addOptionFolder } from "../../src/options/index.ts";
import { OWN_RESPONSE_LINES, script, startEndpoint, startRouter, withoutVariables } from "./support.ts";

const URI = "shop.example.com";
const HOST = `Host: ${URI}\r\n`;
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

await addOptionFolder(fileURLToPath(new URL("own-options", import.meta.url)));
await addOptionFolder(fileURLToPath(new URL("../../examples/options", import.meta.url)));

script("an option answers in the app's place, and the connection goes on", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [{ uri: URI, ports: [endpoint.port], options: { moved: "https://new.example.com" } }],
  });
  const client = await router.connect();
  const head = (length: string) =>
    `HTTP/1.1 308 Permanent Redirect\r\nLocation: https://new.example.com/a?b=1\r\n` +
    `Content-Type: text/plain; charset=utf-8\r\n${OWN_RESPONSE_LINES}${length}\r\n`;
  client.send(`GET /a?b=1 HTTP/1.1\r\n${HOST}\r\n`);
  const body = Buffer.from("Dorthin →\n").toString("latin1");
  assert.equal(withoutVariables(await client.message()), `${head("Content-Length: 12\r\n")}${body}`);
  client.send(`HEAD /a?b=1 HTTP/1.1\r\n${HOST}\r\n`);
  assert.equal(withoutVariables(await client.until("\r\n\r\n")), head("Content-Length: 12\r\n"));
  assert.equal(endpoint.connections.length, 0);
  assert.match(router.accessLog()[0] ?? "", /"GET \/a\?b=1 HTTP\/1\.1" 308 0 12 /);
});

script("an option holds a request until it may go on, and refuses with an error of its own", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [{ uri: URI, ports: [endpoint.port], options: { turns: 1 } }],
  });
  const [first, second, third] = [await router.connect(), await router.connect(), await router.connect()];
  first.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  second.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nlater`);
  await router.eventually(() => router.router.counters.activeExchanges === 2);
  third.send(GET);
  const refused = await third.message();
  assert.match(refused, /^HTTP\/1\.1 429 [^]*X-Cf-RouterError: too_many_turns\r\n/);
  assert.match(refused, /\r\nX-Turns: 1 inside, 1 waiting\r\n/);
  const text = Buffer.from(refused.slice(refused.indexOf("\r\n\r\n") + 4), "latin1").toString("utf8");
  assert.equal(text, "429 Too Many Requests: noch nicht dran: später wieder\n", "in UTF-8, as the head says");
  assert.equal(router.router.metrics.failures.get("own_too_many_turns"), 1);
  assert.equal(upstream.waiting, "");

  upstream.send(OK);
  assert.match(await first.message(), /\r\nX-Turns: 0 inside, 0 waiting\r\n[^]*ok$/);
  // The same connection to the endpoint carries the one that waited, with the body that came meanwhile.
  assert.match(await upstream.until("later"), /^POST \/ /);
  upstream.send(OK);
  assert.match(await second.message(), /\r\nX-Turns: 1 inside, 0 waiting\r\n[^]*ok$/);
  assert.equal(router.router.counters.activeExchanges, 0);
});

script("a client that leaves while it is held is forgotten, and the next one has its turn", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [{ uri: URI, ports: [endpoint.port], options: { turns: 1 } }],
  });
  const { counters } = router.router;
  const [first, second, third] = [await router.connect(), await router.connect(), await router.connect()];
  first.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  second.send(GET);
  await router.eventually(() => counters.activeExchanges === 2);
  second.reset();
  await router.eventually(() => counters.activeExchanges === 1);
  third.send(GET);
  await router.eventually(() => counters.activeExchanges === 2);
  upstream.send(OK);
  await first.message();
  await upstream.message();
  upstream.send(OK);
  assert.match(await third.message(), /^HTTP\/1\.1 200 /);
  assert.equal(counters.attempts, 2);
});

script(
  "an option that lets a request go on twice, or after its end, does no harm to the next one",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, {
      routes: [{ uri: URI, ports: [endpoint.port], options: { patience: 1_000 } }],
    });
    const { counters } = router.router;
    const [first, second] = [await router.connect(), await router.connect()];
    first.send(GET);
    await router.eventually(() => counters.activeExchanges === 1);
    router.clock.advance(1_000);
    assert.match(await first.message(), /^HTTP\/1\.1 503 /);
    // The same connection, and the same object inside: what belongs to its first exchange must not move this one.
    first.send(`GET /second HTTP/1.1\r\n${HOST}\r\n`);
    await router.eventually(() => counters.requests === 2);
    assert.equal(counters.attempts, 0);
    second.send(GET);
    const upstream = await endpoint.accept();
    assert.match(await upstream.message(), /^GET \/second /);
    upstream.send(OK);
    assert.match(await first.message(), /^HTTP\/1\.1 200 /);
    assert.deepEqual([counters.attempts, counters.activeExchanges], [1, 1]);
    assert.equal(router.log.filter(({ message }) => message === "panic-check").length, 2);
  },
);

script("the endpoints that a held request finds are those that are there when it goes on", async (t) => {
  const [gone, there] = [await startEndpoint(t), await startEndpoint(t)];
  const options = { turns: 1 };
  const router = await startRouter(t, { routes: [{ uri: URI, ports: [gone.port], options }] });
  const [first, second] = [await router.connect(), await router.connect()];
  first.send(GET);
  const upstream = await gone.accept();
  await upstream.message();
  second.send(GET);
  await router.eventually(() => router.router.counters.activeExchanges === 2);
  router.map({ uri: URI, ports: [there.port], options });
  router.unmap({ uri: URI, ports: [gone.port] });
  upstream.send(OK);
  await first.message();
  const next = await there.accept();
  await next.message();
  next.send(OK);
  assert.match(await second.message(), /^HTTP\/1\.1 200 /);
});

script("the example for operators does what it says", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    routes: [{ uri: URI, ports: [endpoint.port], options: { sunset: "2027-06-30" } }],
  });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 200 OK\r\nSunset: never\r\nContent-Length: 2\r\n\r\nok");
  assert.equal(
    withoutVariables(await client.message()),
    `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSunset: Wed, 30 Jun 2027 00:00:00 GMT\r\n${OWN_RESPONSE_LINES}\r\nok`,
  );
});
