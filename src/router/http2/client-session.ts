/**
 * One client's connection that speaks HTTP/2. Each of its streams is a lane with a connection of its own kind, and
 * lanes that are done with a stream wait for the next one:
 *
 *   opened ──► streams come and go ──idle, draining──► GOAWAY ──last stream done──► ended
 *      │               │
 *      └── silent, half a head for too long, breaks a rule, takes nothing ──► closed, its lanes with it
 */
import type { ViaductError } from "../../kernel/index.ts";
import { DEFAULT_HTTP2_LIMITS, type FieldList } from "../../wire/http2/index.ts";
import type { CarrierListener, SocketCarrier } from "../carrier.ts";
import type { RouterContext } from "../context.ts";
import type { ClientTls } from "../tls/tls-handshakes.ts";
import type { OnBytes } from "../receive-buffer.ts";
import { type Waiting, waitForTurn } from "../turn-queue.ts";
import { ClientLane, type ClientLaneOwner } from "./client-lane.ts";
import { Session } from "./session.ts";

/** As long as a connection of HTTP/1.1 lingers: what was sent may still be on its way when we close. */
const LINGER_MS = 2_000;
/** Lanes that wait for a stream. A client that needs more at once has them made anew. */
const MAX_FREE_LANES = 32;
/** A session that has been idle for so long keeps none: each is as large as an idle connection of HTTP/1.1. */
const FREE_LANES_MS = 1_000;
/**
 * Answers that the client does not take: so much of them may wait before its requests do. Streams bound it not, because
 * one is over for the protocol when its answer is in our memory.
 */
const MAX_WAITING_BYTES = 1024 * 1024;
const NEVER = -1;

export interface Http2Client {
  readonly address: string;
  readonly port: number;
  readonly tls: ClientTls;
  /** Begins to read; what it returns is written to. Called once. */
  open(listener: CarrierListener): SocketCarrier;
}

export class ClientSession extends Session implements ClientLaneOwner, Waiting {
  readonly address: string;
  readonly port: number;
  readonly tls: ClientTls;
  protected readonly socket: SocketCarrier;
  readonly #streams = new Map<number, ClientLane>();
  /** With and without a stream. */
  readonly #lanes = new Set<ClientLane>();
  readonly #free: ClientLane[] = [];
  readonly #finished = new Set<ClientLane>();
  /** Received behind as many requests as are read at once. */
  #held: Buffer | null = null;
  /** Moments by the ticker. Something was received, or taken by the client. */
  #movedAtMs: number;
  /** The last stream ended. */
  #idleSinceMs: number;
  /** A head began that has not ended; {@link NEVER} when none has. */
  #headSinceMs: number;
  /** We said that we will close. */
  #leavingSinceMs = NEVER;
  /** It broke a rule, and has no claim to time. */
  #isBroken = false;
  /** Nothing more is read; what is in the output still goes. */
  #overSinceMs = NEVER;

  constructor(router: RouterContext, client: Http2Client) {
    super(router, "server", DEFAULT_HTTP2_LIMITS);
    this.address = client.address;
    this.port = client.port;
    this.tls = client.tls;
    this.#movedAtMs = router.ticker.nowMs;
    this.#idleSinceMs = router.ticker.nowMs;
    this.#headSinceMs = router.ticker.nowMs;
    this.socket = client.open({
      received: this.#onData,
      drained: this.#onDrain,
      ended: this.#onEnd,
      closed: this.#onClose,
    });
    router.counters.activeConnections++;
    router.counters.activeHttp2Connections++;
    this.flushSoon();
  }

  get isIdle(): boolean {
    return this.connection.activeStreams === 0;
  }

