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
/** Of a look, in one turn of the event loop: the first one takes 0.6 s. */
const SLICE_MS = 5;
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
  /** The look that is under way, in slices. */
  let looking: ReturnType<LiveRoutes["look"]> | null = null;
  /** Pages that get their image when it has ended. */
  const waiting: { readonly response: ServerResponse; readonly hello: object }[] = [];
  let nextTurn: NodeJS.Immediate | null = null;
  /** Its slices so far. */
  let tookMs = 0;
  let before: { readonly atMs: number; readonly stats: TrafficStats } | null = null;

  const broadcast = (text: string) => {
    for (const client of clients) client.send(text);
  };
  const look = () => {
    if (looking !== null) return;
    looking = routes.look();
    tookMs = 0;
    lookOn(looking);
  };
  const lookOn = (steps: ReturnType<LiveRoutes["look"]>) => {
    const startedMs = clock.monotonicMs();
    let step = steps.next();
    let nowMs = clock.monotonicMs();
    while (step.done !== true && nowMs - startedMs < SLICE_MS) {
      step = steps.next();
      nowMs = clock.monotonicMs();
    }
    tookMs += nowMs - startedMs;
    if (step.done === true) endLook(step.value);
    else nextTurn = setImmediate(() => lookOn(steps));
  };
  const endLook = (change: RouteChange | null) => {
    looking = null;
    restsUntilMs = clock.monotonicMs() + tookMs * RESTS_PER_LOOK;
    if (change !== null && clients.size > 0) for (const text of encodeChange(change)) broadcast(text);
    for (const { response, hello } of waiting.splice(0)) welcome(response, hello);
  };
  const welcome = (response: ServerResponse, hello: object) => {
    if (response.destroyed) return;
    const client = new Client(response, encodeImage(hello, routes.all(), feed));
    clients.add(client);
    if (clients.size === 1) startTimers();
    response.once("close", () => {
      clients.delete(client);
      if (clients.size === 0) stopTimers();
    });
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
      waiting.push({ response, hello });
      look();
    },
    setFeed(status) {
      if (status === feed) return;
      feed = status;
      broadcast(encodeFeed(feed));
    },
    close() {
      stopTimers();
      if (nextTurn !== null) clearImmediate(nextTurn);
      for (const client of clients) client.end();
      for (const { response } of waiting.splice(0)) response.end();
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
    response.on("drain", () => this.#sendNext());
    this.#sendPiece();
  }

  send(text: string): void {
    if (this.#image === null) this.#response.write(text);
    else this.#later += text;
    if (this.#response.writableLength + this.#later.length > MAX_UNREAD_BYTES) this.#response.destroy();
  }

  end(): void {
    this.#response.end();
  }

  /** One of its events; what the connection takes at once would else be all of them in one turn. */
  #sendPiece(): void {
    if (this.#image === null || this.#response.writableEnded || this.#response.destroyed) return;
    const { done, value } = this.#image.next();
    if (done !== true) {
      if (this.#response.write(value)) this.#sendNext();
      return;
    }
    this.#image = null;
    this.#response.write(this.#later);
    this.#later = "";
  }

  #sendNext(): void {
    if (this.#image !== null) setImmediate(() => this.#sendPiece());
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
