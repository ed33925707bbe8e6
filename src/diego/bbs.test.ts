import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { ActualLrp, DesiredLrp, LrpEvent } from "../contracts/index.ts";
import { lrpExists, lrpInvalid, lrpNotFound } from "../kernel/errors/diego.ts";
import { createLogger, createManualClock, silentLogger } from "../kernel/index.ts";
import { openStore, type Store } from "../store/index.ts";
import type { Cell, CellBbs } from "./bbs.ts";
import { createBbs } from "./index.ts";
import { lrp, NET } from "./testing.ts";

/** A cell that claims what it is given and otherwise does as it is told. */
class FakeCell implements Cell {
  readonly id: string;
  readonly zone = "z1";
  load = 0;
  readonly placed: { lrp: DesiredLrp; index: number }[] = [];
  readonly stopped: ActualLrp[] = [];
  readonly #bbs: CellBbs;

  constructor(id: string, bbs: CellBbs) {
    this.id = id;
    this.#bbs = bbs;
  }
  key = (index = 0) => ({ instanceGuid: `${this.id}-${index}`, cellId: this.id });
  slot = (index = 0) => ({ processGuid: "process-1", index });
  placeInstance(placedLrp: DesiredLrp, index: number): void {
    this.load++;
    this.placed.push({ lrp: placedLrp, index });
    this.#bbs.claimActualLrp({ processGuid: placedLrp.processGuid, index }, this.key(index));
  }
  stopInstance(actual: ActualLrp): void {
    this.stopped.push(actual);
  }
  up(index = 0): void {
    this.#bbs.startActualLrp(this.slot(index), this.key(index), NET, { routable: true, zone: this.zone });
  }
  recentLogs = () => [];
}

async function storeIn(t: TestContext, path: string): Promise<Store> {
  const store = await openStore({ kind: "sqlite", path }, { log: silentLogger, clock: createManualClock() });
  t.after(() => store.close());
  return store;
}

async function startBbs(t: TestContext, options: { store?: Store; log?: typeof silentLogger } = {}) {
  const clock = createManualClock();
  const store = options.store ?? (await storeIn(t, ":memory:"));
  const bbs = createBbs({ store, clock, log: options.log ?? silentLogger });
  const events: LrpEvent[] = [];
  bbs.subscribe((event) => events.push(event));
  await bbs.start();
  t.after(() => bbs.stop());
  return { bbs, clock, store, events, kinds: () => events.splice(0).map((event) => event.kind) };
}

test("the log says which instance of which app began to serve, crashed and ended", async (t) => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    level: "info",
    sink: { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  const { bbs } = await startBbs(t, { log });
  const cell = new FakeCell("cell", bbs);
  bbs.join(cell);
  await bbs.desireLrp(lrp({ processGuid: "process-1", metricTags: { app_name: "shop" } }));
  cell.up();
  bbs.crashActualLrp(cell.slot(), cell.key(), "Exited with status 3");
  cell.up();
  await bbs.removeDesiredLrp("process-1");
  bbs.removeActualLrp(cell.slot(), cell.key());
  const said = lines.map(({ message, app, index, reason }) => [message, app, index, reason]);
  assert.deepEqual(said, [
    ["instance runs", "shop", 0, undefined],
    ["instance crashed", "shop", 0, "Exited with status 3"],
    ["instance runs", "shop", 0, undefined],
    ["instance ended", undefined, 0, undefined],
  ]);
});

test("what was desired, updated and removed is so after a restart, and everything desired is placed again", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "viaduct-bbs-"));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, "bbs.db");
  const store = await storeIn(t, path);
  const first = await startBbs(t, { store });
  await first.bbs.desireLrp(lrp({ processGuid: "process-1" }));
  await first.bbs.desireLrp(lrp({ processGuid: "process-2" }));
  await first.bbs.updateDesiredLrp("process-1", { instances: 2, routes: { "internal-router": [] } });
  await first.bbs.removeDesiredLrp("process-2");

  const { bbs } = await startBbs(t, { store: await storeIn(t, path) });
  assert.deepEqual(await bbs.desiredLrps(), [lrp({ instances: 2, routes: { "internal-router": [] } })]);
  const cell = new FakeCell("cell-a", bbs);
  bbs.join(cell);
  assert.deepEqual(
    cell.placed.map(({ index }) => index),
    [0, 1],
  );
  const tag = await store.db.selectFrom("desired_lrps").select(["modification_index"]).execute();
  assert.deepEqual(tag, [{ modification_index: 1 }]);
});

