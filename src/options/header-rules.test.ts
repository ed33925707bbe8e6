import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { checkHeaderRules, compileHeaderRules, parseHeaderRules } from "./header-rules.ts";

const PROTECTED = ["host", "x-cf-*"];

const GOOD: readonly { readonly text: string; readonly hides: readonly string[]; readonly lines: string }[] =
  [
    { text: "set X-A: 1", hides: ["x-a"], lines: "X-A: 1\r\n" },
    { text: "  set   X-A :1  ;", hides: ["x-a"], lines: "X-A: 1\r\n" },
    { text: "set X-A:", hides: ["x-a"], lines: "X-A: \r\n" },
    { text: "append X-A: a b", hides: [], lines: "X-A: a b\r\n" },
    { text: "remove X-A", hides: ["x-a"], lines: "" },
    { text: "set X-A: 1; append X-A: 2; remove x-b", hides: ["x-a", "x-b"], lines: "X-A: 1\r\nX-A: 2\r\n" },
    { text: 'set X-A: "a; b"', hides: ["x-a"], lines: "X-A: a; b\r\n" },
    { text: String.raw`set X-A: "say \"hi\" \\ "`, hides: ["x-a"], lines: 'X-A: say "hi" \\ \r\n' },
    {
      text: "set X-A: https://example.com/?a=1&b=2",
      hides: ["x-a"],
      lines: "X-A: https://example.com/?a=1&b=2\r\n",
    },
    { text: "remove X-C", hides: ["x-c"], lines: "" },
  ];
for (const { text, hides, lines } of GOOD) {
  test(`takes «${text}»`, () => {
    assert.equal(checkHeaderRules(text, PROTECTED), true);
    assert.deepEqual(compileHeaderRules(text), { hides: new Set(hides), lines });
  });
}

const BAD: readonly { readonly text: string; readonly want: RegExp }[] = [
  { text: " ", want: /is no rule/ },
  { text: "set X-A", want: /«set X-A» is no rule; write «set NAME: VALUE»/ },
  { text: "remove X-A: 1", want: /is no rule/ },
  { text: "remove X-A remove X-B", want: /is no rule/ },
  { text: "replace X-A: 1", want: /«replace X-A: 1» is no rule/ },
  { text: "set X A: 1", want: /is no rule/ },
  { text: "set X-A: 1;; remove X-B", want: /«; remove X-B» is no rule/ },
  { text: 'set X-A: "open', want: /is no rule/ },
  { text: 'set X-A: a "quoted" word', want: /is no rule/ },
  { text: "set X-A: 1\r\nX-Evil: 2", want: /may hold printable ASCII characters only/ },
  { text: 'set X-A: "1\nX-Evil: 2"', want: /may hold printable ASCII characters only/ },
  { text: "set X-A: ü", want: /may hold printable ASCII characters only/ },
  { text: "set X-A: \0", want: /may hold printable ASCII characters only/ },
  { text: `set X-A: ${"a".repeat(513)}`, want: /has more than 512 characters/ },
  { text: "set Host: other", want: /Host is the router's own \(host\)/ },
  { text: "remove X-CF-Anything", want: /X-CF-Anything is the router's own \(x-cf-\*\)/ },
  { text: "set X-A: 1; set x-a: 2", want: /x-a has two rules that contradict each other/ },
  { text: "append X-A: 1; remove X-A", want: /contradict/ },
  { text: "remove X-A; append X-A: 1", want: /contradict/ },
];
for (const { text, want } of BAD) {
  test(`refuses ${JSON.stringify(text).slice(0, 60)}`, () => {
    const verdict = checkHeaderRules(text, PROTECTED);
    assert.ok(typeof verdict === "string");
    assert.match(verdict, want);
  });
}

test("whatever is taken compiles to whole lines, and to nothing beyond them", () => {
  const text = fc.array(
    fc.oneof(
      fc.constantFrom("set ", "append ", "remove ", "X-A", "X-B", ": ", ";", '"', "\\", "\r\n", " "),
      fc.string(),
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(text, (pieces) => {
      const rules = pieces.join("");
      if (checkHeaderRules(rules, PROTECTED) !== true) return;
      const { lines } = compileHeaderRules(rules);
      assert.match(lines, /^(?:[\w!#$%&'*+.^`|~-]+: [\x20-\x7e\t]*\r\n)*$/);
    }),
    { numRuns: 2_000 },
  );
});

test("a value comes through as it was meant, whatever is in it", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[\x20-\x7e]{0,40}$/), (value) => {
      const quoted = value.replaceAll(/["\\]/g, String.raw`\$&`);
      assert.deepEqual(parseHeaderRules(`append X-A: "${quoted}"; remove X-B`), [
        { action: "append", name: "X-A", value },
        { action: "remove", name: "X-B", value: "" },
      ]);
    }),
  );
});
