import assert from "node:assert/strict";
import test, { type TestContext } from "node:test";
import { type Clock, type Logger, silentLogger, systemClock } from "../../kernel/index.ts";
import { createTable } from "../../table/index.ts";
import { registration } from "../../table/samples.ts";
import { FeedCounts } from "./feed-counts.ts";
import { createPruner } from "./prune.ts";

const ROUTES = 2_000;
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Every log line takes a millisecond. Rests end by themselves. */
function start(t: TestContext) {
  let nowMs = 0;
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  const log: Logger = { ...silentLogger, info: () => void nowMs++ };
  const table = createTable({ attach: () => null });
  for (let i = 0; i < ROUTES; i++) {
    table.register(registration(`app-${i}.example.com`, { staleAfterMs: 1_000 }), clock.monotonicMs());
  }
  nowMs += 1_001;
  const counts = new FeedCounts(clock.nowMs());
  const pruner = createPruner({ table, counts, log, clock });
  t.after(() => pruner.stop());
  return { clock, table, counts, pruner };
}

test("a table of which all is stale is pruned over many turns, so that traffic has its own in between", async (t) => {
  const { clock, table, counts, pruner } = start(t);
  pruner.prune();
  const atOnce = counts.pruned;
  assert.ok(atOnce > 0 && atOnce < ROUTES / 2, `${atOnce} at once`);
  pruner.prune();
  assert.equal(counts.pruned, atOnce, "it is still at it");
  table.register(registration(`app-${ROUTES - 1}.example.com`), clock.monotonicMs());
  while (counts.pruned < ROUTES - 1) await nextTurn();
  await nextTurn();
  assert.equal(table.size, 1, "what was renewed meanwhile stays");
  assert.equal(counts.pruned, ROUTES - 1);
});

test("after stop nothing more is pruned", async (t) => {
  const { counts, pruner } = start(t);
  pruner.prune();
  const atOnce = counts.pruned;
  pruner.stop();
  await nextTurn();
  await nextTurn();
  assert.equal(counts.pruned, atOnce);
});
