/**
 * The native route table: reservations that are durable, endpoints that live by heartbeat, and a numbered stream
 * of every change.
 *
 *   putReservation ─► staging ─► transaction ─► number ─► state + change log ─► readers   (same turn)
 *   putEndpoints ───────────────────────────────────┘          ▲
 *   a heartbeat missed ─► expiry ──────────────────────────────┘
 */
import type {
  RouteLiveness,
  RouteTableHandler,
  RouteTableReader,
  RouteTableSubscription,
  RouteTableWriter,
} from "../contracts/index.ts";
import { reservationsNotStored, routeTableStopped } from "../kernel/errors/routing-api.ts";
import { type Clock, type Logger, newGuid, type Part, type Timer, ViaductError } from "../kernel/index.ts";
import type { Store } from "../store/index.ts";
import type { Cursor, Endpoint, Reservation, TableImage } from "../table/index.ts";
import { type Change, ChangeLog } from "./change-log.ts";
import { Readers, type ReaderSession } from "./readers.ts";
import { type ReservationRows, reservationRows } from "./reservation-rows.ts";
import { Staging, type StagedChange } from "./staging.ts";
import { type EndpointIdentity, type HeldReservation, TableState } from "./state.ts";

/** A reader may be away for this many changes and still go on where it was. */
const REPLAYED_CHANGES = 10_000;
/** Writes that share a transaction at most. */
const BATCH = 500;
/** How late an endpoint may leave after its time is over. */
const EXPIRY_TICK_MS = 1_000;
/** Changes handed to a reader in one go. */
const PUMPED_CHANGES = 256;

export interface RouteTableOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  /** Changes kept for readers that were away. */
  readonly replayedChanges?: number;
  /**
   * After a start, readers that have a table from before keep it in force for this long: endpoints live in memory,
   * so a new table has none until the emitters have sent their heartbeats. 0 for a table that starts with its readers.
   */
  readonly warmUpMs?: number;
}

/** What the HTTP side needs beyond the contracts. */
export interface RouteTable extends RouteTableWriter, RouteTableReader, RouteLiveness, Part {
  readonly cursor: Cursor;
  readonly readers: Readers;
  reservation(guid: string): HeldReservation | null;
  reservations(): IterableIterator<HeldReservation>;
  endpoints(processGuid?: string): IterableIterator<Endpoint>;
  endpointsOf(reservation: Reservation): IterableIterator<Endpoint>;
  routesOf(endpoint: Endpoint): readonly Reservation[];
  image(): TableImage;
  /** At most `limit` changes after a cursor; null when they cannot be replayed and an image must follow. */
  changesAfter(cursor: Cursor, limit: number): readonly Change[] | null;
  /** True while a reader from before the last start must wait for its image. */
  readonly isWarmingUp: boolean;
  /** Runs after every change, in the same turn, and when warming up ends. Returns how to stop. */
  onProgress(run: () => void): () => void;
  /**
   * Reads and writes one reservation with nothing in between: `change` gets what is there and gives what shall be.
   * What it throws is the outcome.
   */
  changeReservation(
    guid: string,
    change: (held: HeldReservation | null) => Reservation | null,
  ): Promise<{ readonly cursor: Cursor; readonly wasNew: boolean }>;
}

interface PendingWrite {
  readonly stage: (staging: Staging) => void;
  readonly resolve: (cursor: Cursor) => void;
  readonly reject: (error: unknown) => void;
}

export function createRouteTable(options: RouteTableOptions): RouteTable {
  return new StoredRouteTable(options, reservationRows(options.store));
}

class StoredRouteTable implements RouteTable {
  readonly name = "route-table";
  readonly readers: Readers;
  readonly #options: Omit<RouteTableOptions, "store">;
  readonly #rows: ReservationRows;
  readonly #state = new TableState();
  readonly #changes: ChangeLog;
  readonly #epoch = newGuid();
  readonly #listeners = new Set<() => void>();
  readonly #pending: PendingWrite[] = [];
  #status: "new" | "running" | "stopped" = "new";
  #isWarmingUp = false;
  #revision = 0;
  #writing: Promise<void> | null = null;
  #isAnnounced = false;
  #nextExpiryMs = Number.POSITIVE_INFINITY;
  readonly #timers: Timer[] = [];

