/**
 * The one writer of the route table: joins reservations with endpoints by process GUID (native feed), adds what
 * `router.register` says about a URI (classic feed), and shows readers each route that came out different.
 *
 *   reservation ──destinations──► process ──► endpoints ┐
 *        │                                              ├─► pool ──(changed?)──► attach ──► Route ──► readers
 *   register/unregister/prune ──► members ──────────────┘
 */
import { sameEndpoint, sameEndpoints, sameRecord, sameReservation } from "./equal.ts";
import { type AttachmentMaker, type Member, membersOf, type Pool, TableRoute } from "./pool.ts";
import { RouteIndex } from "./route-index.ts";
import { parseRouteKey, type RouteKey } from "./route-key.ts";
import { ShardedMap } from "./sharded-map.ts";
import { SharedStrings } from "./shared-strings.ts";
import {
  type Destination,
  type Endpoint,
  endpointAddress,
  type PrunedEndpoint,
  type RegisterOutcome,
  type Registration,
  type Reservation,
  reservationAddress,
  type Route,
  type RouteOptions,
  type RouteProtocol,
  type Snapshot,
  type Table,
  type TableEvent,
  type TableImage,
  type TableOptions,
} from "./types.ts";

const NO_OPTIONS: RouteOptions = Object.freeze({});
/** What most pools have of reservations; one list for all of them. */
const NONE: readonly never[] = Object.freeze([]);

/** About a millisecond when each of them makes a route. */
const CHANGES_PER_STEP = 128;
/** Half a millisecond when all of them go, much less when none does. */
const ROUTES_PER_STEP = 512;

/** Endpoints of one process, and the pools that are to have them. */
interface Process<A> {
  /** By address, so that an image makes the same pools as the events before it. */
  endpoints: readonly Endpoint[];
  pools: readonly Pool<A>[];
}

/**
 * A new, empty table.
 *
 * @example
 * const table = createTable({ attach: (route) => compile(route.options) });
 * table.apply({ kind: "route-upsert", reservation });
 * table.lookup("shop.example.com", "/cart?id=7")?.endpoints;
 */
export function createTable<A>(options: TableOptions<A>): Table<A> {
  return new RouteTable(options);
}

