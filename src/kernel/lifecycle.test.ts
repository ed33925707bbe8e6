import assert from "node:assert/strict";
import { test } from "node:test";
import { createLifecycle, type Part } from "./lifecycle.ts";
import { silentLogger } from "./log.ts";

function recorder() {
  const calls: string[] = [];
  const part = (name: string, fails: Partial<Record<"start" | "drain" | "stop", boolean>> = {}): Part => {
    const step = (verb: "start" | "drain" | "stop") => async () => {
      calls.push(`${verb} ${name}`);
      if (fails[verb] === true) throw new Error(`${name} cannot ${verb}`);
    };
    return { name, start: step("start"), drain: step("drain"), stop: step("stop") };
  };
  return { calls, part };
}

test("parts start in order, and drain and stop backwards", async () => {
  const { calls, part } = recorder();
  const lifecycle = createLifecycle([part("a"), part("b")], silentLogger);
  await lifecycle.start();
  await lifecycle.shutdown(100);
  assert.deepEqual(calls, ["start a", "start b", "drain b", "drain a", "stop b", "stop a"]);
});

test("when a part cannot start, what had started is stopped and the failure is thrown", async () => {
  const { calls, part } = recorder();
  const lifecycle = createLifecycle([part("a"), part("b", { start: true }), part("c")], silentLogger);
  await assert.rejects(lifecycle.start(), /b cannot start/);
  assert.deepEqual(calls, ["start a", "start b", "stop a"]);
});

test("a part that cannot end does not keep the others from ending", async () => {
  const { calls, part } = recorder();
  const lifecycle = createLifecycle([part("a"), part("b", { drain: true, stop: true })], silentLogger);
  await lifecycle.start();
  await lifecycle.shutdown(100);
  assert.deepEqual(calls.slice(2), ["drain b", "drain a", "stop b", "stop a"]);
});

test("a second shutdown waits for the first and ends nothing twice", async () => {
  const { calls, part } = recorder();
  const lifecycle = createLifecycle([part("a")], silentLogger);
  await lifecycle.start();
  await Promise.all([lifecycle.shutdown(0), lifecycle.shutdown(0)]);
  assert.deepEqual(calls, ["start a", "stop a"]);
});
