/**
 * What the router knows of one address: how busy it is, whether it failed, and its idle connections. Shared by all
 * routes that have the endpoint, and gone (connections closed) when the last of them lets go of it.
 */
import type { EndpointLoad } from "../balancing/index.ts";
import type { Endpoint } from "../table/index.ts";
import type { EndpointSessions } from "./http2/endpoint-sessions.ts";
import type { UpstreamConnection } from "./upstream-connection.ts";

export class EndpointState implements EndpointLoad {
  readonly key: string;
  inFlight = 0;
  failedUntilMs = 0;
  /** Last in, first out: the warmest connection is reused, the others may age away. */
  readonly idle: UpstreamConnection[] = [];
  /** Null until it is asked by HTTP/2. */
  http2: EndpointSessions | null = null;
  /** Routes that have it; 0 when it has left the table. */
  references = 0;

  constructor(key: string) {
    this.key = key;
  }
}

export class EndpointStates {
  readonly #states = new Map<string, EndpointState>();

  get size(): number {
    return this.#states.size;
  }

  acquire(endpoint: Endpoint, key = connectionKey(endpoint)): EndpointState {
    let state = this.#states.get(key);
    if (state === undefined) {
      state = new EndpointState(key);
      this.#states.set(key, state);
    }
    state.references++;
    return state;
  }

  release(state: EndpointState): void {
    if (--state.references > 0) return;
    this.#states.delete(state.key);
    // Closing takes it out of the list.
    for (let last = state.idle.at(-1); last !== undefined; last = state.idle.at(-1)) last.close();
    state.http2?.leave();
  }

  values(): IterableIterator<EndpointState> {
    return this.#states.values();
  }
}

/** Connections may be shared only by endpoints that are reached and verified in the same way. */
function connectionKey(endpoint: Endpoint): string {
  const address = `${endpoint.host}:${endpoint.port}`;
  return endpoint.tls ? `${address} tls ${endpoint.serverCertDomainSan}` : address;
}
