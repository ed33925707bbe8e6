/** Rows → reservations: what the route table shall hold for routes, stopped apps or none included. */
import type { InferResult } from "kysely";
import { decodeJson, together } from "../../store/index.ts";
import type { Destination, Reservation, RouteProtocol } from "../../table/index.ts";
import type { Database } from "../context.ts";
import { segmentName } from "../isolation-segments.ts";
import { groupBy } from "../present.ts";
import { routeUrl } from "../route-address.ts";

/** @param guids  Null for all routes there are. A GUID without a row is left out of the answer. */
export async function loadReservations(
  db: Database,
  guids: readonly string[] | null,
): Promise<Reservation[]> {
  const routesWanted = db
    .selectFrom("routes")
    .innerJoin("domains", "domains.guid", "routes.domain_guid")
    .innerJoin("spaces", "spaces.guid", "routes.space_guid")
    .innerJoin("organizations", "organizations.guid", "spaces.organization_guid")
    .leftJoin("isolation_segments as own_segment", "own_segment.guid", "spaces.isolation_segment_guid")
    .leftJoin(
      "isolation_segments as default_segment",
      "default_segment.guid",
      "organizations.isolation_segment_guid",
    )
    .leftJoin("service_route_bindings", "service_route_bindings.route_guid", "routes.guid")
    .leftJoin("service_instances", "service_instances.guid", "service_route_bindings.service_instance_guid")
    .select([
      "routes.guid",
      "routes.host",
      "routes.path",
      "routes.port",
      "routes.protocol",
      "routes.options",
      "domains.name as domain",
      "domains.internal",
      "domains.router_group_guid",
      "spaces.guid as spaceGuid",
      "spaces.name as spaceName",
      "organizations.guid as organizationGuid",
      "organizations.name as organizationName",
      "own_segment.name as ownSegment",
      "default_segment.name as defaultSegment",
      "service_instances.route_service_url as routeServiceUrl",
    ])
    .$if(guids !== null, (query) => query.where("routes.guid", "in", guids ?? []))
    .orderBy("routes.created_at");
  const [routes, targets] = await together(db, [routesWanted, targetsWanted(db, guids)]);
  const targetsOf = groupBy(targets, (row) => row.route_guid);
  return routes.map((route) => {
    const destinations = targetsOf(route.guid).map(toDestination);
    const protocol: RouteProtocol = route.internal === 1 ? "internal" : route.protocol;
    return {
      guid: route.guid,
      protocol,
      route: route.port === null ? routeUrl(route, route.domain) : String(route.port),
      routerGroup: route.router_group_guid ?? "",
      destinations: protocol === "internal" ? wholeProcesses(destinations) : destinations,
      options: protocol === "internal" ? {} : decodeJson(route.options),
      routeServiceUrl: route.routeServiceUrl,
      isolationSegment: segmentName(route.ownSegment, route.defaultSegment),
      tags: {
        organization_id: route.organizationGuid,
        organization_name: route.organizationName,
        space_id: route.spaceGuid,
        space_name: route.spaceName,
      },
    };
  });
}

/** The processes behind destinations. A destination whose app has no process of that type points to nothing yet. */
const targetsWanted = (db: Database, guids: readonly string[] | null) =>
  db
    .selectFrom("destinations")
    .innerJoin("processes", (join) =>
      join
        .onRef("processes.app_guid", "=", "destinations.app_guid")
        .onRef("processes.type", "=", "destinations.process_type"),
    )
    .select([
      "destinations.route_guid",
      "destinations.app_port as appPort",
      "destinations.weight",
      "destinations.protocol",
      "processes.guid as processGuid",
    ])
    .$if(guids !== null, (query) => query.where("destinations.route_guid", "in", guids ?? []))
    .orderBy("destinations.created_at")
    .orderBy("destinations.guid");
type Target = InferResult<ReturnType<typeof targetsWanted>>[number];

const toDestination = ({ processGuid, appPort, weight, protocol }: Target): Destination => ({
  processGuid,
  appPort,
  weight,
  protocol: protocol === "http2" ? "http2" : "http1",
});

/** What an internal route points to: names resolve to instances, so ports, weights and protocols mean nothing. */
function wholeProcesses(destinations: readonly Destination[]): readonly Destination[] {
  return [...new Set(destinations.map(({ processGuid }) => processGuid))].map((processGuid) => ({
    processGuid,
    appPort: null,
    weight: null,
    protocol: "http1",
  }));
}
