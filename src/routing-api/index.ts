/**
 * The routing API: who holds which route, which endpoints live, and a numbered stream of every change for routers,
 * DNS servers and anybody's own data plane. {@link createRouteTable} owns the data, {@link createRoutingApi} serves
 * it over HTTP, {@link createRouteTableClient} is the same contract from another process.
 * Not here: looking routes up (table/), who may map which route (cloud-controller/).
 */
export { buildRoutingApi } from "./api.ts";
export type { RoutingApiDeps } from "./api.ts";
export { SCOPES } from "./access.ts";
export type { VerifiedToken, VerifyToken } from "./access.ts";
export { createRouteTableClient } from "./client.ts";
export type { RouteTableClient, RouteTableClientOptions } from "./client.ts";
export { routingApiSection } from "./config.ts";
export type { RoutingApiConfig } from "./config.ts";
export { createRoutingApi } from "./role.ts";
export type { RoutingApi, RoutingApiOptions } from "./role.ts";
export { createRouteTable } from "./route-table.ts";
export type { RouteTable, RouteTableOptions } from "./route-table.ts";
