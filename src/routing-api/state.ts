/**
 * What the route table holds now: reservations, endpoints and the join of the two. A plain data structure:
 * no database, no clock, no readers.
 *
 *   reservation ──destinations──► process GUID ◄── endpoint
 */
import { isDeepStrictEqual } from "node:util";
import { type Endpoint, endpointAddress, type Reservation } from "../table/index.ts";

export interface HeldReservation {
  readonly reservation: Reservation;
  /** Grows with every stored change of any reservation; the index of the modification tag. */
  readonly revision: number;
}

export type EndpointIdentity = Pick<Endpoint, "processGuid" | "host" | "port">;

interface HeldEndpoint {
  endpoint: Endpoint;
  expiresAtMs: number;
}

export class TableState {
  readonly #reservations = new Map<string, HeldReservation>();
  readonly #guidByAddress = new Map<string, string>();
  readonly #guidsByProcess = new Map<string, Set<string>>();
  /** Process GUID → `host:port` → endpoint. */
  readonly #endpoints = new Map<string, Map<string, HeldEndpoint>>();

  reservation(guid: string): HeldReservation | null {
    return this.#reservations.get(guid) ?? null;
  }

  reservations(): IterableIterator<HeldReservation> {
    return this.#reservations.values();
  }

  /** The guid that holds an address, or null. */
  holderOf(address: string): string | null {
    return this.#guidByAddress.get(address) ?? null;
  }

  setReservation(reservation: Reservation, revision: number): void {
    this.removeReservation(reservation.guid);
    this.#reservations.set(reservation.guid, { reservation, revision });
    this.#guidByAddress.set(addressOf(reservation), reservation.guid);
    for (const { processGuid } of reservation.destinations) {
      const guids = this.#guidsByProcess.get(processGuid);
      if (guids === undefined) this.#guidsByProcess.set(processGuid, new Set([reservation.guid]));
      else guids.add(reservation.guid);
    }
  }

  removeReservation(guid: string): void {
    const held = this.#reservations.get(guid);
    if (held === undefined) return;
    this.#reservations.delete(guid);
    this.#guidByAddress.delete(addressOf(held.reservation));
    for (const { processGuid } of held.reservation.destinations) {
      const guids = this.#guidsByProcess.get(processGuid);
      guids?.delete(guid);
      if (guids?.size === 0) this.#guidsByProcess.delete(processGuid);
    }
  }

  /** False when it was there already and nothing that a reader could see changed. */
  setEndpoint(endpoint: Endpoint, expiresAtMs: number): boolean {
    let own = this.#endpoints.get(endpoint.processGuid);
    if (own === undefined) {
      own = new Map();
      this.#endpoints.set(endpoint.processGuid, own);
    }
    const address = endpointAddress(endpoint);
    const held = own.get(address);
    if (held === undefined) {
      own.set(address, { endpoint, expiresAtMs });
      return true;
    }
    held.expiresAtMs = expiresAtMs;
    if (isSameEndpoint(held.endpoint, endpoint)) return false;
    held.endpoint = endpoint;
    return true;
  }

  /** The endpoint that was removed, or null. */
  removeEndpoint(identity: EndpointIdentity): Endpoint | null {
    const own = this.#endpoints.get(identity.processGuid);
    const address = endpointAddress(identity);
    const held = own?.get(address);
    if (own === undefined || held === undefined) return null;
    own.delete(address);
    if (own.size === 0) this.#endpoints.delete(identity.processGuid);
    return held.endpoint;
  }

  /** Endpoints whose time is over, and when the next one's will be (Infinity when there is none). */
  expired(nowMs: number): { readonly endpoints: readonly Endpoint[]; readonly nextAtMs: number } {
    const endpoints: Endpoint[] = [];
    let nextAtMs = Number.POSITIVE_INFINITY;
    for (const own of this.#endpoints.values()) {
      for (const { endpoint, expiresAtMs } of own.values()) {
        if (expiresAtMs <= nowMs) endpoints.push(endpoint);
        else if (expiresAtMs < nextAtMs) nextAtMs = expiresAtMs;
      }
    }
    return { endpoints, nextAtMs };
  }

  *endpoints(processGuid?: string): IterableIterator<Endpoint> {
    const groups = processGuid === undefined ? this.#endpoints.values() : [this.#endpoints.get(processGuid)];
    for (const own of groups) {
      for (const { endpoint } of own?.values() ?? []) yield endpoint;
    }
  }

  /** Endpoints that serve a reservation now. */
  *endpointsOf(reservation: Reservation): IterableIterator<Endpoint> {
    // A process may be a destination twice, with two ports.
    for (const processGuid of new Set(
      reservation.destinations.map((destination) => destination.processGuid),
    )) {
      for (const endpoint of this.endpoints(processGuid)) {
        if (serves(endpoint, reservation)) yield endpoint;
      }
    }
  }

  /** Reservations that an endpoint serves now. */
  routesOf(endpoint: Endpoint): Reservation[] {
    const routes: Reservation[] = [];
    for (const guid of this.#guidsByProcess.get(endpoint.processGuid) ?? []) {
      const held = this.#reservations.get(guid);
      if (held !== undefined && serves(endpoint, held.reservation)) routes.push(held.reservation);
    }
    return routes;
  }
}

/**
 * What must be unique. Lower-case as a whole, because routers match paths whatever their case: two reservations
 * that differ in nothing else could not both be served.
 */
export function addressOf({ protocol, route }: Pick<Reservation, "protocol" | "route">): string {
  return `${protocol} ${route.toLowerCase()}`;
}

/** True when a destination of the reservation means this endpoint. */
export function serves(endpoint: Endpoint, reservation: Reservation): boolean {
  return reservation.destinations.some(
    ({ processGuid, appPort }) =>
      processGuid === endpoint.processGuid &&
      (appPort === null || endpoint.appPort === 0 || appPort === endpoint.appPort),
  );
}

// `updatedAtNs` moves without anything a router could act on, so it alone is no change.
function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a === b || isDeepStrictEqual({ ...a, updatedAtNs: "" }, { ...b, updatedAtNs: "" });
}
