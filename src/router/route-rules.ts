/**
 * What few routes have: limits, retries and header rules of their options, put together when the route changes. A route
 * without any has null, and its requests pay one comparison.
 */
import {
  DEFAULT_RETRY_BUDGET_PERCENT,
  type ExchangeView,
  type HeaderRules,
  type OptionHooks,
  type RetryCondition,
  type RetryRules,
} from "../options/index.ts";
import { RetryBudget } from "./retry-budget.ts";

export interface RouteRules {
  /** 0: as the operator has set it. */
  readonly connectTimeoutMs: number;
  /** 0 is none; the same of the next. */
  readonly responseTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** -1 is no limit: 0 is no body. */
  readonly maxChunkedBodyBytes: number;
  readonly retry: RetryPolicy | null;
  readonly requestHeaders: HeaderRules | null;
  readonly responseHeaders: HeaderRules | null;
  readonly rewriteResponse: ReadonlyMap<string, RewriteResponse> | null;
}

export type RewriteResponse = (value: string, exchange: ExchangeView) => string;

export interface RetryPolicy {
  /** First attempt included; 0: as the operator has set it. */
  readonly maxAttempts: number;
  /** Null: what is safe, as without the option. */
  readonly on: ReadonlySet<RetryCondition> | null;
  readonly budget: RetryBudget;
}

/** @param previous  Of the same route before it changed: what is in flight is still counted. */
export function compileRules(hooks: readonly OptionHooks[], previous: RouteRules | null): RouteRules | null {
  const rules: RouteRules = {
    connectTimeoutMs: hooks.find((hook) => hook.connectTimeoutMs !== undefined)?.connectTimeoutMs ?? 0,
    responseTimeoutMs: hooks.find((hook) => hook.responseTimeoutMs !== undefined)?.responseTimeoutMs ?? 0,
    idleTimeoutMs: hooks.find((hook) => hook.idleTimeoutMs !== undefined)?.idleTimeoutMs ?? 0,
    maxChunkedBodyBytes:
      hooks.find((hook) => hook.maxChunkedBodyBytes !== undefined)?.maxChunkedBodyBytes ?? -1,
    retry: retryPolicy(hooks, previous?.retry ?? null),
    requestHeaders: joinHeaderRules(hooks.flatMap((hook) => hook.requestHeaders ?? [])),
    responseHeaders: joinHeaderRules(hooks.flatMap((hook) => hook.responseHeaders ?? [])),
    rewriteResponse: joinRewrites(hooks),
  };
  return Object.values(rules).every((rule) => rule === null || rule === 0 || rule === -1) ? null : rules;
}

/** Most that an exchange may take from being handed over to its last byte; 0 is for ever. */
export function wholeLimitMs(endpointTimeoutMs: number, rules: RouteRules): number {
  if (endpointTimeoutMs === 0 || rules.idleTimeoutMs !== 0) return 0;
  return endpointTimeoutMs + rules.responseTimeoutMs;
}

function retryPolicy(hooks: readonly OptionHooks[], previous: RetryPolicy | null): RetryPolicy | null {
  const told = hooks.flatMap((hook) => hook.retry ?? []);
  if (told.length === 0) return null;
  const all = told.reduce<RetryRules>((before, rules) => ({ ...before, ...rules }), {});
  const budget = previous?.budget ?? new RetryBudget();
  budget.percent = all.budgetPercent ?? DEFAULT_RETRY_BUDGET_PERCENT;
  return { maxAttempts: all.retries === undefined ? 0 : all.retries + 1, on: all.on ?? null, budget };
}

function joinHeaderRules(all: readonly HeaderRules[]): HeaderRules | null {
  const [first, ...others] = all;
  if (first === undefined) return null;
  return others.reduce(
    (joined, { hides, lines }) => ({ hides: joined.hides.union(hides), lines: joined.lines + lines }),
    first,
  );
}

/** Where two options rewrite one header, the later one sees what the earlier one made of it. */
function joinRewrites(hooks: readonly OptionHooks[]): ReadonlyMap<string, RewriteResponse> | null {
  const joined = new Map<string, RewriteResponse>();
  const all = hooks.flatMap(({ rewriteResponse = {} }) => Object.entries(rewriteResponse));
  for (const [name, rewrite] of all) {
    const before = joined.get(name);
    joined.set(
      name,
      before === undefined ? rewrite : (value, exchange) => rewrite(before(value, exchange), exchange),
    );
  }
  return joined.size === 0 ? null : joined;
}
