/** What the documents point to is there: links and their anchors, files, npm scripts, commands of the program. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";
import { commands } from "../src/cli/list.ts";

const root = resolve(import.meta.dirname, "..");
const documents = ["*.md", "docs/**/*.md", "src/**/*.md", "examples/**/*.md", "bench/**/*.md", "test/**/*.md"]
  .flatMap((pattern) => globSync(pattern, { cwd: root }))
  .map((name) => ({ name, text: readFileSync(join(root, name), "utf8") }));

/** `[text](target)`, without images and links to elsewhere. */
const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g;
/** `src/x/y.ts`, `y.test.ts` or `folder/` between backticks, also with a part like `<area>` or `*`. */
const PATH = /`([\w<*][\w.<>*-]*(?:\/[\w.<>*-]+)*(?:\/|\.(?:ts|mjs|sh|html|css|md)))`/g;

const withoutCode = (text: string) => text.replace(/^```[^]*?^```/gm, "");

/** As GitHub makes them of headings. */
function anchorsOf(text: string): readonly string[] {
  return [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(/\s/g, "-"),
  );
}

/** Every file and folder of ours, as `src/x/y.ts` and `src/x/`. */
const tree = globSync("{src,test,docs,scripts,bin,bench,examples}/**", { cwd: root, withFileTypes: true })
  .map((entry) => `/${relative(root, join(entry.parentPath, entry.name))}${entry.isDirectory() ? "/" : ""}`)
  .join("\n");

/** Made when the program runs; documents may name it though it is in no checkout. */
const ignored = readFileSync(join(root, ".gitignore"), "utf8").split("\n");

/** Documents name a file from the root, from their room, or by its last name alone. */
function isThere(path: string): boolean {
  if (ignored.includes(path)) return true;
  const pattern = path.replaceAll(/[.+]/g, "\\$&").replaceAll(/<[^>]*>|\*|NAME/g, "[^/\n]+");
  return new RegExp(`/${pattern}$`, "m").test(tree);
}

test("every relative link of a document leads to a file, and to a heading of it", () => {
  const broken = documents.flatMap(({ name, text }) =>
    [...withoutCode(text).matchAll(LINK)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^[a-z]+:/i.test(target))
      .filter((target) => {
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? join(root, name) : resolve(root, dirname(name), path);
        if (!existsSync(file)) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(file, "utf8")).includes(anchor);
      })
      .map((target) => `${name}: ${target}`),
  );
  assert.deepEqual(broken, []);
});

test("every file and folder that a document names is in the tree", () => {
  const missing = documents.flatMap(({ name, text }) =>
    [...withoutCode(text).matchAll(PATH)]
      .map(([, path = ""]) => path)
      .filter((path) => !isThere(path))
      .map((path) => `${name}: ${path}`),
  );
  assert.deepEqual(missing, []);
});

test("every npm script and every command that a document names exists", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Readonly<Record<string, string>>;
  };
  const unknown = documents.flatMap(({ name, text }) => [
    ...[...text.matchAll(/npm run (?:-s )?([\w-]+)/g)]
      .filter(([, script = ""]) => scripts[script] === undefined)
      .map(([found]) => `${name}: ${found}`),
    ...[...text.matchAll(/(?:\.\/|«)viaduct ([a-z][a-z-]+)/g)]
      .filter(([, given]) => !commands.some((command) => command.name === given))
      .map(([found]) => `${name}: ${found}`),
  ]);
  assert.deepEqual(unknown, []);
});

test("the documents that a newcomer reads are among those that are checked", () => {
  const names = documents.map(({ name }) => name);
  for (const name of ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "src/router/README.md"]) {
    assert.ok(names.includes(name), name);
  }
});
