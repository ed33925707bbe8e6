/**
 * The router's metrics in Prometheus' text format, under gorouter's names where gorouter has the metric.
 */
import { readdirSync } from "node:fs";
import {
  connectionLimitReached,
  endpointCertificateInvalid,
  endpointNameMismatch,
  endpointTlsFailed,
} from "../kernel/errors/router.ts";
import { contentLengthEmpty } from "../kernel/errors/wire.ts";
import type { Clock } from "../kernel/index.ts";
import { knownOptions } from "../options/index.ts";
import type { Table } from "../table/index.ts";
import type { RouterCounters, StatusCounts } from "./counters.ts";
import type { ExchangeMetrics } from "./exchange-metrics.ts";
import type { FeedCounts } from "./feeds/feed-counts.ts";
import { type AddFamily, label, statusGroups } from "./metrics-text.ts";
import type { Varz } from "./varz.ts";

export interface MetricsSources {
  readonly counters: Readonly<RouterCounters>;
  readonly exchanges: ExchangeMetrics;
  readonly table: Pick<Table, "size">;
  readonly feeds: FeedCounts;
  readonly clock: Clock;
  /** Null or left out while nobody may ask for `/varz`. */
  readonly varz?: Varz | null;
}

/** @returns what `/metrics` answers, made when it is asked for. */
export function createMetricsPage(sources: MetricsSources): () => string {
  return () => {
    const { counters } = sources;
    const page: string[] = [];
    const add: AddFamily = (type, name, help, lines) => {
      page.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
      for (const line of lines) page.push(line);
    };
    const counter = (name: string, value: number, help: string) =>
      add("counter", name, help, [`${name} ${value}`]);
    const gauge = (name: string, value: number, help: string) =>
      add("gauge", name, help, [`${name} ${value}`]);

    addExchanges(sources.exchanges, add);
    counter(
      "rejected_requests",
      counters.rejectedRequests,
      "Requests that the router answered with 400 or 404.",
    );
    counter("bad_gateways", counters.badGateways, "Requests that the router answered with 502.");
    const byStatus = (name: string, counts: StatusCounts, help: string) =>
      add("counter", name, help, statusGroups(name, counts));
    byStatus("responses", counters, "Responses by group of status; xxx had none.");
    byStatus("responses_route_services", counters.fromRouteServices, "Those that route services gave.");
    counter(
      "websocket_upgrades",
      counters.upgrades,
      "Connections that became WebSockets or another protocol.",
    );
    counter("websocket_failures", counters.failedUpgrades, "Upgrades that an endpoint did not make.");
    counter("endpoint_attempts", counters.attempts, "Tries at endpoints.");
    counter("endpoint_retries", counters.retries, "Tries after the first of a request.");
    counter(
      "endpoint_retries_over_budget",
      counters.retriesOverBudget,
      "Tries that a route's retry-budget had no room for.",
    );
    gauge("active_connections", counters.activeConnections, "Connections of clients.");
    gauge("active_http2_connections", counters.activeHttp2Connections, "Those that speak HTTP/2.");
    counter("http2_requests", counters.http2Requests, "Requests that came over HTTP/2.");
    gauge("active_requests", counters.activeExchanges, "Requests in flight.");
    gauge("idle_endpoint_connections", counters.idleUpstreamConnections, "Idle connections to endpoints.");
    counter(
      "dropped_access_log_lines",
      counters.droppedLogLines,
      "Lines that the access log's file was too slow for, or could not take.",
    );
    gauge("total_routes", sources.table.size, "Routes in the table.");
    addFeeds(sources, add);
    sources.varz?.addTo(add);
    const files = openFiles();
    if (files !== null) gauge("file_descriptors", files, "Open files and sockets.");
    return `${page.join("\n")}\n`;
  };
}

/** gorouter's names of what went wrong, and the errors that count. */
const NAMED_FAILURES = [
  [
    "backend_exhausted_conns",
    connectionLimitReached,
    "Requests refused because all endpoints were at their limit.",
  ],
  ["backend_invalid_id", endpointNameMismatch, "Endpoints whose certificate was for another name."],
  ["backend_invalid_tls_cert", endpointCertificateInvalid, "Endpoints whose certificate is not trusted."],
  ["backend_tls_handshake_failed", endpointTlsFailed, "Failed TLS handshakes with endpoints."],
  [
    "empty_content_length_header",
    contentLengthEmpty,
    "Requests refused for a Content-Length without a value.",
  ],
] as const;

