/**
 * How readers find a route. The table writes here; a snapshot is the same thing over snapshots of the maps.
 */
import { HostRoutes } from "./host-routes.ts";
import type { TableRoute } from "./pool.ts";
import type { RouteKey } from "./route-key.ts";
import { type ReadonlyVersionedMap, VersionedMap } from "./versioned-map.ts";
import type { Route, RouteProtocol, Snapshot } from "./types.ts";

/** Most hosts have one route and no path: then the route itself is the entry, and a lookup is one hit. */
type HostEntry<A> = Route<A> | HostRoutes<A>;

interface Values<A> {
  hosts: HostEntry<A>;
  /** `*.example.com` under `example.com`. */
  wildcards: HostEntry<A>;
  internal: Route<A>;
  /** How many internal routes there are below a name. */
  internalBelow: number;
  tcp: Route<A>;
}
type Maps<A> = { readonly [K in keyof Values<A>]: ReadonlyVersionedMap<Values<A>[K]> };
type LiveMaps<A> = { readonly [K in keyof Values<A>]: VersionedMap<Values<A>[K]> };

/** What readers see of the maps. */
class View<A> implements Snapshot<A> {
  generation = 0;
  size = 0;
  /** Only ever grows; keeps a host of a thousand labels from costing a thousand lookups. */
  longestWildcard = 0;
  readonly #maps: Maps<A>;

  constructor(maps: Maps<A>) {
    this.#maps = maps;
  }

  lookup(host: string, path: string): Route<A> | null {
    const { hosts, wildcards } = this.#maps;
    const exact = matchEntry(hosts.get(host), path);
    if (exact !== null || wildcards.size === 0) return exact;
    for (let dot = host.indexOf("."); dot !== -1; dot = host.indexOf(".", dot + 1)) {
      if (host.length - dot - 1 > this.longestWildcard) continue;
      const route = matchEntry(wildcards.get(host.slice(dot + 1)), path);
      if (route !== null) return route;
    }
    return null;
  }

  lookupInternal(name: string): Route<A> | null {
    return this.#maps.internal.get(name) ?? null;
  }

  hasInternalBelow(name: string): boolean {
    return this.#maps.internalBelow.get(name) !== undefined;
  }

  *routes(): IterableIterator<Route<A>> {
    for (const map of [this.#maps.hosts, this.#maps.wildcards]) {
      for (const entry of map.values()) {
        if (entry instanceof HostRoutes) yield* entry.routes();
        else yield entry;
      }
    }
  }

  internalRoutes(): IterableIterator<Route<A>> {
    return this.#maps.internal.values()[Symbol.iterator]();
  }

  tcpRoutes(): IterableIterator<Route<A>> {
    return this.#maps.tcp.values()[Symbol.iterator]();
  }
}

/** Only {@link TableRoute}s are put into it, so only those come out. */
export class RouteIndex<A> extends View<A> {
  readonly #maps: LiveMaps<A>;
  /** Counts snapshots: what was made in an earlier period is shared with one, and is copied before a write. */
  #period = 0;

  constructor() {
    const maps: LiveMaps<A> = {
      hosts: new VersionedMap(),
      wildcards: new VersionedMap(),
      internal: new VersionedMap(),
      internalBelow: new VersionedMap(),
      tcp: new VersionedMap(),
    };
    super(maps);
    this.#maps = maps;
  }

