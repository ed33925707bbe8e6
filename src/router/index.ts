/**
 * The HTTP router: takes requests from clients, finds their route in the table, and hands them to an endpoint.
 * Start with `phases.ts`, the life of an exchange.
 * Not here: where routes come from (`feeds/`), what a route is (`table/`), how bytes are framed (`wire/http1/`).
 */
export { createAccessLogFormatter } from "./access-log.ts";
export { renderJsonAccessLog } from "./access-log-json.ts";
export type { AccessLogFormatter, AccessLogOptions } from "./access-log.ts";
export type { AccessLogRecord } from "./access-record.ts";
export { createActiveApps } from "./active-apps.ts";
export type { ActiveApps } from "./active-apps.ts";
export { ROUTER_DEFAULTS, routerConfigFrom, routerSection } from "./config.ts";
export type { RouterConfig } from "./config.ts";
export type { RouterCounters } from "./counters.ts";
export { CLASSIC_FEED_DEFAULTS, createClassicFeed } from "./feeds/classic.ts";
export type { ClassicFeed, ClassicFeedConfig } from "./feeds/classic.ts";
export { FeedCounts } from "./feeds/feed-counts.ts";
export { createNativeFeed } from "./feeds/native.ts";
export type { NativeFeed } from "./feeds/native.ts";
export { createRoutingApiFeed } from "./feeds/routing-api.ts";
export type { RoutingApiFeedConfig } from "./feeds/routing-api.ts";
export { SHARDING_MODES } from "./feeds/sharding.ts";
export type { Sharding, ShardingMode } from "./feeds/sharding.ts";
export { loadGorouterConfig } from "./gorouter-config.ts";
export type { GorouterConfig, NatsSettings, StatusConfig } from "./gorouter-config.ts";
export { gorouterKeyNames } from "./gorouter-keys.ts";
export { createGorouterLogger } from "./gorouter-log.ts";
export type { GorouterLogger } from "./gorouter-log.ts";
export { renderGorouterKeys } from "./gorouter-reference.ts";
export { createHealth } from "./health.ts";
export type { Health, HealthState } from "./health.ts";
export { createInspection } from "./inspection.ts";
export type { Inspect, InspectionAnswer } from "./inspection.ts";
export { HISTOGRAM_BUCKETS } from "./metrics-config.ts";
export { createMetricsPage } from "./metrics.ts";
export { createRoutePrograms } from "./program.ts";
export { createSigner } from "./route-services/signature.ts";
export type { SealedSignature, Signer } from "./route-services/signature.ts";
export type { RouteProgram, RoutePrograms } from "./program.ts";
export { createHttpRouter } from "./router.ts";
export type { BoundSockets, HttpRouter, HttpRouterParts } from "./router.ts";
export { createRoutesPage, createStatusServer } from "./status.ts";
export type { StatusServer } from "./status.ts";
export { createVarz } from "./varz.ts";
export type { Varz } from "./varz.ts";
export { createVarzPage } from "./varz-page.ts";
export type { VerdictEntry } from "./verdict-ring.ts";
