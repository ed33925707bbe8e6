/**
 * The event stream of the page:
 *
 *   connect ──► hello ──► change … change ──► ready ──► change | traffic | feed …
 *               (forget everything)           (show it)
 *
 * `change` carries `{upserts, deletes}`, `traffic` requests per second, `feed` whether the table is fed. The image goes
 * out as fast as the client reads, what happens meanwhile behind it. A client that does not read is dropped; its browser
 * connects again and takes a new image.
 */
import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../kernel/index.ts";
import { encodeEvent, encodeRetry } from "../wire/sse/index.ts";
import type { LiveRoutes, RouteChange } from "./live-routes.ts";

/** Changes within this time become one event. */
const LOOK_EVERY_MS = 50;
/** A look at 100,000 routes takes some 40 ms, of the process that carries the traffic: it rests 19 times as long. */
const RESTS_PER_LOOK = 19;
/** Also the page's sign of life: it calls the connection lost after three of these. */
const TRAFFIC_EVERY_MS = 1_000;
const RETRY_MS = 1_000;
/** Routes per event: some 100 KiB, parsed by a browser without a noticeable pause. */
const ROUTES_PER_EVENT = 500;
/** Of what came after the image: every one of 20,000 routes anew. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

/** Totals since the start of the router. */
export interface TrafficStats {
  readonly requests: number;
  readonly responses5xx: number;
}

export type FeedStatus = "live" | "lost";

export interface EventsOptions {
  readonly routes: LiveRoutes;
  readonly clock: Clock;
  /** Null where no router is at hand. */
  readonly stats: () => TrafficStats | null;
}

export interface Events {
  /** @param hello  What this page is told first, for instance how to link to a route. */
  connect(response: ServerResponse, hello: object): void;
  setFeed(status: FeedStatus): void;
  close(): void;
}

export function createEvents({ routes, clock, stats }: EventsOptions): Events {
  const clients = new Set<Client>();
  let feed: FeedStatus = "live";
  let timers: readonly Timer[] = [];
  let restsUntilMs = 0;
  let before: { readonly atMs: number; readonly stats: TrafficStats } | null = null;

  const broadcast = (text: string) => {
    for (const client of clients) client.send(text);
  };
  const look = () => {
    const startedMs = clock.monotonicMs();
    const change = routes.look();
    const endedMs = clock.monotonicMs();
    restsUntilMs = endedMs + (endedMs - startedMs) * RESTS_PER_LOOK;
    if (change !== null) for (const text of encodeChange(change)) broadcast(text);
  };
  const lookWhenRested = () => {
    if (clock.monotonicMs() >= restsUntilMs) look();
  };
  const tellTraffic = () => broadcast(encodeEvent({ event: "traffic", data: JSON.stringify(measure()) }));
  const measure = () => {
    const now = stats();
    const atMs = clock.monotonicMs();
    const last = before;
    before =
      now === null ? null : { atMs, stats: { requests: now.requests, responses5xx: now.responses5xx } };
    if (now === null || last === null || atMs <= last.atMs)
      return { requestsPerSecond: null, failuresPerSecond: null };
    const perSecond = (count: number) => Math.round(((count * 1_000) / (atMs - last.atMs)) * 10) / 10;
    return {
      requestsPerSecond: perSecond(now.requests - last.stats.requests),
      failuresPerSecond: perSecond(now.responses5xx - last.stats.responses5xx),
    };
  };

  /** Nobody looks, nothing is computed. */
  const startTimers = () => {
    measure();
    timers = [
      clock.setInterval(lookWhenRested, LOOK_EVERY_MS),
      clock.setInterval(tellTraffic, TRAFFIC_EVERY_MS),
    ];
  };
  const stopTimers = () => {
    for (const timer of timers) timer.clear();
    timers = [];
    before = null;
  };

  return {
    connect(response, hello) {
      look();
      const client = new Client(response, encodeImage(hello, routes.all(), feed));
      clients.add(client);
      if (clients.size === 1) startTimers();
      response.once("close", () => {
        clients.delete(client);
        if (clients.size === 0) stopTimers();
      });
    },
    setFeed(status) {
      if (status === feed) return;
      feed = status;
      broadcast(encodeFeed(feed));
    },
    close() {
      stopTimers();
      for (const client of clients) client.end();
    },
  };
}

/** One page: the rest of its image, then what happens. */
class Client {
  readonly #response: ServerResponse;
  /** Null when all of it is on its way. */
  #image: Iterator<string> | null;
  /** What happened since the image was taken. */
  #later = "";

  constructor(response: ServerResponse, image: Iterator<string>) {
    this.#response = response;
    this.#image = image;
    response.on("drain", () => this.#sendImage());
    this.#sendImage();
  }

  send(text: string): void {
    if (this.#image === null) this.#response.write(text);
    else this.#later += text;
    if (this.#response.writableLength + this.#later.length > MAX_UNREAD_BYTES) this.#response.destroy();
  }

  end(): void {
    this.#response.end();
  }

  /** As much as the connection takes now; its `drain` asks for more. */
  #sendImage(): void {
    while (this.#image !== null) {
      const { done, value } = this.#image.next();
      if (done !== true) {
        if (!this.#response.write(value)) return;
        continue;
      }
      this.#image = null;
      this.#response.write(this.#later);
      this.#later = "";
    }
  }
}

function* encodeImage(hello: object, routes: readonly string[], feed: FeedStatus): IterableIterator<string> {
  yield encodeRetry(RETRY_MS) + encodeEvent({ event: "hello", data: JSON.stringify(hello) });
  yield* encodeChange({ upserts: routes, deletes: [] });
  yield encodeFeed(feed) + encodeEvent({ event: "ready", data: "{}" });
}

const encodeFeed = (status: FeedStatus) => encodeEvent({ event: "feed", data: JSON.stringify({ status }) });

function* encodeChange({ upserts, deletes }: RouteChange): IterableIterator<string> {
  for (let at = 0; at === 0 || at < upserts.length; at += ROUTES_PER_EVENT) {
    const some = upserts.slice(at, at + ROUTES_PER_EVENT).join(",");
    const gone = at === 0 ? JSON.stringify(deletes) : "[]";
    yield encodeEvent({ event: "change", data: `{"upserts":[${some}],"deletes":${gone}}` });
  }
}
