import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { encodeName, readName } from "./name.ts";

/** A message whose twelve bytes of header are zeros. */
const message = (...bytes: number[]) => Uint8Array.from([...Array<number>(12).fill(0), ...bytes]);
const ascii = (text: string) => [...Buffer.from(text, "latin1")];
const label = (text: string) => [text.length, ...ascii(text)];

for (const { name, bytes, at, want } of [
  { name: "the root", bytes: [0], at: 12, want: { text: "", end: 13 } },
  {
    name: "upper case becomes lower case",
    bytes: [...label("App"), ...label("INTERNAL"), 0],
    at: 12,
    want: { text: "app.internal", end: 26 },
  },
  {
    name: "only ASCII letters change case",
    bytes: [...label("\xc4Z["), 0],
    at: 12,
    want: { text: "\\196z[", end: 17 },
  },
  {
    name: "a dot inside a label is not a separator",
    bytes: [...label("a.b"), 0],
    at: 12,
    want: { text: "a\\.b", end: 17 },
  },
  {
    name: "a backslash, a NUL and a space are escaped",
    bytes: [...label("\\\0 "), 0],
    at: 12,
    want: { text: "\\\\\\000\\032", end: 17 },
  },
  {
    name: "a pointer backwards",
    bytes: [...label("a"), 0, ...label("b"), 0xc0, 12],
    at: 15,
    want: { text: "b.a", end: 19 },
  },
  {
    name: "a pointer to a pointer",
    bytes: [...label("a"), 0, 0xc0, 12, 0xc0, 15],
    at: 17,
    want: { text: "a", end: 19 },
  },
]) {
  test(`a name is read: ${name}`, () => {
    assert.deepEqual(readName(message(...bytes), at), want);
  });
}

const LONG = [...label("x".repeat(63)), ...label("x".repeat(63)), ...label("x".repeat(63))];
for (const { name, bytes, at, problem } of [
  { name: "no byte at all", bytes: [], at: 12, problem: /runs over the end/ },
  { name: "no last zero", bytes: label("a"), at: 12, problem: /runs over the end/ },
  { name: "a label over the end", bytes: [5, 0x61], at: 12, problem: /a label runs over/ },
  { name: "half a pointer", bytes: [0xc0], at: 12, problem: /a pointer runs over/ },
  { name: "a pointer to itself", bytes: [0xc0, 12], at: 12, problem: /backwards/ },
  { name: "a pointer forward", bytes: [0xc0, 14, 0], at: 12, problem: /backwards/ },
  { name: "a loop through its own start", bytes: [...label("a"), 0xc0, 12], at: 12, problem: /backwards/ },
  { name: "two pointers that meet", bytes: [0xc0, 14, 0xc0, 12], at: 14, problem: /backwards/ },
  { name: "a pointer into the header", bytes: [0xc0, 4], at: 12, problem: /header/ },
  { name: "label type 01", bytes: [0x41, 0], at: 12, problem: /reserved type 1/ },
  { name: "label type 10", bytes: [0x80, 0], at: 12, problem: /reserved type 2/ },
  { name: "256 bytes", bytes: [...LONG, ...label("x".repeat(62)), 0], at: 12, problem: /longer than 255/ },
]) {
  test(`a name is refused: ${name}`, () => {
    const read = readName(message(...bytes), at);
    assert("problem" in read);
    assert.match(read.problem, problem);
  });
}

test("a name of 255 bytes is read", () => {
  const read = readName(message(...LONG, ...label("x".repeat(61)), 0), 12);
  assert("text" in read);
  assert.equal(read.text.length, 253);
});

test("a long chain of pointers ends at the limit of names", () => {
  const bytes: number[] = [...label("a"), 0];
  const starts = [12];
  for (let n = 0; n < 200; n++) {
    const previous = starts.at(-1) ?? 12;
    starts.push(12 + bytes.length);
    bytes.push(0xc0 | (previous >> 8), previous & 0xff);
  }
  assert("text" in readName(message(...bytes), starts[127] ?? 0));
  const over = readName(message(...bytes), starts[128] ?? 0);
  assert("problem" in over && /127 pointers/.test(over.problem));
});

for (const { text, want } of [
  { text: "", want: [0] },
  { text: ".", want: [0] },
  { text: "apps.internal.", want: [...label("apps"), ...label("internal"), 0] },
  { text: "a\\.b.c", want: [...label("a.b"), ...label("c"), 0] },
  { text: "a\\.", want: [...label("a."), 0] },
  { text: "\\000\\255", want: [2, 0, 255, 0] },
  { text: "a..b", want: null },
  { text: ".a", want: null },
  { text: "a\\", want: null },
  { text: "\\999", want: null },
  { text: "ä€", want: null },
  { text: "x".repeat(64), want: null },
  { text: `${"x".repeat(63)}.`.repeat(4), want: null },
]) {
  test(`text becomes a name or is refused: ${JSON.stringify(text.slice(0, 20))}`, () => {
    const encoded = encodeName(text);
    assert.deepEqual(encoded === null ? null : [...encoded], want);
  });
}

test("any labels survive text and back, but for the case of letters", () => {
  const anyLabel = fc.uint8Array({ minLength: 1, maxLength: 63 });
  fc.assert(
    fc.property(fc.array(anyLabel, { maxLength: 3 }), (labels) => {
      const wire = [...labels.flatMap((bytes) => [bytes.length, ...bytes]), 0];
      const read = readName(message(...wire), 12);
      assert("text" in read);
      const again = encodeName(read.text);
      assert.notEqual(again, null);
      const lower = wire.map((byte) => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte));
      // Lengths 65 to 90 do not exist, so lower-casing the whole wire form touches letters only.
      assert.deepEqual([...(again ?? [])], lower);
    }),
  );
});

test("any bytes are a name or a problem, and never read past the end", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(90), (bytes, at) => {
      const read = readName(bytes, at);
      if ("text" in read) assert(read.end <= bytes.length);
    }),
  );
});
