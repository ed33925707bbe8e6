/**
 * Words every room may use: errors, configuration, clock, ids, log, lifecycle, units.
 * Nothing here knows of routes, sockets or databases.
 */
export { createManualClock, keepAliveWhile, systemClock } from "./clock.ts";
export type { Clock, ManualClock, Timer } from "./clock.ts";
export { configSection, environmentName, loadConfig, setting } from "./config.ts";
export type {
  AnySection,
  ConfigEntry,
  ConfigOf,
  ConfigSources,
  LoadedConfig,
  Section,
  Setting,
} from "./config.ts";
export { defineError, ViaductError } from "./errors/define.ts";
export type { ErrorDefinition, ErrorFactory, ErrorSource, RetryAnswer } from "./errors/define.ts";
export { loadFfi } from "./ffi.ts";
export { listenError } from "./listen.ts";
export type { ListenAddress } from "./listen.ts";
export { GatheredLines, stdoutLines } from "./gathered-lines.ts";
export { newGuid } from "./ids.ts";
export { createLifecycle } from "./lifecycle.ts";
export type { Lifecycle, Part } from "./lifecycle.ts";
export { createLogger, LOG_LEVELS, silentLogger } from "./log.ts";
export type { LineSink, Logger, LogLevel } from "./log.ts";
export { RotatingFile } from "./rotating-file.ts";
export type { RotatingFileOptions } from "./rotating-file.ts";
export { systemReason } from "./system-reason.ts";
export { isUnprivilegedPort, UNPRIVILEGED_PORTS } from "./unprivileged-ports.ts";
export { nearestName, parseBytes, parseDurationMs } from "./units.ts";
