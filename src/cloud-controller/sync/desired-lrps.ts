/** Rows → desired LRPs: what Diego shall run for the processes of started apps. */
import { createHash } from "node:crypto";
import type { DesiredLrp } from "../../contracts/index.ts";
import { decodeJson, type HealthCheckDocument } from "../../store/index.ts";
import { vcapApplication } from "../app-environment.ts";
import type { Database } from "../context.ts";
import { loadEnvironmentGroup } from "../environment-groups.ts";
import { segmentName } from "../isolation-segments.ts";
import { loadVcapServices } from "../app-services.ts";
import { bitsOf } from "../app-droplet.ts";
import { commandOf, localDirectory } from "../lifecycle.ts";
import { lrpGuid } from "../news.ts";
import { groupBy } from "../present.ts";
import { routeUrl } from "../route-address.ts";

/** Diego's name for what the cloud controller owns. */
export const LRP_DOMAIN = "cf-apps";
const DEFAULT_PORT = 8080;

/**
 * @param processGuids  Null for all. A process that shall not run is left out of the answer.
 * @param apiUrl        For `VCAP_APPLICATION`.
 * @param dropletPath   Where a droplet lies on the cell's machine; null where there are none.
 */
export async function loadDesiredLrps(
  db: Database,
  apiUrl: string,
  processGuids: readonly string[] | null,
  dropletPath: (sha256: string) => string | null,
): Promise<DesiredLrp[]> {
  const deploymentOf = await loadDeployments(db);
  const rows = await db
    .selectFrom("processes")
    .innerJoin("apps", "apps.guid", "processes.app_guid")
    .innerJoin("spaces", "spaces.guid", "apps.space_guid")
    .innerJoin("organizations", "organizations.guid", "spaces.organization_guid")
    .leftJoin("isolation_segments as own_segment", "own_segment.guid", "spaces.isolation_segment_guid")
    .leftJoin(
      "isolation_segments as default_segment",
      "default_segment.guid",
      "organizations.isolation_segment_guid",
    )
    .leftJoin("droplets", "droplets.guid", "apps.current_droplet_guid")
    .selectAll("processes")
    .select([
      "apps.name as appName",
      "apps.lifecycle",
      "apps.environment",
      "droplets.process_types as dropletProcessTypes",
      "droplets.data as dropletData",
      "spaces.guid as spaceGuid",
      "spaces.name as spaceName",
      "organizations.guid as organizationGuid",
      "organizations.name as organizationName",
      "own_segment.name as ownSegment",
      "default_segment.name as defaultSegment",
    ])
    .where("apps.state", "=", "STARTED")
    .$if(processGuids !== null, (query) => query.where("processes.guid", "in", processGuids ?? []))
    .orderBy("processes.created_at")
    .execute();
  const servicesOf = await loadVcapServices(
    db,
    processGuids === null ? null : rows.map((row) => row.app_guid),
  );
  const { variables: ofEveryApp } = await loadEnvironmentGroup(db, "running");
  const routesOf = await loadRoutes(db, processGuids === null ? null : rows.map((row) => row.app_guid));
  return rows.flatMap((row): DesiredLrp[] => {
    const local = localDirectory(row);
    const sha256 = row.dropletData === null ? null : bitsOf({ data: row.dropletData });
    const directory = local ?? (sha256 === null ? null : dropletPath(sha256));
    const { dropletProcessTypes: types } = row;
    const command = commandOf(row, types === null ? null : { process_types: types });
    if (directory === null || command === null) return [];
    const routes = routesOf(row.app_guid).filter((route) => route.process_type === row.type);
    const app = { guid: row.app_guid, name: row.appName };
    const space = { guid: row.spaceGuid, name: row.spaceName };
    const organization = { guid: row.organizationGuid, name: row.organizationName };
    const uris = routes.map((route) => routeUrl(route, route.domain));
    const about = vcapApplication({ app, space, organization, uris }, apiUrl, row);
    const common = {
      routes: routeInformation(routes, segmentName(row.ownSegment, row.defaultSegment)),
      metricTags: {
        source_id: app.guid,
        organization_id: organization.guid,
        organization_name: organization.name,
        space_id: space.guid,
        space_name: space.name,
        app_id: app.guid,
        app_name: app.name,
        process_id: row.guid,
        process_type: row.type,
      },
    };
    const healthCheck = decodeJson(row.health_check);
    const readinessCheck = decodeJson(row.readiness_health_check);
    const deployment = deploymentOf.get(row.guid);
    const versions =
      deployment === undefined
        ? [{ version: row.version, instances: row.instances }]
        : [
            // Immutable as LRPs are, the one that leaves keeps what it was desired with; only its size is told.
            { version: deployment.previous_version, instances: deployment.previous_instances },
            { version: row.version, instances: deployment.new_instances },
          ];
    return versions.map(({ version, instances }) => {
      const changeable = { instances, ...common };
      return {
        processGuid: lrpGuid({ guid: row.guid, version }),
        domain: LRP_DOMAIN,
        command,
        directory,
        ...(local === null && { ownCopy: true }),
        environment: {
          LANG: "en_US.UTF-8",
          ...ofEveryApp,
          ...decodeJson(row.environment),
          VCAP_APPLICATION: JSON.stringify(about),
          VCAP_SERVICES: JSON.stringify(servicesOf(row.app_guid)),
          MEMORY_LIMIT: `${row.memory_in_mb}m`,
        },
        ports: portsOf(routes),
        logGuid: app.guid,
        memoryMb: row.memory_in_mb,
        diskMb: row.disk_in_mb,
        healthCheck: toHealthCheck(healthCheck),
        ...(readinessCheck.type !== "process" && { readinessCheck: toHealthCheck(readinessCheck) }),
        startTimeoutMs: secondsOf(healthCheck.data["timeout"]) * 1000,
        ...changeable,
        annotation: fingerprint(changeable),
      };
    });
  });
}

