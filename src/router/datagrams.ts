/** Sends datagrams to one address and waits for nobody: what cannot be sent soon is dropped and counted. */
import { createSocket, type Socket } from "node:dgram";
import type { Clock, Timer } from "../kernel/index.ts";

/** What an IPv4 datagram holds: 65,535 less the headers of IP and UDP. */
export const MAX_DATAGRAM_BYTES = 65_507;
/** As many as gorouter keeps lines for a log that is behind. */
const MAX_WAITING = 1_024;
const RETRY_AFTER_MS = 1_000;
const REPEAT_TROUBLE_AFTER_MS = 60_000;

/** Said once in a while: a datagram that nobody took is told of with every second one. */
export class Trouble {
  readonly #clock: Clock;
  readonly #tell: (error: Error) => void;
  #saidAtMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, tell: (error: Error) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  say(error: Error): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#saidAtMs < REPEAT_TROUBLE_AFTER_MS) return;
    this.#saidAtMs = nowMs;
    this.#tell(error);
  }
}

export interface DatagramParts {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  readonly trouble: Trouble;
  readonly onDrop: (datagrams: number) => void;
}

export class DatagramSender {
  readonly #parts: DatagramParts;
  #socket: Socket | null = null;
  #isConnected = false;
  /** Those that wait for the address. */
  #waiting: Buffer[] = [];
  /** Those that the system has not taken yet. */
  #sending = 0;
  #retry: Timer | null = null;
  #whenIdle: (() => void) | null = null;

  constructor(parts: DatagramParts) {
    this.#parts = parts;
    this.#connect();
  }

  /** @param bytes  At most {@link MAX_DATAGRAM_BYTES}; ours from now on. */
  send(bytes: Buffer): void {
    if (this.#waiting.length + this.#sending >= MAX_WAITING) this.#parts.onDrop(1);
    else if (this.#isConnected) this.#send(bytes);
    else this.#waiting.push(bytes);
  }

  /** Resolves when what was sent has been handed to the system, or could not be. */
  async close(): Promise<void> {
    this.#retry?.clear();
    this.#parts.onDrop(this.#waiting.length);
    this.#waiting = [];
    if (this.#sending > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    this.#socket?.close();
    this.#socket = null;
  }

  /** Once, so that nothing waits for a name to be looked up. */
  #connect(): void {
    const { host, port } = this.#parts;
    const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
    this.#socket = socket;
    socket.unref();
    socket.on("error", (error) => this.#failed(socket, error));
    socket.connect(port, host, () => {
      if (this.#socket !== socket) return;
      this.#isConnected = true;
      for (const bytes of this.#waiting.splice(0)) this.#send(bytes);
    });
  }

  #send(bytes: Buffer): void {
    this.#sending++;
    this.#socket?.send(bytes, (error) => {
      this.#sending--;
      // Nobody listened to the one before: the system tells whoever sends next.
      if (error !== null) {
        this.#parts.onDrop(1);
        this.#parts.trouble.say(error);
      }
      if (this.#sending === 0) this.#whenIdle?.();
    });
  }

  /** Its name was not found; once connected, errors come with the datagram. */
  #failed(socket: Socket, error: Error): void {
    this.#parts.trouble.say(error);
    if (this.#isConnected || this.#socket !== socket) return;
    this.#socket = null;
    socket.close();
    this.#retry = this.#parts.clock.setTimeout(() => this.#connect(), RETRY_AFTER_MS);
  }
}
