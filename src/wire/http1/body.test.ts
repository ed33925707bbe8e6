import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { ViaductError } from "../../kernel/index.ts";
import { BodyReader } from "./index.ts";

interface Outcome {
  readonly data: string;
  readonly trailers: string;
  readonly done: boolean;
  /** Bytes that belong to the next message. */
  readonly rest: string;
  readonly error: string | null;
}

/** Feeds the pieces as a connection would and puts together what comes out. They stay as they are. */
function read(reader: BodyReader, pieces: readonly Uint8Array[]): Outcome {
  let data = "";
  let rest = "";
  let error: string | null = null;
  try {
    for (const given of pieces) {
      const piece = Uint8Array.from(given);
      let at = 0;
      while (at < piece.length && !reader.done) {
        const next = reader.step(piece, at, piece.length);
        assert.ok(next > at, "a step makes progress");
        assert.ok(reader.dataStart >= at && reader.dataStart <= reader.dataEnd && reader.dataEnd <= next);
        data += Buffer.from(piece.subarray(reader.dataStart, reader.dataEnd)).toString("latin1");
        at = next;
      }
      rest += Buffer.from(piece.subarray(at)).toString("latin1");
    }
  } catch (thrown) {
    assert.ok(thrown instanceof ViaductError, `outside the catalogue: ${String(thrown)}`);
    error = thrown.code;
  }
  return {
    data,
    rest: error === null ? rest : "",
    trailers: error === null ? reader.trailers : "",
    done: reader.done,
    error,
  };
}

const chunked = () => {
  const reader = new BodyReader();
  reader.startChunked();
  return reader;
};
const bytesOf = (text: string) => Buffer.from(text, "latin1");

for (const { name, text, want } of [
  {
    name: "an empty body",
    text: "0\r\n\r\nnext",
    want: { data: "", trailers: "", done: true, rest: "next" },
  },
  {
    name: "extensions are dropped",
    text: '3;a="b";c\r\nabc\r\n0;x\r\n\r\n',
    want: { data: "abc", done: true },
  },
  {
    name: "trailers are kept as sent",
    text: "0\r\nA: 1\r\nB:2\r\n\r\nGET",
    want: { trailers: "A: 1\r\nB:2\r\n", done: true, rest: "GET" },
  },
  {
    name: "sizes are hexadecimal in any case, with zeros in front",
    text: "0A\r\n0123456789\r\n0\r\n\r\n",
    want: { data: "0123456789", done: true },
  },
  { name: "a body that has not ended", text: "5\r\nab", want: { data: "ab", done: false } },
  { name: "no size", text: "\r\n", want: { error: "chunk_size_invalid" } },
  { name: "fourteen digits", text: "00000000000001\r\na\r\n", want: { error: "chunk_size_invalid" } },
  { name: "CR without LF behind the size", text: "1\ra", want: { error: "chunk_size_invalid" } },
  { name: "LF alone behind the size", text: "1\na", want: { error: "bare_line_feed" } },
  { name: "LF alone in an extension", text: "1;x\na", want: { error: "bare_line_feed" } },
  {
    name: "a control character in an extension",
    text: "1;\0\r\n",
    want: { error: "chunk_extension_invalid" },
  },
  { name: "data longer than its size", text: "1\r\nab\r\n", want: { error: "chunk_end_invalid" } },
  {
    name: "a trailer that frames",
    text: "0\r\nTransfer-Encoding: chunked\r\n\r\n",
    want: { error: "trailer_forbidden" },
  },
  ...["Authorization", "Cookie", "X-Forwarded-For", "x-forwarded-client-cert", "X-CF-ApplicationID"].map(
    (field) => ({
      name: `a trailer ${field}, which servers trust`,
      text: `0\r\n${field}: b\r\n\r\n`,
      want: { error: "trailer_forbidden" },
    }),
  ),
  { name: "a trailer without colon", text: "0\r\nabc\r\n\r\n", want: { error: "header_name_invalid" } },
  { name: "a trailer with LF alone", text: "0\r\nA: b\n\r\n", want: { error: "bare_line_feed" } },
  {
    name: "trailers without end",
    text: `0\r\n${"A: b\r\n".repeat(12_000)}`,
    want: { error: "trailers_too_large" },
  },
]) {
  test(`chunked: ${name}`, () => {
    const outcome = read(chunked(), [bytesOf(text)]);
    assert.deepEqual({ ...outcome, ...want }, outcome);
  });
}

test("chunked bodies come out as they went in, however the bytes are cut, and not a byte further is read", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ minLength: 1, maxLength: 40, unit: "binary-ascii" }), { maxLength: 6 }),
      fc.constantFrom("", "A: 1\r\n"),
      fc.string({ maxLength: 10, unit: "binary-ascii" }),
      fc.array(fc.integer({ min: 1, max: 15 }), { maxLength: 30 }),
      (chunks, trailers, rest, cuts) => {
        const body = chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");
        const bytes = bytesOf(`${body}0\r\n${trailers}\r\n${rest}`);
        const want = { data: chunks.join(""), trailers, done: true, rest, error: null };
        assert.deepEqual(read(chunked(), [bytes]), want);
        assert.deepEqual(read(chunked(), cut(bytes, cuts)), want);
        assert.deepEqual(
          read(
            chunked(),
            Array.from(bytes, (byte) => Uint8Array.of(byte)),
          ),
          want,
        );
      },
    ),
  );
});

