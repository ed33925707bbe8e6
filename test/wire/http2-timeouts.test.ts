/** Sessions that say nothing, half of something, or take nothing; and how they end when the router drains. */
import assert from "node:assert/strict";
import { once } from "node:events";
import type { TestContext } from "node:test";
import type { RouterConfig } from "../../src/router/index.ts";
import {
  ask,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  HOST,
  openRaw,
  openSession,
  PREFACE,
  requestOf,
  RST_STREAM,
  startHttp2Router,
} from "./http2-support.ts";
import { script, startEndpoint } from "./support.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const NO_ERROR = 0;
const INTERNAL_ERROR = 2;
/** SETTINGS_INITIAL_WINDOW_SIZE of 10. */
const SMALL_WINDOW = Buffer.from([0, 4, 0, 0, 0, 10]);

async function start(t: TestContext, config: Partial<RouterConfig> = {}) {
  const endpoint = await startEndpoint(t);
  const router = await startHttp2Router(t, { config, routes: [{ uri: HOST, ports: [endpoint.port] }] });
  return router === null ? null : { endpoint, router };
}

const codeOf = (payload: Buffer | undefined) => payload?.readUInt32BE(payload.length === 4 ? 0 : 4);

for (const { name, sent } of [
  { name: "nothing", sent: [] },
  { name: "half a preface", sent: [PREFACE.slice(0, 10)] },
  { name: "a preface without SETTINGS", sent: [PREFACE] },
] as const) {
  script(`a client that says ${name} is closed after read_header_timeout`, async (t) => {
    const started = await start(t, { readHeaderTimeoutMs: 3_000 });
    if (started === null) return;
    const { router } = started;
    const client = await openRaw(t, router, null);
    if (sent.length > 0) client.send(...sent);
    await router.eventually(() => router.router.counters.activeConnections === 1);
    router.clock.advance(2_900);
    assert.equal(router.router.counters.activeConnections, 1);
    router.clock.advance(300);
    await router.eventually(() => client.isClosed);
  });
}

for (const { name, sent } of [
  { name: "a header block that is not continued", sent: frame(HEADERS, END_STREAM, 1, requestOf("/")) },
  {
    name: "a frame of headers that stops in the middle",
    sent: frame(HEADERS, END_STREAM | END_HEADERS, 1, requestOf("/")).subarray(0, 20),
  },
]) {
  script(`${name} closes its session after read_header_timeout`, async (t) => {
    const started = await start(t, { readHeaderTimeoutMs: 3_000 });
    if (started === null) return;
    const { router } = started;
    const client = await openRaw(t, router);
    client.send(sent);
    await router.eventually(() => {
      router.clock.advance(100);
      return client.isClosed;
    });
    assert.equal(router.router.counters.requests, 0);
  });
}

script("an idle session is told goodbye after frontend_idle_timeout, and closed", async (t) => {
  const started = await start(t, { frontendIdleTimeoutMs: 5_000 });
  if (started === null) return;
  const { router, endpoint } = started;
  const session = openSession(t, router);
  const asked = ask(session);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send(OK);
  await asked;
  const said: number[] = [];
  session.on("goaway", (code) => said.push(code));
  router.clock.advance(4_900);
  assert.equal(session.closed, false);
  router.clock.advance(300);
  await once(session, "close");
  assert.equal(said[0], NO_ERROR);
  await router.eventually(() => router.router.counters.activeConnections === 0);
});

