/** A route as readers see it, whose attachment may be made as late as at its first read. */
import type { Endpoint, Reservation, Route, RouteOptions } from "./types.ts";

export class TableRoute<A> implements Route<A> {
  readonly key: string;
  readonly host: string;
  readonly path: string;
  readonly reservation: Reservation | null;
  readonly options: RouteOptions;
  readonly routeServiceUrl: string | null;
  readonly endpoints: readonly Endpoint[];
  #attachment: A | undefined;
  /** Who makes the attachment; null when it is made. */
  #maker: AttachmentMaker<A> | null;

  constructor(content: Omit<Route<A>, "attachment">, maker: AttachmentMaker<A>) {
    this.key = content.key;
    this.host = content.host;
    this.path = content.path;
    this.reservation = content.reservation;
    this.options = content.options;
    this.routeServiceUrl = content.routeServiceUrl;
    this.endpoints = content.endpoints;
    this.#maker = maker;
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

/** The table, as its routes know it. */
export interface AttachmentMaker<A> {
  attachLate(route: TableRoute<A>): A;
}