test("the data of small chunks that came together is one range, up to what has not come or is not plain", () => {
  const small = "a".repeat(20);
  const large = "b".repeat(5_000);
  for (const { name, text, want } of [
    { name: "bytes", text: "1\r\na\r\n01\r\nb\r\n1\r\nc\r\n0\r\n\r\n", want: ["abc"] },
    { name: "pieces", text: `14\r\n${small}\r\n14\r\n${small}\r\n1\r\nc\r\n`, want: [`${small}${small}c`] },
    { name: "a large one", text: `1\r\na\r\n1388\r\n${large}\r\n1\r\nc\r\n`, want: ["a", `${large}c`] },
    { name: "an unfinished one", text: "1\r\na\r\n1\r\nb\r\n3\r\ncd", want: ["ab", "cd"] },
    { name: "an extension", text: "1\r\na\r\n1;x\r\nb\r\n1\r\nc\r\n", want: ["a", "bc"] },
  ]) {
    const reader = chunked();
    const bytes = bytesOf(text);
    const ranges: string[] = [];
    for (let at = 0; at < bytes.length && !reader.done; ) {
      at = reader.step(bytes, at, bytes.length);
      const range = bytes.toString("latin1", reader.dataStart, reader.dataEnd);
      if (range !== "") ranges.push(range);
    }
    assert.deepEqual(ranges, want, name);
  }
});

test("a body of many chunks with empty extensions is refused, because each takes the long way", () => {
  const chunks = (count: number) => [bytesOf("1;\r\na\r\n".repeat(count))];
  assert.equal(read(chunked(), chunks(1_000)).data.length, 1_000);
  assert.equal(read(chunked(), chunks(2_000)).error, "chunk_extension_invalid");
});

test("broken chunked bodies end in the same error however they are cut", () => {
  const pieces = fc.constantFrom(
    "1",
    "0",
    "a",
    ";",
    "\r",
    "\n",
    "\r\n",
    "\r\n",
    "X: y",
    " ",
    "\0",
    "5\r\nhello\r\n",
    "0\r\n",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
      const bytes = bytesOf(parts.join(""));
      const whole = read(chunked(), [bytes]);
      const single = read(
        chunked(),
        Array.from(bytes, (byte) => Uint8Array.of(byte)),
      );
      assert.deepEqual(single, whole);
    }),
    { numRuns: 500 },
  );
});

test("of a length-framed body what went by unseen is not waited for, and only of it is anything unframed", () => {
  const body = new BodyReader();
  body.startLength(10);
  assert.equal(body.unframedBytes, 10);
  body.step(Buffer.from("abc"), 0, 3);
  body.skip(5);
  assert.deepEqual([body.unframedBytes, body.done], [2, false]);
  assert.equal(body.step(Buffer.from("yz more"), 0, 7), 2);
  assert.deepEqual([body.unframedBytes, body.done], [0, true]);
  body.startChunked();
  body.step(Buffer.from("5\r\na"), 0, 4);
  assert.equal(body.unframedBytes, 0);
  body.startUntilClose();
  assert.equal(body.unframedBytes, 0);
});

test("a length-framed body ends exactly at its length", () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(20), fc.array(fc.integer({ min: 1, max: 9 })), (length, extra, cuts) => {
      const reader = new BodyReader();
      reader.startLength(length);
      const outcome = read(reader, cut(Buffer.alloc(length + extra, "x"), cuts));
      assert.deepEqual(outcome, {
        data: "x".repeat(length),
        rest: "x".repeat(extra),
        trailers: "",
        done: true,
        error: null,
      });
    }),
  );
});

test("a body until close is done when the connection is, and only then", () => {
  const reader = new BodyReader();
  reader.startUntilClose();
  assert.deepEqual(read(reader, [bytesOf("ab"), bytesOf("c")]), {
    data: "abc",
    rest: "",
    trailers: "",
    done: false,
    error: null,
  });
  assert.equal(reader.finish(), true);
  assert.equal(reader.done, true);
});

test("a connection that ends within a framed body does not finish it", () => {
  const reader = new BodyReader();
  reader.startLength(3);
  read(reader, [bytesOf("ab")]);
  assert.equal(reader.finish(), false);
  const other = chunked();
  read(other, [bytesOf("1\r\na\r\n")]);
  assert.equal(other.finish(), false);
});

function cut(bytes: Uint8Array, steps: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let at = 0;
  for (const step of steps) {
    pieces.push(bytes.subarray(at, at + step));
    at += step;
  }
  return [...pieces, bytes.subarray(at)];
}
