import assert from "node:assert/strict";
import { test } from "node:test";
import { RecentAccess } from "./recent-access.ts";

const line = (app: string, path: string, index = 0) =>
  `shop.localhost - [2026-01-01T00:00:00.250Z] "GET ${path} HTTP/1.1" 200 app_id:"${app}" app_index:"${index}"\n`;

test("the newest lines of an app come oldest first, with the time and instance they name", () => {
  const passed: string[] = [];
  const recent = new RecentAccess({ write: (lines) => void passed.push(lines) });
  recent.write(line("a", "/1") + line("b", "/other"));
  recent.write(line("a", "/2", 3) + line("a", "/3"));
  const lines = recent.linesOf("a", 2);
  assert.deepEqual(
    lines.map(({ text }) => / (\/\d) /.exec(text)?.[1]),
    ["/2", "/3"],
  );
  const { text: _text, ...rest } = lines[0] ?? assert.fail();
  assert.deepEqual(rest, {
    timestampNs: "1767225600250000000",
    stream: "out",
    source: "RTR",
    instanceIndex: 3,
  });
  assert.equal(passed.length, 2, "the log itself gets everything");
});

test("a header that quotes another app is not that app's line, and JSON lines are understood", () => {
  const recent = new RecentAccess({ write: () => {} });
  recent.write(`{"path":"/guid","app_id":"guid"}\n{"path":"/?guid","app_id":"other"}\n`);
  assert.equal(recent.linesOf("guid", 9).length, 1);
});

test("old batches are forgotten", () => {
  const recent = new RecentAccess({ write: () => {} });
  recent.write(line("a", "/old"));
  for (let i = 0; i < 20; i++) recent.write("x".repeat(100_000));
  assert.deepEqual(recent.linesOf("a", 9), []);
});
