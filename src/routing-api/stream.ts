/**
 * One connection to `route_table/events`.
 *
 *   Last-Event-ID known ──► replay ──────────┐
 *   unknown ──► Reset ──► image (no ids) ────┼──► Synced (id) ──► events (id each) ──► …
 *   ?snapshot=true ──────► image (no ids) ───┘                        │ fell out of the log
 *                             ▲──────────────── Reset ◄───────────────┘
 *
 * An event without an id must not be resumed after: image parts, and the endpoints that a route's change brings
 * along, which come before the change's own event.
 */
import type { ServerResponse } from "node:http";
import type { Clock, Logger } from "../kernel/index.ts";
import type { Cursor, Reservation } from "../table/index.ts";
import { encodeComment, encodeEvent, encodeRetry } from "../wire/sse/index.ts";
import type { Positions } from "./positions.ts";
import type { RouteTable } from "./route-table.ts";
import { stateOf, type View, type ViewEvent } from "./view.ts";

const RETRY_MS = 1_000;
/** Load balancers commonly cut streams that are silent for 60 s. */
const KEEP_ALIVE_MS = 15_000;
/** A client that takes no byte for so long is gone, whatever its socket says. */
const STALL_MS = 60_000;
/** Text collected before it is written. */
const WRITE_CHARS = 64 * 1024;
const CHANGES_AT_ONCE = 256;

export type StreamStart =
  /** From now on, without what is there already. */
  | { readonly kind: "now" }
  | { readonly kind: "snapshot" }
  /** Null for a position that this server cannot know. */
  | { readonly kind: "after"; readonly cursor: Cursor | null };

export interface StreamOptions {
  readonly table: RouteTable;
  readonly view: View;
  readonly positions: Positions;
  readonly start: StreamStart;
  readonly response: ServerResponse;
  /** Name for acknowledgements; null for a reader that gives none. */
  readonly reader: string | null;
  /** When the token ends, and so the stream. */
  readonly endsAtMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Resolves when the connection is over. */
export async function serveStream(options: StreamOptions): Promise<void> {
  const { response, clock, table, reader, view } = options;
  response.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-store, must-revalidate",
    connection: "keep-alive",
  });
  response.flushHeaders();
  const stream = new Stream(options);
  const session = reader === null ? null : table.readers.connect(reader, view.sees);
  const keepAlive = clock.setInterval(() => stream.keepAlive(), KEEP_ALIVE_MS);
  const end = clock.setTimeout(() => response.end(), Math.max(0, options.endsAtMs - clock.nowMs()));
  const stopListening = table.onProgress(() => stream.wake());
  response.once("close", () => stream.wake());
  response.on("drain", () => stream.wake());
  try {
    await stream.run();
  } catch (error) {
    options.log.error({ err: error }, "a route table stream failed");
    response.destroy();
  } finally {
    stopListening();
    keepAlive.clear();
    end.clear();
    session?.close();
  }
}

class Stream {
  readonly #options: StreamOptions;
  #text = "";
  #wakeUp: (() => void) | null = null;
  #isAwake = false;
  #stalledSinceMs: number | null = null;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  get #isOver(): boolean {
    return this.#options.response.closed || this.#options.response.writableEnded;
  }

  /** Something may have changed: the table, the socket, or the connection is over. */
  wake(): void {
    this.#isAwake = true;
    this.#wakeUp?.();
  }

  keepAlive(): void {
    const { response, clock } = this.#options;
    if (this.#stalledSinceMs === null) {
      response.write(encodeComment("keep-alive"));
    } else if (clock.monotonicMs() - this.#stalledSinceMs >= STALL_MS) {
      response.destroy();
    }
  }

  async run(): Promise<void> {
    const { table, start } = this.#options;
    this.#text = encodeRetry(RETRY_MS);
    let position: Cursor | null = start.kind === "after" ? start.cursor : null;
    let isSynced = false;
    if (start.kind === "now") position = table.cursor;
    else if (start.kind === "snapshot") {
      position = await this.#sendImage();
      isSynced = true;
    }

    while (!this.#isOver) {
      this.#isAwake = false;
      const changes = position === null ? null : table.changesAfter(position, CHANGES_AT_ONCE);
      if (changes === null) {
        if (!table.isWarmingUp) {
          this.#add({ event: "Reset", data: {} }, null);
          position = await this.#sendImage();
          isSynced = true;
          continue;
        }
      } else {
        for (const change of changes) {
          const events = this.#options.view.events(change);
          for (const event of events) this.#add(event, event === events.at(-1) ? change.cursor : null);
          position = change.cursor;
        }
        if (changes.length === CHANGES_AT_ONCE) {
          await this.#flush();
          continue;
        }
        if (!isSynced && position !== null) this.#addSynced(position);
        isSynced = true;
      }
      await this.#flush();
      if (!this.#isAwake) await this.#sleep();
    }
  }

  async #sendImage(): Promise<Cursor> {
    const { table, view } = this.#options;
    const { cursor } = table;
    // Taken in one step, so that everything belongs to this cursor; written at the pace of the reader.
    const held = [...table.reservations()].filter(({ reservation }) => view.sees(reservation));
    const serving = held.map(({ reservation }) => stateOf([...table.endpointsOf(reservation)]));
    const endpoints = [...table.endpoints()].map((endpoint) => ({
      endpoint,
      routes: table.routesOf(endpoint),
    }));
    for (const [index, item] of held.entries()) {
      this.#add({ event: "RouteUpsert", data: { ...view.reservation(item), state: serving[index] } }, null);
      await this.#flushWhenLong();
    }
    for (const { endpoint, routes } of endpoints) {
      if (!view.seesEndpoint(routes)) continue;
      const route_guids = routes.filter((route: Reservation) => view.sees(route)).map((route) => route.guid);
      this.#add(
        { event: "EndpointUpsert", data: { route_guids, endpoint: view.endpoint(endpoint, routes) } },
        null,
      );
      await this.#flushWhenLong();
    }
    this.#addSynced(cursor);
    await this.#flush();
    return cursor;
  }

  #addSynced(cursor: Cursor): void {
    this.#add({ event: "Synced", data: { cursor: this.#options.positions.toText(cursor) } }, cursor);
  }

  #add(
    { event, data }: ViewEvent | { event: "Reset" | "Synced"; data: object },
    cursor: Cursor | null,
  ): void {
    const id = cursor === null ? {} : { id: this.#options.positions.toText(cursor) };
    this.#text += encodeEvent({ ...id, event, data: JSON.stringify(data) });
  }

  async #flushWhenLong(): Promise<void> {
    if (this.#text.length >= WRITE_CHARS) await this.#flush();
  }

  async #flush(): Promise<void> {
    if (this.#text === "") return;
    const { response, clock } = this.#options;
    const text = this.#text;
    this.#text = "";
    if (this.#isOver || response.write(text)) return;
    this.#stalledSinceMs = clock.monotonicMs();
    while (!this.#isOver && response.writableNeedDrain) await this.#sleep();
    this.#stalledSinceMs = null;
  }

  async #sleep(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wakeUp = resolve;
    });
    this.#wakeUp = null;
  }
}
