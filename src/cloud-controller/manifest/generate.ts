/** The manifest that an app is now: applied again, it changes nothing. */
import { decodeJson, type HealthCheckDocument, type RowOf } from "../../store/index.ts";
import type { Database } from "../context.ts";
import { readMetadata } from "../metadata.ts";
import { routeUrl } from "../route-address.ts";
import type { RawMap } from "./document.ts";

export async function generateManifest(db: Database, app: RowOf<"apps">): Promise<RawMap> {
  const { type, data } = decodeJson(app.lifecycle);
  const environment = decodeJson(app.environment);
  const metadata = (await readMetadata(db, "app", [app.guid]))(app.guid);
  const labelled = Object.entries(metadata).filter(([, values]) => Object.keys(values).length > 0);
  const buildpacks = (data["buildpacks"] ?? []) as readonly string[];
  const processes = await db
    .selectFrom("processes")
    .selectAll()
    .where("app_guid", "=", app.guid)
    .orderBy("created_at")
    .orderBy("guid")
    .execute();
  const services = await db
    .selectFrom("service_credential_bindings as bindings")
    .innerJoin("service_instances as instances", "instances.guid", "bindings.service_instance_guid")
    .select("instances.name")
    .where("bindings.app_guid", "=", app.guid)
    .orderBy("bindings.created_at")
    .orderBy("bindings.guid")
    .execute();
  return {
    name: app.name,
    ...(type === "buildpack" && buildpacks.length > 0 && { buildpacks }),
    ...(type === "buildpack" && typeof data["stack"] === "string" && { stack: data["stack"] }),
    ...(Object.keys(environment).length > 0 && { env: environment }),
    ...(labelled.length > 0 && { metadata: Object.fromEntries(labelled) }),
    ...(await routesOf(db, app)),
    ...(services.length > 0 && { services: services.map(({ name }) => name) }),
    processes: processes.map(processOf),
  };
}

async function routesOf(db: Database, app: RowOf<"apps">): Promise<RawMap> {
  const rows = await db
    .selectFrom("destinations")
    .innerJoin("routes", "routes.guid", "destinations.route_guid")
    .innerJoin("domains", "domains.guid", "routes.domain_guid")
    .select([
      "destinations.protocol",
      "routes.guid",
      "routes.host",
      "routes.path",
      "routes.port",
      "routes.options",
      "domains.name as domain",
    ])
    .where("destinations.app_guid", "=", app.guid)
    .where("destinations.process_type", "=", "web")
    .orderBy("routes.created_at")
    .orderBy("destinations.created_at")
    .execute();
  const routes = rows
    .filter((row, i) => rows.findIndex((each) => each.guid === row.guid) === i)
    .map((row) => {
      const options = decodeJson(row.options);
      return {
        route: routeUrl(row, row.domain),
        protocol: row.protocol ?? (row.port === null ? "http1" : "tcp"),
        ...(Object.keys(options).length > 0 && { options }),
      };
    });
  return routes.length === 0 ? {} : { routes };
}

function processOf(process: RowOf<"processes">): RawMap {
  const rate = process.log_rate_limit_in_bytes_per_second;
  return {
    type: process.type,
    ...(process.command !== null && { command: process.command }),
    instances: process.instances,
    memory: `${process.memory_in_mb}M`,
    disk_quota: `${process.disk_in_mb}M`,
    "log-rate-limit-per-second": rate < 0 ? -1 : `${rate}B`,
    ...healthCheckOf("health-check", decodeJson(process.health_check)),
    ...healthCheckOf("readiness-health-check", decodeJson(process.readiness_health_check)),
  };
}

function healthCheckOf(key: string, { type, data }: HealthCheckDocument): RawMap {
  const set = (name: string, value: unknown) =>
    value === null || value === undefined ? {} : { [name]: value };
  return {
    [`${key}-type`]: type,
    ...(type === "http" && set(`${key}-http-endpoint`, data["endpoint"])),
    ...(key === "health-check" && set("timeout", data["timeout"])),
    ...set(`${key}-invocation-timeout`, data["invocation_timeout"]),
    ...set(`${key}-interval`, data["interval"]),
  };
}
