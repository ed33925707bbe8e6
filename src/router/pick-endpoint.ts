import { connectionLimitReached, noEndpointSelectable } from "../kernel/errors/router.ts";
import type { Exchange } from "./exchange.ts";
import type { RoutedCandidate, RouteProgram } from "./program.ts";
import { findSession, readSession } from "./sticky.ts";
import { pickInZone } from "./zone.ts";

/**
 * Phase pickEndpoint: the instance of the session, else whom the balancer of the route chooses of those that
 * this exchange has not tried.
 * @throws the error of the last attempt, connectionLimitReached, noEndpointSelectable
 */
export function pickEndpoint(exchange: Exchange): RoutedCandidate {
  const { route, router } = exchange;
  if (route === null) throw noEndpointSelectable({});
  exchange.nowMs = router.ticker.nowMs;
  const { attachment } = route;
  exchange.maxInFlight = attachment.maxInFlight;
  if (attachment.readsSession && exchange.attempts === 0) readSession(exchange, attachment.sessionCookies);
  const candidate = choose(exchange, attachment);
  if (candidate !== undefined) return candidate;
  throw exchange.lastFailure ?? whyNone(exchange);
}

function whyNone({ maxInFlight, mustStick, candidates, rawHost, route, requestId, router }: Exchange) {
  const mayBeFull = maxInFlight !== 0 && !mustStick;
  if (mayBeFull && candidates.every(({ load }) => load.inFlight >= maxInFlight))
    return connectionLimitReached({ host: rawHost });
  const error = noEndpointSelectable({});
  router.log.error(
    { host: route?.host ?? "", error: error.message, vcap_request_id: requestId },
    "select-endpoint-failed",
  );
  return error;
}

function choose(exchange: Exchange, program: RouteProgram): RoutedCandidate | undefined {
  if (exchange.sessionInstance !== "") {
    const own = findSession(exchange);
    if (own !== undefined || exchange.mustStick) return own;
  }
  if (program.inZone.length > 0 && exchange.attempts === 0) {
    const near = pickInZone(exchange, program);
    if (near !== undefined) return near;
  }
  return program.picker.pick(exchange.candidates, exchange);
}
