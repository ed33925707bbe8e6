import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Bbs, LrpEvent } from "../contracts/index.ts";
import { silentLogger } from "../kernel/index.ts";
import { createContext } from "./context.ts";
import { createCrashEvents } from "./crash-events.ts";
import { lrpGuid } from "./news.ts";
import { serving, startApi } from "./testing.ts";

/** An app «shop», and a BBS that says what it is told to. */
async function start(t: TestContext) {
  const api = await startApi(t);
  const app = await api.create("/v3/apps", {
    name: "shop",
    relationships: { space: { data: { guid: api.space } } },
  });
  let tell: (event: LrpEvent) => void = () => assert.fail("nobody listens");
  const subscribe: Bbs["subscribe"] = (handler) => {
    tell = handler;
    return () => {
      tell = () => {};
    };
  };
  const part = createCrashEvents(
    createContext({
      config: {} as never,
      store: api.store,
      clock: api.clock,
      log: silentLogger,
      bbs: { ...api.bbs, subscribe },
      operator: {},
      externalUrl: () => "",
      handOver: async () => {},
    }),
  );
  await part.start();
  const crash = (processGuid: string, domain = "cf-apps") => {
    const actual = { ...serving(processGuid, 1, "CRASHED"), domain, crashCount: 2, crashReason: "status 1" };
    tell({ kind: "actual-crashed", actual, reason: actual.crashReason });
  };
  const { version } = (await api.get(`/v3/processes/${app}`)).body;
  const events = async () =>
    (await api.list(`/v3/audit_events?target_guids=${app}`)).filter(({ type }) =>
      String(type).endsWith("crash"),
    );
  return { app, lrp: lrpGuid({ guid: app, version: String(version) }), part, crash, events, version };
}

test("a crash is an event of the app, by the process and by the app itself", async (t) => {
  const { app, lrp, part, crash, events, version } = await start(t);
  crash(lrp);
  await part.stop();
  const data = {
    instance: `${lrp}-1`,
    index: 1,
    cell_id: "cell",
    reason: "CRASHED",
    exit_description: "status 1",
  };
  assert.deepEqual(
    (await events()).map((event) => [event.type, event["actor"], event["target"], event["data"]]),
    [
      [
        "audit.app.process.crash",
        { guid: app, type: "process", name: "web" },
        { guid: app, type: "app", name: "shop" },
        { ...data, crash_count: 2, version },
      ],
      ["app.crash", { guid: app, type: "app", name: "shop" }, { guid: app, type: "app", name: "shop" }, data],
    ],
  );
});

test("crashes of what is no app, or of an app that is gone, are no events", async (t) => {
  const { lrp, part, crash, events } = await start(t);
  crash(lrp, "cf-tasks");
  crash(
    lrpGuid({
      guid: "00000000-0000-0000-0000-000000000000",
      version: "00000000-0000-0000-0000-000000000000",
    }),
  );
  await part.stop();
  crash(lrp);
  assert.deepEqual(await events(), []);
});
