/**
 * The words of the route table. Values only, all readonly: whoever holds one may keep it.
 */

/** `http`: host and path. `tcp`: a port. `internal`: a DNS name that only apps resolve. */
export type RouteProtocol = "http" | "tcp" | "internal";

/** How to talk to an endpoint. */
export type EndpointProtocol = "http1" | "http2";

/** A per-route option map as it travels: flat, keys and values as the user wrote them (RFC-0027). */
export type RouteOptions = Readonly<Record<string, string | number | boolean>>;

/** One process that a route points to. */
export interface Destination {
  /** The Cloud Controller's process GUID, which stays the same over restarts and deployments. */
  readonly processGuid: string;
  /**
   * Port the process listens on inside its instance; null takes the lowest that its endpoints have. Endpoints whose
   * app port is unknown are taken with any. Internal routes take all endpoints of the process.
   */
  readonly appPort: number | null;
  /** Share in percent, 1–100; null when the route has no weights. */
  readonly weight: number | null;
  /** How this route talks to the process; in a pool it takes the place of the endpoint's own protocol. */
  readonly protocol: EndpointProtocol;
}

/** A route that somebody holds, whether or not anything serves it. Lives until it is deleted. */
export interface Reservation {
  readonly guid: string;
  readonly protocol: RouteProtocol;
  /**
   * `http`: `host` or `host/path`, host lower-case, no port, no trailing slash; `*.` only as the first label.
   * `internal`: the host. `tcp`: the port in decimal.
   */
  readonly route: string;
  /** `tcp`: the GUID of the router group whose port it is; a port may be held once in each. "" for all others. */
  readonly routerGroup: string;
  readonly destinations: readonly Destination[];
  readonly options: RouteOptions;
  /** `https://…`, or null. */
  readonly routeServiceUrl: string | null;
  /** "" is the shared segment. */
  readonly isolationSegment: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** One address of one running instance. Its identity in a pool is `host:port`. */
export interface Endpoint {
  /** The Cloud Controller's process GUID; "" for endpoints that came by `router.register` without one. */
  readonly processGuid: string;
  /** Instance GUID; "" when unknown. */
  readonly instanceId: string;
  /** Decimal index as text, as Cloud Foundry sends it; "" when unknown. */
  readonly instanceIndex: string;
  /** App GUID; "" for platform routes. */
  readonly appGuid: string;
  /** Address to connect to: an IP or a name. */
  readonly host: string;
  /** Port to connect to; speaks TLS when {@link tls}. */
  readonly port: number;
  readonly tls: boolean;
  /** Expected SAN of the certificate behind a TLS port; "" when none is expected. */
  readonly serverCertDomainSan: string;
  /** Port the process listens on inside its instance; 0 when unknown. */
  readonly appPort: number;
  /** Address other apps reach the instance at (overlay network); "" when it has none. */
  readonly instanceAddress: string;
  readonly protocol: EndpointProtocol;
  readonly availabilityZone: string;
  readonly isolationSegment: string;
  readonly tags: Readonly<Record<string, string>>;
  /** When the instance changed last, UNIX nanoseconds in decimal; "" when unknown. For the latency metric. */
  readonly updatedAtNs: string;
}

/** One change of the native table, as the routing API numbers it. */
export type TableEvent =
  | { readonly kind: "route-upsert"; readonly reservation: Reservation }
  | { readonly kind: "route-delete"; readonly guid: string }
  | { readonly kind: "endpoint-upsert"; readonly endpoint: Endpoint }
  | {
      readonly kind: "endpoint-delete";
      readonly processGuid: string;
      readonly host: string;
      readonly port: number;
    };

/** A place in the stream of changes. Sequence numbers are consecutive within an epoch. */
export interface Cursor {
  /** New and random whenever the numbering starts again. */
  readonly epoch: string;
  readonly sequence: number;
}

/** The whole native table at one cursor. */
export interface TableImage {
  readonly cursor: Cursor;
  readonly reservations: readonly Reservation[];
  readonly endpoints: readonly Endpoint[];
}

/** What a classic `router.register` says about one URI. */
export interface Registration {
  /** As received: host or host/path, may start with `*.`, may carry a query or a trailing slash. */
  readonly uri: string;
  readonly endpoint: Endpoint;
  readonly options: RouteOptions;
  readonly routeServiceUrl: string | null;
  /** Not renewed for this long: pruned. Milliseconds; 0 means never. */
  readonly staleAfterMs: number;
}

/** An address of which no more is known than is given: plain HTTP/1.1, of no app, everywhere. */
export function plainEndpoint(given: Pick<Endpoint, "host" | "port"> & Partial<Endpoint>): Endpoint {
  return {
    processGuid: "",
    instanceId: "",
    instanceIndex: "",
    appGuid: "",
    tls: false,
    serverCertDomainSan: "",
    appPort: 0,
    instanceAddress: "",
    protocol: "http1",
    availabilityZone: "",
    isolationSegment: "",
    tags: {},
    updatedAtNs: "",
    ...given,
  };
}

/** `host:port`, the identity of an endpoint in its pool. */
export function endpointAddress(endpoint: { readonly host: string; readonly port: number }): string {
  return `${endpoint.host}:${endpoint.port}`;
}

/** What two reservations of one protocol may not share: the route, and for a port the router group it is of. */
export function reservationAddress({ route, routerGroup }: Reservation): string {
  return routerGroup === "" ? route : `${route}/${routerGroup}`;
}

/**
 * One route as readers see it: immutable, replaced as a whole when anything about it changes.
 * @template A what the reader attaches (see {@link TableOptions.attach}), for instance a compiled program.
 */
export interface Route<A = unknown> {
  /** `host` or `host/path`, lower-case as a whole: the identity of the route. TCP: `port` or `port/router group`. */
  readonly key: string;
  readonly host: string;
  /** "" or `/V2`, without trailing slash, in the case in which its holder wrote it. */
  readonly path: string;
  /** The reservation that holds it; null when only `router.register` messages keep it. */
  readonly reservation: Reservation | null;
  /** In force: the reservation's, else those of the endpoint registered last. */
  readonly options: RouteOptions;
  readonly routeServiceUrl: string | null;
  /**
   * The pool, each address once; may be empty. In a stable order: destinations as reserved, by address within a
   * process, then classic endpoints as first heard.
   */
  readonly endpoints: readonly Endpoint[];
  readonly attachment: A;
}

export interface TableOptions<A> {
  /**
   * Called when a route appears or changes, never per lookup, but see {@link attachesLate}. `previous` is the attachment it replaces. Routes of
   * every protocol come here. Must not throw and must not write to the table.
   */
  readonly attach: (route: Omit<Route<A>, "attachment">, previous: A | undefined) => A;
  /**
   * True when the attachment of this route may wait until it is first read, which for most routes of a big table is
   * never. Not asked while a route changes that has one: what it has is handed on at once. Absent: nothing waits.
   */
  readonly attachesLate?: (route: Omit<Route<A>, "attachment">) => boolean;
  /** Called when a route disappears, with what was attached to it. */
  readonly detach?: (attachment: A) => void;
  /** A classic pool that becomes empty stays known (503) for this long; 0 removes it at once (404). Milliseconds. */
  readonly emptyPoolTimeoutMs?: number;
}

/** All routes, frozen at one moment. Holding one costs memory, never correctness. */
export interface Snapshot<A = unknown> {
  /** Compared by `>` only. */
  readonly generation: number;
  /** Routes of protocol `http` and classic ones. */
  readonly size: number;
  /**
   * The route that must serve this request: exact host first, longest path by whole segments; then the first
   * label replaced by `*`, and so on. A deeper route that somebody holds is never skipped for being empty; a classic
   * pool that has run empty is, for a shorter path of the same host that is held or has endpoints.
   * @param host  Lower-case, without port.
   * @param path  Request target from its first `/`, query allowed; compared case-insensitively.
   */
  lookup(host: string, path: string): Route<A> | null;
  /** The internal route of exactly this name, lower-case, without trailing dot. */
  lookupInternal(name: string): Route<A> | null;
  /** True when `name` has internal routes below it (an empty non-terminal in DNS). */
  hasInternalBelow(name: string): boolean;
  routes(): IterableIterator<Route<A>>;
  internalRoutes(): IterableIterator<Route<A>>;
  /** Reservations of protocol `tcp`; their host is the port in decimal. Not found by {@link lookup}. */
  tcpRoutes(): IterableIterator<Route<A>>;
}

export interface PrunedEndpoint {
  /** The key of its route. */
  readonly route: string;
  readonly endpoint: Endpoint;
}

/** `unchanged`: renewed; nothing that readers see differs. */
export type RegisterOutcome = "new" | "updated" | "unchanged";

/** The only writer. Reads of `Snapshot` on the table itself see the newest state. */
export interface Table<A = unknown> extends Snapshot<A> {
  /** Of the newest state, also while an image is loaded in steps. */
  readonly size: number;
  /** A frozen view of now; O(1), writes after it copy what they touch. */
  snapshot(): Snapshot<A>;
  /** One change of the native feed. */
  apply(event: TableEvent): void;
  /** Replaces everything that came by the native feed; classic registrations stay. Unchanged routes keep identity. */
  load(image: TableImage): void;
  /**
   * {@link load} in steps of about a millisecond, for who has traffic to serve in between: each `next` does one.
   * Readers see the table as it was before the first step until the last one, then all of the image. Registrations
   * may be made meanwhile, and are seen with it; events of the feed have to wait for the end. Beginning another load
   * ends this one; an unfinished load leaves readers where they are.
   */
  loadInSteps(image: TableImage, changesPerStep?: number): Generator<undefined, void>;
  /**
   * One URI of a `router.register`. Give all URIs of one message the same endpoint object: the table then keeps one.
   * @param nowMs  Of the clock that {@link prune} is called with.
   */
  register(registration: Registration, nowMs: number): RegisterOutcome;
  /** By address, for classic endpoints. True when something was removed. */
  unregister(registration: Pick<Registration, "uri" | "endpoint">): boolean;
  /** Removes classic endpoints that were not renewed in time (never TLS ones); says which. */
  prune(nowMs: number): readonly PrunedEndpoint[];
  /**
   * {@link prune} in steps of less than a millisecond, each with what it removed; all of a route's endpoints go in one.
   * The table may be written meanwhile: what is renewed before its turn stays.
   */
  pruneInSteps(nowMs: number, routesPerStep?: number): Generator<readonly PrunedEndpoint[], void>;
  /** After what time a registration that is not renewed is pruned; null of what no registration put into the route. */
  staleAfterMs(registered: Pick<Registration, "uri" | "endpoint">): number | null;
  /** Restarts every staleness clock: after the bus was away. */
  renewAll(nowMs: number): void;
}
