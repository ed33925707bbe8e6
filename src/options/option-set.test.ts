import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Type } from "typebox";
import { setting } from "../kernel/index.ts";
import { createOptionSet, defineOption, type OptionProblem } from "./index.ts";
import { ROUTE } from "./samples.ts";

const set = createOptionSet([
  defineOption({
    name: "limit",
    summary: "A number.",
    details: "",
    aliases: ["lim"],
    schema: Type.Integer({ minimum: 1 }),
    protocols: ["http1"],
    since: "0.1",
    examples: [],
    refusal: "Limit must be a whole number of at least 1",
    operator: { maxLimit: setting.integer({ key: "max_limit", default: 100, describe: "Largest limit." }) },
    check: (limit, { operator }) => limit <= operator.maxLimit || `at most ${operator.maxLimit} here`,
    hooks: (limit, { operator }) => ({ balancer: `limit ${limit} of ${operator.maxLimit}` }),
  }),
  defineOption({
    name: "label",
    summary: "A text.",
    details: "",
    schema: Type.String(),
    protocols: ["http1"],
    since: "0.1",
    examples: [],
    refusal: "Label must be text",
    hooks: (label) => ({ balancer: `label ${label}` }),
  }),
  defineOption({
    name: "flag",
    summary: "A switch.",
    details: "",
    schema: Type.Boolean(),
    protocols: ["http1"],
    since: "0.1",
    examples: [],
    refusal: "Flag must be true or false",
  }),
]);
const context = { operator: {} };

const texts = (map: unknown) => {
  const verdict = set.validateOptions(map, context);
  return verdict.ok ? [] : verdict.problems.map((problem) => problem.text);
};

// === the control plane ===

const REFUSED: readonly { readonly map: unknown; readonly want: readonly string[] }[] = [
  { map: undefined, want: ["Options 'options' is not a valid object"] },
  { map: null, want: ["Options 'options' is not a valid object"] },
  { map: "limit=1", want: ["Options 'options' is not a valid object"] },
  { map: [{ limit: 1 }], want: ["Options 'options' is not a valid object"] },
  { map: { speed: 1 }, want: ["Options Unknown field(s): 'speed'"] },
  { map: { Limit: 1 }, want: ["Options Unknown field(s): 'Limit'"] },
  { map: { lim: 1 }, want: ["Options Unknown field(s): 'lim'"] },
  { map: JSON.parse('{"__proto__": 1}'), want: ["Options Unknown field(s): '__proto__'"] },
  { map: { speed: null }, want: ["Options Unknown field(s): 'speed'"] },
  { map: { limit: 0 }, want: ["Options Limit must be a whole number of at least 1, not 0"] },
  { map: { limit: "0" }, want: ['Options Limit must be a whole number of at least 1, not "0"'] },
  { map: { limit: Number.NaN }, want: ["Options Limit must be a whole number of at least 1, not null"] },
  { map: { limit: { of: 1 } }, want: ['Options Limit must be a whole number of at least 1, not {"of":1}'] },
  { map: { limit: 101 }, want: ["Options limit: at most 100 here"] },
  { map: { flag: "yes" }, want: ['Options Flag must be true or false, not "yes"'] },
];
for (const { map, want } of REFUSED) {
  test(`refuses ${JSON.stringify(map)} and says why`, () => assert.deepEqual(texts(map), want));
}

test("reports every problem at once, with key and value", () => {
  assert.deepEqual(set.validateOptions({ speed: 1, limit: "x", flag: 2, label: "fine" }, context), {
    ok: false,
    problems: [
      { key: "speed", value: 1, text: "Options Unknown field(s): 'speed'" },
      { key: "limit", value: "x", text: 'Options Limit must be a whole number of at least 1, not "x"' },
      { key: "flag", value: 2, text: "Options Flag must be true or false, not 2" },
    ],
  });
});

test("takes a map of exactly the largest size and refuses one byte more, counting bytes and not characters", () => {
  const label = (bytes: number) => "ü".repeat((bytes - '{"label":""}'.length) / 2);
  assert.deepEqual(texts({ label: label(1024) }), []);
  assert.deepEqual(texts({ label: `${label(1024)}x` }), [
    "Options must be smaller than 1024 bytes (actual size is 1025 bytes)",
  ]);
});

test("turns values that came as text into the option's type, and leaves text options alone", () => {
  assert.deepEqual(set.validateOptions({ limit: "7", flag: "true", label: "7" }, context), {
    ok: true,
    options: { limit: 7, flag: true, label: "7" },
  });
});

test("leaves out a null of a known option", () => {
  assert.deepEqual(set.validateOptions({ limit: null, flag: true }, context), {
    ok: true,
    options: { flag: true },
  });
});

test("merges a patch over what is there; a null removes", () => {
  const current = { limit: 1, label: "a" };
  assert.deepEqual(set.mergeOptions(current, { label: null, flag: true }), { limit: 1, flag: true });
  assert.deepEqual(set.mergeOptions(current, {}), current);
  assert.deepEqual(set.mergeOptions(current, { flag: null }), current);
});

