import type { Exchange } from "./exchange.ts";
import { joinSession } from "./http2/endpoint-sessions.ts";
import type { RoutedCandidate } from "./program.ts";
import { createTurnQueue, TurnCount } from "./turn-queue.ts";
import { takeIdle, UpstreamConnection } from "./upstream-connection.ts";

/**
 * A new connection takes 0.1 ms, and many requests that want one may come at the same moment: so many begin in a turn, the
 * others wait for theirs.
 */
export const DIALS_PER_TURN = 4;
const dials = new TurnCount();
const waitForDial = createTurnQueue(DIALS_PER_TURN);

/** WebSockets are asked for in HTTP/1.1, whatever the endpoint was registered with. */
export function speaksHttp2({ router, isUpgrade }: Exchange, { endpoint }: RoutedCandidate): boolean {
  return endpoint.protocol === "http2" && router.config.enablesHttp2 && !isUpgrade;
}

/**
 * Phase connect: an idle connection to the endpoint, else a new one, which reports to the exchange when it is
 * there (`connected`) or cannot be (`dialFailed`).
 */
export function connect(exchange: Exchange, candidate: RoutedCandidate): void {
  if (speaksHttp2(exchange, candidate)) joinSession(exchange, candidate);
  else if (!useIdle(exchange, candidate)) {
    if (dials.count < DIALS_PER_TURN) dial(exchange, candidate);
    else dialLater(exchange, candidate);
  }
}

/** @returns false when there is none */
function useIdle(exchange: Exchange, candidate: RoutedCandidate): boolean {
  const idle = exchange.needsFreshConnection ? null : takeIdle(exchange.router, candidate.load);
  if (idle === null) return false;
  idle.exchange = exchange;
  idle.hasAnswered = false;
  exchange.upstream = idle;
  exchange.connected(idle);
  return true;
}

function dial(exchange: Exchange, candidate: RoutedCandidate): void {
  dials.add(1);
  exchange.upstream = new UpstreamConnection(exchange.router, candidate);
  exchange.upstream.exchange = exchange;
}

/** Unless the attempt is over by then: its object may carry another one. */
function dialLater(exchange: Exchange, candidate: RoutedCandidate): void {
  const { requestId, attempts } = exchange;
  waitForDial({
    takeTurn() {
      if (!exchange.isActive || exchange.requestId !== requestId || exchange.attempts !== attempts) return;
      try {
        if (!useIdle(exchange, candidate)) dial(exchange, candidate);
      } catch (error) {
        exchange.fail(error);
      }
    },
  });
}
