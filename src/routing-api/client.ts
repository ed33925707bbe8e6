/**
 * The route table of another process, over `/routing/v1`: the same contract as the table itself.
 *
 *   connect ──► snapshot ──► Synced ──► onImage ──► events ──► onEvent …
 *      ▲                                               │ cut, silent, or a gap
 *      └── wait (doubling) ◄── onStatus("lost") ◄──────┘   then from Last-Event-ID
 */
import { call, type CallAnswer, inTurns, openStreamCall, pause, type TlsFiles } from "../calls/index.ts";
import type {
  Acknowledgements,
  Liveness,
  RouteLiveness,
  RouteTableHandler,
  RouteTableReader,
  RouteTableSubscription,
  RouteTableWriter,
} from "../contracts/index.ts";
import {
  requestNotProcessable,
  reservationChanged,
  routeInvalid,
  routeOptionsInvalid,
  routeReserved,
  routeServiceUrlInvalid,
  routingApiRefused,
  routingApiUnavailable,
} from "../kernel/errors/routing-api.ts";
import type { Clock, Logger, Timer } from "../kernel/index.ts";
import type { Cursor, Endpoint, Reservation, TableEvent } from "../table/index.ts";
import { createSseDecoder, type SseEvent } from "../wire/sse/index.ts";
import type { EndpointIdentity } from "./state.ts";
import {
  acknowledgementsFromJson,
  cursorFromText,
  cursorToText,
  endpointFromJson,
  endpointToJson,
  identityFromJson,
  livenessFromJson,
  objectOf,
  reservationFromJson,
  reservationToJson,
  text,
} from "./wire.ts";

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
/** Three keep-alives missed: the connection is dead, whatever the socket says. */
const SILENCE_MS = 45_000;
const CALL_TIMEOUT_MS = 60_000;
/** Well below what a proxy in between lets a quiet call last. */
const WAIT_PER_CALL_MS = 30_000;
/** About 350 KB of JSON, a third of what the server takes. */
const ENDPOINTS_PER_CALL = 500;

export interface RouteTableClientOptions {
  /** `http://127.0.0.1:3000`, without `/routing/v1`. */
  readonly url: string;
  /** A token that is good now; asked before every call. */
  readonly token: () => Promise<string>;
  /** For `https`: authority, and the client's own certificate. */
  readonly tls?: TlsFiles;
  readonly clock: Clock;
  readonly log: Logger;
}

export type RouteTableClient = RouteTableReader & RouteTableWriter & RouteLiveness;

export function createRouteTableClient(options: RouteTableClientOptions): RouteTableClient {
  const url = options.url.replace(/\/$/, "");
  const request = async (method: string, path: string, body?: unknown): Promise<CallAnswer> => {
    let answer: CallAnswer;
    try {
      answer = await call({
        method,
        url: `${url}/routing/v1/${path}`,
        token: await options.token(),
        body,
        timeoutMs: CALL_TIMEOUT_MS,
        tls: options.tls,
      });
    } catch (error) {
      throw routingApiUnavailable({ url, reason: reasonOf(error) }, error);
    }
    if (answer.status >= 300 && answer.status !== 404) throw refusal(url, answer);
    return answer;
  };
  const cursorOf = ({ headers }: CallAnswer): Cursor => {
    const header = headers["x-viaduct-cursor"];
    const cursor = typeof header === "string" ? cursorFromText(header) : null;
    if (cursor === null) throw routingApiUnavailable({ url, reason: "it sent no x-viaduct-cursor" });
    return cursor;
  };
  const inPieces = async (method: string, items: readonly unknown[]) => {
    for (let at = 0; at < items.length; at += ENDPOINTS_PER_CALL) {
      await request(method, "endpoints", items.slice(at, at + ENDPOINTS_PER_CALL));
    }
  };

  return {
    async putReservation(reservation) {
      const path = `reservations/${encodeURIComponent(reservation.guid)}`;
      return cursorOf(await request("PUT", path, reservationToJson(reservation, 0)));
    },
    async deleteReservation(guid) {
      return cursorOf(await request("DELETE", `reservations/${encodeURIComponent(guid)}`));
    },
    async replaceReservations(reservations) {
      const body = reservations.map((reservation) => reservationToJson(reservation, 0));
      return cursorOf(await request("PUT", "reservations", body));
    },
    async putEndpoints(endpoints, ttlMs) {
      const ttl = Math.ceil(ttlMs / 1_000);
      await inPieces(
        "POST",
        endpoints.map((endpoint) => ({ ...endpointToJson(endpoint), ttl })),
      );
    },
    async deleteEndpoints(endpoints) {
      await inPieces(
        "DELETE",
        endpoints.map(({ processGuid, host, port }) => ({ process_guid: processGuid, ip: host, port })),
      );
    },
    async acknowledgements(): Promise<Acknowledgements> {
      return acknowledgementsFromJson((await request("GET", "route_table/acknowledgements")).json);
    },
    liveOn: (guid) => liveness(guid, 0),
    async whenLive(guid, timeoutMs) {
      const endMs = options.clock.monotonicMs() + timeoutMs;
      for (;;) {
        const leftMs = Math.max(0, endMs - options.clock.monotonicMs());
        const reached = await liveness(guid, Math.min(leftMs, WAIT_PER_CALL_MS));
        if (reached === null || reached.isLive || leftMs <= WAIT_PER_CALL_MS) return reached;
      }
    },
    subscribe: (reader, handler, after) => new RemoteSubscription(options, url, reader, handler, after),
  };

  async function liveness(guid: string, timeoutMs: number): Promise<Liveness | null> {
    const path = `route_table/acknowledgements/${encodeURIComponent(guid)}?timeout_ms=${timeoutMs}`;
    const answer = await request("GET", path);
    return answer.status === 404 ? null : livenessFromJson(answer.json);
  }
}

