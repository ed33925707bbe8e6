import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Type } from "typebox";
import type { RouteOptions } from "../table/index.ts";
import {
  type AnyOption,
  companionsOf,
  compileHooks,
  defineOption,
  honourOptions,
  type OptionValue,
  options,
  parseOptionText,
  validateOptions,
} from "./index.ts";
import { ROUTE } from "./samples.ts";

const context = { operator: {} };

test("runs the options in this order, and no other", () => {
  assert.deepEqual(
    options.map((option) => option.name),
    [
      "hsts",
      "allowed-ranges",
      "https-redirect",
      "maintenance",
      "rate-limit",
      "max-body",
      "concurrency-limit",
      "session-cookie",
      "connection-limit",
      "loadbalancing",
      "hash_header",
      "hash_balance",
      "retries",
      "retry-on",
      "retry-budget",
      "connect-timeout",
      "response-timeout",
      "idle-timeout",
      "trim-path",
      "request-headers",
      "response-headers",
    ],
  );
});

for (const option of options as readonly AnyOption[]) {
  test(`${option.name} is documented and has examples`, () => {
    for (const sentence of [option.summary, option.details]) assert.match(sentence, /^[A-Z].*\.$/s);
    const { refusal } = option;
    assert.match(typeof refusal === "string" ? refusal : refusal({}), /^[A-Z].*[^.]$/);
    assert.ok(option.examples.length > 0);
    assert.ok(option.protocols.length > 0);
  });

  test(`${option.name} has a file and a test of its name`, () => {
    for (const suffix of [".ts", ".test.ts"]) {
      assert.ok(existsSync(new URL(`${option.name}${suffix}`, import.meta.url)), `${option.name}${suffix}`);
    }
  });

  for (const { value, effect } of option.examples) {
    test(`${option.name}=${String(value)} is valid, as value and as text: ${effect}`, () => {
      const stored = option.stored(value as never);
      const companions = companionsOf(option.name, stored);
      const given: RouteOptions = { ...companions, [option.name]: value as OptionValue };
      assert.deepEqual(validateOptions(given, context), {
        ok: true,
        options: { ...companions, [option.name]: stored },
      });
      assert.deepEqual(validateOptions({ ...companions, [option.name]: stored }, context), {
        ok: true,
        options: { ...companions, [option.name]: stored },
      });
      assert.deepEqual(parseOptionText(option.name, String(value)), { ok: true, value });
      assert.deepEqual(
        honourOptions(given, () => assert.fail("an example was ignored")),
        given,
      );
      assert.equal(compileHooks(given, ROUTE).length, Object.keys(given).length);
    });
  }
}

test("the README says in at most five steps how to add an option", () => {
  const readme = readFileSync(new URL("README.md", import.meta.url), "utf8");
  const steps =
    readme
      .split("## How to add one")[1]
      ?.split("\n## ")[0]
      ?.match(/^\d+\. /gm) ?? [];
  assert.ok(steps.length >= 1 && steps.length <= 5, `${steps.length} steps`);
});

test("a definition whose parts disagree does not compile", () => {
  const good = {
    name: "x",
    summary: "",
    details: "",
    schema: Type.Integer(),
    protocols: ["http1"],
    since: "0.1",
    examples: [{ value: 1, effect: "" }],
    refusal: "",
  } as const;
  defineOption(good);
  // @ts-expect-error an example of another type than the schema's
  defineOption({ ...good, examples: [{ value: "one", effect: "" }] });
  // @ts-expect-error hooks that take another type than the schema's
  defineOption({ ...good, hooks: (value: string) => ({ balancer: value }) });
  // @ts-expect-error a hook that no phase has
  defineOption({ ...good, hooks: () => ({ afterLunch: () => {} }) });
  // @ts-expect-error a protocol that there is not
  defineOption({ ...good, protocols: ["http9"] });
  const { summary, ...withoutSummary } = good;
  // @ts-expect-error no summary
  defineOption(withoutSummary);
  assert.equal(summary, "");
});
