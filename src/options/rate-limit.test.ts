import assert from "node:assert/strict";
import { test } from "node:test";
import { rateLimitExceeded } from "../kernel/errors/options.ts";
import type { RouteFacts } from "./define.ts";
import rateLimit from "./rate-limit.ts";
import { exchangeView, problemsOf, ROUTE } from "./samples.ts";

for (const value of [
  "",
  10,
  true,
  "10",
  "0/s",
  "10/d",
  "10 / s",
  "1e3/s",
  "10/s,",
  "10/s burst 5",
  "10/s, burst 0",
  "10/s, by X A",
  "10/s, by X-A, burst 5",
]) {
  test(`refuses «${value}» and shows how it is written`, () =>
    assert.deepEqual(problemsOf(rateLimit, value), [
      "Options Rate limit must be like '10/s', '600/m, burst 50' or '1000/h, by X-Api-Key'",
    ]));
}

test("counts up to a million, unless the operator says otherwise", () => {
  const tooMany = (most: number, given: number) => [
    `Options rate-limit: ${given} is more than the ${most} that the operator allows`,
  ];
  assert.deepEqual(problemsOf(rateLimit, "1000000/s, burst 1000000"), []);
  for (const value of ["1000001/s", "1/s, burst 1000001"]) {
    assert.deepEqual(problemsOf(rateLimit, value), tooMany(1_000_000, 1_000_001));
  }
  assert.deepEqual(problemsOf(rateLimit, "10/h, burst 11", { maxRateLimit: 10 }), tooMany(10, 11));
});

test("leaves a client what the operator wants left to it, whatever the time is counted in", () => {
  const operator = { minRateLimitPerHour: 120 };
  for (const value of ["120/h", "2/m", "1/s"]) assert.deepEqual(problemsOf(rateLimit, value, operator), []);
  assert.deepEqual(problemsOf(rateLimit, "1/m, burst 500", operator), [
    "Options rate-limit: 60 in an hour are fewer than the 120 that the operator leaves a client",
  ]);
});

/** One request after another on a route; says what each was told. */
function start(value: string, route: RouteFacts<never> = ROUTE) {
  const { admit } = rateLimit.hooks(value, route);
  return (nowMs: number, clientAddress = "192.0.2.1", headers: Readonly<Record<string, string>> = {}) => {
    const said: string[] = [];
    const exchange = exchangeView({
      clientAddress,
      requestHeader: (name) => headers[name],
      clockMs: () => nowMs,
      addResponseHeader: (name, text) => void said.push(`${name}: ${text}`),
    });
    try {
      assert.equal(admit?.(exchange), null);
      return ["in", ...said];
    } catch (error) {
      if (!rateLimitExceeded.is(error)) throw error;
      return [error.message, ...said];
    }
  };
}

test("tells clients the policy, what is left, when all is there again, and when to come back", () => {
  const ask = start("60/m, burst 2");
  const policy = 'RateLimit-Policy: "rate-limit";q=60;w=60';
  assert.deepEqual(ask(0), ["in", policy, 'RateLimit: "rate-limit";r=1;t=1']);
  assert.deepEqual(ask(0), ["in", policy, 'RateLimit: "rate-limit";r=0;t=2']);
  assert.deepEqual(ask(100), [
    "Requested route ('shop.example.com') takes no more than 60 requests per minute from one client.",
    policy,
    'RateLimit: "rate-limit";r=0;t=2',
    "Retry-After: 1",
  ]);
  assert.equal(ask(1_000)[0], "in");
});

test("without a burst, all of a window may come at once", () => {
  const ask = start("3/h");
  assert.deepEqual(
    [ask(0), ask(0), ask(0)].map(([verdict]) => verdict),
    ["in", "in", "in"],
  );
  assert.deepEqual(ask(0).slice(-2), ['RateLimit: "rate-limit";r=0;t=3600', "Retry-After: 1200"]);
});

test("counts addresses, those of IPv6 by their network", () => {
  const ask = start("1/h");
  const clients = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.1"];
  assert.deepEqual(
    clients.map((client) => ask(0, client)[0] === "in"),
    [true, true, true, false, true, false],
  );
});

test("counts values of a header, and who sends none by address", () => {
  const ask = start("1/h, by X-Api-Key");
  const isIn = (client: string, key?: string) =>
    ask(0, client, key === undefined ? {} : { "x-api-key": key })[0] === "in";
  assert.deepEqual(
    [isIn("192.0.2.1", "k1"), isIn("192.0.2.9", "k1"), isIn("192.0.2.9", "k2")],
    [true, false, true],
  );
  assert.deepEqual([isIn("192.0.2.1"), isIn("192.0.2.1"), isIn("192.0.2.2")], [true, false, true]);
  // A key that looks like an address is nobody's address.
  assert.equal(isIn("192.0.2.1", "192.0.2.1"), true);
});

test("what a client has used stays used when the route changes", () => {
  const kept = new Map<string, unknown>();
  const route: RouteFacts<never> = {
    ...ROUTE,
    keep<T>(create: () => T): T {
      if (!kept.has("it")) kept.set("it", create());
      return kept.get("it") as T;
    },
  };
  assert.equal(start("1/h", route)(0)[0], "in");
  assert.notEqual(start("1/h", route)(0)[0], "in");
});

test("says in words who is told to wait", () => {
  assert.equal(
    rateLimit.explain("10/s"),
    "requests of an address beyond 10 per second, or 10 at once, get 429",
  );
  assert.equal(
    rateLimit.explain("600/m, burst 50, by X-Key"),
    "requests with the same X-Key beyond 600 per minute, or 50 at once, get 429",
  );
});
