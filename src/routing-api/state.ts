/**
 * What the route table holds now: reservations, endpoints and the join of the two. A plain data structure:
 * no database, no clock, no readers.
 *
 *   reservation ──destinations──► process GUID and port ◄── endpoint
 */
import { isDeepStrictEqual } from "node:util";
import {
  type Destination,
  type Endpoint,
  endpointAddress,
  type Reservation,
  reservationAddress,
} from "../table/index.ts";

export interface HeldReservation {
  readonly reservation: Reservation;
  /** Grows with every stored change of any reservation; the index of the modification tag. */
  readonly revision: number;
}

export type EndpointIdentity = Pick<Endpoint, "processGuid" | "host" | "port">;

/** All endpoints of one process. */
interface ProcessEndpoints {
  /** By `host:port`. */
  readonly members: Map<string, HeldEndpoint>;
  /** What a destination without a port means; Infinity while nobody says. */
  lowestAppPort: number;
}

interface HeldEndpoint {
  endpoint: Endpoint;
  expiresAtMs: number;
}

export class TableState {
  readonly #reservations = new Map<string, HeldReservation>();
  readonly #guidByAddress = new Map<string, string>();
  readonly #guidsByProcess = new Map<string, Set<string>>();
  readonly #endpoints = new Map<string, ProcessEndpoints>();

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
      own = { members: new Map(), lowestAppPort: Number.POSITIVE_INFINITY };
      this.#endpoints.set(endpoint.processGuid, own);
    }
    const address = endpointAddress(endpoint);
    const held = own.members.get(address);
    if (held !== undefined) {
      held.expiresAtMs = expiresAtMs;
      if (isSameEndpoint(held.endpoint, endpoint)) return false;
    }
    own.members.set(address, { endpoint, expiresAtMs });
    own.lowestAppPort = lowestAppPort(own.members.values());
    return true;
  }

  endpoint(identity: EndpointIdentity): Endpoint | null {
    return (
      this.#endpoints.get(identity.processGuid)?.members.get(endpointAddress(identity))?.endpoint ?? null
    );
  }

  removeEndpoint(identity: EndpointIdentity): void {
    const own = this.#endpoints.get(identity.processGuid);
    if (own === undefined || !own.members.delete(endpointAddress(identity))) return;
    own.lowestAppPort = lowestAppPort(own.members.values());
    if (own.members.size === 0) this.#endpoints.delete(identity.processGuid);
  }

  /** What a destination without a port means now; Infinity while the process has no endpoint that says. */
  lowestAppPort(processGuid: string): number {
    return this.#endpoints.get(processGuid)?.lowestAppPort ?? Number.POSITIVE_INFINITY;
  }

  /** Endpoints whose time is over, and when the next one's will be (Infinity when there is none). */
  expired(nowMs: number): { readonly endpoints: readonly Endpoint[]; readonly nextAtMs: number } {
    const endpoints: Endpoint[] = [];
    let nextAtMs = Number.POSITIVE_INFINITY;
    for (const own of this.#endpoints.values()) {
      for (const { endpoint, expiresAtMs } of own.members.values()) {
        if (expiresAtMs <= nowMs) endpoints.push(endpoint);
        else if (expiresAtMs < nextAtMs) nextAtMs = expiresAtMs;
      }
    }
    return { endpoints, nextAtMs };
  }

  *endpoints(processGuid?: string): IterableIterator<Endpoint> {
    const groups = processGuid === undefined ? this.#endpoints.values() : [this.#endpoints.get(processGuid)];
    for (const own of groups) {
      for (const { endpoint } of own?.members.values() ?? []) yield endpoint;
    }
  }

  /**
   * Endpoints that serve a reservation now.
   * @param assumed  As if this were the process's lowest port.
   */
  *endpointsOf(
    reservation: Reservation,
    assumed?: { readonly processGuid: string; readonly port: number },
  ): IterableIterator<Endpoint> {
    // A process may be a destination twice, with two ports.
    for (const processGuid of new Set(
      reservation.destinations.map((destination) => destination.processGuid),
    )) {
      for (const endpoint of this.endpoints(processGuid)) {
        if (this.#serves(endpoint, reservation, assumed)) yield endpoint;
      }
    }
  }

  /** Reservations that an endpoint serves now. */
  routesOf(endpoint: Endpoint): Reservation[] {
    const routes: Reservation[] = [];
    for (const guid of this.#guidsByProcess.get(endpoint.processGuid) ?? []) {
      const held = this.#reservations.get(guid);
      if (held !== undefined && this.#serves(endpoint, held.reservation)) routes.push(held.reservation);
    }
    return routes;
  }

  /** Reservations whose endpoints change when the process's lowest port does. */
  *defaultPortRoutesOf(processGuid: string): IterableIterator<HeldReservation> {
    for (const guid of this.#guidsByProcess.get(processGuid) ?? []) {
      const held = this.#reservations.get(guid);
      const isMeant = (destination: Destination) =>
        destination.processGuid === processGuid && destination.appPort === null;
      if (held?.reservation.destinations.some(isMeant)) yield held;
    }
  }

  #serves(
    endpoint: Endpoint,
    reservation: Reservation,
    assumed?: { readonly processGuid: string; readonly port: number },
  ): boolean {
    const { processGuid, appPort } = endpoint;
    return reservation.destinations.some((destination) => {
      if (destination.processGuid !== processGuid) return false;
      if (appPort === 0 || destination.appPort === appPort) return true;
      if (destination.appPort !== null) return false;
      return (
        appPort === (assumed?.processGuid === processGuid ? assumed.port : this.lowestAppPort(processGuid))
      );
    });
  }
}

/**
 * What must be unique. Lower-case as a whole, because routers match paths whatever their case: two reservations
 * that differ in nothing else could not both be served. A port is another one in each router group.
 */
export function addressOf(reservation: Reservation): string {
  return `${reservation.protocol} ${reservationAddress(reservation).toLowerCase()}`;
}

function lowestAppPort(members: Iterable<HeldEndpoint>): number {
  let lowest = Number.POSITIVE_INFINITY;
  for (const { endpoint } of members) if (endpoint.appPort > 0) lowest = Math.min(lowest, endpoint.appPort);
  return lowest;
}

// `updatedAtNs` moves without anything a router could act on, so it alone is no change.
function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a === b || isDeepStrictEqual({ ...a, updatedAtNs: "" }, { ...b, updatedAtNs: "" });
}
