/**
 * Reservations as rows of `route_reservations`.
 */
import { storedReservationBroken } from "../kernel/errors/routing-api.ts";
import { decodeJson, encodeJson, type NewRow, type Store, toTimestamp } from "../store/index.ts";
import type { Reservation } from "../table/index.ts";
import type { HeldReservation } from "./state.ts";

/** Rows per statement: stays below the parameter limits of both engines. */
const CHUNK = 500;

export interface ReservationChanges {
  readonly deleted: readonly string[];
  readonly put: readonly HeldReservation[];
}

export interface ReservationRows {
  /** @throws storedReservationBroken */
  load(): Promise<readonly HeldReservation[]>;
  /** One transaction; durable when it resolves. */
  save(changes: ReservationChanges, nowMs: number): Promise<void>;
}

export function reservationRows(store: Store): ReservationRows {
  return {
    async load() {
      const rows = await store.db
        .selectFrom("route_reservations")
        .select(["guid", "document", "sequence"])
        .execute();
      return rows.map(({ guid, document, sequence }) => {
        try {
          const reservation = decodeJson(document) as Reservation;
          // Documents of older versions name no router group.
          return {
            reservation: { ...reservation, routerGroup: reservation.routerGroup ?? "" },
            revision: sequence,
          };
        } catch (error) {
          throw storedReservationBroken({ guid, reason: String(error) }, error);
        }
      });
    },

    async save({ deleted, put }, nowMs) {
      const now = toTimestamp(nowMs);
      const write = async (db: Store["db"]) => {
        for (const guids of chunks(deleted)) {
          await db.deleteFrom("route_reservations").where("guid", "in", guids).execute();
        }
        for (const some of chunks(put)) {
          await db
            .insertInto("route_reservations")
            .values(some.map((held) => rowOf(held, now)))
            .onConflict((conflict) =>
              conflict.column("guid").doUpdateSet((row) => ({
                protocol: row.ref("excluded.protocol"),
                route: row.ref("excluded.route"),
                router_group_guid: row.ref("excluded.router_group_guid"),
                document: row.ref("excluded.document"),
                sequence: row.ref("excluded.sequence"),
                updated_at: row.ref("excluded.updated_at"),
              })),
            )
            .execute();
        }
      };
      // One statement of one row is a transaction by itself, and the most frequent: a third of the waiting for PostgreSQL.
      await (deleted.length + put.length === 1 ? write(store.db) : store.transaction(write));
    },
  };
}

function rowOf({ reservation, revision }: HeldReservation, now: string): NewRow<"route_reservations"> {
  return {
    guid: reservation.guid,
    protocol: reservation.protocol,
    route: reservation.route,
    router_group_guid: reservation.routerGroup,
    document: encodeJson<unknown>(reservation),
    sequence: revision,
    created_at: now,
    updated_at: now,
  };
}

function* chunks<T>(items: readonly T[]): IterableIterator<readonly T[]> {
  for (let at = 0; at < items.length; at += CHUNK) yield items.slice(at, at + CHUNK);
}
