/**
 * One connection to an endpoint that speaks HTTP/2, and the exchanges that share it, each in a lane:
 *
 *   dialing ──SETTINGS of the endpoint──► open ──GOAWAY, silent, endpoint left──► leaving ──last lane──► closed
 *      │                                   │                                         │
 *      └── refused, late, not HTTP/2       └── idle too long ────────────────────────┴── EOF, reset, breaks a rule
 *
 * Lanes that came while it was dialed wait until the endpoint has spoken: it has said then how many streams it takes,
 * and nothing of a request has gone to somebody who does not speak HTTP/2.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { endpointProtocolUnsupported, endpointTlsFailed } from "../../kernel/errors/router.ts";
import type { ViaductError } from "../../kernel/index.ts";
import { CANCEL, DEFAULT_HTTP2_LIMITS, type FieldList, type Http2Limits } from "../../wire/http2/index.ts";
import type { RouterConfig } from "../config.ts";
import type { RouterContext } from "../context.ts";
import type { Exchange } from "../exchange.ts";
import type { RoutedCandidate } from "../program.ts";
import { dial, localAddressOf } from "../upstream.ts";
import { EndpointLane, type EndpointLaneOwner } from "./endpoint-lane.ts";
import type { EndpointSessions } from "./endpoint-sessions.ts";
import { Session } from "./session.ts";

/** An exchange may be over before its stream is; the rest of it is waited for so long. */
const STREAM_END_MS = 2_000;
/**
 * A request gave up unanswered after so long, and not a byte came meanwhile for any other: the connection may be dead in
 * a way that TCP learns of only after minutes, and must get no further requests.
 */
const SUSPECT_AFTER_MS = 2_000;

export class EndpointSession extends Session implements EndpointLaneOwner {
  readonly scheme: "http" | "https";
  dialTimeMs = -1;
  dnsTimeMs = -1;
  tlsTimeMs = -1;
  protected readonly socket: Socket;
  readonly #candidate: RoutedCandidate;
  readonly #sessions: EndpointSessions;
  #state: "dialing" | "open" | "leaving" | "closed" = "dialing";
  /** Before there are streams. */
  #waiting: EndpointLane[] = [];
  readonly #lanes = new Map<number, EndpointLane>();
  /** Lanes whose exchange goes on. */
  #inUse = 0;
  #hasServed = false;
  readonly #dialStartedAtMs: number;
  /** Moments by the ticker: of the present step of dialing, of the last byte, of the last exchange's end. */
  #stepSinceMs: number;
  #receivedAtMs: number;
  #idleSinceMs: number;
  #isCountedIdle = false;
  #error: Error | null = null;

