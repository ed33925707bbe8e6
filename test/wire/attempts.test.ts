import assert from "node:assert/strict";
import { APP, deadPort, passPause, script, startEndpoint, startRouter, withoutVariables } from "./support.ts";

const HOST = "Host: shop.example.com\r\n";
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** Of the endpoint that a line of the log is about. */
const addressIn = (line: Record<string, unknown>) => (line["route-endpoint"] as { Addr?: string }).Addr;

script("a dead endpoint is skipped: the client sees the answer of another one", async (t) => {
  const endpoint = await startEndpoint(t);
  const dead = await deadPort();
  const router = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: [dead, endpoint.port] }],
  });
  const client = await router.connect();
  for (let i = 0; i < 4; i++) {
    client.send(GET);
    const upstream = endpoint.connections[0] ?? (await endpoint.accept());
    await upstream.message();
    upstream.send(OK);
    assert.match(await client.message(), /ok$/);
  }
  const failures = router.log.filter(({ message }) => message === "backend-endpoint-failed");
  assert.equal(failures.length, 1, "marked after the first failure, and not tried again");
  assert.equal(failures[0]?.["error"], `dial tcp 127.0.0.1:${dead}: connect: connection refused`);
});

script(
  "a failed attempt is in the log with gorouter's fields, and so is what becomes of its endpoint",
  async (t) => {
    const dead = await deadPort();
    const router = await startRouter(t, {
      config: { accessLogOptions: { extraFields: ["failed_attempts", "failed_attempts_time"] } },
      routes: [{ uri: "shop.example.com", ports: [dead] }],
    });
    const client = await router.connect();
    client.send(`GET / HTTP/1.1\r\n${HOST}X-Forwarded-For: 10.0.0.9\r\n\r\n`);
    assert.match(await client.message(), /^HTTP\/1\.1 502 /);
    const address = `127.0.0.1:${dead}`;
    const line = (name: string) => router.log.find(({ message }) => message === name);
    const { vcap_request_id, ...failed } = line("backend-endpoint-failed") ?? {};
    assert.match(String(vcap_request_id), /^[0-9a-f-]{36}$/);
    const endpoint = { ApplicationId: APP, Addr: address, Tags: {}, RouteServiceUrl: "", AZ: "" };
    assert.deepEqual(failed, {
      level: "error",
      message: "backend-endpoint-failed",
      "route-endpoint": endpoint,
      error: `dial tcp ${address}: connect: connection refused`,
      attempt: 1,
      retriable: true,
      "num-endpoints": 1,
      "got-connection": false,
      "wrote-headers": false,
      "conn-reused": false,
      "dns-lookup-time": -1,
      "dial-time": -1,
      "tls-handshake-time": -1,
      "local-address": "",
    });
    assert.deepEqual(line("endpoint-marked-as-ineligible"), {
      level: "error",
      message: "endpoint-marked-as-ineligible",
      uri: "shop.example.com",
      "route-endpoint": endpoint,
    });
    // Whoever is in front of us must be found in the line of a request that reached nobody, too.
    assert.match(
      router.accessLog()[0] ?? "",
      / x_forwarded_for:"10\.0\.0\.9, 127\.0\.0\.1" x_forwarded_proto:"http" .* failed_attempts:1 failed_attempts_time:<s> /,
    );
  },
);

script(
  "an answer at the first attempt leaves no failed one in the access log, the second leaves one",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, {
      config: { accessLogOptions: { extraFields: ["failed_attempts", "failed_attempts_time"] } },
      routes: [
        { uri: "shop.example.com", ports: [endpoint.port] },
        { uri: "half.example.com", ports: [await deadPort(), endpoint.port] },
      ],
    });
    const client = await router.connect();
    const askedOf = async (host: string) => {
      client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const upstream = endpoint.connections[0] ?? (await endpoint.accept());
      await upstream.message();
      upstream.send(OK);
      await client.message();
    };
    await askedOf("shop.example.com");
    await askedOf("half.example.com");
    await askedOf("half.example.com");
    const [first = "", ...halves] = router.accessLog();
    assert.match(first, / failed_attempts:0 failed_attempts_time:"-" /);
    // Which of the two is first is up to chance; the dead one is met once.
    const withFailure = halves.filter((line) => / failed_attempts:1 failed_attempts_time:<s> /.test(line));
    const without = halves.filter((line) => / failed_attempts:0 failed_attempts_time:"-" /.test(line));
    assert.deepEqual([withFailure.length, without.length], [1, 1]);
  },
);

