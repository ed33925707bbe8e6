/** What tests of options need of a route and an exchange. */
import type { AnyOption, ExchangeView, OperatorLimits, RouteFacts } from "./define.ts";
import { createOptionSet } from "./option-set.ts";

export const ROUTE: RouteFacts = { host: "shop.example.com", path: "" };

export function exchangeView(given: Partial<ExchangeView> = {}): ExchangeView {
  return {
    method: "GET",
    host: "shop.example.com",
    authority: "shop.example.com",
    target: "/",
    contextPath: "",
    clientAddress: "192.0.2.1",
    requestHeader: () => undefined,
    addResponseHeader() {},
    atEnd() {},
    startDeadline() {},
    clearDeadline() {},
    ...given,
  };
}

/** What the control plane says of `name=value` alone, with the operator's limits; empty when it takes it. */
export function problemsOf(
  option: AnyOption,
  value: unknown,
  operator: OperatorLimits = {},
): readonly string[] {
  const verdict = createOptionSet([option]).validateOptions({ [option.name]: value }, { operator });
  return verdict.ok ? [] : verdict.problems.map(({ text }) => text);
}
