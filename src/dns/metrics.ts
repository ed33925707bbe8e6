/** What the DNS server counts since its start. */
export interface DnsMetrics {
  queriesUdp: number;
  queriesTcp: number;
  /** Passed over in silence: no query, or a response. */
  dropped: number;
  /** Answers by code: `NOERROR`, `NXDOMAIN`, … or the number of another. */
  readonly responses: Record<string, number>;
  truncated: number;
  /** Open now. */
  connections: number;
  /** Closed at once, because too many were open. */
  connectionsRefused: number;
  /** Mistakes of ours; each is in the log. */
  failures: number;
}

export function createDnsMetrics(): DnsMetrics {
  return {
    queriesUdp: 0,
    queriesTcp: 0,
    dropped: 0,
    responses: {},
    truncated: 0,
    connections: 0,
    connectionsRefused: 0,
    failures: 0,
  };
}
