/** What a router says afterwards of exchanges that did not go straight. */
import assert from "node:assert/strict";
import { deadPort, script, startEndpoint, startRouter } from "./support.ts";

const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: shop.example.com\r\n\r\n`;
const idOf = (answer: string) => /x-vcap-request-id: (\S+)/i.exec(answer)?.[1] ?? "";

script("an exchange that went well leaves a summary, found by its request id", async (t) => {
  const endpoint = await startEndpoint(t);
  const { router, connect } = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await connect();
  client.send(GET("/cart"));
  const app = await endpoint.accept();
  await app.message();
  app.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  const verdict = router.findVerdict(idOf(await client.message()));
  assert.deepEqual(
    { ...verdict, endedAtMs: 0, durationMs: 0, requestId: "" },
    {
      endedAtMs: 0,
      durationMs: 0,
      requestId: "",
      route: "shop.example.com",
      endpoint: `127.0.0.1:${endpoint.port}`,
      attempts: 1,
      status: 200,
      errorCode: "",
      details: null,
    },
  );
  assert.equal(router.findVerdict("00000000-0000-0000-0000-000000000000"), null);
});

script("a second attempt that went well tells of the first, and of no query", async (t) => {
  const endpoint = await startEndpoint(t);
  const dead = await deadPort();
  const { router, connect } = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: [dead, endpoint.port], options: { "trim-path": false } }],
  });
  const client = await connect();
  // One of two requests begins at the dead endpoint, whichever the balancer begins with.
  for (let i = 0; i < 2 && !router.lastVerdicts().some(({ attempts }) => attempts === 2); i++) {
    client.send(GET("/cart?card=4111"));
    const app = endpoint.connections[0] ?? (await endpoint.accept());
    await app.message();
    app.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    await client.message();
  }
  const details = router.lastVerdicts().find(({ attempts }) => attempts === 2)?.details;
  assert.ok(details);
  assert.deepEqual([details.path, details.options, details.error], ["/cart", { "trim-path": false }, ""]);
  assert.equal(details.closedFirst, "nobody");
  const [first, second] = details.attempts;
  assert.equal(details.attempts.length, 2);
  assert.deepEqual(
    [first?.endpoint, first?.errorCode, first?.sentAfterMs],
    [`127.0.0.1:${dead}`, "endpoint_dial_failed", null],
  );
  assert.deepEqual([second?.endpoint, second?.errorCode], [`127.0.0.1:${endpoint.port}`, ""]);
  assert.equal(second?.startedAfterMs, first?.endedAfterMs);
  assert.notEqual(second?.sentAfterMs, null);
});

const broken = [
  {
    name: "an endpoint that closes without an answer closed first",
    act: (app: { end(): void }) => app.end(),
    errorCode: "endpoint_closed",
    closedFirst: "endpoint",
  },
  {
    name: "an endpoint that answers nonsense is cut by the router",
    act: (app: { send(text: string): void }) => app.send("no answer\r\n\r\n"),
    errorCode: "endpoint_answer_invalid",
    closedFirst: "router",
  },
] as const;

for (const { name, act, errorCode, closedFirst } of broken) {
  script(name, async (t) => {
    const endpoint = await startEndpoint(t);
    const { router, connect } = await startRouter(t, {
      routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
    });
    const client = await connect();
    client.send("POST / HTTP/1.1\r\nHost: shop.example.com\r\nContent-Length: 0\r\n\r\n");
    const app = await endpoint.accept();
    await app.message();
    act(app);
    const verdict = router.findVerdict(idOf(await client.message()));
    assert.deepEqual([verdict?.status, verdict?.errorCode], [502, errorCode]);
    const { details } = verdict ?? {};
    assert.equal(details?.closedFirst, closedFirst);
    assert.equal(details?.attempts.length, 1);
    assert.equal(details?.attempts[0]?.errorCode, errorCode);
    assert.match(details?.routerError ?? "", /^endpoint_failure \(.+\)$/);
  });
}

script("a client that goes away closed first, and its attempt ends with that", async (t) => {
  const endpoint = await startEndpoint(t);
  const { router, connect, eventually } = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await connect();
  client.send(GET("/"));
  await (await endpoint.accept()).message();
  client.reset();
  await eventually(() => router.lastVerdicts().length === 1);
  const [verdict] = router.lastVerdicts();
  assert.deepEqual([verdict?.status, verdict?.details?.closedFirst], [499, "client"]);
  assert.equal(verdict?.details?.attempts[0]?.errorCode, "request_cancelled");
});

script("a request for an unknown route has a verdict without attempts", async (t) => {
  const { router, connect } = await startRouter(t);
  const client = await connect();
  client.send(GET("/"));
  const verdict = router.findVerdict(idOf(await client.message()));
  assert.deepEqual([verdict?.status, verdict?.route, verdict?.attempts], [404, "", 0]);
  assert.deepEqual(verdict?.details?.attempts, []);
  assert.equal(verdict?.details?.error, "Requested route ('shop.example.com') does not exist.");
});

script("a tunnel tells which side ended it", async (t) => {
  const endpoint = await startEndpoint(t);
  const { router, connect, eventually } = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await connect();
  client.send(
    "GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  const app = await endpoint.accept();
  await app.message();
  app.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  await client.until("\r\n\r\n");
  app.end();
  await client.rest();
  client.end();
  await eventually(() => router.lastVerdicts().length === 1);
  assert.equal(router.lastVerdicts()[0]?.details?.closedFirst, "endpoint");
});
