/**
 * One connection to an endpoint. It carries bytes and knows whose they are; what they mean is for the phases.
 *
 *   dialing ──connect──► busy ──answer complete──► idle ──next exchange──► busy …
 *      │                  │                          │
 *      └── refused, late  └── EOF, reset, timeout    └── EOF, aged, endpoint left ──► closed
 */
import type { Socket } from "node:net";
import { BodyReader, ResponseHead } from "../wire/http1/index.ts";
import type { RouterContext } from "./context.ts";
import type { EndpointState } from "./endpoint-state.ts";
import type { Exchange } from "./exchange.ts";
import type { RoutedCandidate } from "./program.ts";
import type { Carrier } from "./carrier.ts";
import { OWN_MEMORY, type ReadMemory } from "./receive-buffer.ts";
import { carryThroughRing } from "./ring-carrier.ts";
import { dial, localAddressOf, type Upstream } from "./upstream.ts";

export class UpstreamConnection implements Upstream {
  /** The dialed one, unless it goes through the ring when it is connected. */
  socket: Carrier;
  readonly state: EndpointState;
  readonly head = new ResponseHead();
  readonly body = new BodyReader();
  /** Of the present read. */
  memory: ReadMemory = OWN_MEMORY;
  exchange: Exchange | null = null;
  /** It has served an exchange before the present one. */
  wasReused = false;
  /** Anything of an answer to the present exchange has arrived. */
  hasAnswered = false;
  /** May serve another exchange after this one, as far as we know. */
  isReusable = true;
  isConnected = false;
  isClosed = false;
  /** Moment of the state it is in: dialing since, idle since (coarse monotonic). */
  sinceMs: number;
  readonly dialStartedAtMs: number;
  dialTimeMs = -1;
  dnsTimeMs = -1;
  tlsTimeMs = -1;
  /** Asked for while there is a connection: of one that broke off it is wanted most, and the socket forgets it. */
  localAddress = "";
  #error: Error | null = null;
  readonly #dialed: Socket;
  readonly #router: RouterContext;
  readonly #usesTls: boolean;

  constructor(router: RouterContext, candidate: RoutedCandidate) {
    this.#router = router;
    this.state = candidate.load;
    this.sinceMs = router.ticker.nowMs;
    this.dialStartedAtMs = router.ticker.monotonicMs();
    const { endpoint } = candidate;
    this.#usesTls = endpoint.tls;
    const socket = dial(router, candidate, this.#receive, null);
    this.#dialed = socket;
    this.socket = socket;
    socket
      .on("lookup", this.#onLookup)
      .on("connect", this.#onConnect)
      .on("drain", this.#onDrain)
      .on("end", this.#onEnd)
      .on("error", this.#onError)
      .on("close", this.#onClose);
    if (endpoint.tls) socket.on("secureConnect", this.#onSecureConnect);
    router.upstreams.add(this);
  }

  get isIdle(): boolean {
    return this.exchange === null;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.exchange = null;
    this.#leaveIdle();
    this.#router.upstreams.delete(this);
    this.socket.destroy();
    this.memory.close();
  }

  /** Its exchange is over and left it clean: keep it for another one, within the limits. */
  release(): void {
    const { config, counters, ticker, isDraining } = this.#router;
    const { state } = this;
    this.exchange = null;
    this.head.release();
    if (
      !this.isReusable ||
      this.isClosed ||
      isDraining ||
      state.references === 0 ||
      !config.keepAliveToEndpoints ||
      state.idle.length >= config.maxIdleConnectionsPerEndpoint ||
      counters.idleUpstreamConnections >= config.maxIdleConnections
    ) {
      this.close();
      return;
    }
    this.wasReused = true;
    this.sinceMs = ticker.nowMs;
    state.idle.push(this);
    counters.idleUpstreamConnections++;
  }

  /** Called at every tick. */
  check(nowMs: number): void {
    const { config } = this.#router;
    if (this.exchange === null) {
      if (nowMs - this.sinceMs >= config.idleConnectionTimeoutMs) this.close();
      return;
    }
    if (this.isConnected) return;
    // Then the exchange looks at it itself.
    if ((this.exchange.route?.attachment.rules?.connectTimeoutMs ?? 0) !== 0) return;
    const isTls = this.dialTimeMs >= 0;
    const limitMs = isTls
      ? config.tlsHandshakeTimeoutMs
      : this.exchange.isUpgrade
        ? config.websocketDialTimeoutMs
        : config.endpointDialTimeoutMs;
    if (limitMs !== 0 && nowMs - this.sinceMs >= limitMs) this.exchange.dialFailed(this, "i/o timeout");
  }

  #leaveIdle(): void {
    const { idle } = this.state;
    const at = idle.lastIndexOf(this);
    if (at === -1) return;
    idle.splice(at, 1);
    this.#router.counters.idleUpstreamConnections--;
  }

  readonly #receive = (bytes: Buffer, size: number, memory: ReadMemory) => {
    if (this.exchange === null) {
      // An idle connection owes us nothing: whatever this is, it must not become the answer to the next request.
      this.close();
      return false;
    }
    this.hasAnswered = true;
    this.memory = memory;
    this.exchange.upstreamReceived(this, bytes, size);
    return !this.body.done;
  };

  readonly #onLookup = () => {
    this.dnsTimeMs = this.#router.ticker.monotonicMs() - this.dialStartedAtMs;
  };

  readonly #onConnect = () => {
    this.dialTimeMs = this.#router.ticker.monotonicMs() - this.dialStartedAtMs;
    this.sinceMs = this.#router.ticker.nowMs;
    if (this.#usesTls) return;
    this.localAddress = localAddressOf(this.#dialed);
    const { ring } = this.#router;
    if (ring !== null) {
      const carried = carryThroughRing(ring, this.#dialed.pause(), {
        received: this.#receive,
        passage: () => this.exchange?.answerPassage ?? null,
        drained: this.#onDrain,
        ended: this.#onEnd,
        failed: this.#onError,
        closed: this.#onClose,
      });
      if (carried === null) this.#dialed.resume();
      else this.socket = carried;
    }
    this.#connected();
  };

  readonly #onSecureConnect = () => {
    this.tlsTimeMs = this.#router.ticker.monotonicMs() - this.dialStartedAtMs - this.dialTimeMs;
    this.localAddress = localAddressOf(this.#dialed);
    this.#connected();
  };

  #connected(): void {
    this.isConnected = true;
    this.exchange?.connected(this);
  }

  readonly #onDrain = () => this.exchange?.upstreamDrained();

  readonly #onEnd = () => {
    this.isReusable = false;
    if (this.exchange === null) this.close();
    else this.exchange.upstreamEnded(this, this.#error);
  };

  readonly #onError = (error: Error) => {
    this.#error = error;
  };

  readonly #onClose = () => {
    const { exchange } = this;
    if (this.isClosed) return;
    if (exchange === null) this.close();
    else if (this.isConnected) exchange.upstreamEnded(this, this.#error);
    else exchange.dialFailed(this, this.#error ?? "connection closed");
  };
}

/** The warmest idle connection to an address, or null. */
export function takeIdle(router: RouterContext, state: EndpointState): UpstreamConnection | null {
  const connection = state.idle.pop();
  if (connection === undefined) return null;
  router.counters.idleUpstreamConnections--;
  return connection;
}