script("with nobody to be asked the log says of which host", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { stickyForAuthNegotiate: true },
    routes: [{ uri: "shop.example.com/cart", ports: [endpoint.port] }],
  });
  const client = await router.connect();
  client.send(
    `GET /cart HTTP/1.1\r\n${HOST}Authorization: Negotiate abc\r\nCookie: __VCAP_ID__=gone\r\n\r\n`,
  );
  assert.match(await client.message(), /X-Cf-RouterError: endpoint_failure \(No endpoints available\)/);
  const line = router.log.find(({ message }) => message === "select-endpoint-failed");
  assert.deepEqual([line?.["host"], line?.["error"]], ["shop.example.com", "No endpoints available"]);
});

script(
  "a POST with a body is tried elsewhere when the connection was refused: nothing was sent",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, {
      routes: [{ uri: "shop.example.com", ports: [await deadPort(), await deadPort(), endpoint.port] }],
    });
    const client = await router.connect();
    client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbody`);
    const upstream = await endpoint.accept();
    assert.match(await upstream.message(), /\r\n\r\nbody$/);
    upstream.send(OK);
    assert.match(await client.message(), /ok$/);
  },
);

script(
  "when no endpoint can be reached the client gets 502 and the reason of the last attempt",
  async (t) => {
    const dead = await deadPort();
    const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [dead] }] });
    const client = await router.connect();
    client.send(GET);
    assert.equal(
      withoutVariables(await client.message()),
      "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" +
        "X-Cf-RouterError: endpoint_failure (dial tcp <address>: connect: connection refused)\r\n" +
        "X-Vcap-Request-Id: <id>\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 67\r\n\r\n" +
        "502 Bad Gateway: Registered endpoint failed to handle the request.\n",
    );
    assert.match(
      router.accessLog()[0] ?? "",
      /502 0 67 .*x_cf_routererror:"endpoint_failure \(dial tcp <address>: /,
    );
    assert.equal(router.router.counters.badGateways, 1);
  },
);

script("no more endpoints are tried than max_attempts says, none of them twice", async (t) => {
  const endpoints = await Promise.all(Array.from({ length: 5 }, () => startEndpoint(t)));
  const router = await startRouter(t, {
    config: { maxAttempts: 3 },
    routes: [{ uri: "shop.example.com", ports: endpoints.map(({ port }) => port) }],
  });
  for (const endpoint of endpoints) {
    void endpoint.accept().then(async (peer) => {
      await peer.message();
      peer.end();
    });
  }
  const client = await router.connect();
  client.send(GET);
  await passPause(router, 2);
  assert.match(await client.message(), /^HTTP\/1\.1 502 /);
  assert.deepEqual(endpoints.map(({ connections }) => connections.length).sort(), [0, 0, 1, 1, 1]);
});

script(
  "an answer that a reset takes the place of tells both ends of the connection, and so does the log",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, {
      config: { accessLogOptions: { extraFields: ["local_address"] } },
      routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
    });
    const client = await router.connect();
    client.send(GET);
    const upstream = await endpoint.accept();
    await upstream.message();
    const ours = `127.0.0.1:${upstream.socket.remotePort}`;
    upstream.reset();
    const answer = await client.message();
    const error = `read tcp ${ours}->127.0.0.1:${endpoint.port}: read: connection reset by peer`;
    assert.ok(answer.includes(`\r\nX-Cf-RouterError: endpoint_failure (${error})\r\n`), answer);
    const line = router.log.find(({ message }) => message === "backend-endpoint-failed");
    assert.deepEqual([line?.["local-address"], line?.["wrote-headers"]], [ours, true]);
    assert.match(
      router.accessLog()[0] ?? "",
      / local_address:"<address>" x_cf_routererror:"endpoint_failure /,
    );
  },
);

script("the log tells our end of the connection that an answer came by, also of a reused one", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { accessLogOptions: { extraFields: ["dial_time", "local_address"] } },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await router.connect();
  client.send(GET + GET);
  const upstream = await endpoint.accept();
  for (let n = 0; n < 2; n++) {
    await upstream.message();
    upstream.send("HTTP/1.1 204 No Content\r\n\r\n");
    await client.message();
  }
  assert.equal(endpoint.connections.length, 1);
  const [first, second] = router.accessLog();
  assert.match(first ?? "", / dial_time:<s> local_address:"<address>" x_cf_routererror:"-"$/);
  assert.match(second ?? "", / dial_time:"-" local_address:"<address>" x_cf_routererror:"-"$/);
});

/** A request that every instance breaks off; the pause has begun after the second of them, whichever they are. */
async function startBrokenOffTwice(t: Parameters<typeof startEndpoint>[0]) {
  const endpoints = await Promise.all(Array.from({ length: 5 }, () => startEndpoint(t)));
  const router = await startRouter(t, {
    config: { maxAttempts: 3 },
    routes: [{ uri: "shop.example.com", ports: endpoints.map(({ port }) => port) }],
  });
  const asked = new Set<unknown>();
  let survivor: unknown = null;
  for (const endpoint of endpoints) {
    const serve = async () => {
      const peer = await endpoint.accept();
      await peer.message();
      asked.add(endpoint);
      if (endpoint === survivor) peer.send(OK);
      else peer.reset();
    };
    serve().catch(() => {}); // its connection ended
  }
  const client = await router.connect();
  client.send(GET);
  await router.eventually(
    () => router.log.filter(({ message }) => message === "backend-endpoint-failed").length === 2,
  );
  /** All others of those that were not asked die. */
  const killOthers = () => {
    const [first, ...others] = endpoints.filter((endpoint) => !asked.has(endpoint));
    survivor = first;
    for (const endpoint of others) endpoint.close();
  };
  return { router, client, asked, killOthers };
}

script("a request that dying instances broke off meets only those that live after a pause", async (t) => {
  const { router, client, asked, killOthers } = await startBrokenOffTwice(t);
  assert.equal(router.router.counters.attempts, 2, "the third one waits");
  killOthers();
  router.clock.advance(50);
  assert.match(await client.message(), /ok$/);
  assert.equal(asked.size, 3, "the dead refused the connection, which costs no attempt");
});

script("a client that goes away before the last attempt leaves none behind", async (t) => {
  const { router, client } = await startBrokenOffTwice(t);
  client.reset();
  await router.eventually(() => router.router.counters.activeExchanges === 0);
  router.clock.advance(50);
  assert.equal(router.router.counters.attempts, 2);
  assert.match(router.accessLog()[0] ?? "", / 499 /);
});

for (const { maxAttempts, dead, want } of [
  { maxAttempts: 1, dead: 5, want: 1 },
  { maxAttempts: 2, dead: 5, want: 5 },
  { maxAttempts: 3, dead: 12, want: 10 },
  { maxAttempts: 12, dead: 14, want: 12 },
]) {
  script(
    `with max_attempts ${maxAttempts} and ${dead} endpoints that refuse, ${want} are tried, none of them twice`,
    async (t) => {
      const router = await startRouter(t, {
        config: { maxAttempts },
        routes: [
          { uri: "shop.example.com", ports: await Promise.all(Array.from({ length: dead }, deadPort)) },
        ],
      });
      const client = await router.connect();
      client.send(GET);
      assert.match(await client.message(), /^HTTP\/1\.1 502 /);
      const tried = router.log.filter(({ message }) => message === "backend-endpoint-failed").map(addressIn);
      assert.equal(tried.length, want);
      assert.equal(new Set(tried).size, want);
    },
  );
}

script("endpoints that refused do not use up the attempts of those that fail otherwise", async (t) => {
  const [dying, live] = [await startEndpoint(t), await startEndpoint(t)];
  const dead = await Promise.all(Array.from({ length: 4 }, deadPort));
  const router = await startRouter(t, {
    config: { maxAttempts: 2 },
    routes: [{ uri: "shop.example.com", ports: [...dead, dying.port, live.port] }],
  });
  void dying.accept().then(async (peer) => {
    await peer.message();
    dying.close();
    peer.end();
  });
  void live
    .accept()
    .then(async (peer) => {
      for (;;) {
        await peer.message();
        peer.send(OK);
      }
    })
    .catch(() => {});
  const client = await router.connect();
  for (let i = 0; i < 6; i++) {
    client.send(GET);
    assert.match(await client.message(), /ok$/);
  }
});

script("a route that says how many retries gets no more of them, also where endpoints refuse", async (t) => {
  const router = await startRouter(t, {
    config: { maxAttempts: 5 },
    routes: [
      {
        uri: "shop.example.com",
        ports: await Promise.all(Array.from({ length: 5 }, deadPort)),
        options: { retries: 1 },
      },
    ],
  });
  const client = await router.connect();
  client.send(GET);
  assert.match(await client.message(), /^HTTP\/1\.1 502 /);
  assert.equal(router.log.filter(({ message }) => message === "backend-endpoint-failed").length, 2);
});

script("an idle connection that the endpoint closed is replaced, unseen by the client", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { maxAttempts: 1 },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await router.connect();
  client.send(GET);
  const first = await endpoint.accept();
  await first.message();
  first.send(OK);
  await client.message();
  // The endpoint takes the next request and closes without a word, as a server does that was just about to.
  client.send(GET);
  await first.message();
  first.end();
  const second = await endpoint.accept();
  await second.message();
  second.send(OK);
  assert.match(await client.message(), /ok$/);
  assert.equal(router.router.counters.retries, 1);
});

script("a POST on a connection that turns out dead is not sent twice", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(GET);
  const first = await endpoint.accept();
  await first.message();
  first.send(OK);
  await client.message();
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 4\r\n\r\nbody`);
  await first.message();
  first.end();
  assert.match(await client.message(), /^HTTP\/1\.1 502 [^]*X-Cf-RouterError: endpoint_failure \(EOF\)\r\n/);
  assert.equal(endpoint.connections.length, 1);
});

