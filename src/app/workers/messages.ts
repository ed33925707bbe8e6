/** What a router's primary process and its workers tell each other, as JSON over the channel of a child process. */
import type { BoundSockets } from "../../router/index.ts";

/** What all workers of one start have in common, whatever happens to the file meanwhile. */
export interface Generation {
  readonly configText: string;
  /** The file as it was at the last reload of certificates; null when there was none. */
  readonly tlsConfigText: string | null;
  /** Base64. */
  readonly ticketKeys: string;
}

export type ToWorker =
  | {
      readonly kind: "start";
      /** Number of the worker's place; workers that follow each other in it have the same. */
      readonly slot: number;
      readonly configPath: string;
      readonly generation: Generation;
      readonly boundSockets: BoundSockets;
      /** Of the worker's own status listener, which only the primary asks. */
      readonly statusPassword: string;
    }
  | { readonly kind: "reload"; readonly configText: string; readonly ticketKeys: string }
  | { readonly kind: "ticket-keys"; readonly ticketKeys: string }
  /** The access log's file has been moved away. */
  | { readonly kind: "reopen-log" }
  /** A successor accepts from the same sockets: end without losing a request. */
  | { readonly kind: "hand-over" }
  /** The whole router drains. */
  | { readonly kind: "drain" }
  | { readonly kind: "stop" };

export type FromWorker =
  /** It listens, in front of a filled table. */
  | { readonly kind: "ready"; readonly statusPort: number }
  /** It could not start, and says so nowhere else. */
  | { readonly kind: "failed"; readonly message: string; readonly reason: string }
  /** The last thing that a worker says: its metrics, which the router's must not fall back behind. */
  | { readonly kind: "over"; readonly metrics: string };

export const STATUS_USER = "primary";
