/** «Says the same»: what decides whether a message changes anything. */
import { isDeepStrictEqual } from "node:util";
import type { Endpoint, Reservation } from "./types.ts";

// An object, so that the compiler misses a field that is added to Endpoint and not here.
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
const endpointFields = Object.keys(ENDPOINT_FIELDS) as (keyof typeof ENDPOINT_FIELDS)[];

/** Heartbeats come by the thousand per second, and this is most of their cost: hence no generic comparison. */
export function sameEndpoint(a: Endpoint, b: Endpoint): boolean {
  if (a === b) return true;
  for (const field of endpointFields) {
    if (a[field] !== b[field]) return false;
  }
  return sameRecord(a.tags, b.tags);
}

/** Flat maps, the order of their keys aside. */
export function sameRecord(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
): boolean {
  if (a === b) return true;
  let surplus = 0;
  for (const key in a) {
    if (a[key] !== b[key] || !Object.hasOwn(b, key)) return false;
    surplus++;
  }
  for (const _key in b) surplus--;
  return surplus === 0;
}

export const sameReservation = (a: Reservation, b: Reservation): boolean => isDeepStrictEqual(a, b);

/** The same endpoints in the same order. */
export const sameEndpoints = (a: readonly Endpoint[], b: readonly Endpoint[]): boolean =>
  a.length === b.length &&
  a.every((endpoint, i) => {
    const other = b[i];
    return other !== undefined && sameEndpoint(endpoint, other);
  });
