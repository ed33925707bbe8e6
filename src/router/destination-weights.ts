/** From the weights of a route's destinations to those of its endpoints. */
import type { Destination, Route } from "../table/index.ts";

/**
 * Each destination's weight, divided among the endpoints that it has now; null for a route without weights. An endpoint
 * that belongs to none, as `router.register` may bring one along, counts as much as the average of the others.
 * @returns in the order of the route's endpoints
 */
export function destinationWeights({
  reservation,
  endpoints,
}: Pick<Route, "reservation" | "endpoints">): readonly number[] | null {
  if (reservation === null || !reservation.destinations.some(({ weight }) => weight !== null)) return null;
  const owners = endpoints.map((endpoint) =>
    reservation.destinations.find(
      ({ processGuid, appPort }) =>
        processGuid === endpoint.processGuid &&
        (appPort === null || endpoint.appPort === 0 || appPort === endpoint.appPort),
    ),
  );
  const counts = new Map<Destination | undefined, number>();
  for (const owner of owners) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const owned = owners.length - (counts.get(undefined) ?? 0);
  counts.delete(undefined);
  const total = [...counts.keys()].reduce((sum, owner) => sum + (owner?.weight ?? 0), 0);
  return owners.map((owner) =>
    owner === undefined ? total / Math.max(owned, 1) || 1 : (owner.weight ?? 0) / (counts.get(owner) ?? 1),
  );
}
