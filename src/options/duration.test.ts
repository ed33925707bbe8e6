import assert from "node:assert/strict";
import { test } from "node:test";
import { options } from "./index.ts";
import { problemsOf } from "./samples.ts";

const TIMES = options.filter(({ name }) => name.endsWith("-timeout"));

for (const option of TIMES) {
  const words = `${option.name.slice(0, 1).toUpperCase()}${option.name.slice(1).replace("-", " ")}`;
  const noTime = `Options ${words} must be a time with a unit, like 500ms, 30s or 1m30s`;
  for (const { value, want } of [
    { value: "", want: [noTime] },
    { value: true, want: [noTime] },
    { value: "soon", want: [noTime] },
    { value: "-5s", want: [noTime] },
    { value: "1e3s", want: [noTime] },
    { value: " 5s", want: [noTime] },
    { value: "9999999999s", want: [noTime] },
    { value: 30, want: [`Options ${words} must have a unit: 30s`] },
    { value: "30", want: [`Options ${words} must have a unit: 30s`] },
    { value: "0s", want: [`Options ${option.name}: 0s is too short; the shortest is 100ms`] },
    { value: "99ms", want: [`Options ${option.name}: 99ms is too short; the shortest is 100ms`] },
    { value: "100ms", want: [] },
    { value: "0.1s", want: [] },
  ]) {
    test(`says of ${option.name}=${value}: ${want[0] ?? "fine"}`, () =>
      assert.deepEqual(problemsOf(option, value), want));
  }
}
