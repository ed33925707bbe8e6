/**
 * The routes as the pages have them, and what changed since the last look. Routes are immutable and unchanged ones
 * keep their identity, so a look compares references: about 1 ms for 10,000 routes.
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
  /** Null when nothing changed. */
  look(): RouteChange | null;
  /** JSON texts of everything as of the last look. */
  all(): readonly string[];
}

export function createLiveRoutes(table: LiveTable): LiveRoutes {
  const shown = new Map<string, { readonly route: Route; readonly json: string }>();
  let generation = Number.NEGATIVE_INFINITY;

  return {
    look() {
      if (table.generation === generation) return null;
      generation = table.generation;
      const upserts: string[] = [];
      const seen = new Set<string>();
      for (const [protocol, route] of everyRoute(table)) {
        const id = routeId(protocol, route);
        seen.add(id);
        if (shown.get(id)?.route === route) continue;
        const json = JSON.stringify(viewOf(protocol, route));
        // A change the page does not show, such as a renewed time stamp, is no change.
        if (shown.get(id)?.json !== json) upserts.push(json);
        shown.set(id, { route, json });
      }
      const deletes = seen.size === shown.size ? [] : [...shown.keys()].filter((id) => !seen.has(id));
      for (const id of deletes) shown.delete(id);
      return upserts.length + deletes.length === 0 ? null : { upserts, deletes };
    },
    all: () => Array.from(shown.values(), ({ json }) => json),
  };
}

function* everyRoute(table: LiveTable): IterableIterator<readonly [RouteView["protocol"], Route]> {
  for (const route of table.routes()) yield ["http", route];
  for (const route of table.internalRoutes()) yield ["internal", route];
  for (const route of table.tcpRoutes()) yield ["tcp", route];
}