script(
  "a client that opens no window loses its stream after frontend_idle_timeout, and only that",
  async (t) => {
    const started = await start(t, { frontendIdleTimeoutMs: 5_000 });
    if (started === null) return;
    const { router, endpoint } = started;
    const client = await openRaw(t, router, SMALL_WINDOW);
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, requestOf("/large")));
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n${"x".repeat(100_000)}`);
    await router.eventually(() => client.of(0, 1).length === 1);
    assert.equal(client.of(0, 1)[0]?.payload.length, 10);
    await router.eventually(() => {
      router.clock.advance(100);
      return client.of(RST_STREAM, 1).length === 1;
    });
    assert.equal(codeOf(client.of(RST_STREAM, 1)[0]?.payload), INTERNAL_ERROR);
    assert.equal(client.isClosed, false);
    assert.equal(await upstream.rest(), "");
    assert.match(router.accessLog()[0] ?? "", /"GET \/large HTTP\/2\.0" 200 /);
  },
);

script("a whole answer that the client does not take is given up too", async (t) => {
  const started = await start(t, { frontendIdleTimeoutMs: 5_000 });
  if (started === null) return;
  const { router, endpoint } = started;
  const client = await openRaw(t, router, SMALL_WINDOW);
  client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, requestOf("/")));
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${"x".repeat(100)}`);
  await router.eventually(() => client.of(0, 1).length === 1);
  await router.eventually(() => {
    router.clock.advance(100);
    return client.isClosed || client.of(RST_STREAM, 1).length === 1;
  });
});

script(
  "draining says goodbye twice, serves what came meanwhile, and closes when all is answered",
  async (t) => {
    const started = await start(t);
    if (started === null) return;
    const { router, endpoint } = started;
    const client = await openRaw(t, router);
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, requestOf("/before")));
    const before = await endpoint.accept();
    await before.message();
    let isDrained = false;
    const draining = router.router.drain(60_000).then(() => (isDrained = true));
    router.clock.advance(100);
    await router.eventually(() => client.of(GOAWAY).length === 1);
    assert.equal(client.of(GOAWAY)[0]?.payload.readUInt32BE(0), 0x7fff_ffff);
    // It has not seen that yet.
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 3, requestOf("/meanwhile")));
    const meanwhile = await endpoint.accept();
    await meanwhile.message();
    for (const ping of client.of(6)) client.send(frame(6, 1, 0, ping.payload));
    await router.eventually(() => client.of(GOAWAY).length === 2);
    assert.equal(client.of(GOAWAY)[1]?.payload.readUInt32BE(0), 3);
    before.send(OK);
    meanwhile.send(OK);
    await router.eventually(() => client.isClosed);
    assert.equal(client.of(0, 1).length + client.of(0, 3).length, 2);
    assert.equal(isDrained, false);
    client.socket.destroy();
    await router.eventually(() => {
      router.clock.advance(100);
      return isDrained;
    });
    await draining;
  },
);

script("a router that drains under load loses no request of HTTP/2", async (t) => {
  const started = await start(t);
  if (started === null) return;
  const { router, endpoint } = started;
  let isServing = true;
  const served = (async () => {
    while (isServing) {
      const upstream = await endpoint.accept();
      void (async () => {
        for (;;) {
          await upstream.message();
          upstream.send(OK);
        }
      })().catch(() => {});
    }
  })();
  void served;
  let answers = 0;
  const failures: unknown[] = [];
  const sessions = Array.from({ length: 4 }, () => openSession(t, router));
  const clients = sessions.flatMap((session) =>
    Array.from({ length: 5 }, async () => {
      // A client does not begin a request on a session that has said goodbye; what it has begun must be answered.
      let said = false;
      session.on("goaway", () => (said = true));
      while (!said && !session.closed && !session.destroyed) {
        try {
          const { body } = await ask(session);
          assert.equal(body, "ok");
          answers++;
        } catch (error) {
          // Nothing was done: it came after the second goodbye, or never left the client.
          if (!String(error).includes("REFUSED_STREAM")) failures.push(error);
          return;
        }
      }
    }),
  );
  await router.eventually(() => answers > 200);
  let isDrained = false;
  void router.router.drain(60_000).then(() => (isDrained = true));
  await router.eventually(() => {
    router.clock.advance(100);
    return isDrained;
  });
  isServing = false;
  await Promise.all(clients);
  assert.deepEqual(failures, []);
  assert.equal(answers, router.router.counters.requests);
});