function addExchanges(
  { components, routerTime, lookupTime, failures, apps }: ExchangeMetrics,
  add: AddFamily,
): void {
  const byComponent = [...components].map(([name, of]) => ({ labels: `component="${label(name)}"`, of }));
  add(
    "counter",
    "total_requests",
    "Requests for which an endpoint was asked.",
    byComponent.map(({ labels, of }) => `total_requests{${labels}} ${of.requests}`),
  );
  add(
    "histogram",
    "latency",
    "From the first byte of a request to the last of its answer, milliseconds.",
    byComponent.flatMap(({ labels, of }) => of.latency.lines("latency", labels)),
  );
  add(
    "histogram",
    "gorouter_time",
    "The part of it that was not spent waiting for an endpoint, milliseconds.",
    routerTime.lines("gorouter_time"),
  );
  add(
    "histogram",
    "route_lookup_time",
    "Finding the route, nanoseconds; every 64th request.",
    lookupTime.lines("route_lookup_time"),
  );
  if (apps !== null) {
    add(
      "histogram",
      "http_latency_seconds",
      "From the first byte of a request to the last of its answer, by app.",
      [...apps].flatMap(([app, times]) => times.lines("http_latency_seconds", `source_id="${label(app)}"`)),
    );
  }
  for (const [name, error, help] of NAMED_FAILURES) {
    add("counter", name, help, [`${name} ${failures.get(error.definition.code) ?? 0}`]);
  }
  add(
    "counter",
    "failed_requests",
    "Requests that failed, by code of the error.",
    [...failures].map(([code, count]) => `failed_requests{code="${code}"} ${count}`),
  );
  const refusedBy = knownOptions().filter(({ refusesWith }) => refusesWith.length > 0);
  add(
    "counter",
    "refused_requests",
    "Requests that an option of their route refused.",
    refusedBy.map(({ name, refusesWith }) => {
      const counts = refusesWith.map(({ definition }) => failures.get(definition.code) ?? 0);
      return `refused_requests{option="${name}"} ${counts.reduce((sum, count) => sum + count, 0)}`;
    }),
  );
}

function addFeeds({ feeds, clock }: MetricsSources, add: AddFamily): void {
  const registered = [...feeds.registered].flatMap(([component, outcomes]) => {
    const labels = `component="${label(component)}"`;
    return [
      `registry_message{${labels},action="endpoint-added"} ${outcomes.new}`,
      `registry_message{${labels},action="endpoint-updated"} ${outcomes.updated + outcomes.unchanged}`,
    ];
  });
  add("counter", "registry_message", "Registrations of a URI.", registered);
  add(
    "counter",
    "unregistry_message",
    "Unregistrations of a URI.",
    [...feeds.unregistered].map(
      ([component, count]) => `unregistry_message{component="${label(component)}"} ${count}`,
    ),
  );
  // A wall clock that was set back would make it negative, which means «never» to who watches it.
  const sinceUpdate = feeds.lastUpdateAtMs === null ? -1 : Math.max(0, clock.nowMs() - feeds.lastUpdateAtMs);
  const numbers = [
    ["counter", "routes_pruned", feeds.pruned, "Endpoints removed for their age."],
    [
      "gauge",
      "ms_since_last_registry_update",
      sinceUpdate,
      "Milliseconds since an endpoint was registered, anew or again, or left; -1 before.",
    ],
    ["gauge", "buffered_messages", feeds.waitingMessages, "Messages of registrars that wait for their turn."],
    [
      "counter",
      "total_dropped_messages",
      feeds.droppedMessages,
      "Those that came while too many waited, and are lost.",
    ],
    [
      "counter",
      "token_fetch_errors",
      feeds.tokenFetchErrors,
      "Failed tries to get a token for the Routing API.",
    ],
    [
      "counter",
      "subscribe_events_errors",
      feeds.subscribeErrors,
      "Failed tries to hear the Routing API's events.",
    ],
  ] as const;
  for (const [type, name, value, help] of numbers) add(type, name, help, [`${name} ${value}`]);
  const latency = "route_registration_latency";
  add(
    "histogram",
    latency,
    "From an instance's start to its registration, milliseconds.",
    feeds.registrationLatency.lines(latency),
  );
}

/** Null where the system does not say. */
function openFiles(): number | null {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return null;
  }
}
