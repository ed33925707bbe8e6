import { connectionLimitReached, noEndpointSelectable } from "../kernel/errors/router.ts";
import type { Exchange } from "./exchange.ts";
import type { RoutedCandidate } from "./program.ts";

/**
 * Phase pickEndpoint: the balancer of the route chooses one that this exchange has not tried.
 * @throws the error of the last attempt, connectionLimitReached, noEndpointSelectable
 */
export function pickEndpoint(exchange: Exchange): RoutedCandidate {
  const { route, router } = exchange;
  if (route === null) throw noEndpointSelectable({});
  exchange.nowMs = router.ticker.nowMs;
  const candidate = route.attachment.picker.pick(exchange.candidates, exchange);
  if (candidate !== undefined) return candidate;
  if (exchange.lastFailure !== null) throw exchange.lastFailure;
  const { maxInFlight } = exchange;
  if (maxInFlight !== 0 && exchange.candidates.every(({ load }) => load.inFlight >= maxInFlight)) {
    throw connectionLimitReached({ host: exchange.rawHost });
  }
  throw noEndpointSelectable({});
}
