import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { ActualLrp, LrpEvent, LrpState } from "../contracts/index.ts";
import { actualLrpNotFound, actualLrpRefused, lrpExists, lrpNotFound } from "../kernel/errors/diego.ts";
import { createManualClock, ViaductError } from "../kernel/index.ts";
import { createLrpStates, cutReason, type LrpStates, type Outcome, restartDelayMs } from "./state.ts";
import { lrp, NET } from "./testing.ts";

const SLOT = { processGuid: "p", index: 0 };
const MINE = { instanceGuid: "mine", cellId: "cell" };
const OTHER = { instanceGuid: "other", cellId: "cell" };
const UP = { routable: true, zone: "z1" };

function setup(instances = 1) {
  const clock = createManualClock();
  const states = createLrpStates(clock);
  states.desire(lrp({ processGuid: "p", instances }));
  return { clock, states };
}

const only = (states: LrpStates): ActualLrp => {
  const [actual, ...rest] = states.actual();
  assert.equal(rest.length, 0);
  assert(actual !== undefined);
  return actual;
};

/** `changed 0 RUNNING→CRASHED`, one line per event. */
const told = (outcome: Outcome) => outcome.events.map(describe);
function describe(event: LrpEvent): string {
  switch (event.kind) {
    case "desired-created":
    case "desired-removed":
      return event.kind;
    case "desired-changed":
      return `desired-changed ${event.before.instances}→${event.after.instances}`;
    case "actual-changed":
      return `changed ${event.after.index} ${event.before.state}→${event.after.state}${event.after.routable ? " routable" : ""}`;
    case "actual-crashed":
      return `crashed ${event.actual.index} count ${event.actual.crashCount}`;
    case "actual-created":
    case "actual-removed":
      return `${event.kind.slice("actual-".length)} ${event.actual.index} ${event.actual.state}`;
    default:
      return event satisfies never;
  }
}

/** Brings the only slot into a state, held by MINE where somebody holds it. */
function bringTo(states: LrpStates, state: LrpState): void {
  if (state === "UNCLAIMED") return;
  states.claim(SLOT, MINE);
  if (state === "CLAIMED") return;
  if (state === "RUNNING") {
    states.start(SLOT, MINE, NET, UP);
    return;
  }
  for (let crashes = 1; crashes <= 3; crashes++) {
    if (crashes > 1) states.claim(SLOT, MINE);
    states.crash(SLOT, MINE, "boom");
  }
}

const CALLS = {
  claim: (states: LrpStates, key: typeof MINE) => states.claim(SLOT, key),
  start: (states: LrpStates, key: typeof MINE) => states.start(SLOT, key, NET, UP),
  crash: (states: LrpStates, key: typeof MINE) => states.crash(SLOT, key, "boom"),
  fail: (states: LrpStates, _key: typeof MINE) => states.fail(SLOT, "no room"),
  remove: (states: LrpStates, key: typeof MINE) => states.removeActual(SLOT, key),
};

// Written out by hand: the judge of the table in state.ts. `-` is a refusal.
const TRANSITIONS: readonly [LrpState, keyof typeof CALLS, string, string][] = [
  // from          call     by the holder   by another
  ["UNCLAIMED", "claim", "CLAIMED", "CLAIMED"],
  ["UNCLAIMED", "start", "RUNNING", "RUNNING"],
  ["UNCLAIMED", "crash", "-", "-"],
  ["UNCLAIMED", "fail", "UNCLAIMED", "UNCLAIMED"],
  ["CLAIMED", "claim", "CLAIMED", "-"],
  ["CLAIMED", "start", "RUNNING", "RUNNING"],
  ["CLAIMED", "crash", "UNCLAIMED", "-"],
  ["CLAIMED", "fail", "-", "-"],
  ["CLAIMED", "remove", "UNCLAIMED", "-"],
  ["RUNNING", "claim", "CLAIMED", "-"],
  ["RUNNING", "start", "RUNNING", "-"],
  ["RUNNING", "crash", "UNCLAIMED", "-"],
  ["RUNNING", "fail", "-", "-"],
  ["RUNNING", "remove", "UNCLAIMED", "-"],
  // A crashed record has given its instance up, so nobody holds it.
  ["CRASHED", "claim", "-", "-"],
  ["CRASHED", "start", "-", "-"],
  ["CRASHED", "crash", "-", "-"],
  ["CRASHED", "fail", "-", "-"],
  ["CRASHED", "remove", "-", "-"],
];

