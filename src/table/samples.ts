/** Values for tests and benchmarks: everything at its plainest, so that a test names only what it is about. */
import {
  type Destination,
  type Endpoint,
  plainEndpoint,
  type Registration,
  type Reservation,
} from "./types.ts";

export const endpoint = (fields: Partial<Endpoint> = {}): Endpoint =>
  plainEndpoint({ host: "10.0.0.1", port: 61_000, appPort: 8080, ...fields });

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
