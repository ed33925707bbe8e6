/**
 * Who reads the table and what each has in force: the answer to «is my route live?».
 *
 * A reader says after each change it has applied «everything up to here is in force». The newest change of a
 * reservation is live on those whose acknowledgement has reached that change's number.
 */
import type { Acknowledgements, Liveness } from "../contracts/index.ts";
import type { Clock, Timer } from "../kernel/index.ts";
import type { Cursor, Reservation, RouteProtocol } from "../table/index.ts";
import type { Change } from "./change-log.ts";

/**
 * Which readers put routes of a protocol in force; the part of a reader's name before the slash. A router may share
 * its table with a DNS server in the same process, so internal routes wait for both.
 */
const SERVING_ROLES: Readonly<Record<RouteProtocol, readonly string[]>> = {
  http: ["router"],
  tcp: ["tcp-router"],
  internal: ["dns", "router"],
};

/** Deleted reservations stay known this long, counted in deletions, so that their end can be waited for. */
const REMEMBERED_DELETIONS = 10_000;

interface Reader {
  readonly name: string;
  readonly role: string;
  readonly sees: (reservation: Reservation) => boolean;
  /** −1 before the first. */
  acknowledged: number;
  /** Newest change that it can see. */
  newest: number;
}

export interface ReaderSession {
  acknowledge(cursor: Cursor): void;
  close(): void;
}

interface LastChange {
  readonly sequence: number;
  readonly reservation: Reservation;
}

export class Readers {
  readonly #clock: Clock;
  readonly #cursor: () => Cursor;
  readonly #held: (guid: string) => Reservation | null;
  readonly #readers = new Map<string, Reader>();
  readonly #lastChange = new Map<string, LastChange>();
  readonly #deletions: string[] = [];
  readonly #waiting = new Set<() => void>();

  /** @param held  What the table holds under a guid now. */
  constructor(clock: Clock, cursor: () => Cursor, held: (guid: string) => Reservation | null) {
    this.#clock = clock;
    this.#cursor = cursor;
    this.#held = held;
  }

  /** A reader that comes twice under one name counts once: the newer connection. */
  connect(name: string, sees: (reservation: Reservation) => boolean): ReaderSession {
    const role = name.split("/")[0] ?? "";
    const reader: Reader = { name, role, sees, acknowledged: -1, newest: this.#cursor().sequence };
    this.#readers.set(name, reader);
    return {
      acknowledge: (cursor) => this.#acknowledge(reader, cursor),
      close: () => {
        if (this.#readers.get(name) !== reader) return;
        this.#readers.delete(name);
        this.#wake();
      },
    };
  }

  /** For readers that acknowledge by another connection. False when nobody of this name is connected. */
  acknowledge(name: string, cursor: Cursor): boolean {
    const reader = this.#readers.get(name);
    if (reader === undefined) return false;
    this.#acknowledge(reader, cursor);
    return true;
  }

  published(change: Change): void {
    const { sequence } = change.cursor;
    for (const reader of this.#readers.values()) {
      if (reservationsOf(change).some(reader.sees)) reader.newest = sequence;
    }
    if (change.kind === "route-upsert") {
      this.#lastChange.set(change.reservation.guid, { sequence, reservation: change.reservation });
    } else if (change.kind === "route-delete") {
      const { guid } = change.before;
      this.#lastChange.set(guid, { sequence, reservation: change.before });
      this.#deletions.push(guid);
      const forgotten = this.#deletions.length > REMEMBERED_DELETIONS ? this.#deletions.shift() : undefined;
      if (forgotten !== undefined && this.#held(forgotten) === null) this.#lastChange.delete(forgotten);
    }
  }

  acknowledgements(): Acknowledgements {
    return {
      cursor: this.#cursor(),
      readers: [...this.#readers.values()].map((reader) => ({
        reader: reader.name,
        sequence: reader.acknowledged,
        isCurrent: reader.acknowledged >= reader.newest,
      })),
    };
  }

  liveOn(guid: string): Liveness | null {
    const change = this.#lastChange.get(guid) ?? this.#loaded(guid);
    if (change === null) return null;
    const roles = SERVING_ROLES[change.reservation.protocol];
    let live = 0;
    let of = 0;
    for (const reader of this.#readers.values()) {
      if (!roles.includes(reader.role) || !reader.sees(change.reservation)) continue;
      of++;
      if (reader.acknowledged >= change.sequence) live++;
    }
    return { live, of, isLive: of > 0 && live === of };
  }

  whenLive(guid: string, timeoutMs: number): Promise<Liveness | null> {
    const now = this.liveOn(guid);
    if (now === null || now.isLive || timeoutMs <= 0) return Promise.resolve(now);
    return new Promise((resolve) => {
      let timer: Timer | null = null;
      const settle = (reached: Liveness | null) => {
        timer?.clear();
        this.#waiting.delete(check);
        resolve(reached);
      };
      const check = () => {
        const reached = this.liveOn(guid);
        if (reached === null || reached.isLive) settle(reached);
      };
      this.#waiting.add(check);
      timer = this.#clock.setTimeout(() => settle(this.liveOn(guid)), timeoutMs);
    });
  }

  // Not changed since the table was loaded: part of the image that every reader began with.
  #loaded(guid: string): LastChange | null {
    const reservation = this.#held(guid);
    return reservation === null ? null : { sequence: 0, reservation };
  }

  #acknowledge(reader: Reader, { epoch, sequence }: Cursor): void {
    const now = this.#cursor();
    if (epoch !== now.epoch || sequence > now.sequence || sequence <= reader.acknowledged) return;
    reader.acknowledged = sequence;
    this.#wake();
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }
}

function reservationsOf(change: Change): readonly Reservation[] {
  switch (change.kind) {
    case "route-upsert":
      return change.before === null ? [change.reservation] : [change.reservation, change.before];
    case "route-delete":
      return [change.before];
    case "endpoint-upsert":
    case "endpoint-delete":
      return change.routes;
    default:
      return change satisfies never;
  }
}
