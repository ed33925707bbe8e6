import assert from "node:assert/strict";
import test from "node:test";
import type { Exchange } from "./exchange.ts";
import { ExchangeMetrics } from "./exchange-metrics.ts";

test("names of components, which anybody may register, fill no memory", () => {
  const metrics = new ExchangeMetrics();
  for (let i = 0; i < 1_000; i++) {
    metrics.ended({
      candidate: { endpoint: { tags: { component: `c${i}` } } },
      errorCode: "",
      answeredAtMs: -1,
    } as unknown as Exchange);
  }
  assert.equal(metrics.components.size, 257);
  assert.equal(metrics.components.get("c0")?.requests, 1);
  assert.equal(metrics.components.get("(others)")?.requests, 1_000 - 256);
});
