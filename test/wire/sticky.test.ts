/** Sticky sessions, zones and limits: whom a request goes to besides what the balancer thinks. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { RouterConfig } from "../../src/router/index.ts";
import {
  type EndpointPeer,
  type Peer,
  type RouteGiven,
  type RouterUnderTest,
  script,
  startEndpoint,
  startRouter,
} from "./support.ts";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
const get = (lines = "", path = "/") => `GET ${path} HTTP/1.1\r\nHost: shop.example.com\r\n${lines}\r\n`;

interface Shop {
  readonly router: RouterUnderTest;
  readonly client: Peer;
  /** Asks, and lets whoever is asked answer with these lines; tells who it was, and the answer. */
  ask(request: string, answerLines?: string): Promise<{ readonly served: number; readonly answer: string }>;
}

/** Instances 0, 1, … of one app behind one route; each in a pool of its own connection. */
async function openShop(
  t: TestContext,
  instances: number,
  given: { readonly config?: Partial<RouterConfig>; readonly route?: Partial<RouteGiven> } = {},
): Promise<Shop> {
  const endpoints: EndpointPeer[] = [];
  for (let i = 0; i < instances; i++) endpoints.push(await startEndpoint(t));
  const router = await startRouter(t, {
    ...(given.config === undefined ? {} : { config: given.config }),
    routes: [{ uri: "shop.example.com", ports: endpoints.map(({ port }) => port), ...given.route }],
  });
  const client = await router.connect();
  return {
    router,
    client,
    async ask(request, answerLines = "") {
      client.send(request);
      const asked = () =>
        endpoints.findIndex(({ connections }) =>
          connections.some(({ waiting }) => waiting.includes("\r\n\r\n")),
        );
      await router.eventually(() => asked() !== -1);
      const served = asked();
      const upstream = endpoints[served]?.connections.find(({ waiting }) => waiting !== "") as Peer;
      await upstream.message();
      upstream.send(`${OK}${answerLines}\r\nok`);
      return { served, answer: await client.message() };
    },
  };
}

const vcapLine = (answer: string) => /^Set-Cookie: (__VCAP_ID__=.*)\r$/m.exec(answer)?.[1];
const cookie = (instance: number | string, name = "JSESSIONID") =>
  `Cookie: theme=dark; ${name}=abc; __VCAP_ID__=${typeof instance === "number" ? `instance-${instance}` : instance}\r\n`;

script(
  "an app's session cookie is joined by ours, and with both the session stays at its instance",
  async (t) => {
    const { ask } = await openShop(t, 3);
    const first = await ask(get(), "Set-Cookie: JSESSIONID=abc; Path=/shop; HttpOnly\r\n");
    assert.equal(vcapLine(first.answer), `__VCAP_ID__=instance-${first.served}; Path=/; HttpOnly`);
    assert.match(first.answer, /Set-Cookie: JSESSIONID=abc; Path=\/shop; HttpOnly\r\n/);
    for (let i = 0; i < 6; i++) {
      const next = await ask(get(cookie(first.served)));
      assert.equal(next.served, first.served);
      assert.equal(vcapLine(next.answer), undefined, "said once is enough");
    }
  },
);

script("without both cookies a request is spread as any other", async (t) => {
  const { ask } = await openShop(t, 2);
  for (const lines of [
    "Cookie: __VCAP_ID__=instance-0\r\n",
    "Cookie: JSESSIONID=abc\r\n",
    cookie(0, "jsessionid"),
  ]) {
    const served = new Set([(await ask(get(lines))).served, (await ask(get(lines))).served]);
    assert.equal(served.size, 2, lines);
  }
});

