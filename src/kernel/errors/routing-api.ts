/**
 * Errors of the routing API and its client. The names they carry on the wire are in `routing-api/respond.ts`.
 */
import { defineError } from "./define.ts";

export const routeReserved = defineError<{ route: string }>({
  code: "route_reserved",
  source: "client",
  retry: "never",
  status: 409,
  // Names no holder: the caller may not be allowed to see it.
  explain: (d) => `route ${d.route} is already reserved under another guid; delete that reservation first`,
});

/** Texts are the ones upstream's clients know, so they are not lower-case. */
export const routeInvalid = defineError<{ reason: string }>({
  code: "route_invalid",
  source: "client",
  retry: "never",
  status: 400,
  explain: (d) => d.reason,
});

export const routeServiceUrlInvalid = defineError<{ reason: string }>({
  code: "route_service_url_invalid",
  source: "client",
  retry: "never",
  status: 400,
  explain: (d) => d.reason,
});

export const routeOptionsInvalid = defineError<{ reason: string }>({
  code: "route_options_invalid",
  source: "client",
  retry: "never",
  status: 400,
  explain: (d) => d.reason,
});

export const requestNotProcessable = defineError<{ reason: string }>({
  code: "request_not_processable",
  source: "client",
  retry: "never",
  status: 400,
  explain: (d) => `Cannot process request: ${d.reason}`,
});

export const routingResourceNotFound = defineError<{ what: string }>({
  code: "routing_resource_not_found",
  source: "client",
  retry: "never",
  status: 404,
  explain: (d) => `${d.what} not found`,
});

export const routingUnauthorized = defineError<{ reason: string }>({
  code: "routing_unauthorized",
  source: "client",
  retry: "never",
  status: 401,
  explain: (d) => d.reason,
});

export const reservationChanged = defineError<{ guid: string; current: string }>({
  code: "reservation_changed",
  source: "client",
  retry: "never",
  status: 412,
  explain: (d) => `reservation ${d.guid} is at "${d.current}", not at what If-Match names; read it again`,
});

export const reservationsNotStored = defineError({
  code: "reservations_not_stored",
  source: "control-plane",
  retry: "safe",
  status: 503,
  explain: () => "the database did not take the change; nothing was changed, try again",
});

export const routeTableStopped = defineError({
  code: "route_table_stopped",
  source: "control-plane",
  retry: "safe",
  status: 503,
  explain: () => "the route table is stopped; nothing was changed, try another instance",
});

export const storedReservationBroken = defineError<{ guid: string; reason: string }>({
  code: "stored_reservation_broken",
  source: "operator",
  retry: "never",
  status: 0,
  explain: (d) =>
    `reservation ${d.guid} in table route_reservations cannot be read: ${d.reason}; restore or delete the row`,
});

export const routingApiUnavailable = defineError<{ url: string; reason: string }>({
  code: "routing_api_unavailable",
  source: "control-plane",
  retry: "safe",
  status: 503,
  explain: (d) => `the routing API at ${d.url} did not answer: ${d.reason}`,
});

export const routingApiRefused = defineError<{ url: string; status: number; name: string; message: string }>({
  code: "routing_api_refused",
  source: "control-plane",
  retry: "never",
  status: 502,
  explain: (d) => `the routing API at ${d.url} answered ${d.status} ${d.name}: ${d.message}`,
});
