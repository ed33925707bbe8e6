import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { cataloguedErrors } from "./catalogue.ts";
import { RETIRED_CODES } from "./retired.ts";

const errors = cataloguedErrors();
const codes = errors.map((error) => error.definition.code);

/** Files beside the areas. */
const NOT_AREAS = ["catalogue", "catalogue.test", "define", "index", "retired"];

test("lists every area's file", () => {
  const files = readdirSync(import.meta.dirname).map((name) => name.replace(/\.ts$/, ""));
  const areas = files.filter((name) => !NOT_AREAS.includes(name) && !name.endsWith(".test"));
  assert.deepEqual([...new Set(errors.map((error) => error.area))].sort(), areas.sort());
});

test("has no code twice", () => {
  assert.deepEqual(
    codes.filter((code, i) => codes.indexOf(code) !== i),
    [],
  );
});

test("never gives a retired code to another error", () => {
  assert.deepEqual(
    codes.filter((code) => RETIRED_CODES.includes(code)),
    [],
  );
});

test("documents every code, and retires those that leave", () => {
  const page = readFileSync(new URL("../../../docs/reference/errors.md", import.meta.url), "utf8");
  const documented = [...page.matchAll(/^### `(\w+)`$/gm)].map((match) => match[1] ?? "");
  assert.deepEqual(
    codes.filter((code) => !documented.includes(code)),
    [],
    "not in docs/reference/errors.md; run «npm run docs»",
  );
  assert.deepEqual(
    documented.filter((code) => !codes.includes(code) && !RETIRED_CODES.includes(code)),
    [],
    "documented, but gone; add it to retired.ts, then run «npm run docs»",
  );
});

for (const { area, definition, sentence } of errors) {
  test(`${area}: ${definition.code} is well formed and explains itself`, () => {
    assert.match(definition.code, /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/);
    assert.ok(definition.status === 0 || (definition.status >= 400 && definition.status <= 599));
    assert.notEqual(sentence.trim(), "");
    assert.doesNotMatch(sentence, /undefined|\[object|NaN|=>/);
  });
}
