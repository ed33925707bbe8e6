/**
 * A publish/subscribe bus in the shape of NATS core: subjects with `*` and `>`, at most once, no storage.
 */

export interface BusMessage {
  readonly subject: string;
  /** Not copied; valid during the handler only. */
  readonly data: Uint8Array;
  /** Subject to answer on; "" when no answer is expected. */
  readonly replyTo: string;
}

export interface BusSubscription {
  /** No handler call follows, not even for messages that have arrived. */
  unsubscribe(): void;
}

export type BusStatus = "connected" | "disconnected";

export interface Bus {
  readonly status: BusStatus;
  /**
   * Sends to whoever subscribes now; lost while the bus is disconnected, and after `close`.
   * Do not change `data` afterwards: it is not copied.
   * @throws busPayloadTooLarge above 1 MiB (NATS: what the server allows).
   */
  publish(subject: string, data: Uint8Array | string, replyTo?: string): void;
  /** A handler that throws is logged; the subscription goes on. Never called before `subscribe` returns. */
  subscribe(subject: string, handler: (message: BusMessage) => void): BusSubscription;
  /**
   * Publishes with an inbox and resolves with the first answer, a copy.
   * @throws busNoAnswer after `timeoutMs`, never earlier, so that retrying in a loop is harmless.
   */
  request(subject: string, data: Uint8Array | string, timeoutMs: number): Promise<Uint8Array>;
  /**
   * Everything published before is on the wire and every subscription made before is in force.
   * @throws busDisconnected when the bus is away, or goes away meanwhile.
   */
  flush(): Promise<void>;
  /**
   * Takes no more messages until the returned function has been called; what others send waits at the server. For
   * moments only: answers and `flush` wait too, and a server has senders wait when 16 MB or so wait there. What has been
   * read already, up to 200 kB, still comes. When messages have been waiting for a second a pause ends with the turn of
   * the event loop: rather memory here than a server that gives up on us.
   */
  pause(): () => void;
  /** Called on each change; a reconnect is `disconnected` then `connected`. Returns how to stop. */
  onStatus(handler: (status: BusStatus) => void): () => void;
  /** Ends subscriptions and connection; open requests get no answer. Safe to call twice. */
  close(): Promise<void>;
}
