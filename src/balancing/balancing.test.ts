/** One suite for every balancer, then what each promises on its own. */
import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import {
  type Balancer,
  balancers,
  type BalancerSettings,
  type Candidate,
  type PickContext,
  type Picker,
} from "./index.ts";
import { endpoint } from "../table/samples.ts";

interface TestCandidate extends Candidate {
  readonly name: string;
}

const candidate = (name: string, inFlight = 0, failedUntilMs = 0, instanceId = name): TestCandidate => ({
  name,
  load: { inFlight, failedUntilMs },
  endpoint: endpoint({ instanceId, instanceIndex: "0", host: name, port: 80 }),
});
const pool = (count: number) => Array.from({ length: count }, (_, i) => candidate(`e${i}`));
const context = (given: Partial<PickContext> = {}): PickContext => ({
  nowMs: 1_000,
  tried: [],
  maxInFlight: 0,
  requestHeader: () => undefined,
  ...given,
});
/** A request with this value of the header that is hashed. */
const keyed = (key: string, given: Partial<PickContext> = {}): PickContext =>
  context({ requestHeader: (name) => (name === "x-key" ? key : undefined), ...given });

const named = (name: string): Balancer => {
  const found = balancers.find((balancer) => balancer.name === name);
  assert.ok(found !== undefined);
  return found;
};
const pickerFor = (
  balancer: Balancer,
  candidates: readonly Candidate[],
  settings: Partial<BalancerSettings> = {},
): Picker => {
  const createFallback = (): Picker =>
    named("round-robin").createPicker({ settings: { hashHeader: "", hashBalance: 0 }, createFallback });
  return balancer
    .createPicker({ settings: { hashHeader: "x-key", hashBalance: 0, ...settings }, createFallback })
    .forPool(candidates);
};
/** Requests with and without a key, and routes with and without a bound: whatever a balancer may look at. */
const SETTINGS = fc.record({
  hashHeader: fc.constantFrom("", "x-key"),
  hashBalance: fc.constantFrom(0, 1.1, 2),
});

/** As a route with weights has it, and all of them equal: it must keep every promise of the others. */
const weighted: Balancer = {
  ...named("round-robin"),
  name: "round-robin by weight",
  createPicker: (setup) => {
    const picker = named("round-robin").createPicker(setup);
    return {
      forPool: (candidates) =>
        picker.forPool(
          candidates,
          candidates.map(() => 1),
        ),
      pick: () => assert.fail("of no pool"),
    };
  },
};

