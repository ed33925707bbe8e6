/** What the parts of one router share. Passed along, never global. */
import type { SecureContext } from "node:tls";
import type { Clock, Logger } from "../kernel/index.ts";
import type { SocketRing } from "../ring/index.ts";
import type { Table } from "../table/index.ts";
import type { AccessLogStream } from "./access-log-stream.ts";
import type { AccessLogWriter } from "./access-log-writer.ts";
import type { ExplainedLogRecord } from "./access-record.ts";
import type { ClientConnection } from "./client-connection.ts";
import type { RouterConfig } from "./config.ts";
import type { RouterCounters } from "./counters.ts";
import type { ExchangeObserver } from "./ended-exchange.ts";
import type { ExchangeMetrics } from "./exchange-metrics.ts";
import type { Health } from "./health.ts";
import type { ClientSession } from "./http2/client-session.ts";
import type { EndpointSession } from "./http2/endpoint-session.ts";
import type { RouteProgram } from "./program.ts";
import type { RouteServices } from "./route-services/route-services.ts";
import type { DescriptorOpening, Opening } from "./opening.ts";
import type { Ticker } from "./ticker.ts";
import type { Tracing } from "./tracing.ts";
import type { TlsHandshakes } from "./tls/tls-handshakes.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";
import type { VerdictRing } from "./verdict-ring.ts";

export interface RouterContext {
  readonly config: RouterConfig;
  readonly table: Table<RouteProgram>;
  readonly log: Logger;
  readonly clock: Clock;
  readonly ticker: Ticker;
  readonly counters: RouterCounters;
  readonly metrics: ExchangeMetrics;
  /** What plain connections read and write through; null where there is none, or none is wanted. */
  readonly ring: SocketRing | null;
  /** Null when nobody counts but us. */
  readonly observe: ExchangeObserver | null;
  accessLog: AccessLogWriter | null;
  readonly formatAccessLog: (record: ExplainedLogRecord) => string;
  /** Null when the lines go nowhere else. */
  logStreams: readonly AccessLogStream[] | null;
  readonly verdicts: VerdictRing;
  /** Null when it is off. */
  readonly tracing: Tracing | null;
  /** Trust towards endpoints; made at the first use, once, because it reads every root certificate. */
  readonly endpointTls: () => SecureContext;
  /** Null without a secret for them. */
  readonly routeServices: RouteServices | null;
  /** Towards clients; null without a TLS listener. Replaced when certificates change. */
  tls: TlsHandshakes | null;
  /** Connections that have not come to their first request yet. */
  readonly openings: Set<Opening | DescriptorOpening>;
  readonly clients: Set<ClientConnection | ClientSession>;
  readonly upstreams: Set<UpstreamConnection | EndpointSession>;
  /** Answers end their connections, so that clients go elsewhere; new ones are still taken. */
  isLeaving: boolean;
  /** No new exchanges after the present ones. */
  isDraining: boolean;
  /** Null when nobody says otherwise: healthy while it does not drain. */
  readonly health: Pick<Health, "state"> | null;
}
