/** «Says the same»: what decides whether a message changes anything. */
import type { Endpoint, Reservation } from "./types.ts";

// Objects, so that the compiler misses a field that is added to a type and not here.
const ENDPOINT_FIELDS: { readonly [K in Exclude<keyof Endpoint, "tags">]: true } = {
  processGuid: true,
  instanceId: true,
  instanceIndex: true,
  appGuid: true,
  host: true,
  port: true,
  tls: true,
  serverCertDomainSan: true,
  appPort: true,
  instanceAddress: true,
  protocol: true,
  availabilityZone: true,
  isolationSegment: true,
  updatedAtNs: true,
};
const RESERVATION_FIELDS: {
  readonly [K in Exclude<keyof Reservation, "tags" | "options" | "destinations">]: true;
} = {
  guid: true,
  protocol: true,
  route: true,
  routerGroup: true,
  routeServiceUrl: true,
  isolationSegment: true,
};
const endpointFields = Object.keys(ENDPOINT_FIELDS) as (keyof typeof ENDPOINT_FIELDS)[];
const reservationFields = Object.keys(RESERVATION_FIELDS) as (keyof typeof RESERVATION_FIELDS)[];

/** Heartbeats come by the thousand per second, and this is most of their cost: hence no generic comparison. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (a === b) return true;
  for (const field of endpointFields) {
    if (a[field] !== b[field]) return false;
  }
  return sameRecord(a.tags, b.tags);
}

/** Flat objects, the order of their keys aside. */
export function sameRecord<T extends object>(a: T, b: T): boolean {
  if (a === b) return true;
  let surplus = 0;
  for (const key in a) {
    if (a[key] !== b[key] || !Object.hasOwn(b, key)) return false;
    surplus++;
  }
  for (const _key in b) surplus--;
  return surplus === 0;
}

/** An image brings all reservations again, and traffic waits while they are compared. */
export function sameReservation(a: Reservation, b: Reservation): boolean {
  return (
    a === b ||
    (reservationFields.every((field) => a[field] === b[field]) &&
      sameRecord(a.tags, b.tags) &&
      sameRecord(a.options, b.options) &&
      a.destinations.length === b.destinations.length &&
      a.destinations.every((destination, i) => {
        const other = b.destinations[i];
        return other !== undefined && sameRecord(destination, other);
      }))
  );
}

/** The same endpoints in the same order. */
export const sameEndpoints = (a: readonly Endpoint[], b: readonly Endpoint[]): boolean =>
  a.length === b.length &&
  a.every((endpoint, i) => {
    const other = b[i];
    return other !== undefined && sameEndpoint(endpoint, other);
  });
