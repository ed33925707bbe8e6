/**
 * The routes as the pages have them, and what changed since the last look. Routes are immutable and unchanged ones
 * keep their identity, so a look compares references. It is at the table as it is when it begins, however long it takes.
 */
import type { Route, Snapshot } from "../table/index.ts";
import { type RouteView, routeId, viewOf } from "./view.ts";

/** What is needed of a table; the router's own will do, and so will one that a reader keeps. */
export type LiveTable = Pick<Snapshot, "generation" | "routes" | "internalRoutes" | "tcpRoutes">;

export interface RouteChange {
  /** JSON texts of {@link RouteView}. */
  readonly upserts: readonly string[];
  readonly deletes: readonly string[];
}

export interface LiveRoutes {
  /** Yields wherever others may have their turn; returns null when nothing changed. One at a time. */
  look(): Generator<undefined, RouteChange | null>;
  /** JSON texts of everything as of the last look that has ended. */
  all(): readonly string[];
}

/** Routes between two places to yield; new ones, which are written down, take some 5 µs each. */
const ROUTES_PER_STEP = 64;

interface Shown {
  readonly id: string;
  route: Route;
  json: string;
  /** Number of the look that saw it last. */
  seen: number;
}

export function createLiveRoutes(table: LiveTable): LiveRoutes {
  const byId = new Map<string, Shown>();
  // By identity: to write down 100,000 ids and look them up was nine tenths of a look.
  const byRoute = new Map<Route, Shown>();
  let generation = Number.NEGATIVE_INFINITY;
  let looks = 0;

  return {
    *look() {
      if (table.generation === generation) return null;
      generation = table.generation;
      looks++;
      const upserts: string[] = [];
      let count = 0;
      for (const [protocol, route] of everyRoute(table)) {
        if (++count % ROUTES_PER_STEP === 0) yield;
        let shown = byRoute.get(route);
        if (shown === undefined) {
          const id = routeId(protocol, route);
          const json = JSON.stringify(viewOf(protocol, route));
          shown = byId.get(id) ?? { id, route, json: "", seen: looks };
          byRoute.delete(shown.route);
          // A change the page does not show, such as a renewed time stamp, is no change.
          if (shown.json !== json) upserts.push(json);
          shown.route = route;
          shown.json = json;
          byId.set(id, shown);
          byRoute.set(route, shown);
        }
        shown.seen = looks;
      }
      const deletes: string[] = [];
      if (count < byId.size) {
        let checked = 0;
        for (const { id, route, seen } of byId.values()) {
          if (++checked % ROUTES_PER_STEP === 0) yield;
          if (seen === looks) continue;
          deletes.push(id);
          byId.delete(id);
          byRoute.delete(route);
        }
      }
      return upserts.length + deletes.length === 0 ? null : { upserts, deletes };
    },
    all: () => Array.from(byId.values(), ({ json }) => json),
  };
}

function* everyRoute(table: LiveTable): IterableIterator<readonly [RouteView["protocol"], Route]> {
  // All three at once: each is of the table as it is when it is asked for.
  const [http, internal, tcp] = [table.routes(), table.internalRoutes(), table.tcpRoutes()];
  for (const route of http) yield ["http", route];
  for (const route of internal) yield ["internal", route];
  for (const route of tcp) yield ["tcp", route];
}