for (const [from, call, byHolder, byOther] of TRANSITIONS) {
  for (const [who, key, want] of [
    ["the holder", MINE, byHolder],
    ["another instance", OTHER, byOther],
  ] as const) {
    test(`${from}: ${call} by ${who} ${want === "-" ? "is refused" : `leads to ${want}`}`, () => {
      const { states } = setup();
      bringTo(states, from);
      const before = only(states);
      assert.equal(before.state, from);
      if (want === "-") {
        assert.throws(() => CALLS[call](states, key), actualLrpRefused.is);
        assert.deepEqual(only(states), before);
      } else {
        CALLS[call](states, key);
        assert.equal(only(states).state, want);
      }
    });
  }
}

test("an LRP of n instances creates n slots, unroutable and in need of a cell", () => {
  const states = createLrpStates(createManualClock());
  const outcome = states.desire(lrp({ processGuid: "p", instances: 2 }));
  assert.deepEqual(told(outcome), ["desired-created", "created 0 UNCLAIMED", "created 1 UNCLAIMED"]);
  assert.deepEqual(outcome.placements, [
    { processGuid: "p", index: 0 },
    { processGuid: "p", index: 1 },
  ]);
  assert(states.actual().every((actual) => !actual.routable));
});

test("desiring the same LRP again changes nothing; another one under the same GUID is an error that says what differs", () => {
  const { states } = setup();
  assert.deepEqual(told(states.desire(lrp({ processGuid: "p" }))), []);
  assert.throws(
    () => states.desire(lrp({ processGuid: "p", command: "other", memoryMb: 1 })),
    (error) => lrpExists.is(error) && error.details.differs.join() === "command,memoryMb",
  );
});

test("the first instance to be up wins a slot that another has claimed", () => {
  const { states } = setup();
  states.claim(SLOT, OTHER);
  states.start(SLOT, MINE, NET, UP);
  assert.equal(only(states).instanceGuid, "mine");
  assert.throws(() => states.start(SLOT, OTHER, NET, UP), actualLrpRefused.is);
});

test("an identical repeat of start tells nothing, a change of readiness does", () => {
  const { states } = setup();
  bringTo(states, "RUNNING");
  assert.deepEqual(told(states.start(SLOT, MINE, NET, UP)), []);
  assert.deepEqual(told(states.start(SLOT, MINE, NET, { ...UP, routable: false })), [
    "changed 0 RUNNING→RUNNING",
  ]);
});

test("claiming clears the placement error and the addresses", () => {
  const { states } = setup();
  states.fail(SLOT, "no room");
  assert.equal(only(states).placementError, "no room");
  assert.deepEqual(told(states.fail(SLOT, "no room")), []);
  states.claim(SLOT, MINE);
  assert.equal(only(states).placementError, "");
});

test("crashes 1 and 2 restart at once, the third waits", () => {
  const { states } = setup();
  for (const count of [1, 2]) {
    bringTo(states, "RUNNING");
    const outcome = states.crash(SLOT, MINE, "boom");
    assert.deepEqual(told(outcome), [`crashed 0 count ${count}`, "created 0 UNCLAIMED", "removed 0 RUNNING"]);
    assert.deepEqual(outcome.placements, [SLOT]);
    assert.equal(only(states).crashReason, "boom");
  }
  bringTo(states, "RUNNING");
  const outcome = states.crash(SLOT, MINE, "boom");
  assert.deepEqual(told(outcome), ["crashed 0 count 3", "changed 0 RUNNING→CRASHED"]);
  assert.deepEqual(outcome.placements, []);
  assert.equal(only(states).instanceGuid, "");
  assert.deepEqual(only(states).ports, []);
});

for (const { count, wait } of [
  { count: 0, wait: 0 },
  { count: 2, wait: 0 },
  { count: 3, wait: 30_000 },
  { count: 4, wait: 60_000 },
  { count: 5, wait: 120_000 },
  { count: 6, wait: 240_000 },
  { count: 7, wait: 480_000 },
  { count: 8, wait: 960_000 },
  { count: 199, wait: 960_000 },
  { count: 200, wait: null },
]) {
  test(`after crash ${count} the restart waits ${wait === null ? "for ever" : `${wait / 1000} s`}`, () => {
    assert.equal(restartDelayMs(count), wait);
  });
}

test("convergence restarts a crashed instance once its wait is exceeded, not when it is reached", () => {
  const { states, clock } = setup();
  bringTo(states, "CRASHED");
  assert.equal(states.nextRestartInMs(), 30_000);
  clock.advance(30_000);
  assert.deepEqual(told(states.converge()), []);
  clock.advance(1);
  const outcome = states.converge();
  assert.deepEqual(told(outcome), ["created 0 UNCLAIMED", "removed 0 CRASHED"]);
  assert.deepEqual(outcome.placements, [SLOT]);
  assert.equal(only(states).crashCount, 3);
  assert.equal(states.nextRestartInMs(), null);
});

