import assert from "node:assert/strict";
import { test } from "node:test";
import { readIgnores } from "./ignored-files.ts";

const cases: readonly { lines: string; path: string; isFolder?: boolean; want: boolean }[] = [
  { lines: "", path: ".git", isFolder: true, want: true },
  { lines: "", path: "manifest.yml", want: true },
  { lines: "", path: "config/manifest.yml", want: false },
  { lines: "!.git", path: ".git", isFolder: true, want: false },
  { lines: "# a remark\n\n*.log", path: "deep/down/a.log", want: true },
  { lines: "*.log", path: "a.log.txt", want: false },
  { lines: "*.log\n!keep.log", path: "keep.log", want: false },
  { lines: "/build", path: "src/build", want: false },
  { lines: "/build", path: "build", want: true },
  { lines: "cache/", path: "cache", want: false },
  { lines: "cache/", path: "a/cache", isFolder: true, want: true },
  { lines: "docs/**/*.md", path: "docs/a/b/c.md", want: true },
  { lines: "docs/**/*.md", path: "docs/c.md", want: true },
  { lines: "docs/*.md", path: "docs/a/c.md", want: false },
  { lines: "a?c", path: "abc", want: true },
  { lines: "a+(b)", path: "aab", want: false },
];
for (const { lines, path, isFolder = false, want } of cases) {
  test(`«${lines.replaceAll("\n", " ¶ ")}» ${want ? "leaves out" : "takes along"} ${path}`, () => {
    assert.equal(readIgnores(lines)(path, isFolder), want);
  });
}
