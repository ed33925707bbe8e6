import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateSync } from "node:zlib";
import { createMemoryBus } from "../bus/index.ts";
import { createManualClock, silentLogger } from "../kernel/index.ts";
import { endpoint } from "../table/samples.ts";
import { createActiveApps } from "./active-apps.ts";
import type { EndedExchange } from "./ended-exchange.ts";

const servedBy = (app: string | null) => {
  const candidate = app === null ? null : { endpoint: endpoint({ host: "10.0.1.5", port: 1, appGuid: app }) };
  return { candidate } as unknown as EndedExchange;
};

test("each list has the apps since the one before, once, and platform routes are none", async (t) => {
  const clock = createManualClock();
  const bus = createMemoryBus({ log: silentLogger, clock });
  t.after(() => bus.close());
  const lists: unknown[] = [];
  let wake = () => {};
  bus.subscribe("router.active_apps", ({ data }) => {
    lists.push(JSON.parse(inflateSync(data).toString()));
    wake();
  });
  const next = async (count: number) => {
    while (lists.length < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  const apps = createActiveApps({ bus, everyMs: 10_000, clock, log: silentLogger });
  await apps.start();
  for (const app of ["shop", "blog", "shop", "", null]) apps.observe(servedBy(app));
  clock.advance(10_000);
  await next(1);
  apps.observe(servedBy("blog"));
  clock.advance(10_000);
  await next(2);
  clock.advance(10_000);
  await next(3);
  assert.deepEqual(lists, [["shop", "blog"], ["blog"], []]);
  await apps.stop();
  clock.advance(10_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(lists.length, 3);
});

test("a list that the bus does not take is said, and does not end the next one", async () => {
  const clock = createManualClock();
  const errors: string[] = [];
  let wake = () => {};
  const said = () => new Promise<void>((resolve) => (wake = resolve));
  const log = {
    ...silentLogger,
    error(_fields: object, message: string) {
      errors.push(message);
      wake();
    },
  };
  const bus = {
    publish() {
      throw new Error("too large");
    },
  };
  const apps = createActiveApps({ bus, everyMs: 1_000, clock, log });
  await apps.start();
  for (let i = 0; i < 2; i++) {
    const next = said();
    clock.advance(1_000);
    await next;
  }
  assert.deepEqual(errors, Array(2).fill("error-publishing-active-apps-to-nats"));
  await apps.stop();
});
