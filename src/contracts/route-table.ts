/**
 * How roles reach the routing API's route table: the cloud controller reserves, the emitter reports endpoints,
 * routers and DNS servers read. In one process the routing API itself implements both interfaces; between
 * machines its client does, over `/routing/v1`.
 */
import type { Cursor, Endpoint, Reservation, TableEvent, TableImage } from "../table/index.ts";

export interface RouteTableWriter {
  /** Creates or replaces; resolves when the change is durable and numbered. */
  putReservation(reservation: Reservation): Promise<Cursor>;
  /** Deleting what is not there is fine. */
  deleteReservation(guid: string): Promise<Cursor>;
  /**
   * Makes the stored reservations exactly these; for a full sync after a restart. Equal ones cause no event.
   */
  replaceReservations(reservations: readonly Reservation[]): Promise<Cursor>;
  /** Upserts; each stays for `ttlMs` unless it is renewed. A renewal without a change causes no event. */
  putEndpoints(endpoints: readonly Endpoint[], ttlMs: number): Promise<void>;
  deleteEndpoints(endpoints: readonly { processGuid: string; host: string; port: number }[]): Promise<void>;
}

/** One numbered change. */
export interface SequencedEvent {
  readonly cursor: Cursor;
  readonly event: TableEvent;
}

export interface RouteTableHandler {
  /** The whole table: first of all, and again whenever the stream could not be resumed. */
  onImage(image: TableImage): void;
  /** Strictly consecutive after the last image or event. */
  onEvent(event: SequencedEvent): void;
  /** The feed was lost or is back. What the reader has stays in force meanwhile. */
  onStatus?(status: "live" | "lost"): void;
}

export interface RouteTableSubscription {
  /** Says that everything up to this cursor is in force at this reader. */
  acknowledge(cursor: Cursor): void;
  close(): void;
}

export interface RouteTableReader {
  /**
   * Starts with an image, or with what came after `after` when that can still be replayed.
   * @param reader  Name of this reader in acknowledgements, unique in the deployment: `router/0`.
   */
  subscribe(reader: string, handler: RouteTableHandler, after?: Cursor): RouteTableSubscription;
}

/** Which readers have which change: the answer to «is my route live?». */
export interface Acknowledgements {
  readonly cursor: Cursor;
  readonly readers: readonly {
    readonly reader: string;
    readonly sequence: number;
    readonly isCurrent: boolean;
  }[];
}

/** How far the newest change of one reservation (its deletion too) has come. */
export interface Liveness {
  /** Readers that have it in force … */
  readonly live: number;
  /** … of those connected that serve this kind of route. */
  readonly of: number;
  /** All have it, and there is at least one. */
  readonly isLive: boolean;
}

/**
 * Who asks whether a change has arrived. A reader's name says what it serves: `router/…` http and internal routes,
 * `tcp-router/…` tcp, `dns/…` internal routes; readers of other names are listed and never waited for.
 */
export interface RouteLiveness {
  acknowledgements(): Promise<Acknowledgements>;
  /** Null for a reservation that is unknown, or deleted so long ago that nobody remembers. */
  liveOn(guid: string): Promise<Liveness | null>;
  /** Resolves as soon as it is live everywhere, and with how far it came after `timeoutMs`. Never rejects for time. */
  whenLive(guid: string, timeoutMs: number): Promise<Liveness | null>;
}
