/**
 * A value that is none, for every option there is: the control plane refuses it and names the route, the option, the value
 * and what is allowed; a router that is told it all the same serves the route and honours the rest.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startApi } from "../../src/cloud-controller/testing.ts";
import { type OptionValue, options, parseOptionText } from "../../src/options/index.ts";
import { script, startEndpoint, startRouter } from "./support.ts";

const URI = "shop.example.com";

interface BadValue {
  readonly value: OptionValue;
  /** What the sentence says is allowed. */
  readonly allowed: RegExp;
}

/** By option: what its own rules refuse. One that is missing here is given what its schema cannot take. */
const BAD: Readonly<Record<string, readonly BadValue[]>> = {
  hsts: [
    { value: "forever", allowed: /like '30d', '365d, subdomains'/ },
    { value: "9999d", allowed: /the 730d that the operator allows/ },
  ],
  "allowed-ranges": [
    { value: 8, allowed: /networks like '203\.0\.113\.0\/24/ },
    { value: "10.0.0.0/8, home", allowed: /write one like 203\.0\.113\.0\/24/ },
  ],
  "https-redirect": [{ value: 302, allowed: /one of '301, 308'/ }],
  maintenance: [
    { value: "soon", allowed: /a time with a unit like '30m'/ },
    { value: "1000h", allowed: /the 604800s that the operator allows/ },
  ],
  "rate-limit": [
    { value: "10 per second", allowed: /like '10\/s'/ },
    { value: "9999999/s", allowed: /1000000/ },
  ],
  "max-body": [
    { value: "huge", allowed: /like 512KiB or 10MB/ },
    { value: 1024, allowed: /a unit: 1024B/ },
  ],
  "concurrency-limit": [
    { value: 0, allowed: /between 1 and 1000000/ },
    { value: "5, queue 5, wait 2h", allowed: /the 60s that the operator allows/ },
  ],
  "session-cookie": [{ value: "a b", allowed: /the name of a cookie/ }],
  "connection-limit": [{ value: 0, allowed: /between 1 and 1000000/ }],
  loadbalancing: [{ value: "dice", allowed: /'round-robin, least-connection, hash'/ }],
  hash_header: [{ value: "a b", allowed: /the name of a header/ }],
  hash_balance: [{ value: 11, allowed: /either 0 or between 1\.1 and 10\.0/ }],
  retries: [
    { value: "often", allowed: /between 0 and 10/ },
    { value: 10, allowed: /that the operator allows/ },
  ],
  "retry-on": [{ value: "always", allowed: /connect-failure, reset, response-timeout, 502, 503, 504/ }],
  "retry-budget": [{ value: 101, allowed: /between 0 and 100/ }],
  "connect-timeout": [
    { value: 5, allowed: /must have a unit: 5s/ },
    { value: "1h", allowed: /that the operator allows/ },
  ],
  "response-timeout": [
    { value: "long", allowed: /like 500ms, 30s or 1m30s/ },
    { value: "1ms", allowed: /the shortest is 100ms/ },
  ],
  "idle-timeout": [{ value: "never", allowed: /like 500ms, 30s or 1m30s/ }],
  "trim-path": [{ value: "/v2", allowed: /true or false/ }],
  "request-headers": [
    { value: true, allowed: /rules like 'set NAME: VALUE/ },
    { value: "set Host: evil", allowed: /the router's own/ },
  ],
  "response-headers": [{ value: "add X: 1", allowed: /set NAME: VALUE|set, append, remove/ }],
};
/** Their sentences are upstream's, word for word, and have no place for a value. */
const UPSTREAMS = ["loadbalancing", "hash_header", "hash_balance"];
const CASES = options.flatMap(({ name }) =>
  (BAD[name] ?? [{ value: noValueOf(name), allowed: / must / }]).map((bad) => ({ name, ...bad })),
);

/** No schema takes both. */
function noValueOf(name: string): OptionValue {
  return parseOptionText(name, "true").ok ? -1 : true;
}

/** `Rate limit`, or the name as it is. */
const named = (text: string, name: string) =>
  text.includes(name) || text.toLowerCase().includes(name.replaceAll(/[-_]/g, " "));

test("the API refuses each by a sentence that names option, value and what is allowed, and keeps nothing", async (t) => {
  const api = await startApi(t);
  const relationships = {
    space: { data: { guid: api.space } },
    domain: { data: { guid: api.domain } },
  };
  const good = await api.create("/v3/routes", { host: "good", relationships, options: { retries: 1 } });
  for (const { name, value, allowed } of CASES) {
    const texts = [
      await api.post("/v3/routes", { host: "bad", relationships, options: { [name]: value } }),
      await api.patch(`/v3/routes/${good}`, { options: { [name]: value } }),
    ].map(({ status, details }) => {
      assert.equal(status, 422, `${name}=${value}`);
      return details.find((detail) => named(detail, name)) ?? details.join();
    });
    for (const text of texts) {
      assert.match(text, allowed);
      assert.ok(named(text, name), text);
      // At least the part of it that is wrong.
      const said = [String(value), ...String(value).split(/[, /:]+/)].some((part) => text.includes(part));
      assert.ok(said || UPSTREAMS.includes(name), `${value} is not named: ${text}`);
    }
  }
  assert.deepEqual((await api.get(`/v3/routes/${good}`)).body.options, { retries: "1" });
  assert.equal((await api.list("/v3/routes")).length, 1);
});

test("a manifest is refused as a whole, by sentences that name the route too", async (t) => {
  const api = await startApi(t);
  const path = `/v3/spaces/${api.space}/actions/apply_manifest`;
  for (const { name, value, allowed } of CASES) {
    const manifest =
      "applications:\n- name: shop\n  routes:\n  - route: fine.localhost\n  - route: shop.localhost\n    options:\n" +
      `      ${name}: ${JSON.stringify(value)}\n`;
    const { status, details } = await api.request({
      method: "POST",
      url: path,
      headers: { authorization: "bearer admin", "content-type": "application/x-yaml" },
      payload: manifest,
    });
    assert.equal(status, 422, `${name}=${value}: ${details.join()}`);
    const text = details.find((detail) => named(detail, name)) ?? details.join();
    assert.match(text, /shop\.localhost/);
    assert.match(text, name === "loadbalancing" ? /round-robin.*least-connection.*hash/ : allowed);
  }
  assert.equal((await api.list("/v3/routes")).length, 0);
  assert.equal((await api.list("/v3/apps")).length, 0);
});

script(
  "a router ignores each, says so once with the value, and honours the rest of the route's options",
  async (t) => {
    const endpoint = await startEndpoint(t);
    const router = await startRouter(t);
    const client = await router.connect();
    let upstream;
    for (const { name, value } of CASES) {
      const probe = name === "response-headers" ? "request-headers" : "response-headers";
      const rest = { [probe]: "set X-Rest: honoured" };
      router.map({ uri: URI, ports: [endpoint.port], options: { [name]: value, ...rest } });
      const told = router.log.filter(({ message }) => message === "route options ignored").at(-1);
      const problems = (told?.["problems"] ?? []) as readonly {
        readonly key: string;
        readonly value: unknown;
      }[];
      assert.deepEqual(
        problems.filter(({ key }) => key === name).map((problem) => problem.value),
        [value],
      );
      assert.deepEqual(told?.["inForce"], rest);
      client.send(`GET / HTTP/1.1\r\nHost: ${URI}\r\n\r\n`);
      upstream ??= await endpoint.accept();
      const request = await upstream.until("\r\n\r\n");
      upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      const answer = await client.message();
      assert.match(answer, /^HTTP\/1\.1 200 /);
      assert.match(
        probe === "request-headers" ? request : answer,
        /\r\nX-Rest: honoured\r\n/,
        `${name}=${value}`,
      );
    }
  },
);
