import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { readYaml } from "./yaml.ts";

const refused: readonly { name: string; text: string; reason: RegExp }[] = [
  {
    name: "aliases of aliases that stand for a billion texts",
    text: [..."bcdefghij"].reduce(
      (text, name, i) => `${text}${name}: &${name} [${`*${"abcdefghij"[i]} ,`.repeat(9)}]\n`,
      "a: &a [x,x,x,x,x,x,x,x,x]\n",
    ),
    reason: /^with its aliases written out it is too large$/,
  },
  {
    name: "one long text that is named a thousand times",
    text: `a: &a ${"x".repeat(20_000)}\nb: [${"*a ,".repeat(1000)}]\n`,
    reason: /^with its aliases written out it is too large$/,
  },
  {
    name: "one large map that a thousand others take over",
    text: `a: &a {${Array.from({ length: 2000 }, (_, i) => `k${i}: 1`).join(", ")}}\nb:\n${"- <<: *a\n".repeat(1000)}`,
    reason: /^with its aliases written out it is too large$/,
  },
  { name: "a map inside itself", text: "a: &a {b: *a}", reason: /^the alias a is a part of what it names$/ },
  { name: "an alias of nothing", text: "a: *b", reason: /^Unresolved alias.*b/ },
  {
    name: "a key that is there twice",
    text: "a: 1\nb: 2\na: 3",
    reason: /^Map keys must be unique, and 'a' is there twice$/,
  },
  {
    name: "a list taken over as a map",
    text: "a: &a [1]\nb: {<<: *a}",
    reason: /^Merge sources must be maps/,
  },
  {
    name: "more than any manifest",
    text: `a: ${"x".repeat(131_072)}`,
    reason: /^it is larger than 128 KiB$/,
  },
  { name: "text that goes deeper than the stack", text: "[".repeat(50_000), reason: /^Maximum call stack/ },
  { name: "two documents", text: "a: 1\n---\nb: 2", reason: /multiple documents/ },
  { name: "bytes", text: "a: !!binary aGk=", reason: /^it holds bytes; write text$/ },
];
for (const { name, text, reason } of refused) {
  test(`YAML of ${name} is refused`, () => {
    assert.throws(
      () => readYaml(text),
      (error: Error) => reason.test(error.message.split("\n")[0] ?? ""),
    );
  });
}

test("a map of twelve thousand keys is read in one pass over them", () => {
  const keys = Array.from({ length: 12_000 }, (_, i) => `k${i}: 1`);
  assert.equal(Object.keys(readYaml(keys.join("\n")) as object).length, keys.length);
});

const TAME = [
  "a: 1\nb: [x, 2.5, true, null, ~]\nc: {d: , e: 'f'}\n",
  "base: &base {x: 1, y: 2}\none: {<<: *base, y: 3}\ntwo:\n  y: 4\n  <<: *base\n",
  "near: &n {x: 1}\nfar: &f {x: 2, y: 3}\nboth: {<<: [*n, *f]}\n",
  "- &text word\n- *text\n- [*text , *text ]\n",
  "a: |\n  two\n  lines\nb: >-\n  one\n  line\n1: one\ntrue: yes\n",
  "- &a [1]\n- &a [2]\n- *a\n",
  "__proto__: {x: 1}\nconstructor: y\n",
  "",
];
for (const text of TAME) {
  test(`YAML means here what it means to its library: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(readYaml(text), parse(text, { merge: true }));
  });
}

test("a whole number that is too long to be one keeps its digits", () => {
  assert.deepEqual(readYaml("account: 12345678901234567890"), { account: "12345678901234567890" });
});
