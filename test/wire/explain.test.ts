/** What a router says beforehand, and that a request then gets just that. */
import assert from "node:assert/strict";
import { deadPort, type RouterUnderTest, script, startEndpoint, startRouter } from "./support.ts";

const ask = ({ router }: RouterUnderTest, url: string, method = "GET") => router.explain({ url, method });

async function statusLine({ connect }: RouterUnderTest, host: string, path = "/"): Promise<string> {
  const client = await connect();
  client.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  const answer = await client.rest();
  return `${answer.slice(9, 12)} ${/x-cf-routererror: (.*)\r\n/i.exec(answer)?.[1] ?? ""}`;
}

script(
  "the longest path by whole segments matches, and every other route says why it does not",
  async (t) => {
    const under = await startRouter(t, {
      routes: [
        { uri: "shop.example.com", ports: [1] },
        { uri: "shop.example.com/api", ports: [2] },
        { uri: "shop.example.com/api/v2", ports: [3] },
        { uri: "shop.example.com/api/v20/x", ports: [4] },
        { uri: "*.example.com", ports: [5] },
        { uri: "other.example.com", ports: [6] },
      ],
    });
    const said = await ask(under, "https://Shop.example.com:8443/api/V2/x?token=1");
    assert.deepEqual([said.host, said.path], ["shop.example.com", "/api/V2/x?token=1"]);
    assert.deepEqual(said.route, {
      key: "shop.example.com/api/v2",
      reservation: null,
      routeServiceUrl: null,
    });
    assert.deepEqual(Object.fromEntries(said.others.map(({ route, why }) => [route, why])), {
      "shop.example.com": "its path is shorter than /api/v2",
      "shop.example.com/api": "its path is shorter than /api/v2",
      "shop.example.com/api/v20/x":
        "its path /api/v20/x is not the beginning of /api/V2/x, segment by segment",
      "*.example.com": "*.example.com is asked only when no route of shop.example.com matches",
    });
  },
);

script("options say who set them, and those that are ignored say why", async (t) => {
  const under = await startRouter(t, {
    routes: [
      { uri: "shop.example.com", ports: [1], options: { "trim-path": true, loadbalancing: "fastest" } },
      { uri: "held.example.com", ports: [], options: { loadbalancing: "least-connection" } },
    ],
    config: { maxAttempts: 2, endpointTimeoutMs: 90_000 },
  });
  const shop = await ask(under, "shop.example.com");
  assert.deepEqual(
    shop.options.map(({ name, value, from }) => `${name}=${value} ${from}`),
    [
      "trim-path=true registration",
      "loadbalancing=round-robin config",
      "endpoint_timeout=90s config",
      "endpoint_dial_timeout=5s config",
      "max_attempts=2 config",
      "max_conns=no limit config",
    ],
  );
  assert.deepEqual(
    shop.ignoredOptions.map(({ key }) => key),
    ["loadbalancing"],
  );
  const held = await ask(under, "held.example.com");
  assert.equal(held.route?.reservation, "route-held.example.com");
  assert.deepEqual(held.options[0], {
    name: "loadbalancing",
    value: "least-connection",
    from: "reservation",
    meaning: "",
  });
});

script("what it says a client would get is what a client gets", async (t) => {
  const under = await startRouter(t, {
    routes: [
      { uri: "down.example.com", ports: [] },
      { uri: "guarded.example.com", ports: [1], routeServiceUrl: "https://guard.example.com" },
    ],
  });
  for (const host of ["nobody.example.com", "down.example.com", "guarded.example.com"]) {
    const { now } = await ask(under, host);
    assert.equal(`${now.status} ${now.routerError}`, await statusLine(under, host), host);
  }
  const empty = await ask(under, "http:///cart");
  assert.deepEqual([empty.now.status, empty.now.routerError], [400, "empty_host"]);
});

script("endpoints show what is in flight, and which are marked as failed for how long", async (t) => {
  const endpoint = await startEndpoint(t);
  const dead = await deadPort();
  const under = await startRouter(t, {
    routes: [{ uri: "shop.example.com", ports: [dead, endpoint.port], endpoint: { availabilityZone: "z1" } }],
    config: { maxInFlightPerEndpoint: 1, dropletStaleThresholdMs: 40_000 },
  });
  const fresh = await ask(under, "shop.example.com", "POST");
  assert.match(fresh.now.text, /handed to one of 2 of 2 endpoints; up to 2 are tried, but only while none/);

  const client = await under.connect();
  client.send("GET / HTTP/1.1\r\nHost: shop.example.com\r\n\r\n");
  const app = await endpoint.accept();
  await app.message();
  const busy = await ask(under, "shop.example.com");
  const alive = busy.endpoints.find(({ address }) => address === `127.0.0.1:${endpoint.port}`);
  assert.deepEqual([alive?.state, alive?.inFlight, alive?.zone], ["at its limit", 1, "z1"]);

  // The other one is asked as the only one that is left, and fails.
  const second = await under.connect();
  second.send("GET / HTTP/1.1\r\nHost: shop.example.com\r\nConnection: close\r\n\r\n");
  assert.match(await second.rest(), /^HTTP\/1\.1 50[23]/);
  const failed = (await ask(under, "shop.example.com")).endpoints.find(
    ({ address }) => address === `127.0.0.1:${dead}`,
  );
  assert.equal(failed?.state, "marked as failed");
  assert.ok(failed.markedForMs > 0 && failed.markedForMs <= 10_000, String(failed.markedForMs));
});
