import assert from "node:assert/strict";
import { test } from "node:test";
import { createManualClock } from "../../kernel/index.ts";
import { createBacklog } from "./backlog.ts";

test("what waits at the server is as old as the oldest question that it has not answered", async () => {
  const clock = createManualClock();
  const asked: PromiseWithResolvers<void>[] = [];
  const backlog = createBacklog(clock, () => {
    const question = Promise.withResolvers<void>();
    asked.push(question);
    return question.promise;
  });
  assert.equal(backlog.ageMs(), 0);
  clock.advance(1_500);
  assert.equal(backlog.ageMs(), 1_500);
  assert.equal(asked.length, 1, "one question at a time");

  asked[0]?.resolve();
  await asked[0]?.promise;
  clock.advance(10_000);
  assert.equal(backlog.ageMs(), 0);
  assert.equal(asked.length, 2);

  // The connection is lost, and with it what waited.
  asked[1]?.reject(new Error("disconnected"));
  await asked[1]?.promise.catch(() => {});
  await Promise.resolve();
  clock.advance(10_000);
  assert.equal(backlog.ageMs(), 0);
});
