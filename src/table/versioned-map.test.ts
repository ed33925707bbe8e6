import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { VersionedMap } from "./versioned-map.ts";

const arbitraryStep = fc.oneof(
  fc.record({ do: fc.constant("set" as const), key: fc.string({ maxLength: 2 }), value: fc.nat() }),
  fc.record({ do: fc.constant("delete" as const), key: fc.string({ maxLength: 2 }) }),
  fc.record({ do: fc.constant("snapshot" as const) }),
);

test("behaves as a map does, and its snapshots as copies of one", () => {
  fc.assert(
    fc.property(fc.array(arbitraryStep), (steps) => {
      const map = new VersionedMap<number>();
      const model = new Map<string, number>();
      const snapshots = [];
      for (const step of steps) {
        if (step.do === "set") {
          map.set(step.key, step.value);
          model.set(step.key, step.value);
        } else if (step.do === "delete") {
          map.delete(step.key);
          model.delete(step.key);
        } else {
          snapshots.push({ taken: map.snapshot(), want: new Map(model) });
        }
      }
      snapshots.push({ taken: map, want: model });
      const keys = new Set(steps.flatMap((step) => ("key" in step ? [step.key] : [])));
      for (const { taken, want } of snapshots) {
        assert.equal(taken.size, want.size);
        for (const key of keys) assert.equal(taken.get(key), want.get(key));
        assert.deepEqual([...taken.values()].sort(), [...want.values()].sort());
      }
    }),
  );
});

test("logs nothing for snapshots that nobody holds any more", async () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const heapBytes = async () => {
    await turn(0); // what a job has dereferenced lives until the job ends
    gc();
    return process.memoryUsage().heapUsed;
  };
  const writeAll = (map: VersionedMap<number>) => {
    for (let i = 0; i < 50_000; i++) {
      map.set(`key ${i}`, i);
      map.delete(`key ${i}`);
    }
  };
  const map = new VersionedMap<number>();
  for (let i = 0; i < 3; i++) {
    map.snapshot();
    map.set("key", i);
  }
  const before = await heapBytes();
  writeAll(map);
  const grownBytes = (await heapBytes()) - before;
  const held = map.snapshot();
  writeAll(map);
  const grownWhileHeldBytes = (await heapBytes()) - before;
  assert.equal(held.get("key"), 2);
  assert.ok(grownBytes * 4 < grownWhileHeldBytes, `${grownBytes} against ${grownWhileHeldBytes} bytes`);
});
