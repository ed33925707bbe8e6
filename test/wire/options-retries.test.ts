/** When a route has another endpoint asked, and when not. */
import assert from "node:assert/strict";
import type { RouteOptions } from "../../src/table/index.ts";
import { deadPort, type EndpointPeer, passPause, script, startEndpoint, startRouter } from "./support.ts";

const URI = "shop.example.com";
const HOST = `Host: ${URI}\r\n`;
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const answer = (status: string, body = "") =>
  `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** Answers every request on every connection alike. */
function always(endpoint: EndpointPeer, text: string): { readonly requests: () => number } {
  let requests = 0;
  void (async () => {
    for (;;) {
      const peer = await endpoint.accept();
      void (async () => {
        for (;;) {
          await peer.message();
          requests++;
          if (text === "") peer.reset();
          else peer.send(text);
        }
      })().catch(() => {}); // its connection ended
    }
  })();
  return { requests: () => requests };
}

async function start(
  t: Parameters<typeof startEndpoint>[0],
  options: RouteOptions,
  texts: readonly string[],
) {
  const endpoints = await Promise.all(texts.map(() => startEndpoint(t)));
  const counts = endpoints.map((endpoint, i) => always(endpoint, texts[i] ?? ""));
  const router = await startRouter(t, {
    routes: [{ uri: URI, ports: endpoints.map(({ port }) => port), options }],
  });
  const client = await router.connect();
  return {
    router,
    client,
    counts,
    async ask(request = GET) {
      client.send(request);
      return client.message();
    },
  };
}

script("an answer that the route retries on is replaced by another endpoint's", async (t) => {
  const { ask, counts, router } = await start(t, { "retry-on": "503" }, [
    answer("503 Service Unavailable", "later"),
    answer("200 OK", "ok"),
  ]);
  for (let i = 0; i < 6; i++) assert.match(await ask(), /^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
  assert.ok((counts[0]?.requests() ?? 0) > 0, "the failing one was asked too");
  assert.equal(router.router.counters.retries, counts[0]?.requests());
});

script("when no other endpoint is left the answer is passed on as it is", async (t) => {
  const { ask, counts } = await start(t, { "retry-on": "503", retries: 5 }, [
    answer("503 Service Unavailable", "first"),
    answer("503 Service Unavailable", "second"),
  ]);
  assert.match(await ask(), /^HTTP\/1\.1 503 Service Unavailable\r\n[^]*(?:first|second)$/);
  assert.deepEqual(
    counts.map(({ requests }) => requests()),
    [1, 1],
  );
});

script("without the option a 503 is an answer like any other", async (t) => {
  const { ask, counts } = await start(t, { retries: 5 }, [
    answer("503 Service Unavailable"),
    answer("503 Oh"),
  ]);
  assert.match(await ask(), /^HTTP\/1\.1 503 /);
  assert.equal((counts[0]?.requests() ?? 0) + (counts[1]?.requests() ?? 0), 1);
});

for (const { name, request } of [
  { name: "POST", request: `POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\n` },
  { name: "GET with a body", request: `GET / HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi` },
]) {
  script(`${name} is not repeated once an endpoint has had it, whatever the route says`, async (t) => {
    const failing = answer("503 Service Unavailable");
    const { ask, counts } = await start(t, { "retry-on": "503,reset", retries: 5 }, [failing, failing]);
    assert.match(await ask(request), /^HTTP\/1\.1 503 /);
    assert.equal((counts[0]?.requests() ?? 0) + (counts[1]?.requests() ?? 0), 1);
  });
}

script("POST with an Idempotency-Key is repeated", async (t) => {
  const { ask } = await start(t, { "retry-on": "503" }, [
    answer("503 Service Unavailable"),
    answer("200 OK"),
  ]);
  const request = `POST / HTTP/1.1\r\n${HOST}Idempotency-Key: 7\r\nContent-Length: 0\r\n\r\n`;
  for (let i = 0; i < 4; i++) assert.match(await ask(request), /^HTTP\/1\.1 200 /);
});

script("retries bounds how many endpoints are asked, upwards and downwards", async (t) => {
  const resets = ["", "", "", "", ""];
  for (const { retries, want } of [
    { retries: 0, want: 1 },
    { retries: 3, want: 4 },
  ]) {
    const { ask, counts, router } = await start(t, { retries, "retry-budget": 100 }, resets);
    const answered = ask();
    if (retries > 0) await passPause(router, retries);
    assert.match(await answered, /^HTTP\/1\.1 502 /);
    assert.equal(
      counts.reduce((sum, { requests }) => sum + requests(), 0),
      want,
    );
  }
});

script("what is not in retry-on is not tried again", async (t) => {
  const { ask, counts } = await start(t, { "retry-on": "connect-failure" }, ["", answer("200 OK")]);
  const answers = [await ask(), await ask()].map((text) => text.slice(9, 12));
  assert.deepEqual(answers.toSorted(), ["200", "502"]);
  assert.equal(counts[0]?.requests(), 1);
});

script(
  "an endpoint that cannot be reached is passed over, unless the route wants nothing of it",
  async (t) => {
    const endpoint = await startEndpoint(t);
    always(endpoint, answer("200 OK"));
    for (const { on, want } of [
      { on: "connect-failure", want: ["200", "200"] },
      { on: "503", want: ["200", "502"] },
    ]) {
      const router = await startRouter(t, {
        routes: [{ uri: URI, ports: [await deadPort(), endpoint.port], options: { "retry-on": on } }],
      });
      const client = await router.connect();
      const statuses: string[] = [];
      for (let i = 0; i < 2; i++) {
        client.send(GET);
        statuses.push((await client.message()).slice(9, 12));
      }
      assert.deepEqual(statuses.toSorted(), want, on);
    }
  },
);

script(
  "an answer that does not begin in time is asked for elsewhere, and its wait begins again",
  async (t) => {
    const endpoints = [await startEndpoint(t), await startEndpoint(t)];
    const router = await startRouter(t, {
      routes: [
        {
          uri: URI,
          ports: endpoints.map(({ port }) => port),
          options: { "response-timeout": "2s", "retry-on": "response-timeout" },
        },
      ],
    });
    const client = await router.connect();
    client.send(GET);
    const first = await Promise.race(endpoints.map((endpoint) => endpoint.accept()));
    await first.message();
    router.clock.advance(2_100);
    assert.equal(await first.rest(), "");
    await router.eventually(() => endpoints.every(({ connections }) => connections.length === 1));
    const second = endpoints.flatMap(({ connections }) => connections).find((peer) => peer !== first);
    await second?.message();
    router.clock.advance(1_900);
    second?.send(answer("200 OK", "late"));
    assert.match(await client.message(), /^HTTP\/1\.1 200 OK\r\n[^]*late$/);
  },
);

script("repeated requests never take more than the budget of those in flight", async (t) => {
  const budget = 3;
  const inFlight = 12;
  const endpoints = [await startEndpoint(t), await startEndpoint(t)];
  const router = await startRouter(t, {
    routes: [
      {
        uri: URI,
        ports: endpoints.map(({ port }) => port),
        options: { retries: 1, "retry-on": "503", "retry-budget": 10 },
      },
    ],
  });
  const clients = await Promise.all(Array.from({ length: inFlight }, () => router.connect()));
  for (const client of clients) client.send(GET);
  const connections = () => endpoints.flatMap((endpoint) => endpoint.connections);
  await router.eventually(() => connections().length === inFlight);
  const first = connections();
  for (const peer of first) {
    await peer.message();
    peer.send(answer("503 Service Unavailable", "busy"));
  }
  // Ten percent of twelve is one, and a few are always allowed.
  await router.eventually(() => connections().length === inFlight + budget);
  await router.eventually(() => clients.filter(({ waiting }) => waiting !== "").length === inFlight - budget);
  assert.equal(router.router.counters.retriesOverBudget, inFlight - budget);
  for (const peer of connections().filter((one) => !first.includes(one))) {
    await peer.message();
    peer.send(answer("200 OK"));
  }
  const statuses = await Promise.all(clients.map(async (client) => (await client.message()).slice(9, 12)));
  assert.equal(statuses.filter((status) => status === "200").length, budget);
  // What was taken is given back.
  clients[0]?.send(GET);
  const next = await Promise.race(endpoints.map((endpoint) => endpoint.accept()));
  assert.ok(next !== undefined);
});

script("the verdict tells of the answer that was not passed on", async (t) => {
  const { ask, router } = await start(t, { "retry-on": "502" }, [
    answer("502 Bad Gateway"),
    answer("200 OK"),
  ]);
  await ask();
  await ask();
  const failed = router.log.filter(({ message }) => message === "backend-endpoint-failed");
  assert.match(String(failed[0]?.["error"]), /answered 502, for which the route asks another endpoint/);
  assert.equal(failed[0]?.["retriable"], true);
  assert.ok(!router.log.some(({ message }) => message === "endpoint-marked-as-ineligible"));
});

script("an endpoint whose connection is not made in time is passed over", async (t) => {
  const [silent, good] = [await startEndpoint(t), await startEndpoint(t)];
  always(good, answer("200 OK"));
  const options = { "connect-timeout": "500ms" };
  const router = await startRouter(t, {
    config: { endpointDialTimeoutMs: 60_000, tlsHandshakeTimeoutMs: 60_000 },
    routes: [
      // It accepts, and never answers the first word of TLS.
      { uri: URI, ports: [silent.port], endpoint: { tls: true }, options },
      { uri: URI, ports: [good.port], options },
    ],
  });
  const client = await router.connect();
  // In turn, so one of two requests comes to the silent one first.
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    await router.eventually(() => silent.connections.length === 1 || client.waiting !== "");
    router.clock.advance(600);
    assert.match(await client.message(), /^HTTP\/1\.1 200 /);
  }
  assert.equal(silent.connections.length, 1);
  assert.equal(router.router.counters.retries, 1);
});
