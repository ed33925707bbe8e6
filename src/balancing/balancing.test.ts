/** One suite for every balancer, then what each promises on its own. */
import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { type Balancer, balancers, type Candidate, type PickContext } from "./index.ts";

interface TestCandidate extends Candidate {
  readonly name: string;
}

const candidate = (name: string, inFlight = 0, failedUntilMs = 0): TestCandidate => ({
  name,
  load: { inFlight, failedUntilMs },
  endpoint: {
    processGuid: "",
    instanceId: name,
    instanceIndex: "0",
    appGuid: "",
    host: name,
    port: 80,
    tls: false,
    serverCertDomainSan: "",
    appPort: 0,
    instanceAddress: "",
    protocol: "http1",
    availabilityZone: "",
    isolationSegment: "",
    tags: {},
    updatedAtNs: "",
  },
});
const pool = (count: number) => Array.from({ length: count }, (_, i) => candidate(`e${i}`));
const context = (given: Partial<PickContext> = {}): PickContext => ({
  nowMs: 1_000,
  tried: [],
  maxInFlight: 0,
  ...given,
});

for (const balancer of balancers) {
  const suite = (sentence: string, run: () => void) => test(`${balancer.name}: ${sentence}`, run);

  suite("an empty pool has nothing to pick", () => {
    assert.equal(balancer.createPicker().pick([], context()), undefined);
  });

  suite("picks only what is there, was not tried and is below its limit, and picks if there is any", () => {
    const flags = fc.record({ tried: fc.boolean(), inFlight: fc.nat(3), failed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(flags, { maxLength: 6 }), fc.nat(3), (given, maxInFlight) => {
        const candidates = given.map(({ inFlight, failed }, i) =>
          candidate(`e${i}`, inFlight, failed ? 2_000 : 0),
        );
        const tried = candidates.filter((_, i) => given[i]?.tried === true).map(({ load }) => load);
        const allowed = candidates.filter(
          (each) => !tried.includes(each.load) && (maxInFlight === 0 || each.load.inFlight < maxInFlight),
        );
        const picked = balancer.createPicker().pick(candidates, context({ tried, maxInFlight }));
        if (allowed.length === 0) assert.equal(picked, undefined);
        else assert.ok(picked !== undefined && allowed.includes(picked));
      }),
    );
  });

  suite("a failed endpoint is avoided while another one is left, and used when none is", () => {
    const good = candidate("good");
    const bad = candidate("bad", 0, 2_000);
    const picker = balancer.createPicker();
    for (let i = 0; i < 20; i++) assert.equal(picker.pick([bad, good], context()), good);
    assert.equal(picker.pick([bad, good], context({ tried: [good.load] })), bad);
  });

  suite("the mark of a failed endpoint runs out by itself", () => {
    const marked = candidate("marked", 0, 2_000);
    const picker = balancer.createPicker();
    const seen = new Set<Candidate | undefined>();
    for (let i = 0; i < 100; i++)
      seen.add(picker.pick([marked, candidate("other")], context({ nowMs: 2_000 })));
    assert.ok(seen.has(marked));
  });

  suite("over many picks from equals none is forgotten", () => {
    const candidates = pool(5);
    const picker = balancer.createPicker();
    const seen = new Set(Array.from({ length: 200 }, () => picker.pick(candidates, context())));
    assert.equal(seen.size, 5);
  });

  suite("a pool may change between picks", () => {
    const picker = balancer.createPicker();
    for (const size of [5, 2, 0, 7, 1]) {
      const candidates = pool(size);
      for (let i = 0; i < 10; i++) {
        const picked = picker.pick(candidates, context());
        assert.equal(picked === undefined, size === 0);
      }
    }
  });
}

const named = (name: string): Balancer => {
  const found = balancers.find((balancer) => balancer.name === name);
  assert.ok(found !== undefined);
  return found;
};

test("round-robin: each endpoint comes exactly once per circle, also at low counts", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 4 }), (size, circles) => {
      const candidates = pool(size);
      const picker = named("round-robin").createPicker();
      const counts = new Map<string, number>();
      for (let i = 0; i < size * circles; i++) {
        const picked = picker.pick(candidates, context());
        assert.ok(picked !== undefined);
        counts.set(picked.name, (counts.get(picked.name) ?? 0) + 1);
      }
      assert.deepEqual(
        [...counts.values()],
        Array.from({ length: size }, () => circles),
      );
    }),
  );
});

test("round-robin: pools do not all begin at the same endpoint", () => {
  const candidates = pool(4);
  const firsts = new Set(
    Array.from({ length: 200 }, () => named("round-robin").createPicker().pick(candidates, context())?.name),
  );
  assert.ok(firsts.size > 1);
});

test("round-robin: when all are marked, all marks are cleared", () => {
  const candidates = [candidate("a", 0, 2_000), candidate("b", 0, 2_000)];
  assert.ok(named("round-robin").createPicker().pick(candidates, context()) !== undefined);
  assert.deepEqual(
    candidates.map(({ load }) => load.failedUntilMs),
    [0, 0],
  );
});

test("least-connection: the endpoint with the fewest exchanges in flight is picked", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 8 }), (loads) => {
      const candidates = loads.map((load, i) => candidate(`e${i}`, load));
      const picked = named("least-connection").createPicker().pick(candidates, context());
      assert.equal(picked?.load.inFlight, Math.min(...loads));
    }),
  );
});

test("least-connection: equals are served in turn, past a busy one", () => {
  const candidates = [candidate("busy", 9), ...pool(4)];
  const picker = named("least-connection").createPicker();
  const picks = Array.from({ length: 12 }, () => picker.pick(candidates, context())?.name ?? "");
  assert.equal(new Set(picks.slice(0, 4)).size, 4);
  assert.ok(!picks.includes("busy"));
  assert.deepEqual(picks.slice(4), [...picks.slice(0, 4), ...picks.slice(0, 4)]);
});