for (const balancer of [...balancers, weighted]) {
  const suite = (sentence: string, run: () => void) => test(`${balancer.name}: ${sentence}`, run);

  suite("an empty pool has nothing to pick", () => {
    assert.equal(pickerFor(balancer, []).pick([], context()), undefined);
    assert.equal(pickerFor(balancer, []).pick([], keyed("a")), undefined);
  });

  suite("picks only what is there, was not tried and is below its limit, and picks if there is any", () => {
    const flags = fc.record({ tried: fc.boolean(), inFlight: fc.nat(3), failed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(flags, { maxLength: 6 }), fc.nat(3), SETTINGS, (given, maxInFlight, settings) => {
        const candidates = given.map(({ inFlight, failed }, i) =>
          candidate(`e${i}`, inFlight, failed ? 2_000 : 0),
        );
        const tried = candidates.filter((_, i) => given[i]?.tried === true).map(({ load }) => load);
        const allowed = candidates.filter(
          (each) => !tried.includes(each.load) && (maxInFlight === 0 || each.load.inFlight < maxInFlight),
        );
        const picker = pickerFor(balancer, candidates, settings);
        const picked = picker.pick(candidates, keyed("a", { tried, maxInFlight }));
        if (allowed.length === 0) assert.equal(picked, undefined);
        else assert.ok(picked !== undefined && allowed.includes(picked));
      }),
    );
  });

  suite("a failed endpoint is avoided while another one is left, and used when none is", () => {
    const good = candidate("good");
    const bad = candidate("bad", 0, 2_000);
    const candidates = [bad, good];
    const picker = pickerFor(balancer, candidates);
    for (let i = 0; i < 20; i++) {
      assert.equal(picker.pick(candidates, context()), good);
      assert.equal(picker.pick(candidates, keyed(`key ${i}`)), good);
    }
    for (const request of [context, (given: Partial<PickContext>) => keyed("a", given)]) {
      assert.equal(picker.pick(candidates, request({ tried: [good.load] })), bad);
    }
  });

  suite("the mark of a failed endpoint runs out by itself", () => {
    const marked = candidate("marked", 0, 2_000);
    const candidates = [marked, candidate("other")];
    const picker = pickerFor(balancer, candidates);
    const seen = new Set<Candidate | undefined>();
    for (let i = 0; i < 100; i++) seen.add(picker.pick(candidates, keyed(`key ${i}`, { nowMs: 2_000 })));
    assert.ok(seen.has(marked));
  });

  suite("over many picks from equals none is forgotten", () => {
    const candidates = pool(5);
    const picker = pickerFor(balancer, candidates);
    const seen = new Set(Array.from({ length: 200 }, (_, i) => picker.pick(candidates, keyed(`key ${i}`))));
    assert.equal(seen.size, 5);
  });

  suite("picks among a part of its pool, when the request names its instances", () => {
    const candidates = pool(6);
    const picker = pickerFor(balancer, candidates);
    const part = candidates.filter((_, i) => i % 2 === 0);
    for (let i = 0; i < 50; i++) {
      const picked = picker.pick(part, keyed(`key ${i}`));
      assert.ok(picked !== undefined && part.includes(picked));
    }
  });

  suite("a pool may change between picks", () => {
    let picker = pickerFor(balancer, []);
    for (const size of [5, 2, 0, 7, 1]) {
      const candidates = pool(size);
      picker = picker.forPool(candidates);
      for (let i = 0; i < 10; i++) {
        const picked = picker.pick(candidates, context());
        assert.equal(picked === undefined, size === 0);
      }
    }
  });
}

test("round-robin: each endpoint comes exactly once per circle, also at low counts", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 4 }), (size, circles) => {
      const candidates = pool(size);
      const picker = pickerFor(named("round-robin"), candidates);
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
    Array.from(
      { length: 200 },
      () => pickerFor(named("round-robin"), candidates).pick(candidates, context())?.name,
    ),
  );
  assert.ok(firsts.size > 1);
});

test("round-robin: when all are marked, all marks are cleared", () => {
  const candidates = [candidate("a", 0, 2_000), candidate("b", 0, 2_000)];
  assert.ok(pickerFor(named("round-robin"), candidates).pick(candidates, context()) !== undefined);
  assert.deepEqual(
    candidates.map(({ load }) => load.failedUntilMs),
    [0, 0],
  );
});

const byWeight = (candidates: readonly TestCandidate[], weights: readonly number[]): Picker =>
  named("round-robin")
    .createPicker({ settings: { hashHeader: "", hashBalance: 0 }, createFallback: () => assert.fail() })
    .forPool(candidates, weights);
const namesOf = (picker: Picker, candidates: readonly TestCandidate[], count: number) =>
  Array.from({ length: count }, () => picker.pick(candidates, context())?.name ?? "");
const countsOf = (names: readonly string[], candidates: readonly TestCandidate[]) =>
  candidates.map(({ name }) => names.filter((each) => each === name).length);

test("round-robin: weights hold at low counts too, to less than one pick per endpoint", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(weights, fc.integer({ min: 1, max: 300 }), (given, picks) => {
      const candidates = pool(given.length);
      const counts = countsOf(namesOf(byWeight(candidates, given), candidates, picks), candidates);
      const total = given.reduce((sum, weight) => sum + weight, 0);
      for (const [i, count] of counts.entries()) {
        const share = (picks * (given[i] ?? 0)) / total;
        assert.ok(Math.abs(count - share) < given.length, `${count} of ${picks} instead of ${share}`);
      }
    }),
  );
});

test("round-robin: turns by weight are mixed, not one endpoint after the other", () => {
  const candidates = pool(2);
  const names = namesOf(byWeight(candidates, [3, 1]), candidates, 40).join(" ");
  assert.doesNotMatch(names, /e1 e1|e0 e0 e0 e0/);
});