/** By process: the deployments that are on their way, of which there are few. */
async function loadDeployments(db: Database) {
  const rows = await db
    .selectFrom("deployments")
    .select(["process_guid", "previous_version", "previous_instances", "new_instances"])
    .where("status_value", "=", "ACTIVE")
    .execute();
  return new Map(rows.map((row) => [row.process_guid, row]));
}

type Route = Awaited<ReturnType<typeof queryRoutes>>[number];

async function loadRoutes(db: Database, appGuids: readonly string[] | null) {
  const rows = appGuids?.length === 0 ? [] : await queryRoutes(db, appGuids);
  return groupBy(rows, (row) => row.app_guid);
}

const queryRoutes = (db: Database, appGuids: readonly string[] | null) =>
  db
    .selectFrom("destinations")
    .innerJoin("routes", "routes.guid", "destinations.route_guid")
    .innerJoin("domains", "domains.guid", "routes.domain_guid")
    .leftJoin("service_route_bindings", "service_route_bindings.route_guid", "routes.guid")
    .leftJoin("service_instances", "service_instances.guid", "service_route_bindings.service_instance_guid")
    .select([
      "destinations.app_guid",
      "destinations.process_type",
      "destinations.app_port",
      "destinations.protocol as destinationProtocol",
      "routes.host",
      "routes.path",
      "routes.port",
      "routes.protocol",
      "routes.options",
      "domains.name as domain",
      "domains.internal",
      "domains.router_group_guid",
      "service_instances.route_service_url as routeServiceUrl",
    ])
    .$if(appGuids !== null, (query) => query.where("destinations.app_guid", "in", appGuids ?? []))
    .orderBy("routes.created_at")
    .orderBy("destinations.created_at")
    .execute();

/** An internal route names instances, whatever its destinations say of ports. */
const portsOf = (routes: readonly Route[]) => [
  ...new Set([
    DEFAULT_PORT,
    ...routes.filter((route) => route.internal === 0).map((route) => route.app_port ?? DEFAULT_PORT),
  ]),
];

/** The map `routes` of an LRP. Keys are there even when their lists are empty, as the emitters expect. */
function routeInformation(routes: readonly Route[], segment: string): Readonly<Record<string, unknown>> {
  const http = routes.filter((route) => route.protocol === "http" && route.internal === 0);
  return {
    "cf-router": http.map((route) => {
      const options = decodeJson(route.options);
      return {
        hostnames: [routeUrl(route, route.domain)],
        port: route.app_port ?? DEFAULT_PORT,
        ...(route.routeServiceUrl !== null && { route_service_url: route.routeServiceUrl }),
        ...(segment !== "" && { isolation_segment: segment }),
        ...(route.destinationProtocol !== null && { protocol: route.destinationProtocol }),
        ...(Object.keys(options).length > 0 && { options }),
      };
    }),
    "tcp-router": routes
      .filter((route) => route.port !== null)
      .map((route) => ({
        router_group_guid: route.router_group_guid,
        external_port: route.port,
        container_port: route.app_port ?? DEFAULT_PORT,
      })),
    "internal-router": routes
      .filter((route) => route.internal === 1)
      .map((route) => ({ hostname: routeUrl(route, route.domain) })),
  };
}

function toHealthCheck({ type, data }: HealthCheckDocument): DesiredLrp["healthCheck"] {
  const timeoutMs = secondsOf(data["invocation_timeout"]) * 1000;
  const intervalMs = secondsOf(data["interval"]) * 1000;
  return {
    type: type === "http" || type === "process" ? type : "port",
    endpoint: typeof data["endpoint"] === "string" ? data["endpoint"] : "/",
    ...(timeoutMs > 0 && { timeoutMs }),
    ...(intervalMs > 0 && { intervalMs }),
  };
}

const secondsOf = (value: unknown) => (typeof value === "number" ? value : 0);

/** Equal exactly when nothing that may be updated differs. Short, because every LRP carries one. */
function fingerprint(changeable: object): string {
  return createHash("sha256").update(JSON.stringify(changeable)).digest("base64url").slice(0, 16);
}