  constructor(options: Omit<RouteTableOptions, "store">, rows: ReservationRows) {
    this.#options = options;
    this.#rows = rows;
    this.#changes = new ChangeLog(options.replayedChanges ?? REPLAYED_CHANGES);
    this.readers = new Readers(
      options.clock,
      () => this.cursor,
      (guid) => this.#state.reservation(guid)?.reservation ?? null,
    );
  }

  // --- life ---

  async start(): Promise<void> {
    const { clock, log, warmUpMs = 0 } = this.#options;
    for (const { reservation, revision } of await this.#rows.load()) {
      this.#state.setReservation(reservation, revision);
      this.#revision = Math.max(this.#revision, revision);
    }
    this.#status = "running";
    this.#timers.push(clock.setInterval(() => this.#expire(), EXPIRY_TICK_MS));
    if (warmUpMs > 0) {
      this.#isWarmingUp = true;
      this.#timers.push(
        clock.setTimeout(() => {
          this.#isWarmingUp = false;
          this.#announce();
        }, warmUpMs),
      );
    }
    log.info({ epoch: this.#epoch }, "route table loaded");
    this.#announce();
  }

  /** What was accepted is written; later writes are refused. Readers are not told: their table stays in force. */
  async stop(): Promise<void> {
    this.#status = "stopped";
    for (const timer of this.#timers) timer.clear();
    await this.#writing;
    this.#listeners.clear();
  }

  // --- writes ---

  putReservation(reservation: Reservation): Promise<Cursor> {
    return this.#write((staging) => staging.put(reservation));
  }

  deleteReservation(guid: string): Promise<Cursor> {
    return this.#write((staging) => staging.delete(guid));
  }

  replaceReservations(reservations: readonly Reservation[]): Promise<Cursor> {
    return this.#write((staging) => staging.replace(reservations));
  }

  async changeReservation(
    guid: string,
    change: (held: HeldReservation | null) => Reservation | null,
  ): Promise<{ cursor: Cursor; wasNew: boolean }> {
    let wasNew = false;
    const cursor = await this.#write((staging) => {
      const held = staging.reservation(guid);
      wasNew = held === null;
      const next = change(held);
      if (next === null) staging.delete(guid);
      else staging.put(next);
    });
    return { cursor, wasNew };
  }

  async putEndpoints(endpoints: readonly Endpoint[], ttlMs: number): Promise<void> {
    this.#refuseUnlessRunning();
    const expiresAtMs = this.#options.clock.monotonicMs() + ttlMs;
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, expiresAtMs);
    for (const endpoint of endpoints) {
      const lowestBefore = this.#state.lowestAppPort(endpoint.processGuid);
      if (!this.#state.setEndpoint(endpoint, expiresAtMs)) continue;
      this.#publishEndpoint("endpoint-upsert", endpoint, this.#state.routesOf(endpoint));
      this.#publishRejoined(endpoint.processGuid, lowestBefore);
    }
  }

  async deleteEndpoints(endpoints: readonly EndpointIdentity[]): Promise<void> {
    this.#refuseUnlessRunning();
    for (const identity of endpoints) this.#removeEndpoint(identity);
  }

  // --- reads ---

