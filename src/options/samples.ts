/** What tests of options need of a route and an exchange. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { AnyOption, ExchangeView, OperatorLimits, RouteFacts } from "./define.ts";
import { createOptionSet } from "./option-set.ts";

/** Of an option that asks for no setting of the operator in its hooks. */
export const ROUTE: RouteFacts<never> = {
  host: "shop.example.com",
  path: "",
  keep: (create) => create(),
  operator: {} as never,
};

export function exchangeView(given: Partial<ExchangeView> = {}): ExchangeView {
  return {
    method: "GET",
    host: "shop.example.com",
    authority: "shop.example.com",
    target: "/",
    contextPath: "",
    clientAddress: "192.0.2.1",
    isHttps: false,
    contentLength: -1,
    clockMs: () => 0,
    requestHeader: () => undefined,
    addResponseHeader() {},
    atEnd() {},
    startDeadline() {},
    clearDeadline() {},
    ...given,
  };
}

/** Behind most sentences about a value; `option-set.test.ts` looks at it. */
const GIVEN = /, not (?:".*|true|false|[\d.e+-]+|\{.*\}|\[.*\])$/s;

/**
 * What the control plane says of `name=value` alone, with the operator's limits, as far as it is the option's own
 * sentence; empty when it takes it.
 */
export function problemsOf(
  option: AnyOption,
  value: unknown,
  operator: OperatorLimits = {},
): readonly string[] {
  const verdict = createOptionSet([option]).validateOptions({ [option.name]: value }, { operator });
  return verdict.ok ? [] : verdict.problems.map(({ text }) => text.replace(GIVEN, ""));
}

/** Tests of an option that holds header rules: what they may not touch, and what is said of what are none. */
export function testProtection(option: AnyOption, setting: string, names: readonly string[]): void {
  const refused = (text: string, operator?: OperatorLimits) => problemsOf(option, text, operator).join();
  for (const name of names) {
    test(`no rule may touch ${name}, in any case and by any action`, () => {
      for (const text of [
        `set ${name}: 1`,
        `append ${name.toUpperCase()}: 1`,
        `remove ${name.toLowerCase()}`,
      ]) {
        assert.match(refused(text), /: \S+ is the router's own/, text);
      }
    });
  }

  test("the operator may keep further headers", () => {
    const operator = { [setting]: ["X-Company-*", "X-Audit"] };
    assert.match(
      refused("set x-company-id: 1", operator),
      /x-company-id is the router's own \(x-company-\*\)/,
    );
    assert.match(refused("remove X-Audit", operator), /X-Audit is the router's own \(x-audit\)/);
    assert.equal(refused("set X-Auditor: 1", operator), "");
  });

  test("says what rules look like, how long they may be, and in words what they do", () => {
    for (const value of [true, 5, ""]) {
      assert.match(
        problemsOf(option, value).join(),
        /must be rules like 'set NAME: VALUE; append NAME: VALUE; remove NAME'$/,
      );
    }
    assert.match(refused("x".repeat(961)), /must be at most 960 characters$/);
    assert.equal(option.explain("set X-A: 1; remove X-B" as never), "sets X-A, removes X-B");
  });
}