for (const how of ["closes", "resets", "closes in the middle of the head"] as const) {
  script(`a GET whose endpoint ${how} before its answer is answered by another one`, async (t) => {
    const dying = await startEndpoint(t);
    const other = await startEndpoint(t);
    const router = await startRouter(t, {
      routes: [{ uri: "shop.example.com", ports: [dying.port, other.port] }],
    });
    const client = await router.connect();
    const asked = async () => {
      client.send(GET);
      return await Promise.race([
        dying.accept().then((peer) => ({ peer, isDying: true })),
        other.accept().then((peer) => ({ peer, isDying: false })),
      ]);
    };
    let { peer, isDying } = await asked();
    if (!isDying) {
      await peer.message();
      peer.send(OK);
      await client.message();
      ({ peer, isDying } = await asked());
      assert.ok(isDying, "round-robin comes to the other endpoint next");
    }
    await peer.message();
    dying.close();
    if (how === "resets") peer.reset();
    else {
      if (how !== "closes") peer.send("HTTP/1.1 200 OK\r\nContent-Le");
      peer.end();
    }
    const saviour = other.connections[0] ?? (await other.accept());
    await saviour.message();
    saviour.send(OK);
    assert.match(await client.message(), /^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
  });
}

script("a GET is not tried again once any of the answer reached the client", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  await client.until("half");
  upstream.reset();
  assert.equal(await client.rest(), "");
  assert.equal(endpoint.connections.length, 1);
});

