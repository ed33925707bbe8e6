import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import * as fc from "fast-check";
import type { LogLine } from "../contracts/index.ts";
import { createLogger, silentLogger } from "../kernel/index.ts";
import { AppLogs, createLineSplitter, formatLine } from "./app-logs.ts";

function split(chunks: readonly Buffer[], maxChars: number): readonly string[] {
  const lines: string[] = [];
  const splitter = createLineSplitter(maxChars, (line) => lines.push(line));
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

for (const { name, input, want } of [
  { name: "nothing", input: [""], want: [] },
  { name: "an empty line", input: ["\n"], want: [""] },
  { name: "a line without an end", input: ["a"], want: ["a"] },
  { name: "Windows line ends", input: ["a\r\nb\r\n"], want: ["a", "b"] },
  { name: "a line in pieces", input: ["a", "b", "c\nd"], want: ["abc", "d"] },
  { name: "a line of exactly the limit", input: ["12345678\n"], want: ["12345678"] },
  { name: "a line over the limit", input: ["123456789\n"], want: ["12345678", "9"] },
  { name: "a pair of surrogates at the limit", input: ["1234567😀\n"], want: ["1234567", "😀"] },
]) {
  test(`output splits into lines: ${name}`, () => {
    assert.deepEqual(
      split(
        input.map((text) => Buffer.from(text)),
        8,
      ),
      want,
    );
  });
}

test("however output is cut into chunks, also inside characters, the lines are the same", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("a", "é", "😀", "\n") }),
      fc.array(fc.integer({ min: 1, max: 5 })),
      (text, sizes) => {
        const bytes = Buffer.from(text);
        const chunks: Buffer[] = [];
        let from = 0;
        for (const size of sizes) {
          chunks.push(bytes.subarray(from, from + size));
          from += size;
        }
        chunks.push(bytes.subarray(from));
        assert.deepEqual(split(chunks, 8), split([bytes], 8));
        assert.deepEqual(split(chunks, 1_000_000).join("\n"), text.replace(/\n$/, ""));
      },
    ),
  );
});

const line = (text: string, number = 0): LogLine => ({
  timestampNs: String(1_767_225_600_000_000_000n + BigInt(number)),
  stream: "out",
  source: "APP/PROC/WEB",
  instanceIndex: 0,
  text,
});

async function startLogs(
  t: TestContext,
  some: { recentBytes?: number; fileBytes?: number; oldFiles?: number },
) {
  const directory = await mkdtemp(join(tmpdir(), "viaduct-logs-"));
  t.after(() => rm(directory, { recursive: true }));
  const defaults = { recentBytes: 10_000, fileBytes: 10_000, oldFiles: 2, log: silentLogger };
  return { directory, logs: new AppLogs({ directory, ...defaults, ...some }) };
}

test("the newest lines are kept up to a size, oldest first", async (t) => {
  const { logs } = await startLogs(t, { recentBytes: 10 * (2 * 10 + 64) });
  for (let i = 0; i < 100; i++) logs.append("app", line(`line ${i}`.padEnd(10), i));
  const kept = logs.recent("app", 1000).map((kept) => kept.text.trim());
  assert.deepEqual(
    kept,
    Array.from({ length: 10 }, (_, i) => `line ${90 + i}`),
  );
  assert.deepEqual(
    logs.recent("app", 2).map((kept) => kept.text.trim()),
    ["line 98", "line 99"],
  );
  assert.deepEqual(logs.recent("unknown", 10), []);
  await logs.flush();
});

test("lines are written to the app's file as the cf CLI prints them", async (t) => {
  const { logs, directory } = await startLogs(t, {});
  logs.append("app", line("one"));
  logs.append("app", { ...line("two"), stream: "err", source: "CELL", instanceIndex: 3 });
  await logs.flush();
  assert.equal(
    await readFile(join(directory, "app.log"), "utf8"),
    "2026-01-01T00:00:00.000Z [APP/PROC/WEB/0] OUT one\n2026-01-01T00:00:00.000Z [CELL/3] ERR two\n",
  );
});

test("a file that is full is put aside, and only so many are kept", async (t) => {
  const size = Buffer.byteLength(formatLine(line("x")));
  const { logs, directory } = await startLogs(t, { fileBytes: size * 2, oldFiles: 2 });
  for (let i = 0; i < 9; i++) {
    logs.append("app", line(String(i)));
    await logs.flush();
  }
  assert.deepEqual((await readdir(directory)).sort(), ["app.log", "app.log.1", "app.log.2"]);
  const texts = async (name: string) =>
    (await readFile(join(directory, name), "utf8")).match(/\d(?=\n)/g)?.join("");
  assert.equal(await texts("app.log"), "8");
  assert.equal(await texts("app.log.1"), "67");
  assert.equal(await texts("app.log.2"), "45");
});

test("a file that was there before is continued and counts towards its size", async (t) => {
  const { logs, directory } = await startLogs(t, { fileBytes: 20, oldFiles: 0 });
  await writeFile(join(directory, "app.log"), "x".repeat(19));
  logs.append("app", line("y"));
  await logs.flush();
  assert.deepEqual(await readdir(directory), []);
});

test("files of apps that have said nothing for a week are removed, and no others", async (t) => {
  const { logs, directory } = await startLogs(t, {});
  const [silent, talking] = ["3f0c2e4a-0b6e-4f6d-9f0c-1f2e3d4c5b6a", "9b2d4a0e-0b6e-4f6d-9f0c-1f2e3d4c5b6a"];
  const day = 24 * 3600;
  const nowS = 1_767_225_600;
  for (const [name, ageS] of [
    [`${silent}.log`, 7 * day + 1],
    [`${silent}.log.1`, 30 * day],
    [`${talking}.log`, 7 * day - 1],
    [`${talking}.log.1`, 8 * day],
    ["access.log", 30 * day],
    ["viaduct.log.1", 30 * day],
  ] as const) {
    await writeFile(join(directory, name), "");
    await utimes(join(directory, name), nowS - ageS, nowS - ageS);
  }
  await logs.sweep(nowS * 1000);
  assert.deepEqual((await readdir(directory)).sort(), [`${talking}.log`, "access.log", "viaduct.log.1"]);
});

test("a backlog is told while the disk is behind, and ends", async (t) => {
  const { logs } = await startLogs(t, { fileBytes: 100_000_000 });
  logs.append("app", line("first"));
  assert.equal(logs.backlog("app"), null);
  for (let i = 0; i < 20; i++) logs.append("app", line("x".repeat(100_000)));
  const backlog = logs.backlog("app");
  assert.notEqual(backlog, null);
  await backlog;
  assert.equal(logs.backlog("app"), null);
});

test("a folder that cannot be written is said once, and the newest lines stay in memory", async (t) => {
  const { directory } = await startLogs(t, {});
  const file = join(directory, "not-a-folder");
  await writeFile(file, "");
  const said: string[] = [];
  const log = createLogger({ level: "warn", sink: { write: (text) => said.push(text) } });
  const logs = new AppLogs({ directory: file, recentBytes: 1000, fileBytes: 1000, oldFiles: 1, log });
  for (let i = 0; i < 3; i++) {
    logs.append("app", line(String(i)));
    await logs.flush();
  }
  assert.equal(said.length, 1);
  assert.equal(logs.recent("app", 10).length, 3);
});
