/** What `viaduct explain` says of routes that answer in their app's place, and that a request then gets just that. */
import assert from "node:assert/strict";
import type { RouteOptions } from "../../src/table/index.ts";
import { script, startEndpoint, startRouter } from "./support.ts";

const URI = "shop.example.com";

for (const { name, options, scheme, want } of [
  {
    name: "maintenance",
    options: { maintenance: "30m", "https-redirect": 308 },
    scheme: "https",
    want: {
      status: 503,
      routerError: "route_in_maintenance",
      text: "Requested route ('shop.example.com') is in maintenance.",
    },
  },
  {
    name: "a redirect",
    options: { maintenance: "30m", "https-redirect": 308 },
    scheme: "http",
    want: {
      status: 308,
      routerError: "",
      text: "the route answers itself, which leads to https://shop.example.com/a?b=1",
    },
  },
] satisfies readonly { name: string; options: RouteOptions; scheme: string; want: object }[]) {
  script(`${name} is foreseen, with a route service, without endpoints, and as it is then`, async (t) => {
    for (const [ports, routeServiceUrl] of [
      [[1], null],
      [[], null],
      [[1], "https://service.example.com"],
    ] as const) {
      const router = await startRouter(t, {
        config: { routeServicesSecret: "secret of the foundation" },
        routes: [{ uri: URI, ports, options, ...(routeServiceUrl === null ? {} : { routeServiceUrl }) }],
      });
      const { now } = await router.router.explain({ url: `${scheme}://${URI}/a?b=1`, method: "GET" });
      assert.deepEqual(now, want);
      const client = await router.connect();
      client.send(`GET /a?b=1 HTTP/1.1\r\nHost: ${URI}\r\nX-Forwarded-Proto: ${scheme}\r\n\r\n`);
      const answer = await client.message();
      assert.ok(answer.startsWith(`HTTP/1.1 ${want.status} `), answer);
      if (want.routerError !== "") assert.ok(answer.includes(want.text), answer);
    }
  });
}

script(
  "a route at its limit is foreseen to refuse, as long as it is, and asking takes no place",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, {
      routes: [{ uri: URI, ports: [endpoint.port], options: { "concurrency-limit": "1, queue 1" } }],
    });
    const ask = async () => (await router.router.explain({ url: URI, method: "GET" })).now.routerError;
    assert.equal(await ask(), "");
    assert.equal(await ask(), "");
    const clients = [await router.connect(), await router.connect()];
    for (const [i, client] of clients.entries()) {
      assert.equal(await ask(), "", "while one may still wait");
      client.send(`GET / HTTP/1.1\r\nHost: ${URI}\r\n\r\n`);
      await router.eventually(() => router.router.counters.activeExchanges === i + 1);
    }
    assert.equal(await ask(), "concurrency_limit_reached");
    clients[1]?.reset();
    await router.eventually(() => router.router.counters.activeExchanges === 1);
    assert.equal(await ask(), "");
  },
);

script("each option says in words what it does", async (t) => {
  const options = {
    hsts: "30d",
    "allowed-ranges": "203.0.113.0/24",
    "https-redirect": 301,
    maintenance: "1h, bypass X-Preview: fig-42",
    "rate-limit": "10/s",
    "max-body": "10MB",
    "concurrency-limit": "5, queue 2",
  };
  const router = await startRouter(t, { routes: [{ uri: URI, ports: [1], options }] });
  const said = await router.router.explain({ url: URI, method: "GET" });
  const own = said.options.filter(({ from }) => from === "registration");
  assert.deepEqual(Object.fromEntries(own.map(({ name, meaning }) => [name, meaning])), {
    hsts: "browsers come by https only, for 30 days",
    "allowed-ranges": "clients at other addresses than 203.0.113.0/24 get 403",
    "https-redirect": "requests by http get 301 to https",
    maintenance: "clients get 503 and come back in 1h, unless they know what to say in X-Preview",
    "rate-limit": "requests of an address beyond 10 per second, or 10 at once, get 429",
    "max-body": "requests with more than 10000000 bytes of body get 413",
    "concurrency-limit": "5 requests at a time here; 2 more wait up to 5s, the rest get 503",
  });
});
