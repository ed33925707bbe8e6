import assert from "node:assert/strict";
import { test } from "node:test";
import { array, assert as assertProperty, asyncProperty, integer, jsonValue } from "fast-check";
import { inTurns } from "./in-turns.ts";
import { readJsonList } from "./json-list.ts";

/** The bytes of a text, so many at a time. */
async function* cut(text: string, size = 7): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

for (const { what, text, want } of [
  { what: "an empty list", text: " [ ] \n", want: [] },
  {
    what: "items of every kind",
    text: '[1, "a", null , [2,[3]], {"b":[4]}]',
    want: [1, "a", null, [2, [3]], { b: [4] }],
  },
  {
    what: "brackets, commas and quotes in texts",
    text: '["],[", "\\\\", "\\"]"]',
    want: ["],[", "\\", '"]'],
  },
  { what: "a map", text: '{"routes":[]}', want: null },
  { what: "nothing", text: "", want: null },
  { what: "a list that was cut off", text: "[1,2", want: null },
  { what: "a list without its end inside a text", text: '["a]', want: null },
  { what: "a comma without an item", text: "[1,]", want: null },
  { what: "something behind the list", text: "[1] [2]", want: null },
  { what: "brackets that do not fit", text: "[{1],2}]", want: null },
  { what: "an item that is no JSON", text: "[1,x]", want: null },
]) {
  test(`${what}: ${text}`, async () => assert.deepEqual(await readJsonList(cut(text)), want));
}

test("a list is what JSON.parse makes of it, wherever it is cut", async () => {
  const pieceSize = integer({ min: 1, max: 40 });
  await assertProperty(
    asyncProperty(array(jsonValue(), { maxLength: 8 }), pieceSize, async (items, size) => {
      const text = JSON.stringify(items, null, size % 3);
      assert.deepEqual(await readJsonList(cut(text, size)), JSON.parse(text));
    }),
  );
});

test("a connection that breaks in the middle of a list is no short list", async () => {
  async function* breaking() {
    yield Buffer.from("[1,2");
    throw new Error("aborted");
  }
  await assert.rejects(readJsonList(breaking()), /aborted/);
});

test("what has come at once is given out in pieces, with a turn for others behind each", async () => {
  async function* all() {
    yield Buffer.alloc(100 * 1024, 120);
  }
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const seen: number[] = [];
  let length = 0;
  for await (const piece of inTurns(all())) {
    seen.push(turns);
    length += piece.length;
  }
  isOver = true;
  assert.equal(length, 100 * 1024);
  assert.equal(new Set(seen).size, 4, "each piece in a turn of its own");
});
