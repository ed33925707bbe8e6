/** Whether an attempt that failed is followed by another one, and where. */
import { endpointAnsweredFailure, responseTimeout } from "../kernel/errors/options.ts";
import { endpointStreamRefused } from "../kernel/errors/router.ts";
import type { ViaductError } from "../kernel/index.ts";
import type { RetryCondition } from "../options/index.ts";
import { isRefused } from "./endpoint-connect-error.ts";
import type { EndpointState } from "./endpoint-state.ts";
import type { Exchange } from "./exchange.ts";
import { IDEMPOTENCY_KEY, X_IDEMPOTENCY_KEY } from "./header-names.ts";
import type { RetryPolicy } from "./route-rules.ts";
import type { Upstream } from "./upstream.ts";

/** Endpoints that one exchange tries at most, however many refuse: dead pools are large too, and are asked often. */
const MAX_ATTEMPTS_WHEN_REFUSED = 10;

/**
 * Neighbours die together, within the milliseconds that a system needs to close what their processes had open. A request
 * that two of them broke off waits so long before its last attempt: by then they refuse, which costs none.
 */
const LAST_ATTEMPT_PAUSE_MS = 50;

export type Retry = "no" | "same-endpoint" | "next-endpoint";

/**
 * Only what cannot have had an effect is tried again: nothing was sent, or the request may be repeated (RFC 9110
 * §9.2.2) and nothing of an answer went to the client. A dead idle connection says nothing about its endpoint,
 * so that one is asked once more on a new connection; so is one that refuses a stream. Within that, the options of the route decide.
 */
export function retryOf(exchange: Exchange, error: ViaductError, upstream: Upstream | null): Retry {
  if (exchange.hasResponded || exchange.hasSentBody || upstream === null) return "no";
  const policy = policyOf(exchange);
  const isWanted = policy === null ? null : wants(policy, error);
  if (error.retry === "never" && isWanted !== true) return "no";
  if (error.retry !== "safe") {
    if (!isRepeatable(exchange)) return "no";
    if (error.retry === "if-connection-was-reused" && upstream.wasReused && !upstream.hasAnswered) {
      return "same-endpoint";
    }
  } else if (endpointStreamRefused.is(error) && !exchange.needsFreshConnection) return "same-endpoint";
  if (isWanted === false || !hasAttemptsLeft(exchange, error)) return "no";
  if (policy !== null && costsWork(error) && !policy.budget.hasRoom) {
    exchange.router.counters.retriesOverBudget++;
    return "no";
  }
  return "next-endpoint";
}

/** Before the attempt that follows, at another endpoint; 0 nearly always. */
export function pauseMsAfter(exchange: Exchange, error: ViaductError): number {
  const spent = exchange.tried.length - exchange.refusals;
  const isNextLast = spent >= 2 && spent === maxAttempts(exchange) - 1;
  const wasBrokenOff = error.retry === "if-connection-was-reused";
  return isNextLast && wasBrokenOff && hasOther(exchange) ? LAST_ATTEMPT_PAUSE_MS : 0;
}

/** Called when the exchange is tried again at another endpoint. */
export function spendBudget(exchange: Exchange, error: ViaductError): void {
  const policy = policyOf(exchange);
  if (policy !== null && costsWork(error)) exchange.atEnd(policy.budget.spend());
}

/**
 * Looks at a final head before anything of it goes on.
 * @throws endpointAnsweredFailure when the route asks another endpoint after such an answer, and one is left
 */
export function refuseAnswer(exchange: Exchange, upstream: Upstream): void {
  const { status } = upstream.head;
  const { candidate } = exchange;
  if (candidate === null || policyOf(exchange)?.on?.has(String(status) as RetryCondition) !== true) return;
  const error = endpointAnsweredFailure({ endpoint: candidate.address, answered: status });
  if (hasOther(exchange) && retryOf(exchange, error, upstream) === "next-endpoint") throw error;
}

const isUnmarked = ({ failedUntilMs }: EndpointState, { nowMs }: Exchange) => failedUntilMs <= nowMs;

/** An endpoint is left that may be picked, and is as wanted. */
function hasOther(
  exchange: Exchange,
  isWanted: (load: EndpointState, exchange: Exchange) => boolean = () => true,
): boolean {
  const { candidates, candidate, tried, maxInFlight, mustStick } = exchange;
  if (mustStick) return false;
  return candidates.some(
    ({ load }) =>
      load !== candidate?.load &&
      !tried.includes(load) &&
      (maxInFlight === 0 || load.inFlight < maxInFlight) &&
      isWanted(load, exchange),
  );
}

/** Of the way to an endpoint; route services have the operator's rules only. */
function policyOf({ route, candidate }: Exchange): RetryPolicy | null {
  return (candidate?.service ?? null) === null ? (route?.attachment.rules?.retry ?? null) : null;
}

/** Null when the route says nothing about such an error. */
function wants({ on }: RetryPolicy, error: ViaductError): boolean | null {
  const condition = conditionOf(error);
  return on === null || condition === null ? null : on.has(condition);
}

function conditionOf(error: ViaductError): RetryCondition | null {
  if (error.retry === "safe") return "connect-failure";
  if (error.retry === "if-connection-was-reused") return "reset";
  if (responseTimeout.is(error)) return "response-timeout";
  // Only statuses that are conditions become this error.
  return endpointAnsweredFailure.is(error) ? (String(error.details.answered) as RetryCondition) : null;
}

/** An endpoint has had the request, and may have worked on it. */
const costsWork = (error: ViaductError): boolean => error.retry !== "safe";

/**
 * A connection that was refused cost nobody anything. As long as the pool has an endpoint that is not known to have
 * failed, such attempts do not count: three instances that died together would else be a 502 though others serve.
 * Who wants no second attempt, or whose route says how many, gets what was said.
 */
function hasAttemptsLeft(exchange: Exchange, error: ViaductError): boolean {
  const done = exchange.tried.length + 1;
  const limit = maxAttempts(exchange);
  if (done < limit) return true;
  if (limit === 1 || done >= MAX_ATTEMPTS_WHEN_REFUSED || policyOf(exchange)?.maxAttempts) return false;
  const refusals = exchange.refusals + (isRefused(error) ? 1 : 0);
  return done - refusals < limit && hasOther(exchange, isUnmarked);
}

function maxAttempts(exchange: Exchange): number {
  const { config } = exchange.router;
  if ((exchange.candidate?.service ?? null) !== null) return config.routeServicesMaxAttempts;
  return policyOf(exchange)?.maxAttempts || config.maxAttempts;
}

function isRepeatable({ client: { head }, isUpgrade, method }: Exchange): boolean {
  if (head.chunked || head.contentLength > 0 || isUpgrade) return false;
  switch (method) {
    case "GET":
    case "HEAD":
    case "OPTIONS":
    case "TRACE":
      return true;
  }
  for (let i = 0; i < head.lineCount; i++) {
    const id = head.nameId(i);
    if (id === IDEMPOTENCY_KEY || id === X_IDEMPOTENCY_KEY) return true;
  }
  return false;
}
