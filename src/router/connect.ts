import type { Exchange } from "./exchange.ts";
import { joinSession } from "./http2/endpoint-sessions.ts";
import type { RoutedCandidate } from "./program.ts";
import { takeIdle, UpstreamConnection } from "./upstream-connection.ts";

/**
 * Phase connect: an idle connection to the endpoint, else a new one, which reports to the exchange when it is
 * there (`connected`) or cannot be (`dialFailed`). Endpoints that speak HTTP/2 are asked for WebSockets in HTTP/1.1.
 */
export function connect(exchange: Exchange, candidate: RoutedCandidate): void {
  const { router } = exchange;
  if (candidate.endpoint.protocol === "http2" && router.config.enablesHttp2 && !exchange.isUpgrade) {
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