  get cursor(): Cursor {
    return { epoch: this.#epoch, sequence: this.#changes.newest };
  }

  get isWarmingUp(): boolean {
    return this.#isWarmingUp;
  }

  reservation(guid: string): HeldReservation | null {
    return this.#state.reservation(guid);
  }

  reservations(): IterableIterator<HeldReservation> {
    return this.#state.reservations();
  }

  endpoints(processGuid?: string): IterableIterator<Endpoint> {
    return this.#state.endpoints(processGuid);
  }

  endpointsOf(reservation: Reservation): IterableIterator<Endpoint> {
    return this.#state.endpointsOf(reservation);
  }

  routesOf(endpoint: Endpoint): readonly Reservation[] {
    return this.#state.routesOf(endpoint);
  }

  image(): TableImage {
    return {
      cursor: this.cursor,
      reservations: Array.from(this.#state.reservations(), (held) => held.reservation),
      endpoints: [...this.#state.endpoints()],
    };
  }

  changesAfter(cursor: Cursor, limit: number): readonly Change[] | null {
    return cursor.epoch === this.#epoch ? this.#changes.after(cursor.sequence, limit) : null;
  }

  onProgress(run: () => void): () => void {
    this.#listeners.add(run);
    return () => void this.#listeners.delete(run);
  }

  subscribe(reader: string, handler: RouteTableHandler, after?: Cursor): RouteTableSubscription {
    const subscription = new Subscription(this, reader, handler, after ?? null, this.#options.log);
    if (this.#status === "running") queueMicrotask(() => subscription.pump());
    return subscription;
  }

  // --- is it live? ---

  async acknowledgements() {
    return this.readers.acknowledgements();
  }

  async liveOn(guid: string) {
    return this.readers.liveOn(guid);
  }

  whenLive(guid: string, timeoutMs: number) {
    return this.readers.whenLive(guid, timeoutMs);
  }

  // --- inside ---

  #refuseUnlessRunning(): void {
    if (this.#status !== "running") throw routeTableStopped({});
  }

  async #write(stage: (staging: Staging) => void): Promise<Cursor> {
    this.#refuseUnlessRunning();
    return new Promise((resolve, reject) => {
      this.#pending.push({ stage, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) await this.#writeBatch(this.#pending.splice(0, BATCH));
    // In the same step as the last look at what is pending: a write that comes now starts a new run.
    this.#writing = null;
  }

  async #writeBatch(writes: readonly PendingWrite[]): Promise<void> {
    const staging = new Staging(this.#state, this.#revision);
    const accepted: PendingWrite[] = [];
    for (const write of writes) {
      try {
        write.stage(staging);
        accepted.push(write);
      } catch (error) {
        write.reject(error);
      }
    }
    try {
      if (staging.changes.length > 0) await this.#rows.save(staging.rows(), this.#options.clock.nowMs());
    } catch (error) {
      // One write that the database refuses must not take its neighbours with it.
      if (accepted.length > 1) for (const write of accepted) await this.#writeBatch([write]);
      else accepted[0]?.reject(error instanceof ViaductError ? error : reservationsNotStored({}, error));
      return;
    }
    this.#revision = staging.revision;
    for (const change of staging.changes) this.#publishReservation(change);
    const { cursor } = this;
    for (const write of accepted) write.resolve(cursor);
  }

  #publishReservation(change: StagedChange): void {
    const guid = change.kind === "put" ? change.held.reservation.guid : change.guid;
    const before = this.#state.reservation(guid);
    if (change.kind === "delete") {
      if (before === null) return;
      this.#state.removeReservation(guid);
      this.#append((cursor) => ({
        cursor,
        event: { kind: "route-delete", guid },
        kind: "route-delete",
        before: before.reservation,
        revision: before.revision,
      }));
      return;
    }
    const { reservation, revision } = change.held;
    const served = new Set(before === null ? [] : this.#state.endpointsOf(before.reservation));
    this.#state.setReservation(reservation, revision);
    this.#publishRoute(change.held, before?.reservation ?? null, served);
  }

  #publishRoute(
    { reservation, revision }: HeldReservation,
    before: Reservation | null,
    served: ReadonlySet<Endpoint>,
  ): void {
    const serving = new Set(this.#state.endpointsOf(reservation));
    this.#append((cursor) => ({
      cursor,
      event: { kind: "route-upsert", reservation },
      kind: "route-upsert",
      reservation,
      revision,
      before,
      serving: [...serving],
      attached: [...serving.difference(served)],
      detached: [...served.difference(serving)],
    }));
  }

