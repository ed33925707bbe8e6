/**
 * What does a pick cost with each balancer, what does a change of the pool cost where a table hangs on it, and how
 * many keys move then? For the last, a Maglev table whose size follows the pool stands beside ours.
 * Run: `node scripts/pinned.mjs bench/balancing/balancers.bench.ts`.
 */
import {
  type Balancer,
  balancers,
  type Candidate,
  NO_SETTINGS,
  type Picker,
} from "../../src/balancing/index.ts";
import { endpoint } from "../../src/table/samples.ts";

const POOLS = [3, 10, 30, 100, 500];
const ROUNDS = 7;
const PICKS = 200_000;
const KEYS = Array.from({ length: 20_000 }, (_, i) => `tenant-${i}`);
/** As its authors advise for shares within 1 %. */
const MAGLEV_SLOTS_PER_ENDPOINT = 100;

const poolOf = (count: number): readonly Candidate[] =>
  Array.from({ length: count }, (_, i) => ({
    endpoint: { ...endpoint(), host: `10.0.${i >> 8}.${i & 255}`, instanceId: `instance-${i}` },
    load: { inFlight: 0, failedUntilMs: 0 },
  }));
let key = "";
const context = { nowMs: 1, tried: [], maxInFlight: 0, requestHeader: () => key };

function pickerOf(balancer: Balancer, pool: readonly Candidate[], hashBalance = 0): Picker {
  const roundRobin = balancers[0] as Balancer;
  const createFallback = (): Picker => roundRobin.createPicker({ settings: NO_SETTINGS, createFallback });
  const settings = { hashHeader: "x-key", hashBalance };
  return balancer.createPicker({ settings, createFallback }).forPool(pool);
}

function pickNs(picker: Picker, pool: readonly Candidate[]): number {
  const began = performance.now();
  for (let i = 0; i < PICKS; i++) {
    key = KEYS[i % KEYS.length] as string;
    picker.pick(pool, context);
  }
  return ((performance.now() - began) * 1e6) / PICKS;
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] as number;
const measured = (measure: () => number) => median(Array.from({ length: ROUNDS }, measure));

const hash = balancers.find(({ name }) => name === "hash") as Balancer;
const instancesOf = (pool: readonly Candidate[]) => {
  const picker = pickerOf(hash, pool);
  return KEYS.map((each) => {
    key = each;
    return picker.pick(pool, context)?.endpoint.instanceId ?? "";
  });
};

const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
const moved = (before: readonly string[], after: readonly string[]) =>
  percent(before.filter((instance, i) => instance !== after[i]).length / KEYS.length);

/** Standard deviation of the endpoints' shares of many keys, of which some is the luck of 1,000 keys each. */
function unevenness(pool: readonly Candidate[]): string {
  const picker = pickerOf(hash, pool);
  const counts = new Map(pool.map((candidate) => [candidate, 0]));
  for (let i = 0; i < pool.length * 1_000; i++) {
    key = `user ${i}`;
    const picked = picker.pick(pool, context) as Candidate;
    counts.set(picked, (counts.get(picked) ?? 0) + 1);
  }
  const squares = [...counts.values()].map((count) => (count / 1_000 - 1) ** 2);
  return percent(Math.sqrt(squares.reduce((sum, each) => sum + each, 0) / pool.length));
}

console.table(
  POOLS.map((count) => {
    const pool = poolOf(count);
    const ns = (balancer: Balancer, hashBalance = 0) => {
      const picker = pickerOf(balancer, pool, hashBalance);
      return Math.round(measured(() => pickNs(picker, pool)));
    };
    return {
      endpoints: count,
      ...Object.fromEntries(balancers.map((balancer) => [`${balancer.name} ns`, ns(balancer)])),
      "bounded hash ns": ns(hash, 1.5),
      "table µs": Math.round(
        measured(() => {
          const began = performance.now();
          pickerOf(hash, pool);
          return (performance.now() - began) * 1_000;
        }),
      ),
      "shares ±": unevenness(pool),
    };
  }),
);
console.table(
  POOLS.map((count) => ({
    "one joins": `${count} → ${count + 1}`,
    "its share": percent(1 / (count + 1)),
    "moved by ours": moved(instancesOf(poolOf(count)), instancesOf(poolOf(count + 1))),
    "by Maglev, size follows": moved(maglev(count), maglev(count + 1)),
  })),
);

// === the other way to do it ===

function textHash(text: string, seed: number): number {
  let value = seed;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

/** Eisenbud and others, «Maglev», NSDI 2016, §3.4. */
function maglev(count: number): readonly string[] {
  let size = count * MAGLEV_SLOTS_PER_ENDPOINT;
  while (!isPrime(size)) size++;
  const slots = new Int32Array(size).fill(-1);
  const walks = Array.from({ length: count }, (_, i) => ({
    at: textHash(`instance-${i}`, 1) % size,
    step: (textHash(`instance-${i}`, 2) % (size - 1)) + 1,
  }));
  for (let taken = 0; taken < size; ) {
    for (const [i, walk] of walks.entries()) {
      while (slots[walk.at] !== -1) walk.at = (walk.at + walk.step) % size;
      slots[walk.at] = i;
      if (++taken === size) break;
    }
  }
  return KEYS.map((each) => `instance-${slots[textHash(each, 3) % size]}`);
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false;
  return true;
}
