/**
 * The bus between machines: a NATS server or cluster. Connects as gorouter does: three quick tries at the start,
 * then an error that says what to change; once connected it reconnects for ever.
 *
 *   connect ──(3 tries)──► connected ⇄ disconnected
 *      └──► busUnreachable      └── close ──► closed
 */
import { Socket } from "node:net";
import type { Msg, NatsConnection, NatsConnectionImpl, Status } from "@nats-io/transport-node";
import { type Clock, keepAliveWhile, type Logger, systemReason, type Timer } from "../../kernel/index.ts";
import { busDisconnected, busPayloadTooLarge, busUnreachable } from "../../kernel/errors/bus.ts";
import { createInbox } from "../inbox.ts";
import { createStatusListeners } from "../listeners.ts";
import { createPauses } from "../pauses.ts";
import { checkSubject } from "../subject.ts";
import type { Bus, BusMessage } from "../types.ts";
import { createBacklog } from "./backlog.ts";

const CONNECT_TRIES = 3;
const PAUSE_BETWEEN_TRIES_MS = 100;
/** Dial and handshake of one server, as Go's client has it. */
const CONNECT_TIMEOUT_MS = 2_000;
/** With what the client adds at random and the registrations that follow, a table is right within 2 s of the heal. */
const RECONNECT_PAUSE_MS = 500;
/** A connection that is dead without knowing it must not hold up a shutdown. */
const FLUSH_ON_CLOSE_MS = 1_000;
/**
 * A server cuts off a client that does not take within 10 s all that it had for it when it began to write. So a pause
 * lasts for a turn of the event loop when what waits there is older than this. It is never ignored: a socket hands over
 * 2 MB in one turn, which take 20 ms.
 */
const OLD_BACKLOG_MS = 1_000;
/** The server's answer to a request that nobody subscribes to. */
const NO_RESPONDERS = 503;

const ROUTER_SETTINGS: NatsSettingNames = {
  servers: "nats.hosts",
  credentials: "nats.user and nats.pass",
  tls: "nats.tls_enabled and nats.ca_certs",
};

export interface NatsSettingNames {
  readonly servers: string;
  readonly credentials: string;
  readonly tls: string;
}

export interface NatsOptions {
  /** `host:port`, in any order; one that is reachable suffices. */
  readonly servers: readonly string[];
  /** "" when the server asks for none. */
  readonly user: string;
  readonly pass: string;
  /** PEM texts. Undefined speaks TLS only when the server insists. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
  /** What the server's monitoring calls this client. */
  readonly name: string;
  /** A silent connection counts as lost after two of these without an answer. */
  readonly pingIntervalMs: number;
  readonly log: Logger;
  readonly clock: Clock;
  /** Where these are configured, for the message when no server takes us; a router's when they are left out. */
  readonly settings?: NatsSettingNames;
  /** Pause before a lost server is tried again. */
  readonly reconnectPauseMs?: number;
}

/** @throws busUnreachable */
export async function connectNats(options: NatsOptions): Promise<Bus> {
  const connection = await keepAliveWhile(dial(options));
  return createNatsBus(connection, options);
}

async function dial(options: NatsOptions): Promise<NatsConnection> {
  // Loaded here, because a process on the memory bus never needs the library.
  const { connect } = await import("@nats-io/transport-node");
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect({
        servers: [...options.servers],
        ...(options.user === "" ? {} : { user: options.user, pass: options.pass }),
        ...(options.tls === undefined ? {} : { tls: options.tls }),
        name: options.name,
        pingInterval: options.pingIntervalMs,
        maxPingOut: 2,
        timeout: CONNECT_TIMEOUT_MS,
        maxReconnectAttempts: -1,
        reconnectTimeWait: options.reconnectPauseMs ?? RECONNECT_PAUSE_MS,
        // A password that is being rotated fails for a while; giving up then would need a restart.
        ignoreAuthErrorAbort: true,
      });
    } catch (error) {
      const reason = systemReason(error);
      if (attempt === CONNECT_TRIES) {
        const { servers, settings = ROUTER_SETTINGS } = options;
        throw busUnreachable(
          { servers, tries: CONNECT_TRIES, reason, remedy: remedyOf(error, settings) },
          error,
        );
      }
      options.log.debug({ servers: options.servers, attempt, error: reason }, "nats-connection-retry");
      await new Promise<void>((resolve) => options.clock.setTimeout(resolve, PAUSE_BETWEEN_TRIES_MS));
    }
  }
}

/** By what the library says: it has names for few of its errors. */
function remedyOf(error: unknown, { servers, credentials, tls }: NatsSettingNames): string {
  const { name, message } = error as Error;
  if (name === "AuthorizationError") return `set ${credentials} to what that server has`;
  if (/tls|certificate/i.test(message)) return `set ${tls} to what that server has`;
  return `start it or change ${servers}`;
}