class RouteTable<A> implements Table<A>, AttachmentMaker<A> {
  readonly #attach: TableOptions<A>["attach"];
  readonly #attachesLate: NonNullable<TableOptions<A>["attachesLate"]>;
  readonly #detach: TableOptions<A>["detach"];
  readonly #emptyPoolTimeoutMs: number;
  readonly #index = new RouteIndex<A>();
  /** Pools that readers see nothing of yet. The others are found by their routes: a map of them all costs as much. */
  readonly #unseen: Readonly<Record<RouteProtocol, ShardedMap<Pool<A>>>> = {
    http: new ShardedMap(),
    internal: new ShardedMap(),
    tcp: new ShardedMap(),
  };
  readonly #held = new ShardedMap<Pool<A>>();
  readonly #processes = new ShardedMap<Process<A>>();
  readonly #otherProtocol = new WeakMap<Endpoint, Endpoint>();
  /** Pools that the event being applied may have changed. */
  readonly #touched: Pool<A>[] = [];
  readonly #strings = new SharedStrings();
  /** What readers see while an image is loaded in steps; null when they see the newest state. */
  #shown: Snapshot<A> | null = null;
  /** A load that is begun ends the one before. */
  #loadNumber = 0;
  #lastOrder = 0;
  #renewedAllAtMs = Number.NEGATIVE_INFINITY;
  /** The endpoint registered last and the equal one we kept: the URIs of one message share one object. */
  #given: Endpoint | null = null;
  #kept: Endpoint | null = null;

  constructor(options: TableOptions<A>) {
    this.#attach = options.attach;
    this.#attachesLate = options.attachesLate ?? (() => false);
    this.#detach = options.detach;
    this.#emptyPoolTimeoutMs = options.emptyPoolTimeoutMs ?? 0;
  }

  // === reading ===

  get generation(): number {
    return (this.#shown ?? this.#index).generation;
  }
  get size(): number {
    return this.#index.size;
  }
  lookup(host: string, path: string): Route<A> | null {
    return (this.#shown ?? this.#index).lookup(host, path);
  }
  lookupInternal(name: string): Route<A> | null {
    return (this.#shown ?? this.#index).lookupInternal(name);
  }
  hasInternalBelow(name: string): boolean {
    return (this.#shown ?? this.#index).hasInternalBelow(name);
  }
  snapshot(): Snapshot<A> {
    return this.#shown ?? this.#index.snapshot();
  }
  // Over a snapshot, so that whoever iterates may write meanwhile.
  routes(): IterableIterator<Route<A>> {
    return this.snapshot().routes();
  }
  internalRoutes(): IterableIterator<Route<A>> {
    return this.snapshot().internalRoutes();
  }
  tcpRoutes(): IterableIterator<Route<A>> {
    return this.snapshot().tcpRoutes();
  }

  // === native feed ===

  apply(event: TableEvent): void {
    switch (event.kind) {
      case "route-upsert":
        this.#putReservation(event.reservation);
        break;
      case "route-delete":
        this.#deleteReservation(event.guid);
        break;
      case "endpoint-upsert":
        this.#putEndpoint(event.endpoint);
        break;
      case "endpoint-delete":
        this.#deleteEndpoint(event);
        break;
      default:
        event satisfies never;
    }
    this.#settle();
  }

  load(image: TableImage): void {
    this.#loadNumber++;
    for (const _step of this.#replaceNative(image, Number.POSITIVE_INFINITY));
    this.#shown = null;
  }

  loadInSteps(image: TableImage, changesPerStep = CHANGES_PER_STEP): Generator<undefined, void> {
    // Readers stay at this view and the maps are written behind it, so that showing the result is one assignment.
    this.#shown ??= this.#index.snapshot();
    return this.#load(image, changesPerStep, ++this.#loadNumber);
  }

  *#load(image: TableImage, changesPerStep: number, number: number): Generator<undefined, void> {
    const steps = this.#replaceNative(image, changesPerStep);
    while (number === this.#loadNumber) {
      if (steps.next().done) {
        this.#shown = null;
        return;
      }
      yield;
    }
  }

  /** Yields after every `changesPerStep` changes or comparisons. */
  *#replaceNative(image: TableImage, changesPerStep: number): Generator<undefined, void> {
    let count = 0;
    const isStepFull = () => ++count % changesPerStep === 0;

    const guids = new ShardedMap<true>();
    for (const { guid } of image.reservations) {
      guids.set(guid, true);
      if (isStepFull()) yield;
    }
    for (const guid of this.#held.keys()) {
      if (!guids.has(guid)) this.#deleteReservation(guid);
      if (isStepFull()) yield;
    }
    const byProcess = new ShardedMap<Endpoint[]>();
    for (const endpoint of image.endpoints) {
      const others = byProcess.get(endpoint.processGuid);
      if (others === undefined) byProcess.set(endpoint.processGuid, [endpoint]);
      else others.push(endpoint);
      if (isStepFull()) yield;
    }
    for (const [guid, { endpoints }] of this.#processes.entries()) {
      const stays = (known: Endpoint) =>
        byProcess.get(guid)?.some((endpoint) => compareAddress(endpoint, known) === 0) ?? false;
      for (const endpoint of endpoints) {
        if (!stays(endpoint)) this.#deleteEndpoint(endpoint);
      }
      if (isStepFull()) yield;
    }
    for (const reservation of image.reservations) {
      this.#putReservation(reservation);
      if (isStepFull()) yield;
    }
    for (const endpoint of image.endpoints) {
      this.#putEndpoint(endpoint);
      if (isStepFull()) yield;
    }
    for (const pool of this.#touched) {
      this.#settlePool(pool);
      if (isStepFull()) yield;
    }
    this.#touched.length = 0;
  }

  #putReservation(given: Reservation): void {
    const pool = this.#poolOf(given.protocol, reservationAddress(given));
    const before = this.#held.get(given.guid);
    if (before !== undefined && before !== pool) this.#deleteReservation(given.guid);
    const known = pool.reservations.find((reservation) => reservation.guid === given.guid);
    if (known !== undefined && sameReservation(known, given)) return;
    this.#held.set(given.guid, pool);
    const others = pool.reservations.filter((reservation) => reservation !== known);
    const all = [...others, given].sort((a, b) => (a.guid < b.guid ? -1 : 1));
    this.#setReservations(pool, all);
  }

  #deleteReservation(guid: string): void {
    const pool = this.#held.get(guid);
    if (pool === undefined) return;
    this.#held.delete(guid);
    this.#setReservations(
      pool,
      pool.reservations.filter((reservation) => reservation.guid !== guid),
    );
  }

  #setReservations(pool: Pool<A>, reservations: readonly Reservation[]): void {
    for (const { processGuid } of pool.reservations[0]?.destinations ?? []) {
      const process = this.#process(processGuid);
      process.pools = process.pools.filter((other) => other !== pool);
      this.#forgetProcess(processGuid, process);
    }
    pool.reservations = reservations;
    for (const { processGuid } of reservations[0]?.destinations ?? []) {
      const process = this.#process(processGuid);
      if (!process.pools.includes(pool)) process.pools = [...process.pools, pool];
    }
    pool.lingering = null;
    this.#touchPool(pool);
  }

  #putEndpoint(given: Endpoint): void {
    const process = this.#process(given.processGuid);
    const at = addressRank(process.endpoints, given);
    const known = process.endpoints[at];
    const isKnown = known !== undefined && compareAddress(known, given) === 0;
    if (isKnown && sameEndpoint(known, given)) return;
    process.endpoints = process.endpoints.toSpliced(at, isKnown ? 1 : 0, given);
    this.#touch(process);
  }

  #deleteEndpoint(gone: {
    readonly processGuid: string;
    readonly host: string;
    readonly port: number;
  }): void {
    const process = this.#processes.get(gone.processGuid);
    if (process === undefined) return;
    const at = addressRank(process.endpoints, gone);
    const known = process.endpoints[at];
    if (known === undefined || compareAddress(known, gone) !== 0) return;
    process.endpoints = process.endpoints.toSpliced(at, 1);
    this.#touch(process);
    this.#forgetProcess(gone.processGuid, process);
  }

  #process(guid: string): Process<A> {
    let process = this.#processes.get(guid);
    if (process === undefined) {
      process = { endpoints: [], pools: [] };
      this.#processes.set(guid, process);
    }
    return process;
  }

  #forgetProcess(guid: string, process: Process<A>): void {
    if (process.endpoints.length === 0 && process.pools.length === 0) this.#processes.delete(guid);
  }

  #touch(process: Process<A>): void {
    for (const pool of process.pools) this.#touchPool(pool);
  }

  #touchPool(pool: Pool<A>): void {
    if (pool.isTouched) return;
    pool.isTouched = true;
    this.#touched.push(pool);
  }

  #settle(): void {
    for (const pool of this.#touched) this.#settlePool(pool);
    this.#touched.length = 0;
  }

  #settlePool(pool: Pool<A>): void {
    pool.isTouched = false;
    this.#rebuild(pool);
  }

  // === classic feed ===

  register(registration: Registration, nowMs: number): RegisterOutcome {
    const address = parseRouteKey(registration.uri);
    // A new one is never unseen: it has a member, and so a route, when we return.
    const pool = this.#findPool("http", address) ?? newPool<A>("http", address);
    // Whole, because a fraction would be an object of its own in each of them; upwards, so that nobody is pruned early.
    const seenAtMs = Math.ceil(nowMs);
    const { endpoint, options, routeServiceUrl, staleAfterMs } = registration;
    let last: Member | null = null;
    let known = pool.members;
    while (known !== null && compareAddress(known.endpoint, endpoint) !== 0) {
      last = known;
      known = known.next;
    }
    if (known !== null) {
      known.seenAtMs = seenAtMs;
      known.staleAfterMs = staleAfterMs;
      if (
        sameEndpoint(known.endpoint, endpoint) &&
        sameRecord(known.options, options) &&
        known.routeServiceUrl === routeServiceUrl
      ) {
        this.#given = endpoint;
        this.#kept = known.endpoint;
        return "unchanged";
      }
    }
    if (this.#given !== endpoint || this.#kept === null) {
      this.#given = endpoint;
      this.#kept = this.#strings.shareEndpoint(endpoint);
    }
    const order = ++this.#lastOrder;
    if (known === null) {
      const fresh = {
        endpoint: this.#kept,
        options,
        routeServiceUrl,
        staleAfterMs,
        seenAtMs,
        order,
        next: null,
      };
      if (last === null) pool.members = fresh;
      else last.next = fresh;
    } else {
      known.endpoint = this.#kept;
      known.options = options;
      known.routeServiceUrl = routeServiceUrl;
      known.order = order;
    }
    pool.lingering = null;
    this.#rebuild(pool);
    return known === null ? "new" : "updated";
  }

  unregister({ uri, endpoint }: Pick<Registration, "uri" | "endpoint">): boolean {
    const pool = this.#findPool("http", parseRouteKey(uri));
    if (pool === undefined) return false;
    const isGone = (member: Member) => compareAddress(member.endpoint, endpoint) === 0;
    return this.#removeMembers(pool, isGone, null).length > 0;
  }

  prune(nowMs: number): readonly PrunedEndpoint[] {
    return [...this.pruneInSteps(nowMs, Number.POSITIVE_INFINITY)].flat();
  }

  *pruneInSteps(nowMs: number, routesPerStep = ROUTES_PER_STEP): Generator<readonly PrunedEndpoint[], void> {
    const isStale = (member: Member) =>
      !member.endpoint.tls &&
      member.staleAfterMs > 0 &&
      nowMs - Math.max(member.seenAtMs, this.#renewedAllAtMs) > member.staleAfterMs;

    let pruned: PrunedEndpoint[] = [];
    let count = 0;
    for (const { pool } of this.#index.httpRoutes()) {
      for (const { endpoint } of this.#prunePool(pool, isStale, nowMs)) {
        pruned.push({ route: pool.key, endpoint });
      }
      if (++count % routesPerStep !== 0) continue;
      yield pruned;
      pruned = [];
    }
    yield pruned;
  }

  #prunePool(pool: Pool<A>, isStale: (member: Member) => boolean, nowMs: number): readonly Member[] {
    if (pool.lingering === null) return this.#removeMembers(pool, isStale, nowMs);
    pool.lingering.sinceMs ??= nowMs;
    if (nowMs - pool.lingering.sinceMs >= this.#emptyPoolTimeoutMs) {
      pool.lingering = null;
      this.#rebuild(pool);
    }
    return NONE;
  }

  staleAfterMs({ uri, endpoint }: Pick<Registration, "uri" | "endpoint">): number | null {
    const pool = this.#findPool("http", parseRouteKey(uri));
    if (pool === undefined) return null;
    for (const member of membersOf(pool)) {
      if (compareAddress(member.endpoint, endpoint) === 0) return member.staleAfterMs;
    }
    return null;
  }

  renewAll(nowMs: number): void {
    this.#renewedAllAtMs = nowMs;
  }

  /** Says which; readers see it if there were any. */
  #removeMembers(
    pool: Pool<A>,
    isGone: (member: Member) => boolean,
    nowMs: number | null,
  ): readonly Member[] {
    let gone: Member[] | null = null;
    let last: Member | null = null;
    for (let member = pool.members; member !== null; member = member.next) {
      if (!isGone(member)) {
        last = member;
        continue;
      }
      gone ??= [];
      gone.push(member);
      if (last === null) pool.members = member.next;
      else last.next = member.next;
    }
    if (gone === null) return NONE;
    if (pool.members === null && pool.reservations.length === 0 && this.#emptyPoolTimeoutMs > 0) {
      pool.lingering = { sinceMs: nowMs };
    }
    this.#rebuild(pool);
    return gone;
  }

  // === both ===

  #poolOf(protocol: RouteProtocol, uri: string): Pool<A> {
    const address = parseRouteKey(uri);
    const known = this.#findPool(protocol, address);
    if (known !== undefined) return known;
    const pool = newPool<A>(protocol, address);
    this.#unseen[protocol].set(address.key, pool);
    return pool;
  }

  #findPool(protocol: RouteProtocol, address: RouteKey): Pool<A> | undefined {
    return this.#index.find(protocol, address)?.pool ?? this.#unseen[protocol].get(address.key);
  }

  /** Brings what readers see in line with the pool; an unchanged route stays the same object. */
  #rebuild(pool: Pool<A>): void {
    const previous = pool.route;
    const reservation = pool.reservations[0] ?? null;
    if (reservation === null && pool.members === null && pool.lingering === null) {
      this.#unseen[pool.protocol].delete(pool.key);
      if (previous === null) return;
      pool.route = null;
      this.#index.remove(pool.protocol, previous);
      if (previous.isAttached) this.#detach?.(previous.attachment);
      return;
    }
    // A reservation decides everything it can say, even by saying nothing: `{}` and null are answers.
    const source = reservation ?? latest(pool) ?? previous;
    const path = reservation === null ? pool.path : parseRouteKey(reservation.route).path;
    const options = source?.options ?? NO_OPTIONS;
    const routeServiceUrl = source?.routeServiceUrl ?? null;
    const endpoints = this.#endpointsOf(pool, reservation);
    if (
      previous !== null &&
      previous.reservation === reservation &&
      previous.path === path &&
      previous.routeServiceUrl === routeServiceUrl &&
      sameRecord(previous.options, options) &&
      sameEndpoints(previous.endpoints, endpoints)
    ) {
      return;
    }
    const { key, protocol } = pool;
    const { host } = parseRouteKey(key);
    const route = new TableRoute<A>(
      pool,
      { key, host, path, reservation, options, routeServiceUrl, endpoints },
      this,
    );
    if (previous?.isAttached === true) route.attach(this.#attach(route, previous.attachment));
    else if (!this.#attachesLate(route)) route.attach(this.#attach(route, undefined));
    pool.route = route;
    this.#index.put(protocol, route, previous);
    if (previous === null) this.#unseen[protocol].delete(key);
  }

  /** For {@link TableRoute} only. */
  attachLate(route: TableRoute<A>): A {
    const attachment = this.#attach(route, undefined);
    // A reader may hold a route that has left the table meanwhile, and that nothing would detach later.
    if (route.pool.route !== route) this.#detach?.(attachment);
    return attachment;
  }

  #endpointsOf(pool: Pool<A>, reservation: Reservation | null): readonly Endpoint[] {
    const first = pool.members;
    // A list of one that grew would keep room for more.
    const classic =
      first?.next === null ? [first.endpoint] : Array.from(membersOf(pool), (member) => member.endpoint);
    if (reservation === null) return classic;
    const native = reservation.destinations.flatMap((destination) =>
      this.#join(reservation.protocol, destination),
    );
    if (native.length === 0) return classic;
    const byAddress = new Map<string, Endpoint>();
    for (const endpoint of [...native, ...classic]) {
      const address = endpointAddress(endpoint);
      if (!byAddress.has(address)) byAddress.set(address, endpoint);
    }
    return [...byAddress.values()];
  }

  /** The endpoints of one destination. */
  #join(protocol: RouteProtocol, destination: Destination): readonly Endpoint[] {
    const endpoints = this.#processes.get(destination.processGuid)?.endpoints ?? [];
    // Names resolve to instances, whatever port they listen on.
    if (protocol === "internal") return endpoints;
    const appPort = destination.appPort ?? firstPort(endpoints);
    const joined = endpoints.filter((endpoint) => endpoint.appPort === appPort || endpoint.appPort === 0);
    return protocol === "tcp" ? joined : joined.map((endpoint) => this.#speaking(endpoint, destination));
  }

  /** One instance may serve one route by HTTP/1.1 and another by HTTP/2: the destination says. */
  #speaking(endpoint: Endpoint, { protocol }: Destination): Endpoint {
    if (endpoint.protocol === protocol) return endpoint;
    let variant = this.#otherProtocol.get(endpoint);
    if (variant === undefined) {
      variant = { ...endpoint, protocol };
      this.#otherProtocol.set(endpoint, variant);
    }
    return variant;
  }
}

function newPool<A>(protocol: RouteProtocol, { key, path }: RouteKey): Pool<A> {
  return {
    protocol,
    key,
    path,
    reservations: NONE,
    members: null,
    lingering: null,
    isTouched: false,
    route: null,
  };
}

/** The lowest known app port; an instance's ports have no other order that all readers see alike. */
function firstPort(endpoints: readonly Endpoint[]): number {
  const known = endpoints.map((endpoint) => endpoint.appPort).filter((port) => port !== 0);
  return known.length === 0 ? 0 : Math.min(...known);
}

function latest(pool: Pool<unknown>): Member | null {
  let last = pool.members;
  for (const member of membersOf(pool)) {
    if (last !== null && member.order > last.order) last = member;
  }
  return last;
}

type Address = Pick<Endpoint, "host" | "port">;

function compareAddress(a: Address, b: Address): number {
  if (a.host !== b.host) return a.host < b.host ? -1 : 1;
  return a.port - b.port;
}

/** Where `address` is, or would be, in a list sorted by address. */
function addressRank(sorted: readonly Endpoint[], address: Address): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const endpoint = sorted[middle];
    if (endpoint !== undefined && compareAddress(endpoint, address) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
