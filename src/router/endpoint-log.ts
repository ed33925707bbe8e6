/** Endpoints as gorouter's log tells of them: its tools and dashboards search for these names. */
import { type Endpoint, endpointAddress } from "../table/index.ts";

/** Of a route's endpoint that comes or leaves. */
export function registrationFields(uri: string, endpoint: Endpoint, routeServiceUrl: string | null): object {
  return {
    uri,
    route_service_url: routeServiceUrl ?? "-",
    backend: endpointAddress(endpoint),
    application_id: endpoint.appGuid,
    instance_id: endpoint.instanceId,
    server_cert_domain_san: endpoint.serverCertDomainSan,
    protocol: endpoint.protocol,
    isolation_segment: endpoint.isolationSegment || "-",
    isTLS: endpoint.tls,
  };
}

/** Of an endpoint that is asked. */
export function endpointFields(endpoint: Endpoint, routeServiceUrl: string | null): object {
  return {
    "route-endpoint": {
      ApplicationId: endpoint.appGuid,
      Addr: endpointAddress(endpoint),
      Tags: endpoint.tags,
      RouteServiceUrl: routeServiceUrl ?? "",
      AZ: endpoint.availabilityZone,
    },
  };
}
