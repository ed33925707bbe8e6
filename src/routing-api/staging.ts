/**
 * Reservation changes of one transaction before it commits: asked like the table, but nothing has happened yet.
 * Several writes that arrive together share one transaction, and so one wait for the disk.
 */
import { isDeepStrictEqual } from "node:util";
import { routeReserved } from "../kernel/errors/routing-api.ts";
import type { Reservation } from "../table/index.ts";
import type { ReservationChanges } from "./reservation-rows.ts";
import { addressOf, type HeldReservation, type TableState } from "./state.ts";

export type StagedChange =
  | { readonly kind: "put"; readonly held: HeldReservation }
  | { readonly kind: "delete"; readonly guid: string };

export class Staging {
  readonly #state: TableState;
  #revision: number;
  /** In the order readers will see them. */
  readonly changes: StagedChange[] = [];
  readonly #reservations = new Map<string, HeldReservation | null>();
  readonly #guidByAddress = new Map<string, string | null>();

  /** @param revision  The newest one given so far. */
  constructor(state: TableState, revision: number) {
    this.#state = state;
    this.#revision = revision;
  }

  get revision(): number {
    return this.#revision;
  }

  /** As it will be. */
  reservation(guid: string): HeldReservation | null {
    const staged = this.#reservations.get(guid);
    return staged === undefined ? this.#state.reservation(guid) : staged;
  }

  /**
   * Nothing happens when an equal one is there.
   * @throws routeReserved when another guid holds the address; nothing is staged then.
   */
  put(reservation: Reservation): void {
    const held = this.reservation(reservation.guid);
    if (held !== null && isDeepStrictEqual(held.reservation, reservation)) return;
    const address = addressOf(reservation);
    const holder = this.#holderOf(address);
    if (holder !== null && holder !== reservation.guid) throw routeReserved({ route: reservation.route });
    if (held !== null) this.#guidByAddress.set(addressOf(held.reservation), null);
    this.#guidByAddress.set(address, reservation.guid);
    const next = { reservation, revision: ++this.#revision };
    this.#reservations.set(reservation.guid, next);
    this.changes.push({ kind: "put", held: next });
  }

  delete(guid: string): void {
    const held = this.reservation(guid);
    if (held === null) return;
    this.#guidByAddress.set(addressOf(held.reservation), null);
    this.#reservations.set(guid, null);
    this.changes.push({ kind: "delete", guid });
  }

  /**
   * Makes the reservations exactly these.
   * @throws routeReserved when two of them have one address; nothing is staged then.
   */
  replace(reservations: readonly Reservation[]): void {
    const wanted = new Map<string, Reservation>();
    const guidByAddress = new Map<string, string>();
    for (const reservation of reservations) {
      const address = addressOf(reservation);
      const other = guidByAddress.get(address);
      if (other !== undefined && other !== reservation.guid)
        throw routeReserved({ route: reservation.route });
      guidByAddress.set(address, reservation.guid);
      wanted.set(reservation.guid, reservation);
    }
    // What moves to another address goes first, so that no reader ever sees one address twice.
    for (const { reservation } of this.#all()) {
      const next = wanted.get(reservation.guid);
      if (next === undefined || addressOf(next) !== addressOf(reservation)) this.delete(reservation.guid);
    }
    for (const reservation of wanted.values()) this.put(reservation);
  }

  /** What the database must take: the outcome for each guid, however often it changed. */
  rows(): ReservationChanges {
    const deleted: string[] = [];
    const put: HeldReservation[] = [];
    for (const [guid, held] of this.#reservations) {
      const before = this.#state.reservation(guid);
      // An address that moves between two guids is freed first, for the database's unique index.
      if (
        before !== null &&
        (held === null || addressOf(held.reservation) !== addressOf(before.reservation))
      ) {
        deleted.push(guid);
      }
      if (held !== null) put.push(held);
    }
    return { deleted, put };
  }

  #holderOf(address: string): string | null {
    const staged = this.#guidByAddress.get(address);
    return staged === undefined ? this.#state.holderOf(address) : staged;
  }

  *#all(): IterableIterator<HeldReservation> {
    for (const held of this.#state.reservations()) {
      if (!this.#reservations.has(held.reservation.guid)) yield held;
    }
    for (const held of this.#reservations.values()) if (held !== null) yield held;
  }
}