const TYPED: readonly { readonly name: string; readonly text: string; readonly want: unknown }[] = [
  { name: "limit", text: "12", want: { ok: true, value: 12 } },
  {
    name: "limit",
    text: "12.5",
    want: { ok: false, text: 'Limit must be a whole number of at least 1, not "12.5"' },
  },
  {
    name: "limit",
    text: "0x10",
    want: { ok: false, text: 'Limit must be a whole number of at least 1, not "0x10"' },
  },
  { name: "flag", text: "false", want: { ok: true, value: false } },
  { name: "flag", text: "", want: { ok: false, text: 'Flag must be true or false, not ""' } },
  { name: "label", text: "true", want: { ok: true, value: "true" } },
  {
    name: "flga",
    text: "true",
    want: { ok: false, text: "there is no route option «flga»; did you mean «flag»?" },
  },
  {
    name: "something-else",
    text: "1",
    want: { ok: false, text: "there is no route option «something-else»; there are limit, label, flag" },
  },
];
for (const { name, text, want } of TYPED) {
  test(`reads ${name}=${text} as ${JSON.stringify(want)}`, () =>
    assert.deepEqual(set.parseOptionText(name, text), want));
}

// === the data plane ===

function honour(map: unknown) {
  const reports: (readonly OptionProblem[])[] = [];
  const inForce = set.honourOptions(map, (problems) => reports.push(problems));
  return { inForce, reports: reports.map((problems) => problems.map(({ key, text }) => `${key}: ${text}`)) };
}

test("ignores a bad pair, honours the rest, and reports once", () => {
  assert.deepEqual(honour({ limit: "many", flag: true, sped: 1, label: "x" }), {
    inForce: { flag: true, label: "x" },
    reports: [
      [
        'limit: Limit must be a whole number of at least 1, not "many"',
        "sped: there is no route option «sped»; there are limit, lim, label, flag",
      ],
    ],
  });
});

test("ignores a map that is none, and reports it unless it is merely absent", () => {
  assert.deepEqual(honour("limit=1"), {
    inForce: {},
    reports: [[": Options 'options' is not a valid object"]],
  });
  assert.deepEqual(honour(undefined), { inForce: {}, reports: [] });
  assert.deepEqual(honour(null), { inForce: {}, reports: [] });
});

test("takes an alias under the proper name, which wins when both are there", () => {
  assert.deepEqual(honour({ lim: 3 }), { inForce: { limit: 3 }, reports: [] });
  assert.deepEqual(honour({ lim: 3, limit: 4 }), { inForce: { limit: 4 }, reports: [] });
  assert.deepEqual(honour({ limit: 4, lim: 3 }), { inForce: { limit: 4 }, reports: [] });
  assert.equal(set.findOption("lim")?.name, "limit");
});

test("never fails, and honours nothing that the control plane would refuse", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.jsonValue(), fc.dictionary(fc.constantFrom("limit", "flag", "label", "x"), fc.jsonValue())),
      (map) => {
        const { inForce } = honour(map);
        const unlimited = { operator: {} };
        const verdict = set.validateOptions(inForce, unlimited);
        const isTooLarge = !verdict.ok && verdict.problems.every((problem) => problem.key === "");
        assert.ok(verdict.ok || isTooLarge);
        assert.deepEqual(honour(inForce), { inForce, reports: [] });
      },
    ),
  );
});

test("compiles hooks in the order of the list, whatever the order of the map", () => {
  assert.deepEqual(
    set.compileHooks({ label: "a", limit: 2 }, ROUTE).map((hooks) => hooks.balancer),
    ["limit 2 of 100", "label a"],
  );
  const [limit] = set.compileHooks({ limit: 2 }, ROUTE, new Map(), { maxLimit: 5 });
  assert.equal(limit?.balancer, "limit 2 of 5", "as the operator has set it");
  assert.deepEqual(set.compileHooks({}, ROUTE), []);
});

test("refuses two options of one name", () => {
  const [first] = set.options;
  assert.ok(first !== undefined);
  assert.throws(
    () => createOptionSet([first, { ...first, name: "lim", aliases: [] }]),
    /two route options .*«lim»/,
  );
});

test("refuses an option that goes with one that there is not", () => {
  const [first] = set.options;
  assert.ok(first !== undefined);
  const bond = { option: "gone", value: 1, refusal: "Limit goes with gone", missing: null };
  assert.throws(() => createOptionSet([{ ...first, bond }]), /«limit» goes with «gone», which there is not/);
});

test("takes no text longer than a number can be exact for a number", () => {
  assert.deepEqual(texts({ limit: "1".padStart(16, "0") }), []);
  assert.deepEqual(texts({ limit: "1".padStart(17, "0") }), [
    'Options Limit must be a whole number of at least 1, not "00000000000000001"',
  ]);
});

test("an option keeps what it has made for a route, and no other option or route sees it", () => {
  const counting = (name: string) =>
    defineOption({
      name,
      summary: "",
      details: "",
      schema: Type.Integer(),
      protocols: ["http1"],
      since: "0.1",
      examples: [],
      refusal: "",
      hooks: (step, { keep }) => {
        const counter = keep(() => ({ count: 0 }));
        counter.count += step;
        return { maxInFlightPerEndpoint: counter.count };
      },
    });
  const { compileHooks } = createOptionSet([counting("one"), counting("two")]);
  const [mine, others] = [new Map<string, unknown>(), new Map<string, unknown>()];
  const counts = (kept: Map<string, unknown>, options: Record<string, number>) =>
    compileHooks(options, ROUTE, kept).map((hooks) => hooks.maxInFlightPerEndpoint);
  assert.deepEqual(counts(mine, { one: 1, two: 10 }), [1, 10]);
  assert.deepEqual(counts(mine, { one: 2 }), [3]);
  assert.deepEqual(counts(others, { one: 2 }), [2]);
  assert.deepEqual(counts(mine, { one: 1, two: 1 }), [4, 11]);
});
