/** Route number `i` of a benchmark: one app, one endpoint. */
import { type Endpoint, plainEndpoint, type Reservation } from "../../src/table/index.ts";

export function reservationOf(i: number): Reservation {
  return {
    guid: guid(4, i),
    protocol: "http",
    route: hostOf(i),
    routerGroup: "",
    destinations: [{ processGuid: guid(3, i), appPort: 8_080, weight: null, protocol: "http1" }],
    options: {},
    routeServiceUrl: null,
    isolationSegment: "",
    tags: { app: guid(1, i) },
  };
}

export function endpointOf(i: number, age: number): Endpoint {
  return plainEndpoint({
    processGuid: guid(3, i),
    instanceId: guid(2, i),
    appGuid: guid(1, i),
    host: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
    port: 61_000 + age,
    appPort: 8_080,
    tags: { component: "route-emitter", process_id: guid(3, i), organization_name: "org" },
  });
}

export function hostOf(i: number): string {
  return `app-${i}.apps.example.com`;
}

export function guid(kind: number, i: number): string {
  return `${kind}${String(i).padStart(7, "0")}-5b1d-4c3a-9e6f-0a1b2c3d4e5f`;
}
