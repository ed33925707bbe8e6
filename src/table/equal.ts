/** «Says the same»: what decides whether a message changes anything. */
import type { Endpoint, Reservation } from "./types.ts";

// An object, so that the compiler misses a field that is added to the type and not here.
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
const reservationFields = Object.keys(RESERVATION_FIELDS) as (keyof typeof RESERVATION_FIELDS)[];

/**
 * Heartbeats come by the thousand per second, and this is much of their cost: hence no loop over names of fields. Its
 * test misses a field that is added to the type and not here.
 */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return (
    a === b ||
    (a.host === b.host &&
      a.port === b.port &&
      a.tls === b.tls &&
      a.updatedAtNs === b.updatedAtNs &&
      a.instanceId === b.instanceId &&
      a.instanceIndex === b.instanceIndex &&
      a.processGuid === b.processGuid &&
      a.appGuid === b.appGuid &&
      a.serverCertDomainSan === b.serverCertDomainSan &&
      a.appPort === b.appPort &&
      a.instanceAddress === b.instanceAddress &&
      a.protocol === b.protocol &&
      a.availabilityZone === b.availabilityZone &&
      a.isolationSegment === b.isolationSegment &&
      sameRecord(a.tags, b.tags))
  );
}

/** Flat objects, the order of their keys aside. */
export function sameRecord<T extends object>(a: T, b: T): boolean {
  if (a === b) return true;
  let surplus = 0;
  for (const key in a) {
    const value = a[key];
    if (value !== b[key] || (value === undefined && !Object.hasOwn(b, key))) return false;
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
