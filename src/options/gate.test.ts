import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Gate, type Place } from "./gate.ts";

/** A gate whose places say when they are called or displaced: `a1` is the first of client `a`. */
function start(inside: number, waiting: number) {
  const gate = new Gate({ inside, waiting });
  const said: string[] = [];
  const places = new Map<string, Place>();
  return {
    gate,
    said,
    ask(name: string): Place["state"] | "refused" {
      const place = gate.ask(name.slice(0, 1));
      if (place === null) return "refused";
      place.onCalled = () => said.push(`${name} called`);
      place.onDisplaced = () => said.push(`${name} displaced`);
      places.set(name, place);
      return place.state;
    },
    giveBack: (name: string) => gate.giveBack(places.get(name) as Place),
  };
}

test("without a queue, who comes when all places are taken is refused", () => {
  const { ask, giveBack } = start(2, 0);
  assert.deepEqual(["a1", "a2", "b1"].map(ask), ["inside", "inside", "refused"]);
  giveBack("a1");
  assert.equal(ask("b2"), "inside");
});

test("clients are called in turns, each one's oldest first", () => {
  const { ask, giveBack, said } = start(1, 9);
  assert.deepEqual(["a1", "a2", "a3", "a4", "b1", "c1", "b2"].map(ask).slice(1), Array(6).fill("waiting"));
  for (const name of ["a1", "a2", "b1", "c1", "a3", "b2"]) giveBack(name);
  assert.deepEqual(said, ["a2 called", "b1 called", "c1 called", "a3 called", "b2 called", "a4 called"]);
});

test("a full queue makes room for a client with fewer, at the cost of the youngest of the longest line", () => {
  const { ask, giveBack, said, gate } = start(1, 3);
  for (const name of ["a1", "a2", "a3", "a4"]) ask(name);
  assert.equal(ask("a5"), "refused");
  assert.equal(ask("b1"), "waiting");
  assert.deepEqual(said, ["a4 displaced"]);
  // One more of b would only take from a what b has then.
  assert.equal(ask("b2"), "refused");
  assert.equal(ask("c1"), "waiting");
  assert.deepEqual(said, ["a4 displaced", "a3 displaced"]);
  assert.equal(ask("d1"), "refused");
  giveBack("a4");
  assert.deepEqual([gate.inside, gate.waiting], [1, 3]);
});

test("who leaves while it waits is not called, and its place in the queue is free", () => {
  const { ask, giveBack, said } = start(1, 2);
  for (const name of ["a1", "b1", "c1"]) ask(name);
  giveBack("b1");
  assert.equal(ask("d1"), "waiting");
  giveBack("a1");
  giveBack("a1");
  assert.deepEqual(said, ["c1 called"]);
});

test("a limit that is raised lets in several at the next change, one that is lowered lets nobody in", () => {
  const { ask, giveBack, said, gate } = start(1, 9);
  for (const name of ["a1", "b1", "c1", "d1"]) ask(name);
  gate.limits = { inside: 3, waiting: 9 };
  giveBack("a1");
  assert.deepEqual(said, ["b1 called", "c1 called", "d1 called"]);
  gate.limits = { inside: 1, waiting: 0 };
  giveBack("b1");
  giveBack("c1");
  assert.equal(ask("e1"), "refused");
});

test("a limit that is raised lets in whoever waits when the next one asks, although nobody inside leaves", () => {
  const { ask, said, gate } = start(1, 2);
  for (const name of ["a1", "b1", "c1"]) ask(name);
  gate.limits = { inside: 4, waiting: 2 };
  assert.equal(ask("d1"), "inside");
  assert.deepEqual(said, ["b1 called", "c1 called"]);
  assert.equal(ask("e1"), "waiting");
});

test("ten thousand that are over as soon as they are called need no deeper stack", () => {
  const gate = new Gate({ inside: 1, waiting: 10_000 });
  const first = gate.ask("a");
  let called = 0;
  for (let i = 0; i < 10_000; i++) {
    const place = gate.ask(String(i)) as Place;
    place.onCalled = () => {
      called++;
      gate.giveBack(place);
    };
  }
  gate.giveBack(first as Place);
  assert.deepEqual([called, gate.inside, gate.waiting], [10_000, 0, 0]);
});

test("whatever comes and goes: never more inside or waiting than there may be, nobody is lost, room is used", () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(4), fc.nat()), { maxLength: 80 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.nat(5), steps, (inside, waiting, all) => {
      const gate = new Gate({ inside, waiting });
      const open: Place[] = [];
      for (const [comes, client, which] of all) {
        if (comes) {
          const place = gate.ask(String(client));
          if (place !== null) open.push(place);
        } else if (open.length > 0) gate.giveBack(open.splice(which % open.length, 1)[0] as Place);
        const states = open.map(({ state }) => state);
        assert.equal(states.filter((state) => state === "inside").length, gate.inside);
        assert.equal(states.filter((state) => state === "waiting").length, gate.waiting);
        assert.ok(gate.inside <= inside && gate.waiting <= waiting);
        assert.ok(gate.waiting === 0 || gate.inside === inside, "somebody waits while there is room");
      }
    }),
  );
});