test("an LRP that is desired while no cell is there says so, and is placed when one joins", async (t) => {
  const { bbs, kinds } = await startBbs(t);
  await bbs.desireLrp(lrp({}));
  assert.match((await bbs.actualLrps())[0]?.placementError ?? "", /no cell has joined/);
  assert.deepEqual(kinds(), ["desired-created", "actual-created", "actual-changed"]);
  bbs.join(new FakeCell("cell-a", bbs));
  assert.deepEqual(kinds(), ["actual-changed"]);
  const [actual] = await bbs.actualLrps({ processGuid: "process-1" });
  assert.equal(actual?.state, "CLAIMED");
  assert.equal(actual.cellId, "cell-a");
});

test("instances go to the cell with the fewest, and to none that has left", async (t) => {
  const { bbs } = await startBbs(t);
  const busy = new FakeCell("cell-busy", bbs);
  busy.load = 5;
  const idle = new FakeCell("cell-idle", bbs);
  const gone = new FakeCell("cell-gone", bbs);
  bbs.join(busy);
  bbs.join(idle);
  bbs.join(gone)();
  await bbs.desireLrp(lrp({ instances: 3 }));
  assert.equal(idle.placed.length, 3);
  assert.equal(busy.placed.length + gone.placed.length, 0);
});

test("a crash is told before the call returns, and the third restart comes after its wait", async (t) => {
  const { bbs, clock, kinds } = await startBbs(t);
  const cell = new FakeCell("cell-a", bbs);
  bbs.join(cell);
  await bbs.desireLrp(lrp({}));
  cell.up();
  kinds();
  bbs.crashActualLrp(cell.slot(), cell.key(), "boom");
  assert.deepEqual(kinds(), ["actual-crashed", "actual-created", "actual-removed", "actual-changed"]);
  bbs.crashActualLrp(cell.slot(), cell.key(), "boom");
  bbs.crashActualLrp(cell.slot(), cell.key(), "boom");
  assert.equal((await bbs.actualLrps())[0]?.state, "CRASHED");
  assert.equal(cell.placed.length, 3);
  clock.advance(30_000);
  assert.equal(cell.placed.length, 3);
  clock.advance(1);
  assert.equal(cell.placed.length, 4);
});