script("a malformed answer is 502 and is not asked for again", async (t) => {
  for (const answer of [
    "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "nonsense\r\n\r\n",
    // In one read with its head: nothing has been sent on when the chunk turns out broken.
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n",
  ]) {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, { routes: [{ uri: "shop.example.com", ports: [endpoint.port] }] });
    const client = await router.connect();
    client.send(GET);
    const upstream = await endpoint.accept();
    await upstream.message();
    upstream.send(answer);
    assert.match(await client.message(), /^HTTP\/1\.1 502 [^]*endpoint_failure \(malformed HTTP response/);
    assert.equal(endpoint.connections.length, 1);
    assert.equal(await upstream.rest(), "");
  }
});

script("a too large answer head is 502 with upstream's words", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { maxResponseHeadBytes: 1_000 },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const client = await router.connect();
  client.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  upstream.send(`HTTP/1.1 200 OK\r\nX-Long: ${"x".repeat(2_000)}\r\n\r\n`);
  assert.match(
    await client.message(),
    /X-Cf-RouterError: endpoint_failure \(Too many response headers\)\r\n/,
  );
});

script(
  "connections to an endpoint that left the table close, those in use when their exchange ends",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const route = { uri: "shop.example.com", ports: [endpoint.port] };
    const router = await startRouter(t, { routes: [route] });
    const [busy, idle] = [await router.connect(), await router.connect()];
    busy.send(GET);
    const busyUpstream = await endpoint.accept();
    await busyUpstream.message();
    idle.send(GET);
    const idleUpstream = await endpoint.accept();
    await idleUpstream.message();
    idleUpstream.send(OK);
    await idle.message();

    router.unmap(route);
    assert.equal(await idleUpstream.rest(), "", "closed at once");
    busyUpstream.send(OK);
    assert.match(await busy.message(), /ok$/, "what is in flight is finished");
    assert.equal(await busyUpstream.rest(), "", "and then closed too");
    busy.send(GET);
    assert.match(await busy.message(), /^HTTP\/1\.1 404 /);
  },
);

