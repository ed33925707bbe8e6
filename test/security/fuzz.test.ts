import assert from "node:assert/strict";
import test from "node:test";
import { fuzz } from "./fuzz/fuzz.ts";
import { createRouterTarget } from "./fuzz/router-target.ts";
import { createRandom, mutate } from "./fuzz/random.ts";
import { HTTP_WORDS, REQUESTS, TARGETS } from "./fuzz/targets.ts";

/** `npm run fuzz` takes longer. */
const SECONDS = 1;

for (const target of TARGETS) {
  test(`a short time of fuzzing finds nothing in ${target.name}`, async (t) => {
    const seed = Date.now() >>> 0;
    t.diagnostic(`seed ${seed}`);
    assert.ok((await fuzz(target, { seed, seconds: SECONDS, runs: 3_000 })) > 0);
  });
}

test("a short time of fuzzing finds no request that the router and its endpoint read differently", async (t) => {
  const seed = Date.now() >>> 0;
  t.diagnostic(`seed ${seed}`);
  const target = await createRouterTarget();
  t.after(() => target.close());
  assert.ok((await fuzz(target, { seed, seconds: SECONDS, runs: 1_000 })) > 0);
});

test("a seed makes the same input every time, and a finding names it", async () => {
  const input = (seed: number) => {
    const random = createRandom(seed);
    return mutate(random, random.pick(REQUESTS), HTTP_WORDS, REQUESTS);
  };
  assert.equal(input(7), input(7));
  assert.notEqual(input(7), input(8));
  const failing = {
    name: "failing",
    run(random: ReturnType<typeof createRandom>, say: (input: unknown) => void) {
      const n = random.below(10);
      say(n);
      assert.notEqual(n, 3);
    },
  };
  const finding = await fuzz(failing, { seed: 1, seconds: 10, runs: 1_000 }).then(
    String,
    (error: Error) => error.message,
  );
  const [, shown, seed] =
    /input: (\d+)\nagain: npm run fuzz -- --target failing --seed (\d+) --runs 1$/.exec(finding) ?? [];
  assert.equal(shown, "3");
  await assert.rejects(fuzz(failing, { seed: Number(seed), seconds: 10, runs: 1 }), /input: 3\n/);
});