for (const { name, lines } of [
  { name: "in quotes", lines: 'Cookie: JSESSIONID=abc; __VCAP_ID__="instance-1"\r\n' },
  { name: "on two lines", lines: "Cookie: __VCAP_ID__=instance-1\r\nCookie: JSESSIONID=abc\r\n" },
  {
    name: "without spaces and among odd ones",
    lines: "cookie: ;;a;=b;JSESSIONID=;__VCAP_ID__=instance-1;\r\n",
  },
  { name: "twice, of which the first counts", lines: `${cookie(1).trim()}; __VCAP_ID__=instance-0\r\n` },
]) {
  script(`cookies ${name} are read`, async (t) => {
    const { ask } = await openShop(t, 2);
    assert.deepEqual([(await ask(get(lines))).served, (await ask(get(lines))).served], [1, 1]);
  });
}

script("a session whose instance has left goes elsewhere and is told so", async (t) => {
  const { ask } = await openShop(t, 2);
  const { served, answer } = await ask(get(cookie("instance-that-left")));
  assert.equal(vcapLine(answer), `__VCAP_ID__=instance-${served}; Path=/; HttpOnly`);
});

script("a session whose instance cannot be reached is served by another one, which gets it", async (t) => {
  const { ask, router } = await openShop(t, 1);
  const gone = await startEndpoint(t);
  gone.close();
  router.map({ uri: "shop.example.com", ports: [gone.port], endpoint: { instanceId: "instance-gone" } });
  const { served, answer } = await ask(get(cookie("instance-gone")));
  assert.equal(served, 0);
  assert.equal(vcapLine(answer), "__VCAP_ID__=instance-0; Path=/; HttpOnly");
});

const COPIED: readonly {
  readonly app: string;
  readonly want: string;
  readonly config?: Partial<RouterConfig>;
}[] = [
  { app: "JSESSIONID=a", want: "" },
  { app: "JSESSIONID=a; Secure", want: "; HttpOnly; Secure" },
  {
    app: "JSESSIONID=a; SECURE; sameSITE=NONE; Partitioned",
    want: "; HttpOnly; Secure; SameSite=None; Partitioned",
  },
  { app: "JSESSIONID=a; SameSite=lax", want: "; HttpOnly; SameSite=Lax" },
  { app: "JSESSIONID=a; SameSite=Sideways", want: "; HttpOnly" },
  { app: "JSESSIONID=a; Domain=example.com; Path=/deep", want: "; HttpOnly" },
  {
    app: "JSESSIONID=a; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
    want: "; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly",
  },
  {
    app: "JSESSIONID=a; Expires=Wed, 21-Oct-2026 07:28:00 GMT",
    want: "; Expires=Wed, 21 Oct 2026 07:28:00 GMT; HttpOnly",
  },
  { app: "JSESSIONID=a; Expires=tomorrow", want: "; HttpOnly" },
  { app: "JSESSIONID=a; Max-Age=3600", want: "; HttpOnly" },
  { app: "JSESSIONID=; Max-Age=0", want: "; Max-Age=0; HttpOnly" },
  { app: "JSESSIONID=; Max-Age=-1", want: "; Max-Age=0; HttpOnly" },
  { app: "JSESSIONID=a; Max-Age=soon", want: "; HttpOnly" },
  { app: "JSESSIONID=a", config: { secureCookies: true }, want: "; HttpOnly; Secure" },
];
for (const { app, config, want } of COPIED) {
  const secure = config?.secureCookies === true ? " under secure_cookies" : "";
  script(`for «${app}»${secure} ours ends in «${want === "" ? "; HttpOnly" : want}»`, async (t) => {
    const { ask } = await openShop(t, 1, config === undefined ? {} : { config });
    const { answer } = await ask(get(), `Set-Cookie: ${app}\r\n`);
    assert.equal(vcapLine(answer), `__VCAP_ID__=instance-0; Path=/${want === "" ? "; HttpOnly" : want}`);
  });
}

