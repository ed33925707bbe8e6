import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import test from "node:test";

const COLLECTOR = new URL("./collector.ts", import.meta.url).href;
/** Grows until the collector marks, which it has not begun, and lets it finish. */
const PROGRAM = `
  import { isCollectorMarking } from ${JSON.stringify(COLLECTOR)};
  const kept = [];
  gc();
  const before = isCollectorMarking();
  let during = false;
  for (let i = 0; i < 4e6 && !during; i++) {
    kept.push({ number: i, text: "text " + i });
    if (i % 1_000 === 0) during = isCollectorMarking();
  }
  gc();
  console.log(JSON.stringify({ before, during, after: isCollectorMarking() }));
`;

test("the collector is seen while it marks, and not before or after", () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ["--expose-gc", "--max-semi-space-size=4", "--input-type=module", "--eval", PROGRAM],
    { encoding: "utf8" },
  );
  assert.equal(stdout.trim(), JSON.stringify({ before: false, during: true, after: false }), stderr);
});
