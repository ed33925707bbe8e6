/** The page's own module, which browsers run as it is, against the options there are. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { knownOptions, validateOptions } from "../options/index.ts";

interface Field {
  readonly name: string;
  readonly control: "select" | "checkbox" | "number" | "text";
  readonly choices?: readonly { readonly value: unknown; readonly effect: string }[];
  readonly min?: number;
  readonly max?: number;
  readonly step?: unknown;
}
type Values = Record<string, string | boolean>;
interface OptionFields {
  fieldsOf(options: readonly object[], set: object): Field[];
  valuesOf(fields: readonly Field[], set: object): Values;
  patchOf(fields: readonly Field[], before: Values, values: Values): Record<string, unknown>;
  sortProblems(sentences: readonly string[], names: readonly string[]): Record<string, string[]>;
}

const page = new URL("page/option-fields.js", import.meta.url).href;
const { fieldsOf, valuesOf, patchOf, sortProblems } = (await import(page)) as OptionFields;

const option = (name: string, schema: object, examples: readonly object[] = []) => ({
  name,
  summary: "",
  details: "",
  schema,
  examples,
  goes_with: null,
  operator_limits: [],
});
const OPTIONS = [
  option("balancer", { enum: ["turn", "hash"] }, [{ value: "turn", effect: "in turn" }]),
  option("status", { anyOf: [{ const: 301 }, { const: 308 }] }),
  option("trim", { type: "boolean" }),
  option("tries", { type: "integer", minimum: 0, maximum: 10 }),
  option("factor", {
    anyOf: [
      { type: "number", const: 0 },
      { type: "number", minimum: 1.1, maximum: 10 },
    ],
  }),
  option("limit", { anyOf: [{ type: "integer", minimum: 1 }, { type: "string" }] }),
  option("wait", { type: "string", pattern: "^\\d+s$" }),
];

test("the schema of an option says which input it gets", () => {
  const shapes = fieldsOf(OPTIONS, {}).map(({ name, control, choices, min, max, step }) => [
    name,
    control,
    ...(choices?.map(({ value, effect }) => `${String(value)} ${effect}`.trim()) ?? []),
    ...(control === "number" ? [min, max, step] : []),
  ]);
  assert.deepEqual(shapes, [
    ["balancer", "select", "turn in turn", "hash"],
    ["status", "select", "301", "308"],
    ["trim", "checkbox"],
    ["tries", "number", 0, 10, 1],
    ["factor", "number", 0, 10, "any"],
    ["limit", "text"],
    ["wait", "text"],
  ]);
});

test("only what was changed is sent, in the option's own type, and what was emptied is taken away", () => {
  const set = { balancer: "turn", status: "308", trim: true, tries: 2, wait: "3s" };
  const fields = fieldsOf(OPTIONS, set);
  const before = valuesOf(fields, set);
  assert.deepEqual(patchOf(fields, before, { ...before }), {});
  const changed = { ...before, status: "301", trim: false, tries: "0", factor: "1.5", wait: "", limit: "7" };
  assert.deepEqual(patchOf(fields, before, changed), {
    status: 301,
    trim: null,
    tries: 0,
    factor: 1.5,
    wait: null,
    limit: "7",
  });
});

test("an option that the API has forgotten can be taken away", () => {
  const fields = fieldsOf(OPTIONS, { motto: "Ad astra" });
  const before = valuesOf(fields, { motto: "Ad astra" });
  assert.deepEqual(patchOf(fields, before, { ...before, motto: "" }), { motto: null });
});

test("what the API says of an option stands beside that option, for every option there is", () => {
  const names = knownOptions().map(({ name }) => name);
  const hopeless = "\u0000".repeat(1_000);
  for (const name of names) {
    const verdict = validateOptions({ [name]: hopeless }, { operator: {} });
    assert(!verdict.ok, name);
    const sentence = verdict.problems.find(({ key }) => key === name)?.text ?? "";
    assert.deepEqual(Object.keys(sortProblems([sentence], names)), ["", name], sentence);
  }
});

for (const { sentence, name } of [
  { sentence: "Options Hash header can only be set when loadbalancing is hash", name: "hash_header" },
  { sentence: "Hash header must be present when loadbalancing is set to hash.", name: "hash_header" },
  { sentence: "Options retries: 9 are more than the 5 that the operator allows", name: "retries" },
  { sentence: "Options Unknown field(s): 'hash_balance'", name: "hash_balance" },
  { sentence: "Options Retry budget must be a whole number", name: "retry-budget" },
  { sentence: "Path is invalid.", name: "path" },
  { sentence: "Host header must be a token", name: "host-header" },
  { sentence: "Options must be smaller than 1024 bytes (actual size is 2000 bytes)", name: "" },
  { sentence: "Pathological.", name: "" },
]) {
  test(`«${sentence}» is about ${name === "" ? "the whole" : name}`, () => {
    const names = [
      "hash_header",
      "hash_balance",
      "retries",
      "retry",
      "retry-budget",
      "host",
      "host-header",
      "path",
    ];
    const { "": whole = [], [name]: about = [] } = sortProblems([sentence], names);
    const want = sentence.replace(/^Options /, "");
    assert.deepEqual([whole, about], name === "" ? [[want], [want]] : [[], [want]]);
  });
}
