import assert from "node:assert/strict";
import { test } from "node:test";
import { AppRequests } from "./app-requests.ts";

test("the busiest apps of the last minute come first, and older requests are forgotten", () => {
  const apps = new AppRequests();
  const count = (app: string, times: number, nowMs: number) => {
    for (let i = 0; i < times; i++) apps.count(app, nowMs);
  };
  count("a", 3, 1_000);
  count("b", 2, 30_000);
  count("b", 2, 59_000);
  assert.deepEqual(apps.top(10, 59_000), [
    ["b", 4],
    ["a", 3],
  ]);
  assert.deepEqual(apps.top(1, 59_000), [["b", 4]]);
  assert.deepEqual(apps.top(10, 66_000), [["b", 4]], "more than a minute after the first three");
  assert.deepEqual(apps.top(10, 100_000), [["b", 2]]);
  assert.deepEqual(apps.top(10, 10_000_000), []);
});
