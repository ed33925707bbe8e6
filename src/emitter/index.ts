/**
 * The emitter: joins what Diego desires with the instances that run, and tells the routers where apps are — as
 * endpoints by process GUID in the routing API, and as classic messages on the bus when that is switched on.
 * Not here: which routes exist (cloud-controller/), running instances (diego/).
 */
export { emitterSection } from "./config.ts";
export type { EmitterConfig } from "./config.ts";
export { createEmitter } from "./emitter.ts";
export type { EmitterOptions } from "./emitter.ts";
