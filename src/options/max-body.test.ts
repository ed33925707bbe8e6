import assert from "node:assert/strict";
import { test } from "node:test";
import { requestBodyTooLarge } from "../kernel/errors/options.ts";
import maxBody from "./max-body.ts";
import { exchangeView, problemsOf, ROUTE } from "./samples.ts";

for (const value of ["", "MB", "1.5MB", "-1B", "1 000B", "1TB", "10mb", "1234567B", "10  MB", true]) {
  test(`refuses «${value}» and shows how it is written`, () =>
    assert.deepEqual(problemsOf(maxBody, value), [
      "Options Max body must be a size with a unit, like 512KiB or 10MB",
    ]));
}

test("asks for the unit of a plain number", () => {
  for (const value of [1024, "1024"]) {
    assert.deepEqual(problemsOf(maxBody, value), ["Options Max body must have a unit: 1024B"]);
  }
});

for (const { value, bytes } of [
  { value: "0B", bytes: 0 },
  { value: "100 B", bytes: 100 },
  { value: "1KB", bytes: 1_000 },
  { value: "1KiB", bytes: 1_024 },
  { value: "10MB", bytes: 10_000_000 },
  { value: "999999GiB", bytes: 999_999 * 2 ** 30 },
]) {
  test(`«${value}» takes ${bytes} bytes and no more`, () => {
    const { admit, maxChunkedBodyBytes } = maxBody.hooks(value, ROUTE);
    const ask = (contentLength: number) => admit?.(exchangeView({ contentLength }));
    assert.equal(maxChunkedBodyBytes, bytes);
    for (const length of [-1, 0, bytes]) assert.equal(ask(length), null);
    for (const length of [bytes + 1, Number.MAX_SAFE_INTEGER])
      assert.throws(() => ask(length), requestBodyTooLarge.is);
  });
}

test("is between the bounds that the operator sets", () => {
  const operator = { smallestMaxBodyBytes: 1_024, largestMaxBodyBytes: 1_000_000 };
  for (const value of ["1KiB", "1MB"]) assert.deepEqual(problemsOf(maxBody, value, operator), []);
  assert.deepEqual(problemsOf(maxBody, "1MiB", operator), [
    "Options max-body: 1MiB is more than the 1000000 bytes that the operator allows",
  ]);
  assert.deepEqual(problemsOf(maxBody, "1KB", operator), [
    "Options max-body: 1KB is less than the 1024 bytes that the operator wants let through",
  ]);
});