function createNatsBus(connection: NatsConnection, options: NatsOptions): Bus {
  const { log, clock } = options;
  const status = createStatusListeners("connected");
  let reminder: Timer | null = null;

  const onDisconnected = (server: string) => {
    if (status.status === "disconnected" || connection.isClosed()) return;
    log.error({ "nats-host": server }, "nats-connection-disconnected");
    reminder = clock.setInterval(
      () => log.info({ "nats-host": server }, "nats-connection-still-disconnected"),
      options.pingIntervalMs,
    );
    status.set("disconnected");
  };
  const onReconnected = (server: string) => {
    reminder?.clear();
    log.info({ "nats-host": server }, "nats-connection-reconnected");
    status.set("connected");
  };
  const onEvent = (event: Status) => {
    switch (event.type) {
      case "disconnect":
        return onDisconnected(event.server);
      case "reconnect":
        return onReconnected(event.server);
      case "error":
        return log.error({ error: event.error.message }, "nats-connection-error");
      default:
      // Pings, cluster updates and single reconnect attempts change nothing for whoever uses the bus.
    }
  };
  void (async () => {
    for await (const event of connection.status()) onEvent(event);
  })();

  const bus = {
    publish(subject: string, data: Uint8Array | string, replyTo = "") {
      checkSubject(subject);
      if (connection.isClosed()) return;
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      const maxBytes = connection.info?.max_payload ?? Number.POSITIVE_INFINITY;
      if (bytes.length > maxBytes) throw busPayloadTooLarge({ subject, bytes: bytes.length, maxBytes });
      connection.publish(subject, bytes, replyTo === "" ? undefined : { reply: replyTo });
    },
    subscribe(subject: string, handler: (message: BusMessage) => void) {
      checkSubject(subject);
      if (connection.isClosed()) return { unsubscribe() {} };
      const subscription = connection.subscribe(subject, {
        callback(error, message) {
          if (error !== null) {
            log.error({ subject, error: error.message }, "nats-subscription-error");
            return;
          }
          if (message.data.length === 0 && message.headers?.code === NO_RESPONDERS) return;
          try {
            handler(new NatsMessage(message));
          } catch (failure) {
            log.error({ subject: message.subject, err: failure }, "bus-handler-failed");
          }
        },
      });
      return { unsubscribe: () => subscription.unsubscribe() };
    },
  };

  const flushForAWhile = async () => {
    const patience = Promise.withResolvers<void>();
    const timer = clock.setTimeout(patience.resolve, FLUSH_ON_CLOSE_MS);
    await Promise.race([connection.flush().catch(() => {}), patience.promise]);
    timer.clear();
  };

  const backlog = createBacklog(clock, () => connection.flush());
  // Only the socket that was paused goes on: after a reconnect there is another one, perhaps in the middle of a handshake.
  let paused: Socket | null = null;
  const resume = () => {
    paused?.resume();
    paused = null;
  };
  const pauses = createPauses({
    pause() {
      paused = socketOf(connection);
      paused?.pause();
      if (backlog.ageMs() > OLD_BACKLOG_MS) setImmediate(resume);
    },
    resume,
  });

  return {
    ...bus,
    ...createInbox(bus, clock),
    pause: pauses.pause,
    get status() {
      return status.status;
    },
    async flush() {
      if (status.status === "disconnected" || connection.isClosed()) {
        throw busDisconnected({ operation: "flush" });
      }
      try {
        await connection.flush();
      } catch (error) {
        throw busDisconnected({ operation: "flush" }, error);
      }
    },
    onStatus: (handler) => status.add(handler),
    async close() {
      status.clear();
      reminder?.clear();
      // Flushed first: what was published just before, an unregister for instance, still has to go out.
      if (status.status === "connected" && !connection.isClosed()) await flushForAWhile();
      await connection.close();
    },
  };
}

/** The library decodes a text when it is asked for it, and few ask where to answer: also an absent one takes 0.3 µs. */
class NatsMessage implements BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly #message: Msg;

  constructor(message: Msg) {
    this.subject = message.subject;
    this.data = message.data;
    this.#message = message;
  }

  get replyTo(): string {
    return this.#message.reply ?? "";
  }
}

/**
 * The library hands over whatever comes and knows no waiting. Its socket is not part of what it promises: if a newer
 * version keeps it elsewhere, nothing waits at the server, more with us, and `test/contract/bus.test.ts` says so.
 */
function socketOf(connection: NatsConnection): Socket | null {
  const { transport } = (connection as NatsConnectionImpl).protocol;
  return "socket" in transport && transport.socket instanceof Socket ? transport.socket : null;
}
