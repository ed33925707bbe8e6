/** Values for tests and benchmarks: everything at its plainest, so that a test names only what it is about. */
import type { Destination, Endpoint, Registration, Reservation } from "./types.ts";

export function endpoint(fields: Partial<Endpoint> = {}): Endpoint {
  return {
    processGuid: "",
    instanceId: "",
    instanceIndex: "",
    appGuid: "",
    host: "10.0.0.1",
    port: 61_000,
    tls: false,
    serverCertDomainSan: "",
    appPort: 8080,
    instanceAddress: "",
    protocol: "http1",
    availabilityZone: "",
    isolationSegment: "",
    tags: {},
    updatedAtNs: "",
    ...fields,
  };
}

export const destination = (fields: Partial<Destination> = {}): Destination => ({
  processGuid: "web",
  appPort: 8080,
  weight: null,
  protocol: "http1",
  ...fields,
});

export function reservation(route: string, fields: Partial<Reservation> = {}): Reservation {
  return {
    guid: `guid of ${route}`,
    protocol: "http",
    route,
    routerGroup: "",
    destinations: [destination()],
    options: {},
    routeServiceUrl: null,
    isolationSegment: "",
    tags: {},
    ...fields,
  };
}

export const registration = (uri: string, fields: Partial<Registration> = {}): Registration => ({
  uri,
  endpoint: endpoint(),
  options: {},
  routeServiceUrl: null,
  staleAfterMs: 120_000,
  ...fields,
});