  constructor(router: RouterContext, candidate: RoutedCandidate, sessions: EndpointSessions) {
    super(router, "client", limitsFrom(router.config));
    this.#candidate = candidate;
    this.#sessions = sessions;
    const { tls } = candidate.endpoint;
    this.scheme = tls ? "https" : "http";
    const { nowMs } = router.ticker;
    this.#dialStartedAtMs = router.ticker.monotonicMs();
    this.#stepSinceMs = nowMs;
    this.#receivedAtMs = nowMs;
    this.#idleSinceMs = nowMs;
    this.socket = dial(router, candidate, this.#onBytes, ["h2"])
      .on("lookup", this.#onLookup)
      .on("connect", this.#onConnect)
      .on("drain", this.#onDrain)
      .on("end", this.#onEnd)
      .on("error", this.#onError)
      .on("close", this.#onClose);
    if (tls) this.socket.on("secureConnect", this.#onSecureConnect);
    router.upstreams.add(this);
  }

  get isDialing(): boolean {
    return this.#state === "dialing";
  }

  get isIdle(): boolean {
    return this.#inUse === 0;
  }

  get localEnd(): string {
    return localAddressOf(this.socket);
  }

  /** Another exchange may join. */
  get hasRoom(): boolean {
    // Without keep-alive every exchange has a connection of its own.
    if (!this.router.config.keepAliveToEndpoints && (this.#hasServed || this.#inUse > 0)) return false;
    if (this.#state === "dialing") return this.#waiting.length < this.#sessions.streamsAtOnce;
    return this.#state === "open" && this.connection.canOpenStream;
  }

  /** Only when it {@link hasRoom}. */
  join(exchange: Exchange): void {
    const isOpen = this.#state === "open";
    const lane = new EndpointLane(this, exchange, isOpen && this.#hasServed);
    exchange.upstream = lane;
    this.#waiting.push(lane);
    this.#inUse++;
    this.#countIdle(false);
    if (isOpen) this.#startWaiting();
  }

  open(lane: EndpointLane, fields: FieldList, endsStream: boolean): number {
    const streamId = this.connection.openStream(fields, endsStream);
    this.#lanes.set(streamId, lane);
    lane.sinceMs = this.router.ticker.nowMs;
    this.#hasServed = true;
    return streamId;
  }

  left(lane: EndpointLane): void {
    const { nowMs } = this.router.ticker;
    if (!lane.hasAnswered && lane.isConnected && this.#isSilentSince(lane.sinceMs, nowMs)) this.leave();
    lane.sinceMs = nowMs;
    const at = this.#waiting.indexOf(lane);
    if (at !== -1) this.#waiting.splice(at, 1);
    this.#inUse--;
    if (this.#inUse === 0) this.#becomeIdle(nowMs);
  }

  /** No further exchanges; the present ones go on. */
  leave(): void {
    if (this.#state === "closed") return;
    this.#sessions.remove(this);
    if (this.#state === "open") this.#state = "leaving";
    if (this.isIdle) this.close();
  }

  /** Ends it; its exchanges, if any, are told nothing. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#countIdle(false);
    this.#sessions.remove(this);
    this.router.upstreams.delete(this);
    this.socket.destroy();
  }

  /** Called at every tick. */
  check(nowMs: number): void {
    const { config } = this.router;
    if (this.#state === "dialing") {
      const isHandshake = this.dialTimeMs >= 0;
      const limitMs = isHandshake ? config.tlsHandshakeTimeoutMs : config.endpointDialTimeoutMs;
      if (limitMs !== 0 && nowMs - this.#stepSinceMs >= limitMs) this.#fail("i/o timeout");
      return;
    }
    for (const [streamId, lane] of this.#lanes) {
      if (lane.exchange !== null || nowMs - lane.sinceMs < STREAM_END_MS) continue;
      this.#lanes.delete(streamId);
      this.connection.reset(streamId, CANCEL);
      this.flushSoon();
    }
    if (this.isIdle && nowMs - this.#idleSinceMs >= config.idleConnectionTimeoutMs) this.close();
  }

  // === what the endpoint sends ===

  head(streamId: number, fields: FieldList, endsStream: boolean): void {
    this.#lanes.get(streamId)?.receivedHead(fields, endsStream);
    if (endsStream) this.#lanes.delete(streamId);
  }

  data(streamId: number, bytes: Buffer, from: number, to: number, endsStream: boolean): void {
    const lane = this.#lanes.get(streamId);
    if (lane === undefined) this.connection.consumed(streamId, to - from);
    else lane.received(bytes, from, to, endsStream);
    if (endsStream) this.#lanes.delete(streamId);
  }

  trailers(streamId: number, fields: FieldList): void {
    this.#lanes.get(streamId)?.receivedTrailers(fields);
    this.#lanes.delete(streamId);
  }

  reset(streamId: number, code: number, error: ViaductError | null): void {
    const lane = this.#lanes.get(streamId);
    this.#lanes.delete(streamId);
    lane?.wasReset(code, error);
  }

  writable(streamId: number): void {
    this.#lanes.get(streamId)?.unblocked();
  }

  goaway(): void {
    this.leave();
  }

  failed(error: ViaductError): void {
    if (!this.isDialing) this.#fail(error);
    else {
      const endpoint = this.#candidate.address;
      this.#fail(endpointProtocolUnsupported({ endpoint, reason: error.message }, error));
    }
  }

  /** Endpoints open no streams, and we end without waiting for them. */
  refused(): void {}
  settled(): void {}

  protected override turnEnds(): void {}

  protected override lanesDrained(): void {
    for (const lane of this.#lanes.values()) lane.sessionDrained();
  }

  // === dialing ===

  #opened(): void {
    this.#state = "open";
    this.#startWaiting();
    if (this.#waiting.length > 0) {
      // It takes fewer than came: the others go elsewhere, and the next session gets no more than fit.
      const others = this.#waiting;
      this.#waiting = [];
      this.#inUse -= others.length;
      this.#sessions.streamsAtOnce = Math.max(1, this.#lanes.size);
      for (const { exchange } of others) {
        if (exchange !== null) this.#sessions.join(exchange, this.#candidate, true);
      }
    }
    if (this.#inUse === 0) this.#becomeIdle(this.router.ticker.nowMs);
  }

  #startWaiting(): void {
    while (this.#waiting.length > 0 && this.connection.canOpenStream) this.#waiting.shift()?.connected();
  }

  /** Everything here ends. @param reason  an error, a text for dialing; null for the end of the connection */
  #fail(reason: Error | string | null): void {
    if (this.#state === "closed") return;
    const wasDialing = this.#state === "dialing";
    const lanes = [...this.#waiting, ...this.#lanes.values()];
    this.#waiting = [];
    this.#lanes.clear();
    // First: exchanges that try again must not come back to it.
    this.close();
    for (const lane of lanes) {
      if (wasDialing) lane.exchange?.dialFailed(lane, reason ?? "connection closed");
      else lane.lost(typeof reason === "string" ? new Error(reason) : reason);
    }
  }

  /** Nothing came since a request that waited long enough for something. */
  #isSilentSince(sinceMs: number, nowMs: number): boolean {
    return this.#receivedAtMs <= sinceMs && nowMs - sinceMs >= SUSPECT_AFTER_MS;
  }

  #becomeIdle(nowMs: number): void {
    const { config, counters, isDraining } = this.router;
    this.#idleSinceMs = nowMs;
    if (this.#state === "dialing" || this.#state === "closed") return;
    if (
      this.#state === "leaving" ||
      isDraining ||
      !config.keepAliveToEndpoints ||
      this.#candidate.load.references === 0 ||
      counters.idleUpstreamConnections >= config.maxIdleConnections
    ) {
      this.close();
    } else this.#countIdle(true);
  }

  #countIdle(isIdle: boolean): void {
    if (this.#isCountedIdle === isIdle) return;
    this.#isCountedIdle = isIdle;
    this.router.counters.idleUpstreamConnections += isIdle ? 1 : -1;
  }

  // === the socket ===

  readonly #onLookup = () => {
    this.dnsTimeMs = this.router.ticker.monotonicMs() - this.#dialStartedAtMs;
  };

  readonly #onConnect = () => {
    this.dialTimeMs = this.router.ticker.monotonicMs() - this.#dialStartedAtMs;
    this.#stepSinceMs = this.router.ticker.nowMs;
    if (this.scheme === "http") this.flush();
  };

  readonly #onSecureConnect = () => {
    this.tlsTimeMs = this.router.ticker.monotonicMs() - this.#dialStartedAtMs - this.dialTimeMs;
    this.#stepSinceMs = this.router.ticker.nowMs;
    if (this.socket instanceof TLSSocket && this.socket.alpnProtocol === "h2") this.flush();
    else {
      const endpoint = this.#candidate.address;
      this.#fail(
        endpointTlsFailed({ endpoint, reason: "no common application protocol: it does not offer h2" }),
      );
    }
  };

  readonly #onBytes = (bytes: Buffer, size: number) => {
    if (this.#state === "closed") return false;
    this.#receivedAtMs = this.router.ticker.nowMs;
    this.read(bytes, size);
    if (this.isDialing && this.connection.hasPeerSettings) this.#opened();
    return false;
  };

  readonly #onDrain = () => {
    this.flush();
    this.lanesDrained();
  };

  readonly #onEnd = () => this.#fail(this.#error);

  readonly #onError = (error: Error) => {
    this.#error = error;
  };

  readonly #onClose = () => this.#fail(this.#error);
}

/**
 * The connection's window is as good as none: what bounds memory is each stream's, as each connection of HTTP/1.1 has its
 * own, and an exchange whose client is slow must not stop the others.
 */
const limitsFrom = ({ maxResponseHeadBytes }: RouterConfig): Http2Limits => ({
  ...DEFAULT_HTTP2_LIMITS,
  connectionWindowBytes: 0x7fff_ffff,
  // Counts 32 bytes for each field; what the answer's text may have is checked where it is read.
  maxHeaderListBytes: 2 * maxResponseHeadBytes,
});
