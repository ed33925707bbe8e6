import assert from "node:assert/strict";
import { test } from "node:test";
import type { ViaductError } from "../kernel/index.ts";
import concurrencyLimit from "./concurrency-limit.ts";
import { exchangeView, problemsOf, ROUTE } from "./samples.ts";

for (const value of [
  "",
  0,
  -1,
  1.5,
  1_000_001,
  true,
  "many",
  "0",
  "5,",
  "5 queue 3",
  "5, queue 0",
  "5, wait 2s",
  "5, queue 3, wait 2",
  "5, wait 2s, queue 3",
]) {
  test(`refuses «${value}» and shows how it is written`, () =>
    assert.deepEqual(problemsOf(concurrencyLimit, value), [
      "Options Concurrency limit must be a whole number between 1 and 1000000, or like '100, queue 50, wait 5s'",
    ]));
}

test("queues are as long, and wait as long, as the operator allows", () => {
  const problems = (value: string, operator = {}) =>
    problemsOf(concurrencyLimit, value, operator).map((text) =>
      text.replace("Options concurrency-limit: ", ""),
    );
  assert.deepEqual(problems("1000000, queue 1000, wait 1m"), []);
  assert.deepEqual(problems("1000001"), ["1000001 is more than 1000000"]);
  assert.deepEqual(problems("5, queue 1001"), [
    "queue 1001 is longer than the 1000 that the operator allows",
  ]);
  assert.deepEqual(problems("5, queue 1, wait 61s"), [
    "wait 61s is longer than the 60s that the operator allows",
  ]);
  assert.deepEqual(problems("5, queue 1, wait 50ms"), ["wait 50ms is too short; the shortest is 100ms"]);
  // What is not said is 5s, and judged as that.
  assert.deepEqual(problems("5, queue 1", { maxQueueWaitMs: 2_000 }), [
    "wait 5s is longer than the 2s that the operator allows",
  ]);
  assert.deepEqual(problems("5, queue 1", { maxQueueLength: 0 }), [
    "queue 1 is longer than the 0 that the operator allows",
  ]);
  assert.deepEqual(problems("5", { maxQueueWaitMs: 2_000, maxQueueLength: 0 }), []);
});

/** Requests on a route, one exchange each. */
function start(value: number | string) {
  const { admit } = concurrencyLimit.hooks(value, ROUTE);
  return (clientAddress = "192.0.2.1") => {
    const ends: (() => void)[] = [];
    const request = {
      state: "waiting",
      deadlineMs: 0,
      late: () => assert.fail("it does not wait") as ViaductError,
      end() {
        for (const release of ends) release();
      },
    };
    const exchange = exchangeView({
      clientAddress,
      atEnd: (release) => void ends.push(release),
      startDeadline(_, afterMs, error) {
        request.deadlineMs = afterMs;
        request.late = error;
      },
      clearDeadline() {
        request.deadlineMs = 0;
      },
    });
    try {
      const admission = admit?.(exchange) ?? null;
      if (admission === null) request.state = "in";
      else if (admission.kind === "hold")
        admission.begin((refusal) => {
          request.state = refusal === undefined ? "in" : refusal.code;
        });
    } catch (error) {
      request.state = (error as ViaductError).code;
    }
    return request;
  };
}

test("without a queue refuses what is above the limit, until something ends", () => {
  const ask = start(2);
  const [first, , third] = [ask(), ask(), ask()];
  assert.equal(third.state, "concurrency_limit_reached");
  third.end();
  assert.equal(ask().state, "concurrency_limit_reached");
  first.end();
  assert.equal(ask().state, "in");
});

test("who waits has its time, loses it when called, and keeps its place until its end", () => {
  const ask = start("1, queue 2, wait 2s");
  const [first, second, third] = [ask(), ask(), ask()];
  assert.deepEqual(
    [second.state, second.deadlineMs, second.late().code],
    ["waiting", 2_000, "queue_wait_too_long"],
  );
  first.end();
  assert.deepEqual([second.state, second.deadlineMs, third.state], ["in", 0, "waiting"]);
  second.end();
  assert.equal(third.state, "in");
});

test("a client that leaves the queue makes room in it", () => {
  const ask = start("1, queue 1");
  const [first, second, refused] = [ask(), ask(), ask()];
  assert.equal(refused.state, "concurrency_limit_reached");
  second.end();
  const next = ask();
  first.end();
  assert.deepEqual([second.state, next.state], ["waiting", "in"]);
});

test("one client's requests do not keep another one out of the queue, nor wait before its", () => {
  const ask = start("1, queue 3");
  const inside = ask("2001:db8::1");
  // One network, whatever the address.
  const greedy = ["2001:db8::2", "2001:db8::3", "2001:db8::4"].map(ask);
  const other = ask("192.0.2.9");
  assert.deepEqual(
    [...greedy, other].map(({ state }) => state),
    ["waiting", "waiting", "concurrency_limit_reached", "waiting"],
  );
  inside.end();
  greedy[0]?.end();
  assert.deepEqual([greedy[1]?.state, other.state], ["waiting", "in"]);
});

test("says in words what becomes of more", () => {
  assert.equal(concurrencyLimit.explain(100), "100 requests at a time here; more get 503");
  assert.equal(
    concurrencyLimit.explain("100, queue 50"),
    "100 requests at a time here; 50 more wait up to 5s, the rest get 503",
  );
});