  /** Takes no new streams, and closes when those in flight are done. */
  linger(): void {
    if (this.#leavingSinceMs !== NEVER || this.#overSinceMs !== NEVER) return;
    this.#leavingSinceMs = this.router.ticker.nowMs;
    this.connection.shutdown();
    this.flushSoon();
  }

  destroy(): void {
    this.#end();
    this.socket.destroy();
  }

  /** Called at every tick. */
  check(nowMs: number): void {
    const { config, isDraining, isLeaving } = this.router;
    for (const lane of this.#lanes) lane.client.check(nowMs);
    const idleLimitMs = config.frontendIdleTimeoutMs;
    if (this.#overSinceMs !== NEVER) {
      const quietMs =
        nowMs - (this.#isBroken ? this.#overSinceMs : Math.max(this.#overSinceMs, this.#movedAtMs));
      const isReading = this.isStalled && !this.#isBroken;
      if (quietMs >= (isReading ? Math.max(LINGER_MS, idleLimitMs) : LINGER_MS)) this.destroy();
      return;
    }
    if (isDraining || isLeaving) this.linger();
    if (this.#free.length > 0 && this.isIdle && nowMs - this.#idleSinceMs >= FREE_LANES_MS) this.#dropFree();
    this.#checkHead(nowMs, config.readHeaderTimeoutMs);
    if (idleLimitMs !== 0) {
      if (this.isIdle && nowMs - this.#idleSinceMs >= idleLimitMs) this.linger();
      // It takes nothing of what was sent to it.
      if (this.isStalled && nowMs - this.#movedAtMs >= idleLimitMs) this.destroy();
    }
    // It does not answer our goodbye.
    if (this.#leavingSinceMs !== NEVER && this.isIdle) {
      if (nowMs - Math.max(this.#leavingSinceMs, this.#idleSinceMs) >= LINGER_MS) this.destroy();
    }
  }

  finished(lane: ClientLane): void {
    this.#finished.add(lane);
    this.flushSoon();
  }

  // === what the client sends ===

  head(streamId: number, fields: FieldList, endsStream: boolean): void {
    this.#headSinceMs = NEVER;
    const lane = this.#take(streamId);
    lane.begin(streamId, fields, endsStream);
  }

  refused(streamId: number, error: ViaductError): void {
    this.#headSinceMs = NEVER;
    this.#take(streamId).refuse(streamId, error);
  }

  data(streamId: number, bytes: Buffer, from: number, to: number, endsStream: boolean): void {
    const lane = this.#streams.get(streamId);
    if (lane === undefined) this.connection.consumed(streamId, to - from);
    else lane.received(bytes, from, to, endsStream);
  }

  trailers(streamId: number, fields: FieldList): void {
    this.#streams.get(streamId)?.receivedTrailers(fields);
  }

  reset(streamId: number): void {
    const lane = this.#streams.get(streamId);
    if (lane === undefined) return;
    this.#streams.delete(streamId);
    this.#lanes.delete(lane);
    lane.gone();
  }

  writable(streamId: number): void {
    this.#streams.get(streamId)?.unblocked();
  }

  /** Clients open streams, we do not. */
  goaway(): void {}

  settled(): void {
    this.#overSinceMs = this.router.ticker.nowMs;
    this.endSoon();
  }

  failed(error: ViaductError): void {
    this.#isBroken = true;
    this.router.log.info(
      { client: `${this.address}:${this.port}`, error: error.message },
      "http2-session-failed",
    );
    this.#end();
    this.endSoon();
  }

  protected override turnEnds(): void {
    for (const lane of this.#finished) {
      this.#streams.delete(lane.streamId);
      if (lane.settle() && this.#free.length < MAX_FREE_LANES) this.#free.push(lane);
      else {
        this.#lanes.delete(lane);
        lane.gone();
      }
    }
    if (this.#finished.size === 0) return;
    this.#finished.clear();
    this.#idleSinceMs = this.router.ticker.nowMs;
  }

  protected override lanesDrained(): void {
    for (const lane of this.#streams.values()) lane.sessionDrained();
  }

  #take(streamId: number): ClientLane {
    this.router.counters.http2Requests++;
    let lane = this.#free.pop();
    // One that has been idle for too long has ended itself.
    while (lane !== undefined && !lane.isFree) lane = this.#free.pop();
    if (lane === undefined) {
      lane = new ClientLane(this);
      this.#lanes.add(lane);
    }
    this.#streams.set(streamId, lane);
    return lane;
  }

  #dropFree(): void {
    for (const lane of this.#free) {
      this.#lanes.delete(lane);
      lane.gone();
    }
    this.#free.length = 0;
  }

  #checkHead(nowMs: number, limitMs: number): void {
    if (!this.connection.isMidHead) this.#headSinceMs = NEVER;
    else if (this.#headSinceMs === NEVER) this.#headSinceMs = nowMs;
    else if (limitMs !== 0 && nowMs - this.#headSinceMs >= limitMs) this.destroy();
  }

  /** All its lanes lose their connection. */
  #end(): void {
    if (this.#overSinceMs === NEVER) this.#overSinceMs = this.router.ticker.nowMs;
    this.#held = null;
    const lanes = [...this.#lanes];
    this.#lanes.clear();
    this.#streams.clear();
    this.#finished.clear();
    this.#free.length = 0;
    for (const lane of lanes) lane.gone();
  }

  readonly #onData: OnBytes = (bytes, size, memory) => {
    this.#movedAtMs = this.router.ticker.nowMs;
    if (this.#overSinceMs !== NEVER) return false;
    const chunk = memory.keep(bytes, 0, size);
    this.#readOn(this.#held === null ? chunk : Buffer.concat([this.#held, chunk]));
    return false;
  };

  /** Reads what is left of what came at once. */
  takeTurn(): void {
    const held = this.#held;
    if (held === null || this.#overSinceMs !== NEVER || this.#isFull) return;
    this.#readOn(held);
    if (this.#held === null && !this.#isFull) this.socket.resume();
  }

  #readOn(bytes: Buffer): void {
    const read = this.read(bytes, bytes.length);
    this.#held = read < bytes.length ? bytes.subarray(read) : null;
    if (this.#held !== null) waitForTurn(this);
    if (this.#held !== null || this.#isFull) this.socket.pause();
  }

  /** It does not take its answers: no further request until it does. */
  get #isFull(): boolean {
    return this.socket.writableNeedDrain && this.connection.pendingOutputBytes > MAX_WAITING_BYTES;
  }

  readonly #onDrain = () => {
    this.#movedAtMs = this.router.ticker.nowMs;
    this.flush();
    if (this.#held === null) this.socket.resume();
    else waitForTurn(this);
    this.lanesDrained();
  };

  /** Whoever sends nothing more cannot open windows either: there is no half-closed session. */
  readonly #onEnd = () => this.destroy();

  readonly #onClose = () => {
    this.#end();
    this.router.clients.delete(this);
    this.router.counters.activeConnections--;
    this.router.counters.activeHttp2Connections--;
  };
}