script("the path of the cookie is the route's, so that two apps of one host keep their own", async (t) => {
  const { ask } = await openShop(t, 1, { route: { uri: "shop.example.com/Cart" } });
  const { answer } = await ask(get("", "/cart/7"), "Set-Cookie: JSESSIONID=a\r\n");
  assert.equal(vcapLine(answer), "__VCAP_ID__=instance-0; Path=/Cart; HttpOnly");
});

for (const { name, answer, endpoint } of [
  { name: "the app sets it itself", answer: "Set-Cookie: __VCAP_ID__=mine\r\nSet-Cookie: JSESSIONID=a\r\n" },
  { name: "the app sets another cookie", answer: "Set-Cookie: theme=dark\r\n" },
  { name: "the app sets none", answer: "" },
  { name: "the instance has no id", answer: "Set-Cookie: JSESSIONID=a\r\n", endpoint: { instanceId: "" } },
]) {
  script(`no cookie of ours when ${name}`, async (t) => {
    const { ask } = await openShop(t, 1, endpoint === undefined ? {} : { route: { endpoint } });
    assert.doesNotMatch((await ask(get(), answer)).answer, /__VCAP_ID__=instance/);
  });
}

script("an instance id that came with odd bytes cannot end the cookie or its line", async (t) => {
  const { ask } = await openShop(t, 1, { route: { endpoint: { instanceId: 'a; Domain=x\r\nEvil: "1"' } } });
  const { answer } = await ask(get(), "Set-Cookie: JSESSIONID=a\r\n");
  assert.equal(vcapLine(answer), "__VCAP_ID__=aDomain=xEvil:1; Path=/; HttpOnly");
  assert.doesNotMatch(answer, /^Evil/m);
});

script("the route's session-cookie counts instead of the operator's names", async (t) => {
  const { ask } = await openShop(t, 2, { route: { options: { "session-cookie": "sid" } } });
  assert.equal(vcapLine((await ask(get(), "Set-Cookie: JSESSIONID=a\r\n")).answer), undefined);
  const { served, answer } = await ask(get(), "Set-Cookie: sid=a\r\n");
  assert.equal(vcapLine(answer), `__VCAP_ID__=instance-${served}; Path=/; HttpOnly`);
  for (let i = 0; i < 3; i++) assert.equal((await ask(get(cookie(0, "sid")))).served, 0);
});

script("without session cookie names nothing is sticky", async (t) => {
  const { ask } = await openShop(t, 2, { config: { stickyCookieNames: [] } });
  const served = [(await ask(get(cookie(0)))).served, (await ask(get(cookie(0)))).served];
  assert.deepEqual(served.toSorted(), [0, 1]);
});

script("a session wins over hashing", async (t) => {
  const { ask } = await openShop(t, 4, {
    route: { options: { loadbalancing: "hash", hash_header: "X-Tenant" } },
  });
  const home = (await ask(get("X-Tenant: a\r\n"))).served;
  const other = (home + 1) % 4;
  assert.equal((await ask(get("X-Tenant: a\r\n"))).served, home);
  assert.equal((await ask(get(`X-Tenant: a\r\n${cookie(other)}`))).served, other);
});

// === Negotiate ===

const NEGOTIATE = { config: { stickyForAuthNegotiate: true } };
const authorization = (instance: string) =>
  `Authorization: NEGOTIATE abc==\r\nCookie: __VCAP_ID__=${instance}\r\n`;

script("a Negotiate challenge binds the client to the instance for a minute", async (t) => {
  const { ask } = await openShop(t, 2, NEGOTIATE);
  const { served, answer } = await ask(
    get(),
    "WWW-Authenticate: Negotiate\r\nSet-Cookie: JSESSIONID=a; Secure\r\n",
  );
  assert.equal(
    vcapLine(answer),
    `__VCAP_ID__=instance-${served}; Path=/; Max-Age=60; HttpOnly; SameSite=Strict`,
  );
  for (let i = 0; i < 3; i++)
    assert.equal((await ask(get(authorization(`instance-${served}`)))).served, served);
});

