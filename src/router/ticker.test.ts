import assert from "node:assert/strict";
import test from "node:test";
import { createManualClock } from "../kernel/index.ts";
import { Ticker } from "./ticker.ts";

test("coarse time and date move with the tick, precise time with the clock", () => {
  const clock = createManualClock(Date.parse("2026-01-01T00:00:00.950Z"));
  const ticker = new Ticker(clock);
  let ticks = 0;
  ticker.start(() => ticks++);
  clock.advance(50);
  assert.deepEqual([ticker.nowMs, ticker.monotonicMs(), ticks], [0, 50, 0]);
  assert.equal(ticker.httpDate, "Thu, 01 Jan 2026 00:00:00 GMT");
  clock.advance(50);
  assert.deepEqual([ticker.nowMs, ticks], [100, 1]);
  assert.equal(ticker.httpDate, "Thu, 01 Jan 2026 00:00:01 GMT");
  assert.equal(new Date(ticker.wallMs(100)).toISOString(), "2026-01-01T00:00:01.050Z");
  ticker.stop();
  clock.advance(1_000);
  assert.equal(ticks, 1);
});
