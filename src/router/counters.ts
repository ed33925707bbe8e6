export interface StatusCounts {
  responses1xx: number;
  responses2xx: number;
  responses3xx: number;
  responses4xx: number;
  responses5xx: number;
  /** Exchanges that ended without a status: the client went away first. */
  responsesNone: number;
}

/** What the router counts: plain numbers, read by the status and metrics listeners and the dashboard. */
export interface RouterCounters extends StatusCounts {
  requests: number;
  /** What route services answered; counted among all responses too. */
  readonly fromRouteServices: StatusCounts;
  /** 400s and 404s by the router itself. */
  rejectedRequests: number;
  /** 502s by the router itself. */
  badGateways: number;
  upgrades: number;
  failedUpgrades: number;
  /** All attempts of all exchanges. */
  attempts: number;
  /** Attempts after the first of an exchange, and stale connections replaced. */
  retries: number;
  /** Attempts that a route's retry budget had no room for. */
  retriesOverBudget: number;
  activeConnections: number;
  /** Those of them that speak HTTP/2, and the requests that came on such. */
  activeHttp2Connections: number;
  http2Requests: number;
  activeExchanges: number;
  /** Idle connections to endpoints. */
  idleUpstreamConnections: number;
  /** Lines of the access log that were dropped: their writer was too slow, or could not write. */
  droppedLogLines: number;
}

export function createCounters(): RouterCounters {
  return {
    requests: 0,
    ...noResponses(),
    fromRouteServices: noResponses(),
    rejectedRequests: 0,
    badGateways: 0,
    upgrades: 0,
    failedUpgrades: 0,
    attempts: 0,
    retries: 0,
    retriesOverBudget: 0,
    activeConnections: 0,
    activeHttp2Connections: 0,
    http2Requests: 0,
    activeExchanges: 0,
    idleUpstreamConnections: 0,
    droppedLogLines: 0,
  };
}

/** All 0. */
export const noResponses = (): StatusCounts => ({
  responses1xx: 0,
  responses2xx: 0,
  responses3xx: 0,
  responses4xx: 0,
  responses5xx: 0,
  responsesNone: 0,
});

export function countResponse(counters: StatusCounts, status: number): void {
  if (status === 0) counters.responsesNone++;
  else if (status < 200) counters.responses1xx++;
  else if (status < 300) counters.responses2xx++;
  else if (status < 400) counters.responses3xx++;
  else if (status < 500) counters.responses4xx++;
  else counters.responses5xx++;
}