script("with Negotiate no other instance will do: one that left is an error, not a guess", async (t) => {
  const { client } = await openShop(t, 2, NEGOTIATE);
  client.send(get(authorization("instance-that-left")));
  const answer = await client.message();
  assert.match(answer, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
  assert.match(answer, /X-Cf-RouterError: endpoint_failure \(No endpoints available\)\r\n/);
});

script("without the operator's switch Negotiate means nothing", async (t) => {
  const { ask } = await openShop(t, 2);
  const { answer } = await ask(get(authorization("instance-that-left")), "WWW-Authenticate: Negotiate\r\n");
  assert.equal(vcapLine(answer), undefined);
});

// === zones ===

script(
  "the first attempt goes to the router's own zone, and to another one when nobody is there",
  async (t) => {
    const { ask, router } = await openShop(t, 1, {
      config: { preferredZone: "z1" },
      route: { endpoint: { availabilityZone: "z2" } },
    });
    const near = await startEndpoint(t);
    const local = { uri: "shop.example.com", ports: [near.port], endpoint: { availabilityZone: "z1" } };
    assert.equal((await ask(get())).served, 0);
    router.map(local);
    const client = await router.connect();
    for (let i = 0; i < 4; i++) {
      client.send(get());
      const upstream = near.connections[0] ?? (await near.accept());
      await upstream.message();
      upstream.send(`${OK}\r\nok`);
      await client.message();
    }
    // It stops: the first attempt fails, the second goes to the other zone, and so do those after it.
    near.close();
    for (const { socket } of near.connections) socket.destroy();
    for (let i = 0; i < 3; i++) assert.equal((await ask(get())).served, 0);
    assert.equal(router.log.filter(({ message }) => message === "backend-endpoint-failed").length, 1);
  },
);

// === limits ===

for (const { name, given } of [
  { name: "max_conns", given: { config: { maxInFlightPerEndpoint: 1 } } },
  { name: "the route's connection-limit", given: { route: { options: { "connection-limit": 1 } } } },
  {
    name: "the lower of both",
    given: { config: { maxInFlightPerEndpoint: 1 }, route: { options: { "conn-limit": "9" } } },
  },
]) {
  script(`at ${name} a request is answered 503, and served again when one has ended`, async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t, {
      ...("config" in given && given.config !== undefined ? { config: given.config } : {}),
      routes: [{ uri: "shop.example.com", ports: [endpoint.port], ...("route" in given ? given.route : {}) }],
    });
    const [busy, other] = [await router.connect(), await router.connect()];
    busy.send(get());
    const upstream = await endpoint.accept();
    await upstream.message();
    other.send(get(cookie(0)));
    const answer = await other.message();
    assert.match(answer, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
    assert.match(answer, /X-Cf-RouterError: Connection Limit Reached\r\n/);
    assert.match(
      answer,
      /\r\n\r\n503 Service Unavailable: Requested route \('shop\.example\.com'\) has reached the connection limit\.\n$/,
    );
    assert.doesNotMatch(answer, /Cache-Control/i);
    upstream.send(`${OK}\r\nok`);
    await busy.message();
    other.send(get());
    await upstream.message();
    upstream.send(`${OK}\r\nok`);
    assert.match(await other.message(), /ok$/);
  });
}

// === hash ===

script("requests with the same header value go to one instance, those without it to all", async (t) => {
  const { ask } = await openShop(t, 3, {
    route: { options: { loadbalancing: "hash", hash_header: "X-Tenant", hash_balance: "1.5" } },
  });
  const homes = new Set<number>();
  for (let i = 0; i < 5; i++) homes.add((await ask(get("x-tenant: blue\r\n"))).served);
  assert.equal(homes.size, 1);
  const all = new Set<number>();
  for (let i = 0; i < 3; i++) all.add((await ask(get())).served);
  assert.equal(all.size, 3);
});
