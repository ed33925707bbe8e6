import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { systemReason } from "./system-reason.ts";

test("a failed call says why, and not again which call on which file", () => {
  assert.throws(
    () => readFileSync("/no/such/file"),
    (error) => systemReason(error) === "no such file or directory",
  );
  assert.throws(
    () => readFileSync("/"),
    (error) => systemReason(error) === "illegal operation on a directory",
  );
});

test("what is not the system's is said as it is", () => {
  assert.equal(systemReason(new Error("too large")), "too large");
  assert.equal(systemReason("no"), "no");
});

test("Node's advice to run it with another flag is left out", () => {
  const text =
    "self-signed certificate; if the root CA is installed locally, try running Node.js with --use-system-ca";
  assert.equal(systemReason(new Error(text)), "self-signed certificate");
});