test("round-robin: who was away leaves its share to the rest, and has nothing to catch up with", () => {
  const [a, b, c] = [candidate("a"), candidate("b"), candidate("c")];
  const candidates = [a, b, c];
  const picker = byWeight(candidates, [50, 25, 25]);
  a.load.failedUntilMs = 2_000;
  assert.deepEqual(countsOf(namesOf(picker, candidates, 40), candidates), [0, 20, 20]);
  a.load.failedUntilMs = 0;
  const [first = 0] = countsOf(namesOf(picker, candidates, 40), candidates);
  assert.ok(first >= 19 && first <= 21, `${first} of 40`);
});

test("round-robin: weights come and go with the pool", () => {
  const candidates = pool(2);
  const plain = pickerFor(named("round-robin"), candidates);
  const heavy = plain.forPool(candidates, [99, 1]);
  const [first = 0] = countsOf(namesOf(heavy, candidates, 100), candidates);
  assert.ok(first >= 98);
  const again = heavy.forPool(candidates, [1, 99]);
  const [less = 0] = countsOf(namesOf(again, candidates, 100), candidates);
  assert.ok(less <= 3, `${less} of 100`);
  assert.equal(again.forPool(candidates), plain);
});

test("least-connection: the endpoint with the fewest exchanges in flight is picked", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 8 }), (loads) => {
      const candidates = loads.map((load, i) => candidate(`e${i}`, load));
      const picked = pickerFor(named("least-connection"), candidates).pick(candidates, context());
      assert.equal(picked?.load.inFlight, Math.min(...loads));
    }),
  );
});

test("least-connection: equals are served in turn, past a busy one", () => {
  const candidates = [candidate("busy", 9), ...pool(4)];
  const picker = pickerFor(named("least-connection"), candidates);
  const picks = Array.from({ length: 12 }, () => picker.pick(candidates, context())?.name ?? "");
  assert.equal(new Set(picks.slice(0, 4)).size, 4);
  assert.ok(!picks.includes("busy"));
  assert.deepEqual(picks.slice(4), [...picks.slice(0, 4), ...picks.slice(0, 4)]);
});

// === hash ===

const hash = named("hash");
const KEYS = Array.from({ length: 4_000 }, (_, i) => `tenant-${i}`);
const placesOf = (candidates: readonly TestCandidate[], keys = KEYS) => {
  const picker = pickerFor(hash, candidates);
  return keys.map((key) => picker.pick(candidates, keyed(key))?.name);
};
const instances = (prefix: number, count: number) =>
  Array.from({ length: count }, (_, i) => candidate(`${prefix}-${i}`));

test("hash: a key stays at its endpoint, however often it comes and whatever comes between", () => {
  const candidates = pool(5);
  const picker = pickerFor(hash, candidates);
  const first = picker.pick(candidates, keyed("a"));
  for (let i = 0; i < 100; i++) {
    picker.pick(candidates, keyed(`other ${i}`));
    assert.equal(picker.pick(candidates, keyed("a")), first);
  }
});

test("hash: a request without the header, or with an empty one, is the default balancer's", () => {
  const candidates = pool(4);
  const picker = pickerFor(hash, candidates);
  for (const request of [context(), keyed("")]) {
    const seen = new Set(Array.from({ length: 4 }, () => picker.pick(candidates, request)));
    assert.equal(seen.size, 4);
  }
});

test("hash: two routers that heard of the endpoints in another order, one by one, agree on every key", () => {
  const orders = fc.integer({ min: 1, max: 12 }).chain((count) => {
    const order = [...Array(count).keys()];
    return fc.shuffledSubarray(order, { minLength: count });
  });
  fc.assert(
    fc.property(fc.nat(), orders, (prefix, order) => {
      const keys = KEYS.slice(0, 100);
      let grown: readonly TestCandidate[] = [];
      let picker = pickerFor(hash, grown);
      for (const which of order) {
        grown = [...grown, candidate(`${prefix}-${which}`)];
        picker = picker.forPool(grown);
      }
      assert.deepEqual(
        keys.map((key) => picker.pick(grown, keyed(key))?.name),
        placesOf(instances(prefix, order.length), keys),
      );
    }),
    { numRuns: 50 },
  );
});

