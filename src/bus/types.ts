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
  unsubscribe(): void;
}

export type BusStatus = "connected" | "disconnected";

export interface Bus {
  readonly status: BusStatus;
  publish(subject: string, data: Uint8Array | string, replyTo?: string): void;
  /** A handler that throws is logged; the subscription goes on. */
  subscribe(subject: string, handler: (message: BusMessage) => void): BusSubscription;
  /**
   * Publishes with an inbox and resolves with the first answer.
   * @throws busNoAnswer after `timeoutMs`.
   */
  request(subject: string, data: Uint8Array | string, timeoutMs: number): Promise<Uint8Array>;
  /** Everything published before is on the wire and every subscription made before is in force. */
  flush(): Promise<void>;
  /** Called on each change; a reconnect is `disconnected` then `connected`. Returns how to stop. */
  onStatus(handler: (status: BusStatus) => void): () => void;
  close(): Promise<void>;
}
