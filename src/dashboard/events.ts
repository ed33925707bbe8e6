/**
 * The event stream of the page:
 *
 *   connect ──► hello ──► change … change ──► ready ──► change | traffic | feed …
 *               (forget everything)           (show it)
 *
 * `change` carries `{upserts, deletes}`, `traffic` requests per second, `feed` whether the table is fed. A client
 * that does not read is dropped; its browser connects again and takes a new image.
 */
import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../kernel/index.ts";
import { encodeEvent, encodeRetry } from "../wire/sse/index.ts";
import type { LiveRoutes, RouteChange } from "./live-routes.ts";

/** Changes within this time become one event. */
const LOOK_EVERY_MS = 50;
/** Also the page's sign of life: it calls the connection lost after three of these. */
const TRAFFIC_EVERY_MS = 1_000;
const RETRY_MS = 1_000;
/** Routes per event: some 100 KiB, parsed by a browser without a noticeable pause. */
const ROUTES_PER_EVENT = 500;
/** Twice the image of 10,000 routes. */
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
  const clients = new Set<ServerResponse>();
  let feed: FeedStatus = "live";
  let timers: readonly Timer[] = [];
  let before: { readonly atMs: number; readonly stats: TrafficStats } | null = null;

  const send = (client: ServerResponse, text: string) => {
    client.write(text);
    if (client.writableLength > MAX_UNREAD_BYTES) client.destroy();
  };
  const broadcast = (text: string) => {
    for (const client of clients) send(client, text);
  };
  const look = () => {
    const change = routes.look();
    if (change !== null) for (const text of encodeChange(change)) broadcast(text);
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
    timers = [clock.setInterval(look, LOOK_EVERY_MS), clock.setInterval(tellTraffic, TRAFFIC_EVERY_MS)];
  };
  const stopTimers = () => {
    for (const timer of timers) timer.clear();
    timers = [];
    before = null;
  };

  return {
    connect(response, hello) {
      look();
      send(response, encodeRetry(RETRY_MS) + encodeEvent({ event: "hello", data: JSON.stringify(hello) }));
      for (const text of encodeChange({ upserts: routes.all(), deletes: [] })) send(response, text);
      send(response, encodeFeed(feed) + encodeEvent({ event: "ready", data: "{}" }));
      clients.add(response);
      if (clients.size === 1) startTimers();
      response.once("close", () => {
        clients.delete(response);
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

const encodeFeed = (status: FeedStatus) => encodeEvent({ event: "feed", data: JSON.stringify({ status }) });

function* encodeChange({ upserts, deletes }: RouteChange): IterableIterator<string> {
  for (let at = 0; at === 0 || at < upserts.length; at += ROUTES_PER_EVENT) {
    const some = upserts.slice(at, at + ROUTES_PER_EVENT).join(",");
    const gone = at === 0 ? JSON.stringify(deletes) : "[]";
    yield encodeEvent({ event: "change", data: `{"upserts":[${some}],"deletes":${gone}}` });
  }
}