test("hash: what an instance serves does not depend on its address, nor on how often it is listed", () => {
  const at = (address: string, instance: string) => candidate(address, 0, 0, instance);
  const before = [at("10.0.0.1", "a"), at("10.0.0.2", "b"), at("10.0.0.3", "c")];
  const after = [at("10.0.0.9", "a"), at("10.0.0.2", "b"), at("10.0.0.3", "c")];
  const instanceOf = (candidates: readonly TestCandidate[], key: string) =>
    pickerFor(hash, candidates).pick(candidates, keyed(key))?.endpoint.instanceId;
  for (const key of KEYS.slice(0, 200)) assert.equal(instanceOf(after, key), instanceOf(before, key));
});

test("hash: an endpoint that joins or leaves moves its own keys and no other, at any size of the pool", () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 60 }), fc.nat(), (prefix, count, which) => {
      const keys = KEYS.slice(0, 300);
      const all = instances(prefix, count + 1);
      const leaver = all[which % all.length] as TestCandidate;
      const before = placesOf(all, keys);
      const after = placesOf(
        all.filter((each) => each !== leaver),
        keys,
      );
      keys.forEach((_, i) => {
        if (before[i] === leaver.name) assert.notEqual(after[i], leaver.name);
        else assert.equal(after[i], before[i]);
      });
    }),
    { numRuns: 40 },
  );
});

test("hash: an endpoint that failed gives its keys away as if it had left, and gets them back", () => {
  const candidates = pool(8);
  const before = placesOf(candidates);
  const failed = candidates[3] as TestCandidate;
  const without = placesOf(candidates.filter((each) => each !== failed));
  failed.load.failedUntilMs = 2_000;
  assert.deepEqual(placesOf(candidates), without);
  failed.load.failedUntilMs = 0;
  assert.deepEqual(placesOf(candidates), before);
});

for (const count of [2, 3, 10, 31, 64, 200]) {
  test(`hash: ${count} endpoints get nearly equal shares of many keys`, () => {
    const candidates = pool(count);
    const picker = pickerFor(hash, candidates);
    const counts = new Map<string, number>(candidates.map(({ name }) => [name, 0]));
    const keys = count * 1_000;
    for (let i = 0; i < keys; i++) {
      const { name } = picker.pick(candidates, keyed(`user ${i}`)) as TestCandidate;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    for (const [name, got] of counts) {
      assert.ok(got > 700 && got < 1_300, `${name} got ${got} of ${keys}, ${keys / count} would be even`);
    }
  });
}

test("hash: with a bound, no endpoint ever has more than its factor of the average in flight", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom(1.1, 1.5, 3),
      fc.array(fc.nat(20), { minLength: 1, maxLength: 200 }),
      (count, hashBalance, keys) => {
        const candidates = pool(count);
        const picker = pickerFor(hash, candidates, { hashBalance });
        keys.forEach((key, i) => {
          const picked = picker.pick(candidates, keyed(`key ${key}`)) as TestCandidate;
          picked.load.inFlight++;
          const bound = Math.ceil((hashBalance * (i + 1)) / count);
          assert.ok(picked.load.inFlight <= bound, `${picked.load.inFlight} above ${bound}`);
        });
      },
    ),
  );
});

test("hash: with a bound, a key stays at its endpoint while that has room", () => {
  const candidates = pool(5);
  const free = placesOf(candidates);
  const picker = pickerFor(hash, candidates, { hashBalance: 1.5 });
  assert.deepEqual(
    KEYS.map((key) => picker.pick(candidates, keyed(key))?.name),
    free,
  );
});

test("hash: all that is too much for an endpoint goes to the same other one, on every router", () => {
  const homes = new Set<string>();
  for (const order of [pool(7), pool(7).toReversed()]) {
    const picker = pickerFor(hash, order, { hashBalance: 1.1 });
    const full = order.find(({ name }) => name === "e2") as TestCandidate;
    full.load.inFlight = 100;
    KEYS.slice(0, 500).forEach((key) => {
      full.load.inFlight = 0;
      const isHome = picker.pick(order, keyed(key)) === full;
      full.load.inFlight = 100;
      if (isHome) homes.add(picker.pick(order, keyed(key))?.name ?? "nobody");
    });
  }
  assert.equal(homes.size, 1);
  assert.ok(!homes.has("e2"));
});
