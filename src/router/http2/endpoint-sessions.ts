/** The sessions of one endpoint. Usually one: another is dialed when all are full. */
import type { Exchange } from "../exchange.ts";
import type { RoutedCandidate } from "../program.ts";
import { EndpointSession } from "./endpoint-session.ts";

/** Until an endpoint has said how many streams it takes; RFC 9113 §6.5.2 asks for no fewer. */
const STREAMS_AT_FIRST = 100;

export class EndpointSessions {
  /** Exchanges that may wait for one session that is being dialed. */
  streamsAtOnce = STREAMS_AT_FIRST;
  readonly #sessions: EndpointSession[] = [];

  get size(): number {
    return this.#sessions.length;
  }

  /** Gives an exchange a lane. @param isFresh  not of a session that others have used already */
  join(exchange: Exchange, candidate: RoutedCandidate, isFresh: boolean): void {
    let session = this.#sessions.find((each) => each.hasRoom && (each.isDialing || !isFresh));
    if (session === undefined) {
      session = new EndpointSession(exchange.router, candidate, this);
      this.#sessions.push(session);
    }
    session.join(exchange);
  }

  remove(session: EndpointSession): void {
    const at = this.#sessions.indexOf(session);
    if (at !== -1) this.#sessions.splice(at, 1);
  }

  /** The endpoint has left the table. */
  leave(): void {
    for (const session of this.#sessions.splice(0)) session.leave();
  }
}

/** Phase connect towards an endpoint that speaks HTTP/2. */
export function joinSession(exchange: Exchange, candidate: RoutedCandidate): void {
  candidate.load.http2 ??= new EndpointSessions();
  candidate.load.http2.join(exchange, candidate, exchange.needsFreshConnection);
}
