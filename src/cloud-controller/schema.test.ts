import assert from "node:assert/strict";
import { test } from "node:test";
import { Type } from "typebox";
import { message, nullable, problemsOf, toMany, toOne, toOneOrNone } from "./schema.ts";

const Body = message({
  name: Type.String({ minLength: 1, maxLength: 5 }),
  memory_in_mb: Type.Optional(Type.Integer({ exclusiveMinimum: 0, maximum: 9 })),
  colour: Type.Optional(Type.Enum(["red", "green"])),
  note: Type.Optional(nullable(Type.String({ pattern: "^a", refusals: { pattern: "must begin with a" } }))),
  list: Type.Optional(Type.Array(Type.String(), { refusal: "must be a list of texts" })),
  whole: Type.Optional(message({ inner: Type.Integer() }, { sentence: "Say it like this" })),
  relationships: Type.Optional(
    message({
      space: Type.Optional(toOne("space")),
      owner: Type.Optional(toOneOrNone("owner")),
      friends: Type.Optional(toMany("friends")),
    }),
  ),
});

const cases: readonly { name: string; value: unknown; problems: readonly string[] }[] = [
  { name: "a good body", value: { name: "shop", note: null }, problems: [] },
  { name: "a missing value", value: {}, problems: ["Name can't be blank"] },
  { name: "an empty text", value: { name: "" }, problems: ["Name can't be blank"] },
  {
    name: "a long text",
    value: { name: "abcdef" },
    problems: ["Name is too long (maximum is 5 characters)"],
  },
  { name: "another type", value: { name: {} }, problems: ["Name must be a string"] },
  {
    name: "numbers",
    value: { name: "a", memory_in_mb: 0 },
    problems: ["Memory in mb must be greater than 0"],
  },
  {
    name: "fractions",
    value: { name: "a", memory_in_mb: 1.5 },
    problems: ["Memory in mb must be an integer"],
  },
  { name: "no numbers", value: { name: "a", memory_in_mb: "1" }, problems: ["Memory in mb is not a number"] },
  {
    name: "choices",
    value: { name: "a", colour: "blue" },
    problems: ["Colour must be one of 'red', 'green'"],
  },
  { name: "words for a keyword", value: { name: "a", note: "b" }, problems: ["Note must begin with a"] },
  {
    name: "one sentence for everything inside",
    value: { name: "a", list: [1, 2] },
    problems: ["List must be a list of texts"],
  },
  {
    name: "a sentence of its own",
    value: { name: "a", whole: { inner: "x" } },
    problems: ["Say it like this"],
  },
  {
    name: "surplus keys, outside and inside",
    value: { name: "a", b: 1, c: 2, relationships: { d: 1 } },
    problems: ["Unknown field(s): 'b', 'c'", "Relationships Unknown field(s): 'd'"],
  },
  {
    name: "relationships of another shape",
    value: {
      name: "a",
      relationships: { space: { data: null }, owner: { data: null }, friends: { data: {} } },
    },
    problems: [
      'Relationships Space must be structured like this: "space: {"data": {"guid": "valid-guid"}}"',
      'Relationships Friends must be structured like this: "friends: {"data": [{"guid": "valid-guid"},{"guid": "valid-guid"}]}"',
    ],
  },
  {
    name: "no object",
    value: { name: "a", relationships: [] },
    problems: ["Relationships must be an object"],
  },
];
for (const { name, value, problems } of cases) {
  test(`a body is checked: ${name}`, async () => assert.deepEqual(await problemsOf(Body, value), problems));
}

test("a key that every object inherits is still unknown", async () => {
  assert.deepEqual(await problemsOf(Body, JSON.parse('{"name":"a","__proto__":1,"constructor":2}')), [
    "Unknown field(s): '__proto__', 'constructor'",
  ]);
});

test("any number of unknown keys is refused", async () => {
  for (const count of [1, 7, 8, 9, 100, 400, 600, 5_000]) {
    const surplus = Array.from({ length: count }, (_, i) => `key${i}`);
    const problems = await problemsOf(Body, {
      name: "shop",
      ...Object.fromEntries(surplus.map((key) => [key, 1])),
    });
    const listed = `Unknown field(s): '${surplus.join("', '")}'`;
    assert.deepEqual(
      problems,
      [count < 500 ? listed : "The request has too many unknown fields"],
      `${count}`,
    );
  }
});

test("a relationship names as many as a database takes in one question", async () => {
  const Body = toMany("spaces");
  const data = (count: number) => Array.from({ length: count }, (_, i) => ({ guid: String(i) }));
  assert.deepEqual(await problemsOf(Body, { data: data(10_000) }), []);
  assert.deepEqual(await problemsOf(Body, { data: data(10_001) }), ["Data must name at most 10000 at once"]);
});
