import assert from "node:assert/strict";
import { test } from "node:test";
import { createManualClock } from "../kernel/index.ts";
import { createGorouterLogger, type GorouterLogOptions } from "./gorouter-log.ts";

function startLog(changes: Partial<GorouterLogOptions> = {}) {
  const lines: string[] = [];
  const log = createGorouterLogger({
    level: "debug",
    timestampFormat: "unix-epoch",
    prefix: "vcap.gorouter",
    clock: createManualClock(Date.parse("2026-11-21T10:15:30.250Z")),
    sink: { write: (line) => void lines.push(line) },
    ...changes,
  });
  return { log, lines };
}

test("a line is gorouter's JSON object", () => {
  const { log, lines } = startLog();
  log.session("router").info({ port: 80 }, "gorouter.started");
  assert.deepEqual(lines, [
    '{"log_level":1,"timestamp":1795256130.25,"message":"gorouter.started","source":"vcap.gorouter.router","data":{"port":80}}\n',
  ]);
});

test("with rfc3339 the level is a word and the time a text", () => {
  const { log, lines } = startLog({ timestampFormat: "rfc3339", prefix: "gorouter.stdout" });
  log.error({}, "validation-error");
  assert.deepEqual(lines, [
    '{"log_level":"error","timestamp":"2026-11-21T10:15:30.250Z","message":"validation-error","source":"gorouter.stdout","data":{}}\n',
  ]);
});

test("levels are numbers from 0 to 3, and a warning is an information", () => {
  const { log, lines } = startLog();
  for (const level of ["debug", "info", "warn", "error", "fatal"] as const) log[level]({}, "m");
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { log_level: number }).log_level),
    [0, 1, 1, 2, 3],
  );
});

test("what is below the least level is not written", () => {
  const { log, lines } = startLog({ level: "error" });
  for (const level of ["debug", "info", "warn", "error", "fatal"] as const) log[level]({}, level);
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { message: string }).message),
    ["error", "fatal"],
  );
});

test("an error is its message, and common fields are on every line", () => {
  const { log, lines } = startLog();
  log
    .child({ index: 3 })
    .session("nats")
    .error({ err: new Error("refused") }, "m");
  const { data, source } = JSON.parse(lines[0] ?? "") as { data: object; source: string };
  assert.deepEqual(data, { index: 3, error: "refused" });
  assert.equal(source, "vcap.gorouter.nats");
});