/** What the table itself would have thrown. */
function refusal(url: string, { status, json }: CallAnswer): Error {
  const body = typeof json === "object" && json !== null ? (json as Readonly<Record<string, unknown>>) : {};
  const name = String(body["name"] ?? "");
  const message = String(body["message"] ?? "");
  switch (name) {
    case "RouteReservedError":
      return routeReserved({ route: /^route (\S+) /.exec(message)?.[1] ?? "" });
    case "RouteInvalidError":
      return routeInvalid({ reason: message });
    case "RouteServiceUrlInvalidError":
      return routeServiceUrlInvalid({ reason: message });
    case "RouteOptionsInvalidError":
      return routeOptionsInvalid({ reason: message });
    case "ProcessRequestError":
      return requestNotProcessable({ reason: message.replace("Cannot process request: ", "") });
    case "PreconditionFailedError":
      return reservationChanged({ guid: "", current: message });
    default:
      return status >= 500
        ? routingApiUnavailable({ url, reason: `${status} ${name} ${message}` })
        : routingApiRefused({ url, status, name, message });
  }
}

/** The reader's side of the stream. */
class RemoteSubscription implements RouteTableSubscription {
  readonly #options: RouteTableClientOptions;
  readonly #url: string;
  readonly #reader: string;
  readonly #handler: RouteTableHandler;
  readonly #closing = new AbortController();
  /** Up to where the handler has everything; null when it must begin with an image. */
  #position: Cursor | null;
  #status: "new" | "live" | "lost" = "new";
  #attempt = 0;
  #acknowledged: Cursor | null = null;
  #posted: Cursor | null = null;
  #isPosting = false;

  constructor(
    options: RouteTableClientOptions,
    url: string,
    reader: string,
    handler: RouteTableHandler,
    after: Cursor | undefined,
  ) {
    this.#options = options;
    this.#url = url;
    this.#reader = reader;
    this.#handler = handler;
    this.#position = after ?? null;
    void this.#run();
  }

  acknowledge(cursor: Cursor): void {
    this.#acknowledged = cursor;
    void this.#post();
  }

  close(): void {
    this.#closing.abort();
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      let reason = "the stream ended";
      try {
        await this.#read();
      } catch (error) {
        reason = reasonOf(error);
      }
      if (this.#isClosed) return;
      this.#lost(reason);
      const waitMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#attempt++, 10));
      await pause(this.#options.clock, waitMs, this.#closing.signal);
    }
  }

  /** One connection, from request to end. */
  async #read(): Promise<void> {
    const { token, tls, clock } = this.#options;
    const position = this.#position;
    const query = `reader=${encodeURIComponent(this.#reader)}${position === null ? "&snapshot=true" : ""}`;
    // Of this connection: ends it when it falls silent or the subscription closes.
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, this.#closing.signal]);
    const bytes = await openStreamCall({
      url: `${this.#url}/routing/v1/route_table/events?${query}`,
      token: await token(),
      ...(position !== null && { lastEventId: cursorToText(position) }),
      signal,
      tls,
    });
    const decoder = createSseDecoder();
    const frames = new FrameReader(position === null);
    let watchdog: Timer | null = null;
    try {
      const watch = () => {
        watchdog?.clear();
        watchdog = clock.setTimeout(() => ending.abort(new Error("silent for too long")), SILENCE_MS);
      };
      watch();
      for await (const piece of inTurns(bytes)) {
        watch();
        for (const event of decoder.push(piece)) {
          if (this.#isClosed) return;
          this.#take(frames.read(event));
        }
      }
    } finally {
      (watchdog as Timer | null)?.clear();
      ending.abort();
    }
  }

  #take(frame: Frame): void {
    switch (frame.kind) {
      case "nothing":
        return;
      case "image":
        this.#position = null;
        this.#handler.onImage(frame.image);
        this.#position = frame.image.cursor;
        this.#live();
        return;
      case "event": {
        const expected = this.#position;
        const { epoch, sequence } = frame.cursor;
        if (expected === null || epoch !== expected.epoch || sequence !== expected.sequence + 1) {
          this.#position = null;
          throw new Error(`change ${cursorToText(frame.cursor)} does not follow on what was read`);
        }
        // A handler that throws begins again with an image.
        this.#position = null;
        this.#handler.onEvent({ cursor: frame.cursor, event: frame.event });
        this.#position = frame.cursor;
        return;
      }
      case "synced":
        this.#live();
        return;
      default:
        frame satisfies never;
    }
  }