  /** The route of exactly this host and path, in the newest state. */
  find(protocol: RouteProtocol, { key, host, path }: RouteKey): TableRoute<A> | null {
    if (protocol !== "http") return (this.#maps[protocol].get(key) ?? null) as TableRoute<A> | null;
    const { hosts, wildcards } = this.#maps;
    const entry = isWildcard(host) ? wildcards.get(host.slice(2)) : hosts.get(host);
    if (entry instanceof HostRoutes) return entry.get(path) as TableRoute<A> | null;
    return entry === undefined || path !== "" ? null : (entry as TableRoute<A>);
  }

  /** Those of protocol `http` in the newest state. Each may be replaced or removed while it is looked at. */
  *httpRoutes(): IterableIterator<TableRoute<A>> {
    for (const map of [this.#maps.hosts, this.#maps.wildcards]) {
      for (const entry of map.liveValues()) {
        if (entry instanceof HostRoutes) yield* entry.routes() as IterableIterator<TableRoute<A>>;
        else yield entry as TableRoute<A>;
      }
    }
  }

  snapshot(): Snapshot<A> {
    this.#period++;
    const { hosts, wildcards, internal, internalBelow, tcp } = this.#maps;
    const view = new View<A>({
      hosts: hosts.snapshot(),
      wildcards: wildcards.snapshot(),
      internal: internal.snapshot(),
      internalBelow: internalBelow.snapshot(),
      tcp: tcp.snapshot(),
    });
    view.generation = this.generation;
    view.size = this.size;
    view.longestWildcard = this.longestWildcard;
    return view;
  }

  /** Shows `route` to readers in place of `previous`, the route of the same key. */
  put(protocol: RouteProtocol, route: Route<A>, previous: Route<A> | null): void {
    this.generation++;
    if (protocol === "tcp") return this.#maps.tcp.set(route.key, route);
    if (protocol === "internal") {
      this.#maps.internal.set(route.key, route);
      if (previous === null) this.#countBelow(route.key, 1);
      return;
    }
    if (previous === null) this.size++;
    const { map, key } = this.#place(route.host);
    const entry = map.get(key);
    if (route.path === "" && !(entry instanceof HostRoutes)) return map.set(key, route);
    this.#writable(map, key, entry).put(route);
  }

  remove(protocol: RouteProtocol, route: Route<A>): void {
    this.generation++;
    if (protocol === "tcp") return this.#maps.tcp.delete(route.key);
    if (protocol === "internal") {
      this.#maps.internal.delete(route.key);
      this.#countBelow(route.key, -1);
      return;
    }
    this.size--;
    const { map, key } = this.#place(route.host);
    const entry = map.get(key);
    if (!(entry instanceof HostRoutes)) return map.delete(key);
    const own = this.#writable(map, key, entry);
    own.remove(route.path);
    if (own.hasPaths) return;
    if (own.root === null) map.delete(key);
    else map.set(key, own.root);
  }

  #place(host: string): { readonly map: VersionedMap<HostEntry<A>>; readonly key: string } {
    if (!isWildcard(host)) return { map: this.#maps.hosts, key: host };
    const key = host.slice(2);
    this.longestWildcard = Math.max(this.longestWildcard, key.length);
    return { map: this.#maps.wildcards, key };
  }

  #writable(map: VersionedMap<HostEntry<A>>, key: string, entry: HostEntry<A> | undefined): HostRoutes<A> {
    if (entry instanceof HostRoutes && entry.period === this.#period) return entry;
    const own = new HostRoutes<A>(this.#period, entry instanceof HostRoutes ? entry : undefined);
    if (entry !== undefined && !(entry instanceof HostRoutes)) own.put(entry);
    map.set(key, own);
    return own;
  }

  #countBelow(name: string, by: 1 | -1): void {
    const { internalBelow } = this.#maps;
    for (let dot = name.indexOf("."); dot !== -1; dot = name.indexOf(".", dot + 1)) {
      const parent = name.slice(dot + 1);
      const count = (internalBelow.get(parent) ?? 0) + by;
      if (count === 0) internalBelow.delete(parent);
      else internalBelow.set(parent, count);
    }
  }
}

const isWildcard = (host: string) => host.startsWith("*.");

function matchEntry<A>(entry: HostEntry<A> | undefined, path: string): Route<A> | null {
  if (entry === undefined) return null;
  return entry instanceof HostRoutes ? entry.match(path) : entry;
}