test("every subscriber hears the same order, also when one of them calls the BBS on an event or fails", async (t) => {
  const logged: string[] = [];
  const log = createLogger({ level: "error", sink: { write: (line) => logged.push(line) } });
  const { bbs, kinds } = await startBbs(t, { log });
  const cell = new FakeCell("cell-a", bbs);
  bbs.join(cell);
  bbs.subscribe((event) => {
    if (event.kind === "actual-changed" && event.after.state === "CLAIMED") cell.up();
  });
  bbs.subscribe(() => {
    throw new Error("subscriber's mistake");
  });
  const later: string[] = [];
  const stop = bbs.subscribe((event) => later.push(event.kind));
  await bbs.desireLrp(lrp({}));
  const want = ["desired-created", "actual-created", "actual-changed", "actual-changed"];
  assert.deepEqual(later, want);
  assert.deepEqual(kinds(), want);
  assert.match(logged[0] ?? "", /subscriber's mistake/);
  stop();
  await bbs.removeDesiredLrp("process-1");
  assert.deepEqual(later, want);
});

test("stopping an LRP tells the cell after the routes are gone", async (t) => {
  const { bbs, events } = await startBbs(t);
  const cell = new FakeCell("cell-a", bbs);
  bbs.join(cell);
  await bbs.desireLrp(lrp({}));
  cell.up();
  let heardAtStop = 0;
  cell.stopInstance = () => {
    heardAtStop = events.length;
  };
  await bbs.removeDesiredLrp("process-1");
  const removed = events.findIndex((event) => event.kind === "desired-removed");
  assert(removed >= 0 && removed < heardAtStop);
});

test("retiring stops the instance and fills its slot again when it is gone", async (t) => {
  const { bbs } = await startBbs(t);
  const cell = new FakeCell("cell-a", bbs);
  bbs.join(cell);
  await bbs.desireLrp(lrp({}));
  cell.up();
  await bbs.retireActualLrp("process-1", 0);
  assert.equal(cell.stopped.length, 1);
  bbs.removeActualLrp(cell.slot(), cell.key());
  assert.equal(cell.placed.length, 2);
});

test("desired LRPs are found by domain and by process GUID", async (t) => {
  const { bbs } = await startBbs(t);
  await bbs.desireLrp(lrp({ processGuid: "a", domain: "cf-apps" }));
  await bbs.desireLrp(lrp({ processGuid: "b", domain: "other" }));
  const guids = async (filter: Parameters<typeof bbs.desiredLrps>[0]) =>
    (await bbs.desiredLrps(filter)).map((found) => found.processGuid);
  assert.deepEqual(await guids({ domain: "other" }), ["b"]);
  assert.deepEqual(await guids({ processGuids: ["a", "unknown"] }), ["a"]);
  assert.deepEqual(await guids({ processGuids: ["a"], domain: "other" }), []);
});

test("calls at the same time are carried out one after the other, in the database as in memory", async (t) => {
  const { bbs, store } = await startBbs(t);
  await Promise.all([
    bbs.desireLrp(lrp({})),
    bbs.updateDesiredLrp("process-1", { instances: 3 }),
    bbs.updateDesiredLrp("process-1", { annotation: "2" }),
    bbs.removeDesiredLrp("process-1"),
    bbs.desireLrp(lrp({ annotation: "3" })),
  ]);
  const rows = await store.db.selectFrom("desired_lrps").select("document").execute();
  assert.deepEqual(
    rows.map((row) => JSON.parse(row.document)),
    [lrp({ annotation: "3" })],
  );
  assert.deepEqual(await bbs.desiredLrps(), [lrp({ annotation: "3" })]);
});

test("a change that could not be stored is an error and is not in force", async (t) => {
  const { bbs, store, kinds } = await startBbs(t);
  await store.close();
  await assert.rejects(bbs.desireLrp(lrp({})));
  assert.deepEqual(await bbs.desiredLrps(), []);
  assert.deepEqual(kinds(), []);
});

test("another LRP under a GUID that is taken, and an update of an unknown one, are errors", async (t) => {
  const { bbs } = await startBbs(t);
  await bbs.desireLrp(lrp({}));
  await bbs.desireLrp(lrp({}));
  await assert.rejects(bbs.desireLrp(lrp({ command: "other" })), lrpExists.is);
  await assert.rejects(bbs.updateDesiredLrp("unknown", { instances: 1 }), lrpNotFound.is);
});

for (const { what, bad, says } of [
  { what: "a process GUID with a slash", bad: { processGuid: "a/b" }, says: /process guid/ },
  { what: "a log GUID that leaves the folder", bad: { logGuid: "../x" }, says: /log guid/ },
  { what: "a negative number of instances", bad: { instances: -1 }, says: /instances is -1/ },
  { what: "a billion instances", bad: { instances: 1e9 }, says: /from 0 to 100000/ },
  { what: "an empty command", bad: { command: " " }, says: /command is empty/ },
  { what: "a relative directory", bad: { directory: "app" }, says: /directory "app" is no absolute path/ },
  { what: "a port that is none", bad: { ports: [70_000] }, says: /ports are 70000/ },
  { what: "a port check without a port", bad: { ports: [] }, says: /needs a port/ },
  { what: "an impossible variable", bad: { environment: { "A=B": "" } }, says: /"A=B"/ },
]) {
  test(`an LRP with ${what} is refused, and nothing is stored`, async (t) => {
    const { bbs } = await startBbs(t);
    await assert.rejects(
      bbs.desireLrp(lrp(bad)),
      (error) => lrpInvalid.is(error) && says.test(error.message),
    );
    assert.deepEqual(await bbs.desiredLrps(), []);
  });
}