  #live(): void {
    this.#attempt = 0;
    // The server counts a new connection as one that has acknowledged nothing.
    this.#posted = null;
    if (this.#status !== "live") {
      this.#status = "live";
      this.#handler.onStatus?.("live");
    }
    void this.#post();
  }

  #lost(reason: string): void {
    if (this.#status === "lost") return;
    this.#status = "lost";
    this.#options.log.warn({ reader: this.#reader, url: this.#url, reason }, "route table feed lost");
    this.#handler.onStatus?.("lost");
  }

  /** At most one post is under way; what is acknowledged meanwhile goes with the next, as one number. */
  async #post(): Promise<void> {
    if (this.#isPosting || this.#status !== "live") return;
    this.#isPosting = true;
    try {
      while (!this.#isClosed && this.#status === "live") {
        const cursor = this.#acknowledged;
        if (cursor === null || cursor === this.#posted) return;
        this.#posted = cursor;
        const { token, tls } = this.#options;
        await call({
          method: "POST",
          url: `${this.#url}/routing/v1/route_table/acknowledgements`,
          token: await token(),
          body: { reader: this.#reader, cursor: cursorToText(cursor) },
          timeoutMs: CALL_TIMEOUT_MS,
          tls,
          signal: this.#closing.signal,
        });
      }
    } catch (error) {
      // The next acknowledgement or the next connection says it again.
      this.#posted = null;
      this.#options.log.debug(
        { reader: this.#reader, reason: reasonOf(error) },
        "acknowledgement not posted",
      );
    } finally {
      this.#isPosting = false;
    }
  }
}

type Frame =
  | { readonly kind: "nothing" }
  | { readonly kind: "synced" }
  | {
      readonly kind: "image";
      readonly image: { cursor: Cursor; reservations: Reservation[]; endpoints: Endpoint[] };
    }
  | { readonly kind: "event"; readonly cursor: Cursor; readonly event: TableEvent };

const NOTHING: Frame = { kind: "nothing" };

/** Stream events → frames: collects an image between `Reset` and `Synced`, skips what only third parties need. */
class FrameReader {
  #collected: { reservations: Reservation[]; endpoints: Endpoint[] } | null;

  constructor(startsWithImage: boolean) {
    this.#collected = startsWithImage ? { reservations: [], endpoints: [] } : null;
  }

  read({ id, event, data }: SseEvent): Frame {
    const json = objectOf(JSON.parse(data), event);
    if (event === "Reset") {
      this.#collected = { reservations: [], endpoints: [] };
      return NOTHING;
    }
    if (event === "Synced") {
      const cursor = cursorFromText(text(json, "cursor"));
      if (cursor === null) throw requestNotProcessable({ reason: "Synced has no cursor" });
      const collected = this.#collected;
      this.#collected = null;
      return collected === null ? { kind: "synced" } : { kind: "image", image: { cursor, ...collected } };
    }
    if (this.#collected !== null) {
      if (event === "RouteUpsert") this.#collected.reservations.push(reservationFromJson(json, null));
      else if (event === "EndpointUpsert") this.#collected.endpoints.push(endpointFromJson(json["endpoint"]));
      return NOTHING;
    }
    // Without an id: a consequence of the route change that follows, which we derive ourselves.
    const cursor = id === null ? null : cursorFromText(id);
    const change = tableEventOf(event, json);
    return cursor === null || change === null ? NOTHING : { kind: "event", cursor, event: change };
  }
}

function tableEventOf(event: string, json: Readonly<Record<string, unknown>>): TableEvent | null {
  switch (event) {
    case "RouteUpsert":
      return { kind: "route-upsert", reservation: reservationFromJson(json, null) };
    case "RouteDelete":
      return { kind: "route-delete", guid: text(json, "guid") };
    case "EndpointUpsert":
      return { kind: "endpoint-upsert", endpoint: endpointFromJson(json["endpoint"]) };
    case "EndpointDelete": {
      const identity: EndpointIdentity = identityFromJson(json["endpoint"]);
      return { kind: "endpoint-delete", ...identity };
    }
    default:
      return null; // a newer server's event; the gap in the numbers, if it has one, brings a new image
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof message === "string" && message !== "" ? message : String(code ?? error);
}
