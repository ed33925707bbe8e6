/**
 * The bus inside one process. Like the real one: delivery happens later and in order, a payload has a limit, and
 * what is published while it is disconnected is lost.
 */
import { type Clock, type Logger, systemClock } from "../../kernel/index.ts";
import { busDisconnected, busPayloadTooLarge } from "../../kernel/errors/bus.ts";
import { createInbox } from "../inbox.ts";
import { createStatusListeners } from "../listeners.ts";
import { createPauses } from "../pauses.ts";
import { checkSubject, compileSubject } from "../subject.ts";
import type { Bus, BusMessage } from "../types.ts";

/** The limit of a NATS server as it comes. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;

export interface MemoryBus extends Bus {
  /** Behaves like a lost connection, until {@link reconnect}. For tests. */
  disconnect(): void;
  reconnect(): void;
}

interface Subscriber {
  readonly matches: (subject: string) => boolean;
  readonly handler: (message: BusMessage) => void;
}

export function createMemoryBus(options: { log: Logger; clock?: Clock }): MemoryBus {
  const { log, clock = systemClock } = options;
  const encoder = new TextEncoder();
  const subscribers = new Set<Subscriber>();
  const status = createStatusListeners("connected");
  let queue: (() => void)[] = [];
  let nextTurn: NodeJS.Immediate | null = null;
  let isClosed = false;

  // What handlers publish waits for the next turn of the event loop, so that two roles answering each other
  // cannot keep sockets and timers from their turn.
  const drainQueue = () => {
    nextTurn = null;
    const batch = queue;
    queue = [];
    let done = 0;
    while (done < batch.length && !pauses.isPaused) batch[done++]?.();
    if (done < batch.length) queue = batch.slice(done).concat(queue);
  };
  const drainNextTurn = () => {
    nextTurn ??= setImmediate(drainQueue);
  };
  const enqueue = (run: () => void) => {
    queue.push(run);
    if (!pauses.isPaused) drainNextTurn();
  };
  const pauses = createPauses({ pause() {}, resume: drainNextTurn });

  const deliver = (message: BusMessage, receivers: readonly Subscriber[]) => {
    for (const subscriber of receivers) {
      if (!subscribers.has(subscriber)) continue;
      try {
        subscriber.handler(message);
      } catch (error) {
        log.error({ subject: message.subject, err: error }, "bus-handler-failed");
      }
    }
  };

  const bus = {
    publish(subject: string, data: Uint8Array | string, replyTo = "") {
      checkSubject(subject);
      const bytes = typeof data === "string" ? encoder.encode(data) : data;
      if (bytes.length > MAX_PAYLOAD_BYTES) {
        throw busPayloadTooLarge({ subject, bytes: bytes.length, maxBytes: MAX_PAYLOAD_BYTES });
      }
      if (isClosed || status.status === "disconnected") return;
      const receivers = [...subscribers].filter((subscriber) => subscriber.matches(subject));
      if (receivers.length > 0) enqueue(() => deliver({ subject, data: bytes, replyTo }, receivers));
    },
    subscribe(subject: string, handler: (message: BusMessage) => void) {
      const subscriber = { matches: compileSubject(subject), handler };
      if (!isClosed) subscribers.add(subscriber);
      return { unsubscribe: () => void subscribers.delete(subscriber) };
    },
  };

  return {
    ...bus,
    ...createInbox(bus, clock),
    pause: pauses.pause,
    get status() {
      return status.status;
    },
    flush() {
      return new Promise((resolve, reject) => {
        if (isClosed || status.status === "disconnected") reject(busDisconnected({ operation: "flush" }));
        else enqueue(resolve);
      });
    },
    onStatus: (handler) => status.add(handler),
    async close() {
      isClosed = true;
      subscribers.clear();
      status.clear();
    },
    disconnect: () => status.set("disconnected"),
    reconnect: () => status.set("connected"),
  };
}
