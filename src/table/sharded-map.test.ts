import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ShardedMap } from "./sharded-map.ts";

const arbitraryStep = fc.oneof(
  fc.record({ do: fc.constant("set" as const), key: fc.string({ maxLength: 2 }), value: fc.nat() }),
  fc.record({ do: fc.constant("delete" as const), key: fc.string({ maxLength: 2 }) }),
  fc.record({ do: fc.constant("snapshot" as const) }),
);

test("behaves as a map does, and its snapshots as copies of one", () => {
  fc.assert(
    fc.property(fc.array(arbitraryStep), (steps) => {
      const map = new ShardedMap<number>();
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
      for (const { taken, want } of snapshots) {
        assert.equal(taken.size, want.size);
        for (const [key, value] of want) assert.equal(taken.get(key), value);
        assert.deepEqual([...taken.values()].sort(), [...want.values()].sort());
      }
    }),
  );
});

test("tells a value from an absent key", () => {
  const map = new ShardedMap<number>();
  map.delete("absent");
  assert.equal(map.get("absent"), undefined);
  assert.equal(map.size, 0);
});
