import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";
import { createHeapGrowth, LARGE_TABLE_ROUTES } from "./heap-growth.ts";

const [LIMITED, FREE] = ["--heap-growing-percent=50", "--heap-growing-percent=0"];

function startGrowth(flagsOfStart: readonly string[] = ["--max-semi-space-size=4"]) {
  const set: string[] = [];
  const growth = createHeapGrowth((flag) => set.push(flag), flagsOfStart);
  return { growth, set };
}

test("a large table limits how far the heap grows, until it has lost half of that", () => {
  const { growth, set } = startGrowth();
  growth.fit(LARGE_TABLE_ROUTES - 1);
  assert.deepEqual(set, []);
  growth.fit(LARGE_TABLE_ROUTES);
  growth.fit(2 * LARGE_TABLE_ROUTES);
  growth.fit(LARGE_TABLE_ROUTES / 2);
  assert.deepEqual(set, [LIMITED]);
  growth.fit(LARGE_TABLE_ROUTES / 2 - 1);
  growth.stop();
  assert.deepEqual(set, [LIMITED, FREE]);
});

test("what the process ends with is what it began with", () => {
  const { growth, set } = startGrowth();
  growth.fit(LARGE_TABLE_ROUTES);
  growth.stop();
  assert.deepEqual(set, [LIMITED, FREE]);
});

test("a limit that the process was started with stays", () => {
  const { growth, set } = startGrowth(["--heap-growing-percent=30"]);
  growth.fit(LARGE_TABLE_ROUTES);
  growth.stop();
  assert.deepEqual(set, []);
});

test("V8 heeds the limit in a process that runs", () => {
  const program = `
    import { getHeapSpaceStatistics } from "node:v8";
    import { createHeapGrowth } from ${JSON.stringify(new URL("./heap-growth.ts", import.meta.url).href)};
    const kept = Array.from({ length: 200_000 }, (_, number) => ({ number, list: [number] }));
    if (process.env.ROUTES) createHeapGrowth().fit(Number(process.env.ROUTES));
    gc();
    let pages = 0;
    for (let i = 0; i < 1.5e6; i++) {
      kept[i % kept.length] = { number: i, list: [i] };
      if (i % 5_000 !== 0) continue;
      const old = getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space");
      pages = Math.max(pages, old.space_size);
    }
    console.log(pages);
  `;
  const pagesWith = (routes: number): number => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ["--expose-gc", "--max-semi-space-size=4", "--input-type=module", "--eval", program],
      { encoding: "utf8", env: { ROUTES: String(routes) } },
    );
    assert.equal(stderr, "");
    return Number(stdout);
  };
  const [few, many] = [pagesWith(1), pagesWith(LARGE_TABLE_ROUTES)];
  assert.ok(many > 0 && many < few * 0.75, `${many} bytes of pages with many routes, ${few} with few`);
});
