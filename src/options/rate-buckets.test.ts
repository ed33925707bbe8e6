import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { MAX_CLIENTS, RateBuckets } from "./rate-buckets.ts";

const RULE = { burst: 2, intervalMs: 500 };

test("a full bucket gives its burst at once, then a token per interval", () => {
  const buckets = new RateBuckets();
  for (const { client, nowMs, waitMs, left, fullInMs } of [
    { client: "a", nowMs: 0, waitMs: null, left: 1, fullInMs: 500 },
    { client: "a", nowMs: 0, waitMs: null, left: 0, fullInMs: 1_000 },
    { client: "a", nowMs: 100, waitMs: 400, left: 0, fullInMs: 900 },
    // Being refused costs nothing.
    { client: "a", nowMs: 375, waitMs: 125, left: 0, fullInMs: 625 },
    { client: "a", nowMs: 500, waitMs: null, left: 0, fullInMs: 1_000 },
    { client: "b", nowMs: 500, waitMs: null, left: 1, fullInMs: 500 },
    { client: "a", nowMs: 60_000, waitMs: null, left: 1, fullInMs: 500 },
  ]) {
    const taken = buckets.take(client, nowMs, RULE);
    assert.deepEqual(
      { ...taken, waitMs: taken.waitMs && Math.round(taken.waitMs) },
      { waitMs, left, fullInMs },
      `at ${nowMs}`,
    );
  }
});

test("a rule that has become stricter is met by who waits its interval, not by its old debt", () => {
  const buckets = new RateBuckets();
  for (let i = 0; i < 100; i++) buckets.take("a", 0, { burst: 100, intervalMs: 1_000 });
  assert.deepEqual(buckets.take("a", 0, { burst: 1, intervalMs: 2_000 }), {
    waitMs: 2_000,
    left: 0,
    fullInMs: 2_000,
  });
});

test("full buckets are forgotten, and of others so many are kept", () => {
  const buckets = new RateBuckets();
  for (let i = 0; i < 3 * MAX_CLIENTS; i++) buckets.take(String(i), 0, RULE);
  assert.equal(buckets.size, MAX_CLIENTS);
  // Each that comes takes two with it that are full again.
  for (let i = 0; i < MAX_CLIENTS; i++) buckets.take(`later ${i}`, 10_000 * i, RULE);
  assert.equal(buckets.size, 1);
});

test("who is forgotten is who came longest ago", () => {
  const buckets = new RateBuckets();
  for (const client of ["old", "busy"]) for (let i = 0; i < 2; i++) buckets.take(client, 0, RULE);
  for (let i = 0; i < MAX_CLIENTS; i++) {
    buckets.take(String(i), 0, RULE);
    if (i % 1_000 === 0) buckets.take("busy", 500 * (i / 1_000), RULE);
  }
  assert.equal(buckets.take("old", 0, RULE).waitMs, null);
  assert.notEqual(buckets.take("busy", 2_000, RULE).waitMs, null);
});

test("in no time are more let in than the burst and what the time has filled", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 60 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 400 }),
      gaps,
      (burst, intervalMs, all) => {
        const buckets = new RateBuckets();
        const allowedAt: number[] = [];
        let nowMs = 0;
        for (const gap of all) {
          nowMs += gap;
          const { waitMs, left, fullInMs } = buckets.take("a", nowMs, { burst, intervalMs });
          if (waitMs === null) allowedAt.push(nowMs);
          else assert.ok(waitMs > 0 && waitMs <= intervalMs);
          assert.ok(left >= 0 && left < burst && fullInMs > 0 && fullInMs <= burst * intervalMs);
        }
        for (const [first, from] of allowedAt.entries()) {
          for (const [last, to] of allowedAt.entries()) {
            const most = burst + (to - from) / intervalMs;
            if (last >= first)
              assert.ok(last - first + 1 <= most + 1e-3, `${allowedAt.join()} at ${intervalMs}`);
          }
        }
      },
    ),
  );
});