test("more than five minutes of running forget earlier crashes, also when readiness flipped meanwhile", () => {
  for (const { ranMs, want } of [
    { ranMs: 5 * 60_000, want: 2 },
    { ranMs: 5 * 60_000 + 1, want: 1 },
  ]) {
    const { states, clock } = setup();
    bringTo(states, "RUNNING");
    states.crash(SLOT, MINE, "boom");
    bringTo(states, "RUNNING");
    clock.advance(ranMs - 10);
    states.start(SLOT, MINE, NET, { ...UP, routable: false });
    clock.advance(10);
    states.crash(SLOT, MINE, "boom");
    assert.equal(only(states).crashCount, want);
  }
});

test("convergence offers a slot again that no cell has taken for more than 30 s", () => {
  const { states, clock } = setup();
  clock.advance(30_000);
  assert.deepEqual(states.converge().placements, []);
  clock.advance(1);
  assert.deepEqual(states.converge().placements, [SLOT]);
});

test("growing creates the slots before it tells the change", () => {
  const { states } = setup();
  assert.deepEqual(told(states.update("p", { instances: 2 })), [
    "created 1 UNCLAIMED",
    "desired-changed 1→2",
  ]);
});

test("shrinking tells the change first, then ends instances from the top, unroutable before they are stopped", () => {
  const { states } = setup(4);
  for (const index of [1, 2]) {
    states.claim({ processGuid: "p", index }, MINE);
    states.start({ processGuid: "p", index }, MINE, NET, UP);
  }
  const outcome = states.update("p", { instances: 1 });
  assert.deepEqual(told(outcome), [
    "desired-changed 4→1",
    "removed 3 UNCLAIMED",
    "changed 2 RUNNING→RUNNING",
    "changed 1 RUNNING→RUNNING",
  ]);
  assert.deepEqual(
    outcome.stops.map((actual) => [actual.index, actual.routable]),
    [
      [2, false],
      [1, false],
    ],
  );
});

test("an update that changes nothing tells nothing; one of an unknown LRP is an error", () => {
  const { states } = setup();
  assert.deepEqual(told(states.update("p", { instances: 1, routes: {} })), []);
  assert.throws(() => states.update("unknown", { instances: 1 }), lrpNotFound.is);
});

test("removing tells it before the instances are stopped; the records go when the cell says so", () => {
  const { states } = setup(2);
  bringTo(states, "RUNNING");
  const outcome = states.remove("p");
  assert.deepEqual(told(outcome), ["desired-removed", "removed 1 UNCLAIMED", "changed 0 RUNNING→RUNNING"]);
  assert.equal(outcome.stops.length, 1);
  assert.deepEqual(told(states.removeActual(SLOT, MINE)), ["removed 0 RUNNING"]);
  assert.deepEqual(states.actual(), []);
  assert.deepEqual(told(states.remove("p")), []);
});

test("an instance that is being stopped does not become routable again", () => {
  const { states } = setup();
  states.claim(SLOT, MINE);
  states.update("p", { instances: 0 });
  states.update("p", { instances: 1 });
  assert.throws(() => states.start(SLOT, MINE, NET, UP), actualLrpRefused.is);
  assert.deepEqual(told(states.removeActual(SLOT, MINE)), ["removed 0 CLAIMED", "created 0 UNCLAIMED"]);
});

test("retiring tells the removal at once, keeps the record unroutable until the process is gone, then fills the slot", () => {
  const { states } = setup();
  bringTo(states, "RUNNING");
  const outcome = states.retire(SLOT);
  assert.deepEqual(told(outcome), ["removed 0 RUNNING"]);
  assert.equal(outcome.stops[0]?.instanceGuid, "mine");
  assert.equal(only(states).routable, false);
  assert.deepEqual(told(states.removeActual(SLOT, MINE)), ["removed 0 RUNNING", "created 0 UNCLAIMED"]);
});

test("retiring a crashed instance restarts it at once and forgets its crashes", () => {
  const { states } = setup();
  bringTo(states, "CRASHED");
  assert.deepEqual(told(states.retire(SLOT)), ["removed 0 CRASHED", "created 0 UNCLAIMED"]);
  assert.equal(only(states).crashCount, 0);
  assert.throws(() => states.retire({ processGuid: "p", index: 7 }), actualLrpNotFound.is);
});

test("a crash of an instance nobody desires any more removes it", () => {
  const { states } = setup();
  bringTo(states, "RUNNING");
  states.remove("p");
  assert.deepEqual(told(states.crash(SLOT, MINE, "boom")), ["crashed 0 count 1", "removed 0 RUNNING"]);
});

