import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import {
  AccessLogWriter,
  type BatchSink,
  fileBatchSink,
  type FileTrouble,
  lineBatchSink,
  rotatingBatchSink,
} from "./access-log-writer.ts";

/** A sink that is through with a batch when the test says so. */
function slowSink() {
  const batches: string[] = [];
  let done: ((lost: number) => void) | null = null;
  const sink: BatchSink = {
    write(lines, then) {
      batches.push(lines.toString("latin1"));
      done = then;
    },
    reopen() {},
    close() {},
  };
  return {
    sink,
    batches,
    finish() {
      const then = done;
      done = null;
      then?.(0);
    },
  };
}

const NO_TROUBLE: FileTrouble = {
  onError: (error) => assert.ifError(error),
  onRecovery: () => assert.fail("there was no trouble"),
};

test("lines are kept together until the flush", () => {
  const batches: string[] = [];
  const writer = new AccessLogWriter(lineBatchSink({ write: (lines) => batches.push(lines) }), () => {});
  writer.add("one");
  writer.add("two");
  assert.deepEqual(batches, []);
  writer.flush();
  assert.deepEqual(batches, ["one\ntwo\n"]);
  writer.flush();
  assert.equal(batches.length, 1, "nothing new, nothing written");
});

test("64 KiB are written without waiting for the flush", () => {
  const { sink, batches } = slowSink();
  const writer = new AccessLogWriter(sink, () => {});
  for (let i = 0; i < 65; i++) writer.add("x".repeat(1_023));
  assert.equal(batches.length, 1);
});

test("a line that is longer than a page comes out whole, between its neighbours", () => {
  const { sink, batches, finish } = slowSink();
  const writer = new AccessLogWriter(sink, () => {});
  const long = "x".repeat(300_000);
  for (const line of ["before", long, "after"]) writer.add(line);
  for (let i = 0; i < 3; i++) {
    writer.flush();
    finish();
  }
  assert.equal(batches.join(""), `before\n${long}\nafter\n`);
});

test("pages are used again without a byte of their former lines", () => {
  let written = "";
  const writer = new AccessLogWriter(lineBatchSink({ write: (lines) => void (written += lines) }), () => {});
  let expected = "";
  for (let i = 0; i < 40; i++) {
    const line = String.fromCharCode(97 + (i % 26)).repeat(30_000 - i);
    writer.add(line);
    expected += `${line}\n`;
  }
  writer.flush();
  assert.ok(written === expected);
});

test("one batch is on its way at a time, and what came meanwhile follows in order", () => {
  const { sink, batches, finish } = slowSink();
  const writer = new AccessLogWriter(sink, () => {});
  writer.add("first");
  writer.flush();
  writer.add("second");
  writer.flush();
  assert.deepEqual(batches, ["first\n"]);
  finish();
  writer.flush();
  assert.deepEqual(batches, ["first\n", "second\n"]);
});

test("a sink that hangs costs lines, counted, and bounded memory", () => {
  const { sink } = slowSink();
  let dropped = 0;
  const writer = new AccessLogWriter(sink, (lines) => void (dropped += lines));
  const line = "x".repeat(20 * 1024);
  const lines = 1_000;
  for (let i = 0; i < lines; i++) writer.add(line);
  // A page holds three of them: one is at the sink, 256 wait, and one is being filled.
  assert.equal(dropped, lines - 258 * 3);
});

test("closing waits for the last line, bytes above 0x7f included", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-access-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "access.log");
  const writer = new AccessLogWriter(fileBatchSink(path, NO_TROUBLE), () => {});
  writer.add("GET /\xc3\xa4");
  writer.flush();
  writer.add("last");
  await writer.close();
  assert.equal(readFileSync(path, "utf8"), "GET /ä\nlast\n");
});

