import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { multipartInvalid } from "../../kernel/errors/bits.ts";
import { boundaryOf, readMultipart } from "./multipart.ts";

async function* pieces(body: Buffer, size: number) {
  for (let at = 0; at < body.length; at += size) yield body.subarray(at, at + size);
}

/** Parts as name → content. */
async function read(body: Buffer, size = body.length): Promise<Record<string, string>> {
  const parts: Record<string, string> = {};
  await readMultipart(pieces(body, Math.max(1, size)), "xyz", (name) => {
    const chunks: Buffer[] = [];
    return {
      write: (bytes) => void chunks.push(Buffer.from(bytes)),
      end: () => void (parts[name] = Buffer.concat(chunks).toString("latin1")),
    };
  });
  return parts;
}

const form = (parts: Readonly<Record<string, string>>) =>
  Buffer.from(
    `${Object.entries(parts)
      .map(([name, text]) => `--xyz\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${text}\r\n`)
      .join("")}--xyz--\r\n`,
    "latin1",
  );

test("parts arrive whole, however the body is cut", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.stringMatching(/^[a-z]{1,5}$/), { minLength: 1, maxLength: 4 }),
      fc.array(fc.constantFrom("", "a", "\r\n", "--xy", "\r\n--xyq", "-", "\0ÿ"), { maxLength: 12 }),
      fc.integer({ min: 1, max: 40 }),
      async (names, texts, size) => {
        const parts = Object.fromEntries(names.map((name, i) => [name, texts.slice(i).join("")]));
        assert.deepEqual(await read(form(parts), size), parts);
      },
    ),
    { numRuns: 300 },
  );
});

test("what comes before the first boundary and after the last is nobody's", async () => {
  const body = Buffer.concat([Buffer.from("preamble\r\n"), form({ a: "1" }), Buffer.from("epilogue --xyz")]);
  assert.deepEqual(await read(body, 7), { a: "1" });
});

for (const { name, body } of [
  { name: "a body that is cut off", body: form({ a: "1" }).subarray(0, 40) },
  {
    name: "a body without an end",
    body: Buffer.from("--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n1"),
  },
  {
    name: "a part without a name",
    body: Buffer.from("--xyz\r\nContent-Type: text/plain\r\n\r\n1\r\n--xyz--"),
  },
  { name: "a head without end", body: Buffer.from(`--xyz\r\n${"x".repeat(10_000)}`) },
  { name: "a boundary that goes on", body: Buffer.from("--xyzzy\r\n\r\n") },
]) {
  test(`refused: ${name}`, async () => {
    await assert.rejects(read(body, 9), (error) => multipartInvalid.is(error));
  });
}

test("the boundary is read from the content type, quoted or not", () => {
  assert.equal(boundaryOf("multipart/form-data; boundary=abc"), "abc");
  assert.equal(boundaryOf('Multipart/Form-Data; charset=x; boundary="a b"'), "a b");
  assert.throws(() => boundaryOf("multipart/form-data"), /names no boundary/);
});
