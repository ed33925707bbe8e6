/**
 * The one room that knows all the others: configuration → roles → start, drain, stop. The command line loads it when
 * a command runs a role.
 * Not here: what any role does.
 */
export { loadAppConfig } from "./config.ts";
export type { RunOptions } from "./config.ts";
export { runUp } from "./run-up.ts";