test("a long reason is cut to 1024 bytes, never inside a character", () => {
  assert.equal(cutReason("x".repeat(1024)), "x".repeat(1024));
  const cut = cutReason("é".repeat(1000));
  assert(Buffer.byteLength(cut) <= 1024);
  assert.match(cut, /^é+\(truncated\)$/);
});

// --- property: whatever is called in whatever order ---

const ALLOWED = new Set([
  "UNCLAIMED→UNCLAIMED",
  "UNCLAIMED→CLAIMED",
  "UNCLAIMED→RUNNING",
  "CLAIMED→CLAIMED",
  "CLAIMED→RUNNING",
  "CLAIMED→CRASHED",
  "RUNNING→CLAIMED",
  "RUNNING→RUNNING",
  "RUNNING→CRASHED",
]);

test("any sequence of calls keeps one record per desired slot, allowed transitions, and events that add up to the state", () => {
  const index = fc.integer({ min: 0, max: 2 });
  const guid = fc.constantFrom("p", "q");
  const key = fc.constantFrom(MINE, OTHER);
  const call = fc.oneof(
    fc.record({ do: fc.constant("desire" as const), guid, instances: index }),
    fc.record({ do: fc.constant("update" as const), guid, instances: index }),
    fc.record({ do: fc.constant("removeLrp" as const), guid }),
    fc.record({ do: fc.constantFrom("claim", "start", "unready", "crash", "remove"), guid, index, key }),
    fc.record({ do: fc.constantFrom("fail", "retire"), guid, index }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 31_000, 400_000) }),
  );
  fc.assert(
    fc.property(fc.array(call, { maxLength: 40 }), (calls) => {
      const clock = createManualClock();
      const states = createLrpStates(clock);
      // What a subscriber would know who only listens: instances by slot and instance GUID.
      const heard = new Map<string, ActualLrp>();
      const nameOf = (actual: ActualLrp) => `${actual.processGuid}/${actual.index}/${actual.instanceGuid}`;

      for (const step of calls) {
        const slot = {
          processGuid: "guid" in step ? step.guid : "",
          index: "index" in step ? step.index : 0,
        };
        const by = "key" in step ? step.key : MINE;
        let outcome: Outcome;
        try {
          outcome = run();
        } catch (error) {
          assert(error instanceof ViaductError, String(error));
          continue;
        }
        function run(): Outcome {
          switch (step.do) {
            case "desire":
              return states.desire(lrp({ processGuid: step.guid, instances: step.instances }));
            case "update":
              return states.update(step.guid, { instances: step.instances });
            case "removeLrp":
              return states.remove(step.guid);
            case "claim":
              return states.claim(slot, by);
            case "start":
              return states.start(slot, by, NET, UP);
            case "unready":
              return states.start(slot, by, NET, { ...UP, routable: false });
            case "crash":
              return states.crash(slot, by, "boom");
            case "remove":
              return states.removeActual(slot, by);
            case "fail":
              return states.fail(slot, "no room");
            case "retire":
              return states.retire(slot);
            default:
              clock.advance("ms" in step ? step.ms : 0);
              return states.converge();
          }
        }

        for (const event of outcome.events) {
          if (event.kind === "actual-created") heard.set(nameOf(event.actual), event.actual);
          if (event.kind === "actual-removed") heard.delete(nameOf(event.actual));
          if (event.kind === "actual-changed") {
            assert(ALLOWED.has(`${event.before.state}→${event.after.state}`), describe(event));
            heard.delete(nameOf(event.before));
            heard.set(nameOf(event.after), event.after);
          }
        }
        const records = states.actual();
        for (const desired of states.desired.values()) {
          const indexes = records.filter((r) => r.processGuid === desired.processGuid).map((r) => r.index);
          for (let i = 0; i < desired.instances; i++) assert(indexes.includes(i));
        }
        assert.equal(new Set(records.map((r) => `${r.processGuid}/${r.index}`)).size, records.length);
        // Everything routable was heard of, and nothing is heard to be routable that is not.
        const routable = (all: Iterable<ActualLrp>) =>
          [...all]
            .filter((a) => a.routable)
            .map(nameOf)
            .sort();
        assert.deepEqual(routable(heard.values()), routable(records));
        for (const actual of records) {
          assert.equal(actual.state === "RUNNING", actual.address !== "");
          if (actual.routable) assert.equal(actual.state, "RUNNING");
        }
        for (const placed of outcome.placements) assert.equal(states.find(placed)?.state, "UNCLAIMED");
      }
    }),
  );
});