script("an endpoint at its connection limit is not picked; when all are, the answer says so", async (t) => {
  const endpoint = await startEndpoint(t);
  const router = await startRouter(t, {
    config: { maxInFlightPerEndpoint: 1 },
    routes: [{ uri: "shop.example.com", ports: [endpoint.port] }],
  });
  const first = await router.connect();
  const second = await router.connect();
  first.send(GET);
  const upstream = await endpoint.accept();
  await upstream.message();
  second.send(GET);
  assert.match(
    await second.message(),
    /^HTTP\/1\.1 503 [^]*X-Cf-RouterError: Connection Limit Reached\r\n[^]*\n?503 Service Unavailable: Requested route \('shop\.example\.com'\) has reached the connection limit\.\n$/,
  );
  upstream.send(OK);
  await first.message();
  second.send(GET);
  await upstream.message();
  upstream.send(OK);
  assert.match(await second.message(), /ok$/);
});

script("an endpoint that registers while an attempt fails serves the next one", async (t) => {
  const [dying, fresh] = [await startEndpoint(t), await startEndpoint(t)];
  const route = { uri: "shop.example.com", ports: [dying.port] };
  const router = await startRouter(t, { routes: [route] });
  const client = await router.connect();
  client.send(GET);
  const upstream = await dying.accept();
  await upstream.message();
  router.unmap(route);
  router.map({ uri: "shop.example.com", ports: [fresh.port] });
  upstream.end();
  const next = await fresh.accept();
  await next.message();
  next.send(OK);
  assert.match(await client.message(), /ok$/);
});
