import type { Exchange } from "./exchange.ts";
import { joinSession } from "./http2/endpoint-sessions.ts";
import type { RoutedCandidate } from "./program.ts";
import { takeIdle, UpstreamConnection } from "./upstream-connection.ts";

/** WebSockets are asked for in HTTP/1.1, whatever the endpoint was registered with. */
export function speaksHttp2({ router, isUpgrade }: Exchange, { endpoint }: RoutedCandidate): boolean {
  return endpoint.protocol === "http2" && router.config.enablesHttp2 && !isUpgrade;
}

/**
 * Phase connect: an idle connection to the endpoint, else a new one, which reports to the exchange when it is
 * there (`connected`) or cannot be (`dialFailed`).
 */
export function connect(exchange: Exchange, candidate: RoutedCandidate): void {
  const { router } = exchange;
  if (speaksHttp2(exchange, candidate)) {
    joinSession(exchange, candidate);
    return;
  }
  const idle = exchange.needsFreshConnection ? null : takeIdle(router, candidate.load);
  if (idle === null) {
    exchange.upstream = new UpstreamConnection(router, candidate);
    exchange.upstream.exchange = exchange;
    return;
  }
  idle.exchange = exchange;
  idle.hasAnswered = false;
  exchange.upstream = idle;
  exchange.connected(idle);
}
