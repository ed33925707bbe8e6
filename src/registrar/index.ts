/**
 * The registrar: keeps routes of platform components registered at the routers, as route-registrar does, from its
 * own JSON file or in process.
 * Not here: routes of apps (emitter/), what routers do with a registration (router/).
 */
export { loadRegistrarConfig } from "./config.ts";
export type { MessageBusServer, RegistrarConfig } from "./config.ts";
export { createRegistrar } from "./registrar.ts";
export type { RegistrarOptions } from "./registrar.ts";
export type { HealthCheck, RegistrarRoute } from "./types.ts";
