/** What a process is like until somebody says otherwise. */
import { newGuid } from "../kernel/index.ts";
import { encodeJson, type HealthCheckDocument, type NewRow } from "../store/index.ts";
import type { CloudControllerConfig } from "./config.ts";

const DEFAULT_HEALTH_CHECK: HealthCheckDocument = {
  type: "port",
  data: { timeout: null, invocation_timeout: null, interval: null },
};
/** Of processes that nothing is routed to: they need not listen. */
const PROCESS_HEALTH_CHECK: HealthCheckDocument = { ...DEFAULT_HEALTH_CHECK, type: "process" };
const DEFAULT_READINESS_HEALTH_CHECK: HealthCheckDocument = {
  type: "process",
  data: { invocation_timeout: null, interval: null },
};

/** The first web process has its app's GUID, as upstream. */
export function newWebProcess(
  appGuid: string,
  now: string,
  config: CloudControllerConfig,
): NewRow<"processes"> {
  return { ...newProcess(appGuid, "web", now, config), guid: appGuid, instances: 1 };
}

/** A process of another type, which runs once somebody scales it up. */
export function newProcess(
  appGuid: string,
  type: string,
  now: string,
  config: CloudControllerConfig,
): NewRow<"processes"> {
  return {
    guid: newGuid(),
    created_at: now,
    updated_at: now,
    app_guid: appGuid,
    type,
    command: null,
    instances: 0,
    memory_in_mb: config.defaultMemoryMb,
    disk_in_mb: config.defaultDiskMb,
    health_check: encodeJson(type === "web" ? DEFAULT_HEALTH_CHECK : PROCESS_HEALTH_CHECK),
    readiness_health_check: encodeJson(DEFAULT_READINESS_HEALTH_CHECK),
    version: newGuid(),
    ports: encodeJson<readonly number[]>([]),
  };
}
