import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { GatheredLines } from "./gathered-lines.ts";

function gather() {
  const writes: string[] = [];
  return { writes, lines: new GatheredLines({ write: (text) => void writes.push(text) }) };
}

const endOfTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

test("lines of one turn are one write at its end, in order", async () => {
  const { writes, lines } = gather();
  lines.write("a\n");
  lines.write("b\n");
  assert.deepEqual(writes, []);
  await endOfTurn();
  assert.deepEqual(writes, ["a\nb\n"]);
  lines.write("c\n");
  await endOfTurn();
  assert.deepEqual(writes, ["a\nb\n", "c\n"]);
});

test("no write is more than a pipe takes in one piece, but for a line that is", async () => {
  const { writes, lines } = gather();
  const line = `${"x".repeat(1_999)}\n`;
  for (let i = 0; i < 5; i++) lines.write(line);
  const long = `${"x".repeat(5_000)}\n`;
  lines.write(long);
  lines.write("end\n");
  await endOfTurn();
  assert.deepEqual(writes, [line + line, line + line, line, long, "end\n"]);
});

test("lines that are more bytes than characters are not too much for a pipe either", async () => {
  const { writes, lines } = gather();
  const line = `${"ü".repeat(1_999)}\n`;
  for (const given of [line, line, "end\n"]) lines.write(given);
  await endOfTurn();
  assert.deepEqual(writes, [line, line, "end\n"]);
});

for (const { name, end } of [
  { name: "exits", end: "process.exit(3)" },
  { name: "is ended by an exception", end: "throw new Error('gone')" },
  { name: "ends by itself", end: "" },
]) {
  test(`what the last turn said is written when the process ${name}`, () => {
    const kernel = join(import.meta.dirname, "gathered-lines.ts");
    const program = `import { stdoutLines } from ${JSON.stringify(kernel)}; stdoutLines().write("last words\\n"); ${end}`;
    const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
    });
    assert.equal(stdout, "last words\n");
  });
}