test("after its file was moved away, the log goes on in a new one, and what was on its way is in the old one", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-access-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "access.log");
  const writer = new AccessLogWriter(fileBatchSink(path, NO_TROUBLE), () => {});
  writer.add("before");
  writer.flush();
  renameSync(path, `${path}.1`);
  writer.reopen();
  writer.add("after");
  await writer.close();
  assert.equal(readFileSync(`${path}.1`, "utf8"), "before\n");
  assert.equal(readFileSync(path, "utf8"), "after\n");
});

test("a log that cannot be begun anew stays in the file it has, and says so", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-access-log-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "log", "access.log");
  mkdirSync(join(folder, "log"));
  const problems: Error[] = [];
  const writer = new AccessLogWriter(
    fileBatchSink(path, { ...NO_TROUBLE, onError: (error) => problems.push(error) }),
    () => {},
  );
  renameSync(join(folder, "log"), join(folder, "moved"));
  writer.reopen();
  writer.add("kept");
  await writer.close();
  assert.match(problems.map(String).join(), /^Error: ENOENT/);
  assert.equal(readFileSync(join(folder, "moved", "access.log"), "utf8"), "kept\n");
});

test("a full disk is said once, its lines are counted, and the log goes on when there is room", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-access-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "access.log");
  // Whatever is written there: no space left on device.
  symlinkSync("/dev/full", path);
  const told: string[] = [];
  let dropped = 0;
  const trouble = {
    onError: (error: Error) => told.push(error.message),
    onRecovery: () => told.push("recovered"),
  };
  const file = fileBatchSink(path, trouble);
  let batch = Promise.withResolvers<void>();
  const sink: BatchSink = {
    ...file,
    write(lines, done) {
      file.write(lines, (lost) => {
        done(lost);
        batch.resolve();
      });
    },
  };
  const writer = new AccessLogWriter(sink, (lines) => void (dropped += lines));
  for (const lines of [["one", "two", "three"], ["four"]]) {
    batch = Promise.withResolvers();
    for (const line of lines) writer.add(line);
    writer.flush();
    await batch.promise;
  }
  assert.deepEqual({ told, dropped }, { told: ["ENOSPC: no space left on device, write"], dropped: 4 });
  rmSync(path);
  writer.reopen();
  writer.add("five");
  await writer.close();
  assert.equal(told.at(-1), "recovered");
  assert.equal(dropped, 4);
  assert.equal(readFileSync(path, "utf8"), "five\n");
});

test("a rotating file that cannot be written counts its lines too", async () => {
  let lost = 0;
  const told: string[] = [];
  const sink = rotatingBatchSink({
    path: "/dev/full",
    maxBytes: 8,
    oldFiles: 1,
    onError: (error) => told.push(error.message),
    onRecovery: () => told.push("recovered"),
  });
  for (let i = 0; i < 2; i++) {
    lost += await new Promise<number>((done) => sink.write(Buffer.from("one\ntwo\n"), done));
  }
  assert.equal(lost, 4);
  assert.deepEqual(told, ["ENOSPC: no space left on device, write"]);
});

test("a rotating file is put aside at its size, with whole lines and none lost", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "viaduct-access-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "access.log");
  const errors: Error[] = [];
  const onRecovery = () => assert.fail("there was no trouble");
  const sink = rotatingBatchSink({
    path,
    maxBytes: 8,
    oldFiles: 9,
    onError: (error) => errors.push(error),
    onRecovery,
  });
  for (const line of ["one", "two \xe9", "three", "four"]) {
    await new Promise((done) => sink.write(Buffer.from(`${line}\n`, "latin1"), done));
  }
  sink.close();
  assert.deepEqual(errors, []);
  const texts = readdirSync(folder)
    .toSorted()
    .map((name) => [name, readFileSync(join(folder, name), "latin1")]);
  assert.deepEqual(Object.fromEntries(texts), {
    "access.log.1": "three\nfour\n",
    "access.log.2": "one\ntwo \xe9\n",
  });
});
