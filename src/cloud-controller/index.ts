/**
 * The Cloud Controller: as much of the v3 API as routing needs, and a small UAA, for the `cf` CLI and for ours. It owns
 * organizations, spaces, domains, routes, apps and processes as rows, and keeps the route table and Diego in step
 * with them through the outbox.
 * Not here: tokens themselves (auth), what a route option is (options), who serves a route (routing-api, emitter).
 */
export { buildCloudController } from "./api.ts";
export type { CloudControllerDeps } from "./api.ts";
export type { AccessLines } from "./app-log.ts";
export { cloudControllerSection } from "./config.ts";
export type { CloudControllerConfig } from "./config.ts";
export { createCloudController } from "./role.ts";
export type { CloudController, CloudControllerOptions } from "./role.ts";