  #removeEndpoint(identity: EndpointIdentity): void {
    const lowestBefore = this.#state.lowestAppPort(identity.processGuid);
    const held = this.#state.endpoint(identity);
    if (held === null) return;
    const routes = this.#state.routesOf(held);
    this.#state.removeEndpoint(identity);
    this.#publishEndpoint("endpoint-delete", held, routes);
    this.#publishRejoined(identity.processGuid, lowestBefore);
  }

  /**
   * A route without a port means its process's lowest one. When that changes, other endpoints serve the route
   * although nothing about them changed; readers that join by themselves get an equal route once more.
   */
  #publishRejoined(processGuid: string, lowestBefore: number): void {
    const lowest = this.#state.lowestAppPort(processGuid);
    if (lowest === lowestBefore || !Number.isFinite(lowest) || !Number.isFinite(lowestBefore)) return;
    for (const held of this.#state.defaultPortRoutesOf(processGuid)) {
      const served = new Set(this.#state.endpointsOf(held.reservation, { processGuid, port: lowestBefore }));
      this.#publishRoute(held, held.reservation, served);
    }
  }

  #publishEndpoint(
    kind: "endpoint-upsert" | "endpoint-delete",
    endpoint: Endpoint,
    routes: readonly Reservation[],
  ): void {
    const { processGuid, host, port } = endpoint;
    this.#append((cursor) => ({
      cursor,
      event: kind === "endpoint-upsert" ? { kind, endpoint } : { kind, processGuid, host, port },
      kind,
      endpoint,
      routes,
    }));
  }

  #append(make: (cursor: Cursor) => Change): void {
    const change = this.#changes.append((sequence) => make({ epoch: this.#epoch, sequence }));
    this.readers.published(change);
    this.#announce();
  }

  // Readers run after the writer's own step, and once for all changes of that step.
  #announce(): void {
    if (this.#isAnnounced) return;
    this.#isAnnounced = true;
    queueMicrotask(() => {
      this.#isAnnounced = false;
      for (const run of this.#listeners) run();
    });
  }

  #expire(): void {
    const now = this.#options.clock.monotonicMs();
    if (now < this.#nextExpiryMs) return;
    const { endpoints, nextAtMs } = this.#state.expired(now);
    this.#nextExpiryMs = nextAtMs;
    for (const endpoint of endpoints) this.#removeEndpoint(endpoint);
    if (endpoints.length > 0) {
      this.#options.log.warn({ endpoints: endpoints.length }, "endpoints expired without a heartbeat");
    }
  }
}

/** A reader in this process: a position in the change log and a handler. */
class Subscription implements RouteTableSubscription {
  readonly #table: RouteTable;
  readonly #handler: RouteTableHandler;
  readonly #log: Logger;
  readonly #session: ReaderSession;
  readonly #stopListening: () => void;
  #position: Cursor | null;
  #isLive = false;
  #isClosed = false;

  constructor(
    table: RouteTable,
    reader: string,
    handler: RouteTableHandler,
    after: Cursor | null,
    log: Logger,
  ) {
    this.#table = table;
    this.#handler = handler;
    this.#position = after;
    this.#log = log.child({ reader });
    this.#session = table.readers.connect(reader, () => true);
    this.#stopListening = table.onProgress(() => this.pump());
  }

  acknowledge(cursor: Cursor): void {
    this.#session.acknowledge(cursor);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopListening();
    this.#session.close();
  }

  /** Hands over everything the reader has not seen. */
  pump(): void {
    try {
      while (!this.#isClosed && this.#step()) {}
    } catch (error) {
      // What a throwing handler has in force is unknown, so it begins again; one that refuses images cannot go on.
      this.#log.error({ err: error }, "a reader of the route table failed");
      if (this.#position === null) this.close();
      else {
        this.#position = null;
        queueMicrotask(() => this.pump());
      }
    }
  }

  /** False when there is nothing left to hand over. */
  #step(): boolean {
    const after = this.#position;
    const changes = after === null ? null : this.#table.changesAfter(after, PUMPED_CHANGES);
    if (changes === null) {
      if (after !== null && this.#table.isWarmingUp) return false;
      this.#position = null;
      const image = this.#table.image();
      this.#handler.onImage(image);
      this.#position = image.cursor;
    }
    for (const change of changes ?? []) {
      if (this.#isClosed) return false;
      this.#handler.onEvent({ cursor: change.cursor, event: change.event });
      this.#position = change.cursor;
    }
    if (!this.#isLive && !this.#isClosed) {
      this.#isLive = true;
      this.#handler.onStatus?.("live");
    }
    return changes === null || changes.length > 0;
  }
}
