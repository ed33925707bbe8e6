/**
 * The route table: which endpoints may serve a host and path right now. Joins reservations with endpoints by
 * process GUID (native feed) and endpoints registered by URI (classic feed).
 * Readers take an immutable {@link Snapshot}; the only writer is the {@link Table}.
 * Not here: health, sockets, balancing (see router/ and balancing/).
 */
export { parseRouteKey } from "./route-key.ts";
export { createTable } from "./table.ts";
export { endpointAddress, plainEndpoint, reservationAddress } from "./types.ts";
export type {
  Cursor,
  Destination,
  Endpoint,
  EndpointProtocol,
  PrunedEndpoint,
  RegisterOutcome,
  Registration,
  Reservation,
  Route,
  RouteOptions,
  RouteProtocol,
  Snapshot,
  Table,
  TableEvent,
  TableImage,
  TableOptions,
} from "./types.ts";
