/** The two sides of a route: the pool, which the table writes, and the route that readers see of it. */
import type { Endpoint, Reservation, Route, RouteOptions, RouteProtocol } from "./types.ts";

/** An endpoint that a classic registration put into one pool. */
export interface Member {
  endpoint: Endpoint;
  options: RouteOptions;
  routeServiceUrl: string | null;
  staleAfterMs: number;
  seenAtMs: number;
  /** Grows with every registration that changes something: the highest in a pool is «the one registered last». */
  order: number;
  /** Heard of next in its pool: a chain, because a list takes as much as a member, and most pools have one. */
  next: Member | null;
}

/** The writer's side of a route. */
export interface Pool<A> {
  readonly protocol: RouteProtocol;
  readonly key: string;
  /** As the first registration wrote it. */
  readonly path: string;
  /** By GUID. The first holds the route, so all readers agree, whatever order they heard of two in. */
  reservations: readonly Reservation[];
  /** The first of the chain. */
  members: Member | null;
  /** Set while an empty classic pool is still known; since when is null until the next prune tells the time. */
  lingering: { sinceMs: number | null } | null;
  /** Among those that what is being applied may have changed. */
  isTouched: boolean;
  /** The newest; null before the first. */
  route: TableRoute<A> | null;
}

/** In the order in which they were first heard of. */
export function* membersOf(pool: Pool<unknown>): IterableIterator<Member> {
  for (let member = pool.members; member !== null; member = member.next) yield member;
}

/** Immutable for readers, but that its list of endpoints and its attachment may be made as late as at their first read. */
export class TableRoute<A> implements Route<A> {
  readonly key: string;
  readonly host: string;
  readonly path: string;
  readonly reservation: Reservation | null;
  readonly options: RouteOptions;
  readonly routeServiceUrl: string | null;
  /** One alone gets its list when it is asked for, which for most routes of a big table is never. */
  #endpoints: Endpoint | readonly Endpoint[];
  readonly #pool: Pool<A>;
  #attachment: A | undefined;
  /** Who makes the attachment; null when it is made. */
  #maker: AttachmentMaker<A> | null;

  constructor(pool: Pool<A>, content: Omit<Route<A>, "attachment">, maker: AttachmentMaker<A>) {
    this.key = content.key;
    this.host = content.host;
    this.path = content.path;
    this.reservation = content.reservation;
    this.options = content.options;
    this.routeServiceUrl = content.routeServiceUrl;
    this.#endpoints = content.endpoints.length === 1 ? (content.endpoints[0] as Endpoint) : content.endpoints;
    this.#pool = pool;
    this.#maker = maker;
  }

  get pool(): Pool<A> {
    return this.#pool;
  }

  get endpoints(): readonly Endpoint[] {
    if (!isList(this.#endpoints)) this.#endpoints = [this.#endpoints];
    return this.#endpoints;
  }

  get attachment(): A {
    if (this.#maker !== null) this.attach(this.#maker.attachLate(this));
    return this.#attachment as A;
  }

  get isAttached(): boolean {
    return this.#maker === null;
  }

  attach(attachment: A): void {
    this.#attachment = attachment;
    this.#maker = null;
  }
}

const isList = <T>(value: T | readonly T[]): value is readonly T[] => Array.isArray(value);

/** The table, as its routes know it. */
export interface AttachmentMaker<A> {
  attachLate(route: TableRoute<A>): A;
}
